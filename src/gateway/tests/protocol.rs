//! GraphQL over HTTP: methods, media types, statuses, bodies.

use super::*;

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
        ("POST", "", query, 415, "UNSUPPORTED_MEDIA_TYPE"),
        ("POST", "content-type: text/plain\r\n", query, 415, "UNSUPPORTED_MEDIA_TYPE"),
        (
            "POST",
            "content-type: application/x-www-form-urlencoded\r\n",
            "query={hello}",
            415,
            "UNSUPPORTED_MEDIA_TYPE",
        ),
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
        ("OPTIONS", "", "", 405, "METHOD_NOT_ALLOWED"),
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
    assert_eq!(put.header("allow"), Some("GET, POST"));
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

#[tokio::test]
async fn cross_origin_reading_is_closed_until_it_is_opened() {
    let preflight = "origin: https://shop.example\r\naccess-control-request-method: POST\r\n\
        access-control-request-headers: content-type\r\n";
    let allowed = "access-control-allow-origin";
    let closed = start(edge::Settings::default()).await;
    let answer = closed.ask("OPTIONS", "/graphql", preflight, "").await;
    assert_eq!((answer.status, answer.header(allowed)), (405, None));
    let answer = closed.post("origin: https://shop.example\r\n", r#"{"query":"{ hello }"}"#).await;
    assert_eq!(answer.header(allowed), None);

    let cors = edge::Cors {
        origins: vec![http::HeaderValue::from_static("https://shop.example")],
        credentials: true,
        ..edge::Cors::default()
    };
    let open = start(edge::Settings { cors, ..edge::Settings::default() }).await;
    let answer = open.ask("OPTIONS", "/graphql", preflight, "").await;
    assert_eq!((answer.status, answer.header(allowed)), (200, Some("https://shop.example")));
    assert_eq!(answer.header("access-control-allow-credentials"), Some("true"));
    assert_eq!(answer.header("access-control-max-age"), Some("600"));
    let other = preflight.replace("shop", "evil");
    assert_eq!(open.ask("OPTIONS", "/graphql", &other, "").await.header(allowed), None);
}
