//! Clients that open connections without sending requests: others are served meanwhile.

use super::*;
use crate::gateway::{Listeners, serve_all};
use bytes::Bytes;
use futures_util::stream::{FuturesUnordered, StreamExt as _, iter, pending};
use http_body_util::StreamBody;
use hyper::body::Frame;
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::net::Ipv4Addr;
use std::time::Duration;
use tokio::net::TcpSocket;
use tokio::time::interval;

const HEALTH: &[u8] = b"GET /health HTTP/1.1\r\nhost: t\r\n\r\n";

/// Opens a connection from an address of this machine.
async fn connect(from: u8, to: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind((Ipv4Addr::new(127, 0, 0, from), 0).into()).unwrap();
    socket.connect(to).await.unwrap()
}

/// Sends a request and returns its status; `None`: the connection was closed instead.
async fn ask(socket: &mut TcpStream) -> Option<u16> {
    socket.write_all(HEALTH).await.ok()?;
    let mut answer = Vec::new();
    while !answer.ends_with(b"ok\n") {
        if socket.read_buf(&mut answer).await.ok()? == 0 {
            return None;
        }
    }
    std::str::from_utf8(&answer[9..12]).unwrap().parse().ok()
}

async fn is_closed(socket: &mut TcpStream) {
    let mut rest = Vec::new();
    let _ = socket.read_to_end(&mut rest).await;
}

fn small() -> edge::Settings {
    edge::Settings { connections: 40, ..edge::Settings::default() }
}

#[tokio::test]
async fn silent_connections_make_room() {
    let gateway = start(small()).await;
    let mut silent = Vec::new();
    for n in 0..60 {
        silent.push(connect(2 + n % 11, gateway.address).await);
    }
    // All of them at once, and each is served.
    let mut good = Vec::new();
    for from in 20..30 {
        let mut socket = connect(from, gateway.address).await;
        assert_eq!(ask(&mut socket).await, Some(200));
        good.push(socket);
    }
    for socket in &mut good {
        assert_eq!(ask(socket).await, Some(200), "it is not silent, and keeps its place");
    }
}

#[tokio::test]
async fn connections_that_asked_once_make_room_too() {
    let gateway = start(small()).await;
    let mut idle = Vec::new();
    for n in 0..60 {
        let mut socket = connect(2 + n % 11, gateway.address).await;
        if ask(&mut socket).await == Some(200) {
            idle.push(socket);
        }
    }
    assert!(idle.len() >= 40, "{}", idle.len());
    for from in 20..30 {
        assert_eq!(ask(&mut connect(from, gateway.address).await).await, Some(200));
    }
}

#[tokio::test]
async fn past_half_an_address_has_its_share() {
    let gateway = start(small()).await;
    let mut held = Vec::new();
    for _ in 0..40 {
        let mut socket = connect(2, gateway.address).await;
        if ask(&mut socket).await == Some(200) {
            held.push(socket);
        }
    }
    assert_eq!(held.len(), 20);
    for from in 3..8 {
        let mut served = Vec::new();
        for _ in 0..6 {
            let mut socket = connect(from, gateway.address).await;
            if ask(&mut socket).await == Some(200) {
                served.push(socket);
            }
        }
        held.extend(served.drain(..).take(4));
    }
    for socket in &mut held[..20] {
        assert_eq!(ask(socket).await, Some(200), "what it held, it keeps");
    }
}

#[tokio::test]
async fn a_proxy_keeps_its_connections() {
    let trusted_proxies = vec!["127.0.0.2/32".parse().unwrap()];
    let gateway = start(edge::Settings { trusted_proxies, ..small() }).await;
    let mut of_proxy = Vec::new();
    for _ in 0..30 {
        of_proxy.push(connect(2, gateway.address).await);
    }
    let mut silent = Vec::new();
    for n in 0..60 {
        silent.push(connect(3 + n % 11, gateway.address).await);
    }
    assert_eq!(ask(&mut connect(20, gateway.address).await).await, Some(200));
    for socket in &mut of_proxy {
        assert_eq!(ask(socket).await, Some(200));
    }
}

/// The timeout of the first head begins with the connection, and no byte of it extends the timeout.
#[tokio::test]
async fn the_first_head_is_due_in_its_time() {
    let header_timeout = Duration::from_millis(100);
    let idle_timeout = Duration::from_hours(1);
    let settings = edge::Settings { header_timeout, idle_timeout, ..edge::Settings::default() };
    let gateway = start(settings).await;
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
    for begin in [&b""[..], b"G", b"PRI * HT", preface] {
        let mut socket = TcpStream::connect(gateway.address).await.unwrap();
        socket.write_all(begin).await.unwrap();
        is_closed(&mut socket).await;
    }
    // Single bytes, or pings.
    for (begin, drop) in [(&b"GET /"[..], &b"x"[..]), (preface, b"\0\0\x08\x06\0\0\0\0\0ping1234")]
    {
        let mut socket = TcpStream::connect(gateway.address).await.unwrap();
        socket.write_all(begin).await.unwrap();
        let (mut reading, mut writing) = socket.split();
        let mut ticks = interval(Duration::from_millis(10));
        let drip = async {
            loop {
                ticks.tick().await;
                let _ = writing.write_all(drop).await;
            }
        };
        let mut rest = Vec::new();
        tokio::select! {
            () = drip => {}
            _ = reading.read_to_end(&mut rest) => {}
        }
    }
}

#[tokio::test]
async fn probes_and_metrics_are_answered_while_all_connections_are_taken() {
    let (engine, mut events, _release) = engine(engine::Settings::default());
    let settings = edge::Settings { connections: 2, ..edge::Settings::default() };
    let (identity, exposition) = (Identity::default(), crate::gateway::telemetry::exposition());
    let edge = Edge::with_metrics(engine.clone(), identity.clone(), settings, exposition);
    let gateway = crate::gateway::Gateway { engine, edge, identity, upstreams: Vec::new() };
    let bind = async || TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (clients, metrics) = (bind().await, bind().await);
    let (public, own) = (clients.local_addr().unwrap(), metrics.local_addr().unwrap());
    let mut listeners = Listeners::of(clients);
    listeners.metrics = Some(metrics);
    let (_stop, stopped) = oneshot::channel::<()>();
    let server = tokio::spawn(serve_all(gateway, listeners, async { drop(stopped.await) }));
    let mut busy = Vec::new();
    for _ in 0..2 {
        let mut socket = TcpStream::connect(public).await.unwrap();
        let body = r#"{"query":"{ wait }"}"#;
        let head = "POST /graphql HTTP/1.1\r\nhost: t\r\ncontent-type: application/json\r\ncontent-length: ";
        let request = format!("{head}{}\r\n\r\n{body}", body.len());
        socket.write_all(request.as_bytes()).await.unwrap();
        assert_eq!(events.recv().await, Some("called"));
        busy.push(socket);
    }
    let _waits = TcpStream::connect(public).await.unwrap();
    for path in ["/health", "/ready", "/metrics"] {
        let mut socket = TcpStream::connect(own).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nhost: t\r\nconnection: close\r\n\r\n");
        socket.write_all(request.as_bytes()).await.unwrap();
        assert_eq!(read(&mut socket).await.status, 200, "{path}");
    }
    server.abort();
}

/// Twelve bodies of almost a mebibyte that never end: the connection holds eight.
#[tokio::test]
async fn a_connection_of_many_streams_holds_so_many_bytes_of_bodies() {
    let gateway = start(edge::Settings::default()).await;
    let socket = TcpStream::connect(gateway.address).await.unwrap();
    let handshake = http2::handshake(TokioExecutor::new(), TokioIo::new(socket));
    let (mut send, connection) = handshake.await.unwrap();
    let connection = tokio::spawn(connection);
    let mut answers = FuturesUnordered::new();
    for _ in 0..12 {
        let large = Bytes::from(vec![b' '; (1 << 20) - 1]);
        let begun = iter([std::io::Result::Ok(Frame::data(large))]);
        let request = http::Request::post("http://t/graphql")
            .header("content-type", "application/json")
            .body(StreamBody::new(begun.chain(pending())))
            .unwrap();
        answers.push(send.send_request(request));
    }
    assert_eq!(answers.next().await.unwrap().unwrap().status(), 503);
    drop(answers);
    connection.abort();
    assert_eq!(gateway.get("/health").await.status, 200);
}
