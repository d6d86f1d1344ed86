//! TLS: both protocols, new certificates while connections are open, and client certificates.

use super::*;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rcgen::{CertifiedKey, KeyPair};
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use std::path::Path;
use std::time::Duration;
use tempfile::TempDir;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

type Pair = CertifiedKey<KeyPair>;

fn pair() -> Pair {
    rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap()
}

fn write(folder: &Path, pair: &Pair) {
    std::fs::write(folder.join("cert.pem"), pair.cert.pem()).unwrap();
    std::fs::write(folder.join("key.pem"), pair.signing_key.serialize_pem()).unwrap();
}

fn tls(folder: &TempDir) -> edge::Tls {
    edge::Tls {
        cert: folder.path().join("cert.pem"),
        key: folder.path().join("key.pem"),
        check_every: Duration::from_millis(5),
        client_ca: None,
    }
}

fn settings(tls: edge::Tls) -> edge::Settings {
    edge::Settings { tls: Some(tls), ..edge::Settings::default() }
}

fn client(trusted: &Pair, protocol: &str, own: Option<&Pair>) -> TlsConnector {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.cert.der().clone()).unwrap();
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots);
    let mut config = match own {
        None => builder.with_no_client_auth(),
        Some(own) => {
            let chain: Vec<CertificateDer<'static>> = vec![own.cert.der().clone()];
            let key = PrivateKeyDer::try_from(own.signing_key.serialize_der()).unwrap();
            builder.with_client_auth_cert(chain, key).unwrap()
        }
    };
    config.alpn_protocols = vec![protocol.as_bytes().to_vec()];
    TlsConnector::from(Arc::new(config))
}

async fn connect(
    gateway: &Running,
    connector: &TlsConnector,
) -> std::io::Result<TlsStream<TcpStream>> {
    let socket = TcpStream::connect(gateway.address).await.unwrap();
    connector.connect(ServerName::try_from("localhost").unwrap(), socket).await
}

const ONE: &[u8] = b"GET /health HTTP/1.1\r\nhost: localhost\r\n\r\n";

/// Sends one request on a connection that stays open.
async fn health(socket: &mut TlsStream<TcpStream>) -> std::io::Result<String> {
    socket.write_all(ONE).await?;
    let mut received = Vec::new();
    while !received.ends_with(b"ok\n") {
        if socket.read_buf(&mut received).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(String::from_utf8(received).unwrap())
}

#[tokio::test]
async fn both_protocols_are_spoken_over_tls() {
    let (folder, pair) = (tempfile::tempdir().unwrap(), pair());
    write(folder.path(), &pair);
    let gateway = start(settings(tls(&folder))).await;
    let mut socket = connect(&gateway, &client(&pair, "http/1.1", None)).await.unwrap();
    assert_eq!(socket.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));
    assert!(health(&mut socket).await.unwrap().starts_with("HTTP/1.1 200"));

    let socket = connect(&gateway, &client(&pair, "h2", None)).await.unwrap();
    assert_eq!(socket.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    let (mut send, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(socket))
            .await
            .unwrap();
    let connection = tokio::spawn(connection);
    let url = "https://localhost/graphql?query=%7B%20hello%20%7D";
    let request = http::Request::get(url).body(Empty::<Bytes>::new()).unwrap();
    let response = send.send_request(request).await.unwrap();
    assert_eq!((response.status().as_u16(), response.version()), (200, http::Version::HTTP_2));
    let body = response.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(body, r#"{"data":{"hello":"answer"}}"#);
    drop(send);
    connection.await.unwrap().unwrap();
    let other = connect(&gateway, &client(&pair, "spdy/3", None)).await;
    assert!(other.is_err(), "no protocol in common");
}

#[tokio::test]
async fn a_new_certificate_is_taken_and_open_connections_stay() {
    let (folder, old, new) = (tempfile::tempdir().unwrap(), pair(), pair());
    write(folder.path(), &old);
    let gateway = start(settings(tls(&folder))).await;
    let (to_old, to_new) = (client(&old, "http/1.1", None), client(&new, "http/1.1", None));
    let mut open = connect(&gateway, &to_old).await.unwrap();
    health(&mut open).await.unwrap();
    assert!(connect(&gateway, &to_new).await.is_err());
    write(folder.path(), &new);
    while connect(&gateway, &to_new).await.is_err() {
        tokio::task::yield_now().await;
    }
    health(&mut open).await.expect("what was open stays so");
    assert!(connect(&gateway, &to_old).await.is_err());
    // Invalid files are ignored: whatever was read meanwhile, the earlier certificate is served.
    std::fs::write(folder.path().join("cert.pem"), "nonsense").unwrap();
    for _ in 0..20 {
        health(&mut connect(&gateway, &to_new).await.unwrap()).await.unwrap();
    }
    write(folder.path(), &old);
    while connect(&gateway, &to_old).await.is_err() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn clients_must_show_a_certificate_where_roots_are_set() {
    let (folder, pair, own, other) = (tempfile::tempdir().unwrap(), pair(), pair(), self::pair());
    write(folder.path(), &pair);
    let roots = folder.path().join("clients.pem");
    std::fs::write(&roots, own.cert.pem()).unwrap();
    let gateway = start(settings(edge::Tls { client_ca: Some(roots), ..tls(&folder) })).await;
    let ask = async |own: Option<&Pair>| {
        let mut socket = connect(&gateway, &client(&pair, "http/1.1", own)).await?;
        health(&mut socket).await
    };
    assert!(ask(Some(&own)).await.is_ok());
    assert!(ask(None).await.is_err());
    assert!(ask(Some(&other)).await.is_err());
}

#[tokio::test]
async fn a_handshake_that_is_none_or_never_ends_is_given_up() {
    let (folder, pair) = (tempfile::tempdir().unwrap(), pair());
    write(folder.path(), &pair);
    let header_timeout = Duration::from_millis(50);
    let settings = edge::Settings { header_timeout, ..settings(tls(&folder)) };
    let gateway = start(settings).await;
    for sent in [&b""[..], b"\x16\x03\x01\x02", ONE, &[0xff; 4096]] {
        let mut socket = TcpStream::connect(gateway.address).await.unwrap();
        socket.write_all(sent).await.unwrap();
        let mut received = Vec::new();
        let _ = socket.read_to_end(&mut received).await;
        assert!(!received.starts_with(b"HTTP"), "nothing is said in the clear");
    }
    let mut socket = connect(&gateway, &client(&pair, "http/1.1", None)).await.unwrap();
    health(&mut socket).await.unwrap();
}

#[tokio::test]
async fn nothing_is_served_in_the_clear_where_tls_is_asked_for() {
    let (engine, ..) = engine(engine::Settings::default());
    let edge = Edge::new(engine, Identity::default(), settings(edge::Tls::default()));
    assert!(edge.clone().secured().is_err());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    edge::serve(listener, edge, std::future::pending()).await;
}

/// Serves `edge` on a free port.
async fn serve(edge: Edge) -> (SocketAddr, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (address, tokio::spawn(edge::serve(listener, edge, std::future::pending())))
}

/// Returns the status line over plain HTTP, and over TLS.
async fn spoken(address: SocketAddr, path: &str, trusted: &Pair) -> [Option<String>; 2] {
    let request = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
    let status = |received: Vec<u8>| {
        let text = String::from_utf8(received).ok()?;
        text.starts_with("HTTP/1.1 ").then(|| text[..12].to_owned())
    };
    let mut received = Vec::new();
    let mut socket = TcpStream::connect(address).await.unwrap();
    socket.write_all(request.as_bytes()).await.unwrap();
    let _ = socket.read_to_end(&mut received).await;
    let plain = status(received);
    let socket = TcpStream::connect(address).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let mut received = Vec::new();
    if let Ok(mut socket) = client(trusted, "http/1.1", None).connect(name, socket).await {
        socket.write_all(request.as_bytes()).await.unwrap();
        let _ = socket.read_to_end(&mut received).await;
    }
    [plain, status(received)]
}

#[tokio::test]
async fn addresses_for_operators_speak_tls_only_where_that_is_set() {
    let (folder, pair) = (tempfile::tempdir().unwrap(), pair());
    write(folder.path(), &pair);
    for tls_beside in [false, true] {
        let mut settings = settings(tls(&folder));
        (settings.metrics.tls, settings.admin.tls) = (tls_beside, tls_beside);
        let (engine, ..) = engine(engine::Settings::default());
        let exposition = crate::gateway::telemetry::exposition();
        let edge = Edge::with_metrics(engine, Identity::default(), settings, exposition);
        let edge = edge.secured().unwrap();
        let pages = crate::gateway::admin::router(Vec::new());
        let addresses = [
            (edge.probes(), "/metrics"),
            (edge.probes(), "/ready"),
            (edge.private(pages, edge::Admin::USUAL), "/admin/upstreams"),
        ];
        for (beside, path) in addresses {
            let (address, server) = serve(beside).await;
            let ok = || Some("HTTP/1.1 200".to_owned());
            let due = if tls_beside { [None, ok()] } else { [ok(), None] };
            assert_eq!(spoken(address, path, &pair).await, due, "{path}, tls: {tls_beside}");
            server.abort();
        }
    }
}
