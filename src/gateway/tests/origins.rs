//! Browsers and other origins: what CORS lets a page read, and which requests of other sites are refused.

use super::*;
use http::HeaderValue;

const QUERY: &str = r#"{"query":"{ hello }"}"#;
const PREFLIGHT: &str = "origin: https://shop.example\r\naccess-control-request-method: POST\r\n\
    access-control-request-headers: content-type,x-tenant\r\naccess-control-request-private-network: true\r\n";

fn cors(origins: &[&'static str], credentials: bool) -> edge::Settings {
    let origins = origins.iter().map(|origin| HeaderValue::from_static(origin)).collect();
    let cors = edge::Cors { origins, credentials, ..edge::Cors::default() };
    edge::Settings { cors, ..edge::Settings::default() }
}

fn has_cors(answer: &Answer) -> bool {
    answer.head.lines().any(|line| line.starts_with("access-control-"))
}

#[tokio::test]
async fn cross_origin_reading_is_closed_until_it_is_opened() {
    let closed = start(edge::Settings::default()).await;
    let answer = closed.ask("OPTIONS", "/graphql", PREFLIGHT, "").await;
    assert!(answer.status == 204 && !has_cors(&answer), "{answer:?}");
    let answer = closed.post("origin: https://shop.example\r\n", QUERY).await;
    assert!(answer.status == 200 && !has_cors(&answer), "{answer:?}");
}

#[tokio::test]
async fn a_listed_origin_may_read() {
    let open = start(cors(&["https://shop.example", "https://b.example"], true)).await;
    let answer = open.ask("OPTIONS", "/graphql", PREFLIGHT, "").await;
    assert_eq!(answer.status, 200);
    for (name, value) in [
        ("access-control-allow-origin", Some("https://shop.example")),
        ("access-control-allow-credentials", Some("true")),
        ("access-control-allow-methods", Some("GET,POST")),
        ("access-control-allow-headers", Some("content-type,x-tenant")),
        ("access-control-max-age", Some("600")),
        // The public network cannot reach a private one.
        ("access-control-allow-private-network", None),
    ] {
        assert_eq!(answer.header(name), value, "{name}");
    }
    let answer = open.post("origin: https://shop.example\r\n", QUERY).await;
    let exposed = answer.header("access-control-expose-headers").unwrap();
    assert_eq!(exposed, "retry-after,www-authenticate,ratelimit,ratelimit-policy,x-request-id");
    assert!(!has_cors(&open.ask("GET", "/health", "origin: https://shop.example\r\n", "").await));
}

/// Not even a nearly equal origin, and never by echoing it.
#[tokio::test]
async fn no_other_origin_may() {
    let open = start(cors(&["https://shop.example"], true)).await;
    for origin in [
        "https://evil.example",
        "https://shop.example.evil.example",
        "https://evilshop.example",
        "https://a.shop.example",
        "http://shop.example",
        "https://shop.example:8443",
        "HTTPS://SHOP.EXAMPLE",
        "https://shop.example/",
        "null",
        "*",
        "",
    ] {
        let preflight = PREFLIGHT.replace("https://shop.example", origin);
        let answers = [
            open.ask("OPTIONS", "/graphql", &preflight, "").await,
            open.post(&format!("origin: {origin}\r\n"), QUERY).await,
        ];
        for answer in answers {
            assert_eq!(answer.header("access-control-allow-origin"), None, "{origin}");
            let vary = answer.header("vary").unwrap_or_default();
            assert!(vary.contains("origin"), "a cache must not mix origins up: {answer:?}");
        }
    }
}

#[tokio::test]
async fn any_origin_may_read_but_without_credentials() {
    let open = start(cors(&["*"], false)).await;
    let answer = open.post("origin: https://anybody.example\r\n", QUERY).await;
    assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
    assert_eq!(answer.header("access-control-allow-credentials"), None);
}

/// Requests that an HTML form, an image or a script of another site can make a browser send.
#[tokio::test]
async fn what_a_browser_sends_unasked_is_refused() {
    let gateway = start(edge::Settings::default()).await;
    let cross = "sec-fetch-site: cross-site\r\n";
    let form = "content-type: application/x-www-form-urlencoded\r\n";
    for (method, headers, body) in [
        ("POST", form.to_owned(), "query=mutation{change}"),
        ("POST", "content-type: text/plain\r\n".to_owned(), r#"{"query":"mutation { change }"}"#),
        ("POST", String::new(), r#"{"query":"mutation { change }"}"#),
        ("POST", "content-type: multipart/form-data; boundary=b\r\n".to_owned(), "--b--"),
        ("GET", cross.to_owned(), ""),
        ("GET", "origin: https://evil.example\r\n".to_owned(), ""),
        ("POST", format!("content-type: application/json\r\n{cross}"), QUERY),
    ] {
        for accept in ["", "accept: application/graphql-response+json\r\n"] {
            let headers = format!("{headers}{accept}");
            let answer = gateway.ask(method, "/graphql?query={hello}", &headers, body).await;
            assert_eq!((answer.status, answer.code().as_str()), (403, "CSRF_BLOCKED"), "{headers}");
        }
    }
    let forced = format!("{cross}graphql-preflight: 1\r\n");
    assert_eq!(gateway.ask("GET", "/graphql?query={hello}", &forced, "").await.status, 200);
}
