//! Connections and the process: panics, disconnects, silent clients, and stopping.

use super::*;
use std::time::Duration;

#[tokio::test]
async fn a_panic_ends_one_request_and_not_the_gateway() {
    let gateway = start(edge::Settings::default()).await;
    let answer = gateway.post("", r#"{"query":"{ panic }"}"#).await;
    assert_eq!((answer.status, answer.code().as_str()), (500, "INTERNAL"), "{answer:?}");
    let id = &answer.json()["errors"][0]["extensions"]["errorId"];
    assert!(id.as_str().is_some_and(|id| id.len() == 16), "{id}");
    assert!(!answer.body.contains("as told"), "the words of a panic go to the log only");
    assert_eq!(gateway.get("/health").await.status, 200);
}

#[tokio::test]
async fn a_panic_before_the_first_event_ends_one_stream_and_not_its_connection() {
    let gateway = start(edge::Settings::default()).await;
    for accepted in ["text/event-stream", "multipart/mixed;subscriptionSpec=1.0, application/json"]
    {
        let accept = format!("accept: {accepted}\r\n");
        let answer = gateway.post(&accept, r#"{"query":"{ panic }"}"#).await;
        assert!(answer.body.contains("\"INTERNAL\""), "{answer:?}");
        assert!(answer.body.contains("errorId") && !answer.body.contains("as told"), "{answer:?}");
    }
}

#[tokio::test]
async fn a_client_that_hangs_up_cancels_its_calls() {
    let mut gateway = start(edge::Settings::default()).await;
    let client = gateway.begin("{ hang }").await;
    gateway.event("called").await;
    drop(client);
    gateway.event("cancelled").await;
}

#[tokio::test]
async fn the_deadline_of_a_request_ends_it() {
    let timeout = Duration::from_millis(20);
    let of_engine = engine::Settings { timeout, ..engine::Settings::default() };
    let gateway = start_with(edge::Settings::default(), of_engine).await;
    let answer = gateway.post("", r#"{"query":"{ hang }"}"#).await;
    assert!(
        answer.body.contains("DEADLINE_EXCEEDED") || answer.body.contains("UPSTREAM_TIMEOUT"),
        "{answer:?}"
    );
}

#[tokio::test]
async fn silent_and_slow_clients_lose_their_connection() {
    let moment = Duration::from_millis(30);
    let settings = edge::Settings {
        header_timeout: moment,
        idle_timeout: moment,
        body_timeout: moment,
        ..edge::Settings::default()
    };
    let gateway = start(settings).await;
    let silent = "";
    let half_a_head = "POST /graphql HTTP/1.1\r\nhost: te";
    let half_a_preface = "PRI * HT";
    let idle = "GET /health HTTP/1.1\r\nhost: test\r\n\r\n";
    for (sent, answered) in
        [(silent, ""), (half_a_head, ""), (half_a_preface, ""), (idle, "HTTP/1.1 200")]
    {
        let mut socket = TcpStream::connect(gateway.address).await.unwrap();
        socket.write_all(sent.as_bytes()).await.unwrap();
        let mut received = Vec::new();
        let _ = socket.read_to_end(&mut received).await;
        let received = String::from_utf8(received).unwrap();
        assert!(received.starts_with(answered), "{sent:?}: {received}");
    }
    let half_a_body = "POST /graphql HTTP/1.1\r\nhost: test\r\ncontent-type: application/json\r\n\
        content-length: 10\r\n\r\n{";
    let answer = gateway.raw(half_a_body).await;
    assert_eq!((answer.status, answer.code().as_str()), (400, "BAD_REQUEST"));
}

#[tokio::test]
async fn stopping_lets_requests_finish_and_takes_no_more() {
    let mut gateway = start(edge::Settings::default()).await;
    let mut idle = TcpStream::connect(gateway.address).await.unwrap();
    let mut client = gateway.begin("{ wait }").await;
    gateway.event("called").await;
    let _ = gateway.stop.send(());
    let mut nothing = Vec::new();
    idle.read_to_end(&mut nothing).await.unwrap();
    assert!(nothing.is_empty(), "an idle connection is closed");
    assert!(TcpStream::connect(gateway.address).await.is_err(), "nobody listens any more");
    gateway.release.notify_one();
    let answer = read(&mut client).await;
    assert_eq!(answer.json(), serde_json::json!({"data": {"wait": "wait"}}));
    gateway.server.await.unwrap();
}

/// Its next request may be in transit already.
#[tokio::test]
async fn a_kept_connection_is_told_to_close_with_its_next_answer() {
    let gateway = start(edge::Settings::default()).await;
    let mut kept = TcpStream::connect(gateway.address).await.unwrap();
    kept.write_all(b"GET /health HTTP/1.1\r\nhost: test\r\n\r\n").await.unwrap();
    let mut first = Vec::new();
    while !first.ends_with(b"ok\n") {
        assert_ne!(kept.read_buf(&mut first).await.unwrap(), 0);
    }
    assert!(!String::from_utf8(first).unwrap().contains("connection: close"));
    let _ = gateway.stop.send(());
    while TcpStream::connect(gateway.address).await.is_ok() {
        tokio::task::yield_now().await;
    }
    kept.write_all(b"GET /ready HTTP/1.1\r\nhost: test\r\n\r\n").await.unwrap();
    let answer = read(&mut kept).await;
    assert_eq!((answer.status, answer.header("connection")), (503, Some("close")), "{answer:?}");
    gateway.server.await.unwrap();
}

#[tokio::test]
async fn whom_the_system_let_in_is_answered() {
    let (engine, _events, _release) = engine(engine::Settings::default());
    let edge = Edge::new(engine, Identity::default(), edge::Settings::default());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut early = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    early.write_all(asking("{ hello }").as_bytes()).await.unwrap();
    let told_to_stop = std::future::ready(());
    let served = edge::serve(listener, edge, told_to_stop);
    let ((), answer) = futures_util::future::join(served, read(&mut early)).await;
    assert_eq!((answer.status, answer.header("connection")), (200, Some("close")), "{answer:?}");
}

#[tokio::test]
async fn the_grace_ends() {
    let shutdown_grace = Duration::from_millis(20);
    let mut gateway = start(edge::Settings { shutdown_grace, ..edge::Settings::default() }).await;
    let mut client = gateway.begin("{ hang }").await;
    gateway.event("called").await;
    let _ = gateway.stop.send(());
    gateway.server.await.unwrap();
    assert_eq!(gateway.events.recv().await, Some("cancelled"));
    let mut nothing = Vec::new();
    let _ = client.read_to_end(&mut nothing).await;
    assert!(nothing.is_empty());
}

#[tokio::test]
async fn connections_are_bounded() {
    let mut gateway = start(edge::Settings { connections: 1, ..edge::Settings::default() }).await;
    let mut first = gateway.begin("{ wait }").await;
    gateway.event("called").await;
    let mut second = gateway.begin("{ hello }").await;
    gateway.release.notify_one();
    read(&mut first).await;
    gateway.event("called").await;
    assert_eq!(read(&mut second).await.status, 200);
}

#[tokio::test]
async fn ten_thousand_requests_share_a_connection() {
    let gateway = start(edge::Settings::default()).await;
    let one = "GET /health HTTP/1.1\r\nhost: test\r\n\r\n";
    let last = "GET /health HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n";
    let (mut reading, mut writing) =
        TcpStream::connect(gateway.address).await.unwrap().into_split();
    let sending = tokio::spawn(async move {
        writing.write_all((one.repeat(9_999) + last).as_bytes()).await.unwrap();
        writing
    });
    let mut received = String::new();
    reading.read_to_string(&mut received).await.unwrap();
    assert_eq!(received.matches("HTTP/1.1 200 OK").count(), 10_000);
    sending.await.unwrap();
}
