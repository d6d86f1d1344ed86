//! Visible traces of requests: metrics, and IDs.

use super::*;
use crate::gateway::{Listeners, serve_all};

fn listening() -> edge::Settings {
    let metrics = edge::Scrape { public: true, ..edge::Scrape::default() };
    edge::Settings { metrics, ..edge::Settings::default() }
}

/// Returns the value of a series, 0 if there is none.
fn value(metrics: &str, series: &str) -> f64 {
    let named = |line: &str| line.strip_prefix(series)?.strip_prefix(' ').map(str::to_owned);
    metrics.lines().find_map(named).map_or(0.0, |value| value.parse().unwrap())
}

#[tokio::test]
async fn requests_are_counted_where_prometheus_reads() {
    let gateway = start(listening()).await;
    let before = gateway.get("/metrics").await;
    assert_eq!(before.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    let ok = "portcullis_http_requests_total{status=\"2xx\"}";
    let refused = "portcullis_http_requests_total{status=\"4xx\"}";
    let count = "portcullis_http_request_duration_seconds_count";
    gateway.post("", r#"{"query":"{ hello }"}"#).await;
    gateway.get("/graphql").await;
    let after = gateway.get("/metrics").await.body;
    for (series, more) in [(ok, 2.0), (refused, 1.0), (count, 3.0)] {
        let grown = value(&after, series) - value(&before.body, series);
        assert!(grown >= more, "{series}: {grown}\n{after}");
    }
    assert!(value(&after, "portcullis_http_connections") >= 1.0, "{after}");
    assert!(value(&after, "portcullis_http_requests_in_flight") >= 1.0, "{after}");
    for series in ["sent_bytes_total", "received_bytes_total"] {
        assert!(value(&after, &format!("portcullis_http_{series}")) > 100.0, "{after}");
    }
    assert!(after.contains("portcullis_http_request_duration_seconds_bucket{le=\"0.005\"}"));
}

#[tokio::test]
async fn metrics_are_not_public_unless_asked_for() {
    let gateway = start(edge::Settings::default()).await;
    assert_eq!(gateway.get("/metrics").await.status, 404);
}

#[tokio::test]
async fn metrics_and_the_admin_page_have_addresses_of_their_own() {
    let (engine, ..) = engine(engine::Settings::default());
    let (identity, settings) = (Identity::default(), edge::Settings::default());
    let exposition = crate::gateway::telemetry::exposition();
    let edge = Edge::with_metrics(engine.clone(), identity.clone(), settings, exposition);
    let gateway = crate::gateway::Gateway { engine, edge, identity, upstreams: Vec::new() };
    let bind = async || TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (clients, metrics, admin) = (bind().await, bind().await, bind().await);
    let (public, own) = (clients.local_addr().unwrap(), metrics.local_addr().unwrap());
    let private = admin.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let mut listeners = Listeners::of(clients);
    (listeners.metrics, listeners.admin) = (Some(metrics), Some(admin));
    let serving = serve_all(gateway, listeners, async { drop(stopped.await) });
    let server = tokio::spawn(serving);
    for (address, path, status) in [
        (own, "/metrics", 200),
        (own, "/health", 200),
        (own, "/ready", 200),
        (own, "/graphql", 404),
        (public, "/metrics", 404),
        (public, "/health", 200),
        (public, "/admin/upstreams", 404),
        (own, "/admin/upstreams", 404),
        (private, "/admin/upstreams", 200),
        (private, "/metrics", 404),
        (private, "/graphql", 404),
    ] {
        let answer = at(address, "GET", path, &format!("host: {address}\r\n")).await;
        assert_eq!(answer.status, status, "{address} {path}");
    }
    only_for_operators(private).await;
    drop(stop);
    server.await.unwrap();
}

async fn at(address: SocketAddr, method: &str, path: &str, headers: &str) -> Answer {
    let mut socket = TcpStream::connect(address).await.unwrap();
    let request = format!("{method} {path} HTTP/1.1\r\nconnection: close\r\n{headers}\r\n");
    socket.write_all(request.as_bytes()).await.unwrap();
    read(&mut socket).await
}

/// Websites cannot reach it through a visitor's browser, and it is read-only.
async fn only_for_operators(private: SocketAddr) {
    let own = format!("host: {private}\r\n");
    let local = format!("host: localhost:{}\r\n", private.port());
    for (method, headers, status) in [
        ("GET", local.clone(), 200),
        ("HEAD", own.clone(), 200),
        ("GET", format!("{own}origin: http://{private}\r\n"), 200),
        ("GET", "host: evil.example\r\n".to_owned(), 421),
        ("GET", String::new(), 421),
        ("GET", format!("{own}origin: https://evil.example\r\n"), 403),
        ("GET", format!("{own}origin: http://evil.example\r\n"), 403),
        ("GET", format!("{own}origin: null\r\n"), 403),
        ("GET", format!("{own}origin: https://{private}\r\n"), 403),
        ("POST", own.clone(), 405),
        ("DELETE", own.clone(), 405),
    ] {
        let answer = at(private, method, "/admin/upstreams", &headers).await;
        assert_eq!(answer.status, status, "{method} {headers}");
        let policy = answer.header("content-security-policy").unwrap();
        assert!(policy.starts_with("default-src 'none'"), "{policy}");
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        assert_eq!(answer.header("access-control-allow-origin"), None);
    }
}

#[tokio::test]
async fn every_answer_has_an_id_of_its_own() {
    let gateway = start(edge::Settings::default()).await;
    let mut ids = std::collections::HashSet::new();
    for target in ["/health", "/nowhere", "/graphql", "/graphql?query={hello}"] {
        let answer = gateway.ask("GET", target, "x-request-id: mine\r\n", "").await;
        let id = answer.header("x-request-id").unwrap_or_else(|| panic!("{answer:?}")).to_owned();
        assert_eq!(id.len(), 32, "a stranger's own word is not taken");
        assert!(ids.insert(id));
    }
}
