//! Answers that clients do not read: their memory is limited, and other clients are served meanwhile.

use super::fake::LARGE;
use super::*;
use crate::memory::Memory;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::client::conn::http2::{self, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::net::Ipv4Addr;
use std::time::Duration;
use tokio::net::TcpSocket;

const MIB: usize = 1 << 20;

/// `server.memory` of the tests' gateways.
const MOST: usize = 64 * MIB;

/// Builds an operation whose answer has the reply's text this many times.
fn repeated(times: usize) -> String {
    let fields: Vec<_> = (0..times).map(|n| format!("a{n}: large")).collect();
    format!("{{ {} }}", fields.join(" "))
}

async fn gateway(settings: edge::Settings) -> (Running, Memory) {
    let memory = Memory::new(MOST, 100);
    let of_engine = engine::Settings { memory: memory.clone(), ..engine::Settings::default() };
    (start_with(settings, of_engine).await, memory)
}

async fn connect(from: u8, to: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    // Large answers do not fit into the system's buffers.
    socket.set_recv_buffer_size(4 << 10).unwrap();
    socket.bind((Ipv4Addr::new(127, 0, 0, from), 0).into()).unwrap();
    socket.connect(to).await.unwrap()
}

/// An HTTP/2 client that allows the gateway to send `window` bytes of each answer.
async fn http2(from: u8, to: SocketAddr, window: u32) -> SendRequest<Full<Bytes>> {
    let io = TokioIo::new(connect(from, to).await);
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder.initial_stream_window_size(window);
    let (client, connection) = builder.handshake(io).await.unwrap();
    tokio::spawn(connection);
    client
}

async fn send(client: &mut SendRequest<Full<Bytes>>, query: &str) -> http::Response<Incoming> {
    client.ready().await.unwrap();
    let body = serde_json::json!({ "query": query }).to_string();
    let request =
        http::Request::post("http://t/graphql").header("content-type", "application/json");
    client.send_request(request.body(Full::from(body)).unwrap()).await.unwrap()
}

/// Well-behaved clients get whole answers over both protocols, although each is larger than a small piece.
async fn good_clients_are_served(gateway: &Running) {
    let body = serde_json::json!({ "query": repeated(2) }).to_string();
    let answer = gateway.post("", &body).await;
    assert_eq!(answer.status, 200, "{}", answer.head);
    assert!(answer.body.len() > 2 * LARGE, "{:.200}", answer.body);
    let mut client = http2(1, gateway.address, MIB as u32).await;
    let body = send(&mut client, &repeated(2)).await.into_body().collect().await.unwrap();
    assert!(body.to_bytes().len() > 2 * LARGE);
}

/// Waits until the counted memory satisfies `holds`.
async fn until(memory: &Memory, holds: impl Fn(usize) -> bool) {
    while !holds(memory.held()) {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn answers_that_http1_clients_do_not_read_are_bounded() {
    let (gateway, memory) = gateway(edge::Settings::default()).await;
    let body = serde_json::json!({ "query": repeated(20) }).to_string();
    let request = format!(
        "POST /graphql HTTP/1.1\r\nhost: t\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut flood = Vec::new();
    for _ in 0..40 {
        let mut socket = connect(2, gateway.address).await;
        socket.write_all(request.as_bytes()).await.unwrap();
        // The head of the answer has arrived.
        socket.readable().await.unwrap();
        flood.push(socket);
    }
    assert!(memory.held() > MIB && memory.held() <= MOST / 2, "{memory:?}");
    good_clients_are_served(&gateway).await;
    drop(flood);
    until(&memory, |held| held == 0).await;
}

#[tokio::test]
async fn answers_that_http2_clients_do_not_read_are_bounded() {
    let (gateway, memory) = gateway(edge::Settings::default()).await;
    let mut client = http2(2, gateway.address, 1).await;
    let mut flood = Vec::new();
    for _ in 0..40 {
        flood.push(send(&mut client, &repeated(20)).await);
    }
    assert!(memory.held() > MIB && memory.held() <= MOST / 2, "{memory:?}");
    good_clients_are_served(&gateway).await;
    drop((flood, client));
    until(&memory, |held| held == 0).await;
}

#[tokio::test]
async fn an_answer_without_room_is_an_error_and_then_requests_are_refused() {
    let (gateway, memory) = gateway(edge::Settings::default()).await;
    // Many clients, so that shares do not matter.
    let account = memory.account_of_many();
    let held = account.answer(Bytes::from(vec![b' '; MOST / 2 - LARGE]));
    let body = serde_json::json!({ "query": repeated(2) }).to_string();
    let answer = gateway.post("", &body).await;
    assert_eq!((answer.status, answer.code().as_str()), (200, "OVERLOADED"));
    assert!(answer.json()["data"].is_null() && answer.body.contains("server.memory"));
    let rest = account.answer(Bytes::from(vec![b' '; LARGE]));
    let answer = gateway.post("", r#"{"query":"{ caller }"}"#).await;
    assert_eq!((answer.status, answer.code().as_str()), (503, "OVERLOADED"));
    assert_eq!(answer.header("retry-after"), Some("1"));
    drop((held, rest));
    assert_eq!(gateway.post("", &body).await.status, 200);
    until(&memory, |held| held == 0).await;
}

#[tokio::test]
async fn batches_count_and_streams_do() {
    let settings = edge::Settings { batching: Some(2), ..edge::Settings::default() };
    let (gateway, memory) = gateway(settings).await;
    let one = serde_json::json!({ "query": repeated(10) });
    let whole = serde_json::json!({ "query": repeated(20) });
    let body = serde_json::Value::from(vec![one.clone(), one.clone()]).to_string();
    for (body, accept) in [(body, "application/json"), (whole.to_string(), "text/event-stream")] {
        let request = format!(
            "POST /graphql HTTP/1.1\r\nhost: t\r\ncontent-type: application/json\r\n\
             accept: {accept}\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        let mut socket = connect(2, gateway.address).await;
        socket.write_all(request.as_bytes()).await.unwrap();
        until(&memory, |held| held > 10 * LARGE).await;
        drop(socket);
        until(&memory, |held| held == 0).await;
    }
}

/// The connection continues, and so do its other streams.
#[tokio::test]
async fn a_stream_whose_answer_is_not_read_is_reset() {
    let idle_timeout = Duration::from_millis(100);
    let settings = edge::Settings { idle_timeout, ..edge::Settings::default() };
    let (gateway, memory) = gateway(settings).await;
    let mut client = http2(1, gateway.address, 100).await;
    let unread = send(&mut client, &repeated(2)).await;
    assert!(memory.held() > LARGE);
    while memory.held() > LARGE {
        let answer = send(&mut client, "{ caller }").await;
        assert!(answer.into_body().collect().await.is_ok());
    }
    let end = unread.into_body().collect().await;
    assert!(end.is_err(), "it was reset, not sent");
    let answer = send(&mut client, "{ caller }").await;
    assert_eq!(answer.status(), 200);
}
