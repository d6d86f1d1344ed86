//! Raw connections: ambiguous ends of requests, and clients that are slow or too many.

use super::*;
use bytes::Bytes;
use http_body_util::combinators::MapErr;
use http_body_util::{BodyExt as _, Empty, StreamBody};
use hyper::body::{Body, Frame};
use hyper::client::conn::http2::{self, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::convert::Infallible;
use std::time::Duration;

const MOMENT: Duration = Duration::from_millis(50);

async fn hurried() -> Running {
    start(edge::Settings {
        header_timeout: MOMENT,
        body_timeout: MOMENT,
        idle_timeout: MOMENT,
        playground: true,
        ..edge::Settings::default()
    })
    .await
}

/// An HTTP/2 connection, and the task that ends with it.
async fn http2<B>(gateway: &Running) -> (SendRequest<B>, JoinHandle<hyper::Result<()>>)
where
    B: Body<Data = Bytes, Error = std::io::Error> + Send + Unpin + 'static,
{
    let socket = TcpStream::connect(gateway.address).await.unwrap();
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder.initial_stream_window_size(1024);
    let (send, connection) = builder.handshake(TokioIo::new(socket)).await.unwrap();
    (send, tokio::spawn(connection))
}

type NoBody = MapErr<Empty<Bytes>, fn(Infallible) -> std::io::Error>;

fn nothing() -> NoBody {
    Empty::new().map_err(|never| match never {})
}

#[tokio::test]
async fn a_request_whose_end_is_said_twice_is_refused() {
    let gateway = start(edge::Settings::default()).await;
    let head = "POST /graphql HTTP/1.1\r\nhost: t\r\ncontent-type: application/json\r\n";
    let smuggled = "GET /health HTTP/1.1\r\nhost: t\r\n\r\n";
    for lengths in [
        "content-length: 5\r\ntransfer-encoding: chunked\r\n",
        "transfer-encoding: chunked\r\ncontent-length: 5\r\n",
        "content-length: 5\r\ncontent-length: 5\r\n",
        "content-length: 5\r\ncontent-length: 6\r\n",
        "content-length: 5, 5\r\n",
        "content-length: +5\r\n",
        "content-length: -5\r\n",
        "content-length: 0x5\r\n",
        "content-length: 99999999999999999999999\r\n",
        "transfer-encoding: gzip\r\n",
        "transfer-encoding: chunked, identity\r\n",
        "transfer-encoding: xchunked\r\n",
        "content-length : 5\r\n",
        "x: y\r\n content-length: 5\r\n",
    ] {
        let answer = gateway.raw(format!("{head}{lengths}\r\n0\r\n\r\n{smuggled}")).await;
        assert_eq!(answer.status, 400, "{lengths}: {answer:?}");
        assert!(!answer.body.contains("HTTP/1.1"), "nothing behind it is answered: {answer:?}");
    }
}

/// A valid request before it on the same connection is answered, and nothing after it.
#[tokio::test]
async fn a_request_that_is_ambiguous_ends_its_connection() {
    let gateway = start(edge::Settings::default()).await;
    let first = "POST /graphql HTTP/1.1\r\nhost: t\r\ncontent-type: application/json\r\n\
        transfer-encoding: chunked\r\n\r\n15\r\n{\"query\":\"{ hello }\"}\r\n0\r\n\r\n";
    let second = "POST /graphql HTTP/1.1\r\nhost: t\r\ncontent-length: 4\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n";
    let answer = gateway.raw(format!("{first}{second}{first}")).await;
    assert_eq!(answer.status, 200);
    assert!(answer.body.contains(r#"{"data":{"hello":"answer"}}HTTP/1.1 400"#), "{answer:?}");
    assert!(answer.body.ends_with("the body's length is said twice\n"), "{answer:?}");
}

#[tokio::test]
async fn chunks_of_a_bad_size_are_refused() {
    let gateway = start(edge::Settings::default()).await;
    let head = "POST /graphql HTTP/1.1\r\nhost: t\r\nconnection: close\r\n\
        content-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n";
    for chunk in
        ["zz\r\n{}", "-2\r\n{}", "fffffffffffffffff\r\n{}", "2 2\r\n{}", "\r\n{}", "2\r\n{}x"]
    {
        let answer = gateway.raw(format!("{head}{chunk}\r\n0\r\n\r\n")).await;
        assert_eq!(answer.status, 400, "{chunk:?}: {answer:?}");
    }
    let endless = format!("{head}2;{}", "x".repeat(100_000));
    assert_eq!(gateway.raw(endless).await.status, 400, "an extension without end");
}

#[tokio::test]
async fn one_address_cannot_have_all_connections() {
    let gateway =
        start(edge::Settings { connections_per_ip: 2, ..edge::Settings::default() }).await;
    let first = TcpStream::connect(gateway.address).await.unwrap();
    let second = TcpStream::connect(gateway.address).await.unwrap();
    let mut third = TcpStream::connect(gateway.address).await.unwrap();
    let mut nothing = Vec::new();
    let _ = third.read_to_end(&mut nothing).await;
    assert!(nothing.is_empty(), "closed at once");
    drop((first, second));
    loop {
        let mut next = TcpStream::connect(gateway.address).await.unwrap();
        let mut received = Vec::new();
        let request = b"GET /health HTTP/1.1\r\nhost: t\r\nconnection: close\r\n\r\n";
        let asked = next.write_all(request).await;
        if asked.is_ok() && next.read_to_end(&mut received).await.is_ok() && !received.is_empty() {
            break;
        }
    }
}

#[tokio::test]
async fn a_trusted_proxy_brings_the_connections_of_many() {
    let gateway = start(edge::Settings {
        connections_per_ip: 1,
        trusted_proxies: vec!["127.0.0.0/8".parse().unwrap()],
        ..edge::Settings::default()
    })
    .await;
    let mut held = Vec::new();
    for _ in 0..4 {
        let mut next = TcpStream::connect(gateway.address).await.unwrap();
        next.write_all(b"GET /health HTTP/1.1\r\nhost: t\r\n\r\n").await.unwrap();
        let mut first = [0; 12];
        next.read_exact(&mut first).await.unwrap();
        assert_eq!(&first, b"HTTP/1.1 200");
        held.push(next);
    }
}

#[tokio::test]
async fn an_idle_connection_of_http2_is_closed() {
    let gateway = hurried().await;
    let (mut send, connection) = http2(&gateway).await;
    let request = http::Request::get("http://t/health").body(nothing()).unwrap();
    assert_eq!(send.send_request(request).await.unwrap().status(), 200);
    let _ = connection.await.unwrap();
    assert!(send.ready().await.is_err());
}

#[tokio::test]
async fn a_slow_body_is_given_up_under_http2_too() {
    let gateway = start(edge::Settings { body_timeout: MOMENT, ..edge::Settings::default() }).await;
    let (mut send, _connection) = http2(&gateway).await;
    let begun = futures_util::stream::once(async { Ok(Frame::data(Bytes::from_static(b"{"))) });
    let body = StreamBody::new(Box::pin(futures_util::StreamExt::chain(
        begun,
        futures_util::stream::pending::<std::io::Result<Frame<Bytes>>>(),
    )));
    let request = http::Request::post("http://t/graphql")
        .header("content-type", "application/json")
        .body(body)
        .unwrap();
    let response = send.send_request(request).await.unwrap();
    assert_eq!(response.status(), 400);
    let body = response.into_body().collect().await.unwrap().to_bytes();
    assert!(String::from_utf8_lossy(&body).contains("did not arrive in time"));
}

/// A head that begins and never ends: HEADERS without END_HEADERS.
#[tokio::test]
async fn a_slow_head_of_http2_loses_its_connection() {
    let gateway = hurried().await;
    let mut socket = TcpStream::connect(gateway.address).await.unwrap();
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
    socket.write_all(preface).await.unwrap();
    socket.write_all(&frame(1, 0, 1, &[0x82])).await.unwrap();
    let mut received = Vec::new();
    let _ = socket.read_to_end(&mut received).await;
}

/// A client that requests much and reads nothing of it.
#[tokio::test]
async fn a_client_that_does_not_read_loses_its_connection() {
    let gateway = start(edge::Settings {
        connections: 1,
        idle_timeout: MOMENT,
        playground: true,
        compression: false,
        ..edge::Settings::default()
    })
    .await;
    let script = "http://t/playground/playground.js";
    let (mut send, connection) = http2(&gateway).await;
    let request = http::Request::get(script).body(nothing()).unwrap();
    let unread = send.send_request(request).await.unwrap();
    let _ = connection.await.unwrap();
    drop(unread);

    let mut deaf = TcpStream::connect(gateway.address).await.unwrap();
    let one = "GET /playground/playground.js HTTP/1.1\r\nhost: t\r\n\r\n";
    deaf.write_all(one.repeat(50).as_bytes()).await.unwrap();
    // There is room for one connection only, so this is answered when the other is closed.
    assert_eq!(gateway.get("/health").await.status, 200);
}

#[tokio::test]
async fn streams_that_are_reset_at_once_end_the_connection() {
    let gateway = start(edge::Settings::default()).await;
    let mut socket = TcpStream::connect(gateway.address).await.unwrap();
    let mut sent = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0".to_vec();
    for stream in 0..2_000 {
        let id = 2 * stream + 1;
        // GET http://t/
        sent.extend_from_slice(&frame(1, 0x5, id, &[0x82, 0x86, 0x84, 0x41, 1, b't']));
        sent.extend_from_slice(&frame(3, 0, id, &8_u32.to_be_bytes()));
    }
    let _ = socket.write_all(&sent).await;
    let mut received = Vec::new();
    let _ = socket.read_to_end(&mut received).await;
    assert_eq!(gateway.get("/health").await.status, 200);
}

#[tokio::test]
async fn heads_of_http2_are_bounded() {
    let gateway = start(edge::Settings::default()).await;
    let (mut send, _connection) = http2(&gateway).await;
    let large = "x".repeat(30_000);
    let mut request = http::Request::get("http://t/health");
    for name in ["a", "b", "c"] {
        request = request.header(name, &large);
    }
    let answer = send.send_request(request.body(nothing()).unwrap()).await;
    assert!(answer.is_err() || answer.is_ok_and(|answer| answer.status() == 431));
    assert_eq!(gateway.get("/health").await.status, 200);
}

/// Sends a head and `body`, and then reads. Returns the bytes before the connection ended, and how it ended.
async fn refused_amid(gateway: &Running, head: &str, body: &[u8]) -> (String, std::io::Result<()>) {
    let mut socket = TcpStream::connect(gateway.address).await.unwrap();
    socket.write_all(head.as_bytes()).await.unwrap();
    // The answer arrives before the rest of the request is sent.
    let mut received = Vec::new();
    socket.read_buf(&mut received).await.unwrap();
    let sent = socket.write_all(body).await;
    let read = socket.read_to_end(&mut received).await;
    (String::from_utf8_lossy(&received).into_owned(), sent.and(read.map(drop)))
}

#[tokio::test]
async fn a_refused_request_is_read_on_so_that_its_answer_arrives() {
    let gateway = start(edge::Settings::default()).await;
    let body = vec![b'x'; 60 << 10];
    let length = body.len();
    for (target, headers, status) in [
        ("/graphql", "content-type: application/xml\r\nx-portcullis-csrf: 1\r\n", 415),
        (
            "/graphql",
            "content-type: application/json\r\norigin: https://evil.example\r\nsec-fetch-site: cross-site\r\n",
            403,
        ),
        ("/nothing", "content-type: application/json\r\n", 404),
        ("/health", "", 405),
    ] {
        for connection in ["", "connection: close\r\n"] {
            let head = format!(
                "POST {target} HTTP/1.1\r\nhost: t\r\n{headers}{connection}content-length: {length}\r\n\r\n"
            );
            let mut body = body.clone();
            if connection.is_empty() {
                // The next request on the connection is answered: the rest of the body was not taken for a request.
                body.extend_from_slice(
                    b"GET /ready HTTP/1.1\r\nhost: t\r\nconnection: close\r\n\r\n",
                );
            }
            let (text, ended) = refused_amid(&gateway, &head, &body).await;
            assert!(text.starts_with(&format!("HTTP/1.1 {status}")), "{target}: {text}");
            assert!(ended.is_ok(), "{target} {status}: {ended:?}");
            assert_eq!(text.ends_with("ready\n"), connection.is_empty(), "{target}: {text}");
        }
    }
}

#[tokio::test]
async fn a_refused_request_without_an_end_is_read_no_longer_than_its_bounds() {
    let gateway = start(edge::Settings::default()).await;
    let head = |length: usize| {
        format!("POST /nothing HTTP/1.1\r\nhost: t\r\ncontent-length: {length}\r\n\r\n")
    };
    // More than is read: the client is informed that the connection ends, and can read that.
    let mut socket = TcpStream::connect(gateway.address).await.unwrap();
    socket.write_all(head(512 << 10).as_bytes()).await.unwrap();
    socket.write_all(&vec![b'x'; 512 << 10]).await.unwrap();
    let mut received = Vec::new();
    let _ = socket.read_to_end(&mut received).await;
    let text = String::from_utf8_lossy(&received).to_lowercase();
    assert!(text.starts_with("http/1.1 404") && text.contains("connection: close"), "{text}");
    // Less, and never the rest: the connection ends by itself.
    let (text, _) = refused_amid(&gateway, &head(60 << 10), b"x").await;
    assert!(text.starts_with("HTTP/1.1 404"), "{text}");
    // A refused request gets no `100 Continue`.
    let waits =
        "POST /nothing HTTP/1.1\r\nhost: t\r\nexpect: 100-continue\r\ncontent-length: 9\r\n\r\n";
    let (text, _) = refused_amid(&gateway, waits, b"").await;
    assert!(text.starts_with("HTTP/1.1 404") && !text.contains("100 Continue"), "{text}");
}

#[tokio::test]
async fn http2_is_told_that_the_rest_of_a_refused_request_is_not_needed() {
    let gateway = start(edge::Settings::default()).await;
    let (mut send, _connection) = http2::<EndlessBody>(&gateway).await;
    let url = format!("http://{}/nothing", gateway.address);
    for _ in 0..3 {
        let frames = futures_util::stream::repeat_with(|| {
            Ok::<_, std::io::Error>(Frame::data(Bytes::from_static(&[b'x'; 1024])))
        });
        let body: EndlessBody = StreamBody::new(Box::pin(frames));
        let request = http::Request::post(&url).body(body).unwrap();
        let response = send.send_request(request).await.unwrap();
        assert_eq!(response.status(), 404);
        let text = response.into_body().collect().await.expect("not an error").to_bytes();
        assert!(text.starts_with(b"nothing is here"), "{text:?}");
        // The stream has ended, and the connection has not.
        send.ready().await.unwrap();
    }
}

type EndlessBody = StreamBody<
    std::pin::Pin<
        Box<dyn futures_util::Stream<Item = Result<Frame<Bytes>, std::io::Error>> + Send>,
    >,
>;
