//! GraphQL over HTTP: methods, media types, statuses, bodies.

use super::*;
use crate::engine::Mode;

const GRAPHQL: &str = "accept: application/graphql-response+json\r\n";
const JSON: &str = "accept: application/json\r\n";

#[tokio::test]
async fn the_status_follows_the_accepted_media_type() {
    let gateway = start(edge::Settings::default()).await;
    for (query, code, graphql) in [
        ("{ hello }", None, 200),
        ("{ hello", Some("GRAPHQL_PARSE_FAILED"), 400),
        ("{ nothing }", Some("GRAPHQL_VALIDATION_FAILED"), 400),
        ("{ __schema { types { name } } }", Some("INTROSPECTION_DISABLED"), 400),
    ] {
        let body = serde_json::json!({ "query": query }).to_string();
        for (accept, status, media) in [
            ("", 200, "application/json"),
            ("accept: */*\r\n", 200, "application/json"),
            (JSON, 200, "application/json"),
            (GRAPHQL, graphql, "application/graphql-response+json"),
        ] {
            let answer = gateway.post(accept, &body).await;
            assert_eq!(answer.status, status, "{query} {accept} {answer:?}");
            let content_type = format!("{media}; charset=utf-8");
            assert_eq!(answer.header("content-type"), Some(content_type.as_str()));
            match code {
                None => assert_eq!(answer.json(), serde_json::json!({"data": {"hello": "answer"}})),
                Some(code) => {
                    assert_eq!(answer.code(), code);
                    assert!(answer.json().get("data").is_none(), "{answer:?}");
                }
            }
        }
    }
}

#[tokio::test]
async fn requests_that_are_none_are_refused() {
    let gateway = start(edge::Settings::default()).await;
    let json = "content-type: application/json\r\n";
    let query = r#"{"query":"{ hello }"}"#;
    for (method, headers, body, status, code) in [
        ("POST", "", query, 403, "CSRF_BLOCKED"),
        ("POST", "content-type: text/plain\r\n", query, 403, "CSRF_BLOCKED"),
        (
            "POST",
            "content-type: text/plain\r\nx-portcullis-csrf: 1\r\n",
            query,
            415,
            "UNSUPPORTED_MEDIA_TYPE",
        ),
        ("POST", "content-type: application/graphql\r\n", query, 415, "UNSUPPORTED_MEDIA_TYPE"),
        (
            "POST",
            "content-type: application/json; charset=latin1\r\n",
            query,
            415,
            "UNSUPPORTED_MEDIA_TYPE",
        ),
        (
            "POST",
            "content-type: application/json\r\naccept: text/html\r\n",
            query,
            406,
            "NOT_ACCEPTABLE",
        ),
        ("PUT", json, query, 405, "METHOD_NOT_ALLOWED"),
        ("DELETE", json, query, 405, "METHOD_NOT_ALLOWED"),
        ("TRACE", "", "", 405, "METHOD_NOT_ALLOWED"),
        ("QUERY", json, query, 405, "METHOD_NOT_ALLOWED"),
        ("POST", json, "", 400, "BAD_REQUEST"),
        ("POST", json, "{", 400, "BAD_REQUEST"),
        ("POST", json, "[]", 400, "BAD_REQUEST"),
        ("POST", json, "{}", 400, "BAD_REQUEST"),
        ("POST", json, r#"{"query":1}"#, 400, "BAD_REQUEST"),
        ("POST", json, r#"{"query":"{ hello }","variables":1}"#, 400, "BAD_REQUEST"),
        ("GET", "", "", 400, "BAD_REQUEST"),
    ] {
        let answer = gateway.ask(method, "/graphql", headers, body).await;
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (status, code),
            "{method} {headers} {body}"
        );
    }
    let invalid = gateway.post("", b"{\"query\":\"{ hello }\xff\"}").await;
    assert_eq!((invalid.status, invalid.code().as_str()), (400, "BAD_REQUEST"));
    let put = gateway.ask("PUT", "/graphql", "", "").await;
    assert_eq!(put.header("allow"), Some("GET, HEAD, POST, OPTIONS"));
}

#[tokio::test]
async fn head_is_a_get_without_its_body_and_options_tells_the_methods() {
    let gateway = start(edge::Settings::default()).await;
    let get = gateway.get("/graphql?query={hello}").await;
    let head = gateway.ask("HEAD", "/graphql?query={hello}", "", "").await;
    assert_eq!((head.status, head.body.as_str()), (200, ""));
    for name in ["content-type", "content-length"] {
        assert_eq!(head.header(name), get.header(name), "{name}");
    }
    assert_eq!(gateway.ask("HEAD", "/graphql?query=mutation{change}", "", "").await.status, 405);
    let options = gateway.ask("OPTIONS", "/graphql", "", "").await;
    assert_eq!((options.status, options.body.as_str()), (204, ""));
    assert_eq!(options.header("allow"), Some("GET, HEAD, POST, OPTIONS"));
    let post = gateway.ask("POST", "/health", "", "").await;
    assert_eq!((post.status, post.header("allow")), (405, Some("GET,HEAD")));
}

/// The edition of September 2026 distinguishes more cases than the published audit.
#[tokio::test]
async fn finer_statuses_are_behind_a_switch() {
    let settings = edge::Settings { statuses: edge::Statuses::Fine, ..edge::Settings::default() };
    let gateway = start(settings).await;
    let coerced = r#"{"query":"query ($n: String!) { hello(name: $n) }","variables":{"n":1}}"#;
    for (body, json, graphql) in [
        (r#"{"query":"{ hello }"}"#, 200, 200),
        (r#"{"query":"{ hello fail }"}"#, 200, 294),
        (r#"{"query":"{ hello"}"#, 200, 400),
        (r#"{"query":"{ nothing }"}"#, 200, 422),
        (r#"{"query":"query A { hello } query B { hello }"}"#, 200, 422),
        (coerced, 200, 422),
        (r#"{"qeury":"{ hello }"}"#, 400, 422),
        (r#"{"query":"{ hello }","variables":[7]}"#, 400, 422),
        ("[]", 400, 422),
        ("NONSENSE", 400, 400),
        (r#"{"query":"#, 400, 400),
        ("", 400, 400),
    ] {
        assert_eq!(gateway.post(GRAPHQL, body).await.status, graphql, "{body}");
        assert_eq!(gateway.post(JSON, body).await.status, json, "{body}");
    }
    assert_eq!(gateway.ask("GET", "/graphql", GRAPHQL, "").await.status, 422);
    let mutation = gateway.ask("GET", "/graphql?query=mutation{change}", GRAPHQL, "").await;
    assert_eq!(mutation.status, 405);
}

#[tokio::test]
async fn no_address_or_header_is_too_odd() {
    let gateway = start(edge::Settings::default()).await;
    let long = format!("/graphql?query={{hello}}&x={}", "x".repeat(100_000));
    let too_long = gateway.get(&long).await;
    assert_eq!((too_long.status, too_long.body.as_str()), (414, ""));
    let many = "x-filler: y\r\n".repeat(200);
    assert_eq!(gateway.ask("GET", "/graphql?query={hello}", &many, "").await.status, 431);
    for target in ["/graphql/", "/graphqlx", "/%67raphql%ff", "/..%2fgraphql", "//graphql"] {
        assert_eq!(gateway.get(target).await.status, 404, "{target}");
    }
    for query in ["query=%ff", "query={hello}&operationName=%c3%28", "query={hello}&variables=%ff"]
    {
        let answer = gateway.get(&format!("/graphql?{query}")).await;
        assert_eq!((answer.status, answer.code().as_str()), (400, "BAD_REQUEST"), "{query}");
    }
    let mut odd =
        b"GET /graphql?query={hello} HTTP/1.1\r\nhost: t\r\nconnection: close\r\n".to_vec();
    for name in ["accept", "accept-encoding", "origin", "x-request-id", "traceparent", "tracestate"]
    {
        odd.extend_from_slice(&[name.as_bytes(), b": \xff\xfe\r\n"].concat());
    }
    odd.extend_from_slice(b"\r\n");
    let answer = gateway.raw(odd).await;
    assert!((200..500).contains(&answer.status), "{answer:?}");
}

#[tokio::test]
async fn queries_come_by_get_and_mutations_do_not() {
    let gateway = start(edge::Settings::default()).await;
    let answer = gateway
        .get("/graphql?query=query+A($n:String){a:hello(name:$n)}query+B{hello}&operationName=A&variables=%7B%22n%22:%22x%22%7D")
        .await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.json(), serde_json::json!({"data": {"a": "answer"}}));
    for accept in [JSON, GRAPHQL] {
        let answer = gateway.ask("GET", "/graphql?query=mutation{change}", accept, "").await;
        assert_eq!((answer.status, answer.code().as_str()), (405, "METHOD_NOT_ALLOWED"));
        assert_eq!(answer.header("allow"), Some("POST"));
    }
    let posted = gateway.post("", r#"{"query":"mutation { change }"}"#).await;
    assert_eq!(posted.json(), serde_json::json!({"data": {"change": "answer"}}));
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused_however_it_comes() {
    let gateway = start(edge::Settings { body_limit: 100, ..edge::Settings::default() }).await;
    let large = format!(r#"{{"query":"{{ hello }}","x":"{}"}}"#, "x".repeat(10 << 20));
    let answer = gateway.post("", &large).await;
    assert_eq!((answer.status, answer.code().as_str()), (413, "PAYLOAD_TOO_LARGE"));
    let chunked = "POST /graphql HTTP/1.1\r\nhost: t\r\nconnection: close\r\n\
        content-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n";
    let chunks = format!("{:x}\r\n{}\r\n", 60, " ".repeat(60)).repeat(2) + "0\r\n\r\n";
    assert_eq!(gateway.raw(format!("{chunked}{chunks}")).await.status, 413);
    let expecting = "POST /graphql HTTP/1.1\r\nhost: t\r\nconnection: close\r\n\
        content-type: application/json\r\ncontent-length: 101\r\nexpect: 100-continue\r\n\r\n";
    assert_eq!(gateway.raw(expecting).await.status, 413, "at once, without the body");
    let fits = gateway.post("", r#"{"query":"{ hello }"}"#).await;
    assert_eq!(fits.status, 200);
}

#[tokio::test]
async fn a_body_over_a_limit_that_is_measured_or_off_is_served_up_to_a_bound() {
    for body_mode in [Mode::Measure, Mode::Off] {
        let settings = edge::Settings { body_limit: 100, body_mode, ..edge::Settings::default() };
        let gateway = start(settings).await;
        let large = format!(r#"{{"query":"{{ hello }}","x":"{}"}}"#, "x".repeat(1 << 20));
        let answer = gateway.post("", &large).await;
        assert_eq!((answer.status, &answer.json()["data"]["hello"]), (200, &"answer".into()));
        let expecting = "POST /graphql HTTP/1.1\r\nhost: t\r\nconnection: close\r\n\
            content-type: application/json\r\ncontent-length: 33554433\r\nexpect: 100-continue\r\n\r\n";
        assert_eq!(gateway.raw(expecting).await.status, 413, "more than 32 MiB");
    }
}

#[tokio::test]
async fn more_values_than_allowed_are_refused_before_they_are_parsed() {
    let gateway = start(edge::Settings::default()).await;
    let body = |values: usize| {
        let values = "1,".repeat(values);
        format!(r#"{{"query":"{{ hello }}","variables":{{"v":[{values}1]}}}}"#)
    };
    for values in [20_000, 500_000] {
        let answer = gateway.post("", &body(values)).await;
        assert_eq!(answer.code(), "LIMIT_EXCEEDED", "{values}");
        assert!(answer.body.contains("limits.variables"), "{answer:?}");
    }
    let most = gateway.post("", &body(19_998)).await;
    assert_eq!(most.json()["data"]["hello"], "answer");
}

#[tokio::test]
async fn the_caller_goes_along() {
    let gateway = start(edge::Settings::default()).await;
    let answer = gateway.post("x-tenant: acme\r\n", r#"{"query":"{ caller }"}"#).await;
    let expected = r#"Some("acme") Some(127.0.0.1)"#;
    assert_eq!(answer.json()["data"]["caller"], expected);
}

#[tokio::test]
async fn probes_unknown_paths_and_broken_requests() {
    let gateway = start(edge::Settings::default()).await;
    assert_eq!(gateway.get("/health").await.body, "ok\n");
    assert_eq!(gateway.get("/ready").await.status, 200);
    let nothing = gateway.get("/").await;
    assert!(nothing.status == 404 && nothing.body.contains("/graphql"), "{nothing:?}");
    let two_hosts = "GET /health HTTP/1.1\r\nhost: a\r\nhost: b\r\nconnection: close\r\n\r\n";
    assert_eq!(gateway.raw(two_hosts).await.status, 400);
    let lengths =
        "POST /graphql HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n";
    assert_eq!(gateway.raw(lengths).await.status, 400);
    assert_eq!(gateway.raw("nonsense\r\n\r\n").await.status, 400);
}

#[tokio::test]
async fn the_playground_is_there_when_it_is_on() {
    let settings = edge::Settings {
        playground: true,
        path: "/api/graphql".to_owned(),
        default_query: "{ hello }".to_owned(),
        ..edge::Settings::default()
    };
    let gateway = start(settings).await;
    let page = gateway.get("/").await;
    assert!(page.status == 200 && page.body.contains("/playground/playground.js"));
    assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"));
    let policy = page.header("content-security-policy").unwrap();
    assert!(policy.contains("default-src 'self'") && !policy.contains("http"), "{policy}");
    for (path, kind) in [("playground.js", "text/javascript"), ("playground.css", "text/css")] {
        let file = gateway.get(&format!("/playground/{path}")).await;
        assert!(file.header("content-type").is_some_and(|found| found.starts_with(kind)));
    }
    let settings = gateway.get("/playground/settings.json").await.json();
    let expected = serde_json::json!({"endpoint": "/api/graphql", "defaultQuery": "{ hello }"});
    assert_eq!(settings, expected);
    let tag = page.header("etag").unwrap();
    let again = gateway.ask("GET", "/", &format!("if-none-match: {tag}\r\n"), "").await;
    assert_eq!((again.status, again.body.as_str()), (304, ""));
    assert_eq!(gateway.get("/graphql?query={hello}").await.status, 404);
}
