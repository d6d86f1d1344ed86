//! REST against real servers on loopback ports: what is sent, and how every kind of bad reply is mapped.

use super::*;
use crate::connector::testing::{
    Answer, Asked, Server, answer, answer_json, answer_with, binding, caller, in_an_hour,
    read_asked, settings, site, with_inputs,
};
use crate::graphql::ErrorCode;
use crate::source::{Body, Error, ErrorKind, MutationOutcome, Reply};
use bytes::Bytes;
use futures_util::StreamExt;
use http_body_util::StreamBody;
use hyper::body::{Body as HttpBody, Frame};
use serde_json::{Value, json};
use std::convert::Infallible;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

fn source(url: http::Uri) -> SourceSettings {
    let mut source = settings("users", Protocol::Rest { site: site(url) });
    source.upstream.timeout = Duration::from_secs(5);
    source.upstream.max_reply = 1 << 20;
    source.forward_headers = vec![http::header::AUTHORIZATION];
    source
}

async fn ask_source(source: SourceSettings, directive: &str) -> Result<Reply, Error> {
    let call = Rest::new(&[source]).compile(&binding(directive)).expect("it compiles");
    let caller = caller(&[("authorization", "Bearer t")]);
    let args = json!({ "id": 1, "input": { "a": [1] } });
    let request = with_inputs(&args, &caller, |inputs| call.render(inputs)).expect("it renders");
    call.send(Arc::new(request), in_an_hour()).await
}

async fn ask(url: http::Uri) -> Result<Reply, Error> {
    ask_source(source(url), r#"@rest(source: "users", GET: "/users/{$args.id}")"#).await
}

async fn ask_server<F, A>(respond: F) -> Result<Reply, Error>
where
    F: Fn(Asked) -> A + Clone + Send + 'static,
    A: Future<Output = Answer> + Send + 'static,
{
    let server = Server::start(respond).await;
    let outcome = ask(server.url()).await;
    server.stop().await;
    outcome
}

fn json_of(reply: &Reply) -> Value {
    match &reply.body {
        Body::Json(bytes) => serde_json::from_slice(bytes).expect("JSON"),
        Body::Proto(_) => panic!("not JSON"),
    }
}

/// Answers with the request that it received.
async fn echo(asked: Asked) -> Answer {
    let (parts, body) = read_asked(asked).await;
    let header = |name: &str| parts.headers.get(name).map(|v| v.to_str().expect("text").to_owned());
    answer_json(&json!({
        "line": format!("{} {}", parts.method, parts.uri),
        "host": header("host"), "accept": header("accept"), "type": header("content-type"),
        "length": header("content-length"), "auth": header("authorization"),
        "encodings": header("accept-encoding"), "agent": header("user-agent"),
        "body": String::from_utf8_lossy(&body),
    }))
}

/// Writes `reply` to the first request of each connection, then closes it.
async fn raw(reply: &'static str) -> http::Uri {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("bound");
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut seen = [0; 4096];
            let _ = stream.read(&mut seen).await;
            let _ = stream.write_all(reply.as_bytes()).await;
        }
    });
    format!("http://{address}").parse().expect("a URL")
}

#[tokio::test]
async fn every_method_arrives_as_it_was_written() {
    let server = Server::start(echo).await;
    for verb in ["GET", "POST", "PUT", "PATCH", "DELETE"] {
        let body = if verb == "GET" { "" } else { r#", body: "$args.input""# };
        let directive = format!(r#"@rest(source: "users", {verb}: "/u/{{$args.id}}?x=%20"{body})"#);
        let reply = ask_source(source(server.url()), &directive).await.expect("a reply");
        let seen = json_of(&reply);
        assert_eq!(seen["line"], format!("{verb} /u/1?x=%20"));
        assert_eq!(seen["host"], server.address.to_string());
        assert_eq!(seen["accept"], "application/json");
        assert_eq!(seen["auth"], "Bearer t");
        assert_eq!(seen["encodings"], Value::Null);
        assert!(seen["agent"].as_str().expect("an agent").starts_with("portcullis/"));
        if verb != "GET" {
            assert_eq!(
                (&seen["type"], &seen["body"]),
                (&json!("application/json"), &json!("{\"a\":[1]}"))
            );
        }
    }
    let empty = ask_source(source(server.url()), r#"@rest(source: "users", POST: "/u")"#).await;
    assert_eq!(json_of(&empty.expect("a reply"))["length"], "0");
    server.stop().await;
}

#[tokio::test]
async fn a_service_may_be_told_how_long_is_waited_for_it() {
    let left = |asked: Asked| async move {
        let all = asked.headers().get_all("x-left").iter();
        let all: Vec<_> = all.map(|value| value.to_str().expect("text").to_owned()).collect();
        answer_json(&json!(all))
    };
    let server = Server::start(left).await;
    let mut source = source(server.url());
    // Clients cannot set it, whatever the settings are.
    source.forward_headers = vec!["x-left".parse().expect("a name")];
    source.deadline_header = Some("x-left".parse().expect("a name"));
    let call = Rest::new(&[source]).compile(&binding(r#"@rest(source: "users", GET: "/u")"#));
    let (call, caller) = (call.expect("it compiles"), caller(&[("x-left", "99999")]));
    let request = with_inputs(&json!({}), &caller, |inputs| call.render(inputs));
    let request = Arc::new(request.expect("it renders"));
    for (until, most) in [(Duration::from_hours(1), 5_000), (Duration::from_secs(2), 2_000)] {
        let reply = call.send(Arc::clone(&request), Instant::now() + until).await;
        let told = json_of(&reply.expect("a reply"));
        let [told] = told.as_array().expect("a list").as_slice() else { panic!("{told}") };
        let told: u64 = told.as_str().expect("text").parse().expect("milliseconds");
        assert!((most - 1_900..=most).contains(&told), "{told} of {most} ms");
    }
    server.stop().await;
}

#[tokio::test]
async fn replies_carry_status_and_headers_and_may_be_empty() {
    let created = [("x-total", "7"), ("content-type", "application/json")];
    let reply = ask_server(move |_| async move { answer(201, &created, "{\"id\":1}") }).await;
    let reply = reply.expect("a reply");
    assert_eq!((reply.status, &reply.headers["x-total"]), (201, &"7".parse().expect("text")));
    assert_eq!(json_of(&reply), json!({ "id": 1 }));
    for status in [200, 202, 204] {
        let html = [("content-type", "text/html")];
        let respond = move |_| async move { answer(status, &html, "") };
        let reply = ask_server(respond).await.expect("a reply");
        assert!(matches!(&reply.body, Body::Json(body) if body.is_empty()));
    }
}

#[tokio::test]
async fn refusing_statuses_are_told_apart() {
    let kinds = [
        (404, ErrorKind::NotFound),
        (410, ErrorKind::NotFound),
        (400, ErrorKind::Refused),
        (409, ErrorKind::Refused),
        (413, ErrorKind::Refused),
        (414, ErrorKind::Refused),
        (422, ErrorKind::Refused),
        (431, ErrorKind::Refused),
        (301, ErrorKind::Failed),
        (401, ErrorKind::Failed),
        (403, ErrorKind::Failed),
        (408, ErrorKind::Failed),
        (429, ErrorKind::Failed),
        (500, ErrorKind::Failed),
        (503, ErrorKind::Failed),
    ];
    for (status, kind) in kinds {
        let headers = [("location", "/elsewhere")];
        let respond = move |_| async move { answer(status, &headers, "{\"a\": 1}") };
        let error = ask_server(respond).await.expect_err("an error");
        assert_eq!(
            (error.code, error.status, error.kind),
            (ErrorCode::UpstreamStatus, Some(status), kind)
        );
        assert!(!error.detail.contains("\"a\""), "{}", error.detail);
    }
}

#[tokio::test]
async fn a_connection_outlives_a_refusal() {
    let connections = Arc::new(AtomicUsize::new(0));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("bound");
    let counted = Arc::clone(&connections);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            counted.fetch_add(1, Ordering::SeqCst);
            tokio::spawn(async move {
                let mut seen = [0; 4096];
                while stream.read(&mut seen).await.is_ok_and(|read| read > 0) {
                    let head = b"HTTP/1.1 404 Not Found\r\ncontent-length: 40000\r\n\r\n";
                    let _ = stream.write_all(head).await;
                    let _ = stream.write_all(&vec![b'x'; 40000]).await;
                }
            });
        }
    });
    let rest = Rest::new(&[source(format!("http://{address}").parse().expect("a URL"))]);
    let call = rest.compile(&binding(r#"@rest(source: "users", GET: "/")"#)).expect("compiles");
    for _ in 0..5 {
        let request = with_inputs(&json!({}), &caller(&[]), |inputs| call.render(inputs));
        let outcome = call.send(Arc::new(request.expect("renders")), in_an_hour()).await;
        assert_eq!(outcome.expect_err("an error").kind, ErrorKind::NotFound);
    }
    assert_eq!(connections.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn html_and_replies_that_are_not_what_they_say_are_invalid() {
    let kind = [("content-type", "text/html; charset=utf-8")];
    let html = move |_| async move { answer(200, &kind, "<h1>hello</h1>") };
    let error = ask_server(html).await.expect_err("an error");
    assert_eq!(error.code, ErrorCode::UpstreamInvalidReply);
    assert!(error.detail.contains("text/html"), "{}", error.detail);
    let gzip = |_| async { answer(200, &[("content-encoding", "gzip")], "x") };
    let error = ask_server(gzip).await.expect_err("an error");
    assert_eq!(error.code, ErrorCode::UpstreamInvalidReply);
    let garbage = ask(raw("SSH-2.0-OpenSSH_9.9\r\n").await).await.expect_err("an error");
    assert_eq!(garbage.code, ErrorCode::UpstreamInvalidReply);
}

#[tokio::test]
async fn json_is_recognised_leniently() {
    for kind in
        ["application/json; charset=utf-8", "text/json", "application/hal+json", "text/plain"]
    {
        let respond = move |_| async move { answer(200, &[("content-type", kind)], "1") };
        assert_eq!(json_of(&ask_server(respond).await.expect(kind)), json!(1));
    }
    let untyped = raw("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n42").await;
    assert_eq!(json_of(&ask(untyped).await.expect("a reply")), json!(42));
}

#[tokio::test]
async fn types_that_the_source_accepts_may_be_json() {
    for (kind, accepted) in [("Text/HTML; charset=utf-8", true), ("text/html5", false)] {
        let respond = move |_| async move { answer(200, &[("content-type", kind)], "{}") };
        let server = Server::start(respond).await;
        let mut settings = source(server.url());
        settings.accept_types = vec!["text/html".to_owned()];
        let reply = ask_source(settings, r#"@rest(source: "users", GET: "/")"#).await;
        assert_eq!(reply.is_ok(), accepted, "{kind}");
        server.stop().await;
    }
}

#[tokio::test]
async fn a_byte_order_mark_is_no_part_of_a_reply() {
    let marked = |_| async { answer(200, &[], "\u{feff}{\"a\":1}") };
    assert_eq!(json_of(&ask_server(marked).await.expect("a reply")), json!({ "a": 1 }));
}

#[tokio::test]
async fn a_reply_is_inflated_within_its_limit() {
    let bodies = [("gzip", zipped(b"{\"a\":1}")), ("x-gzip", zipped(b"{\"a\":1}"))];
    for (coding, body) in bodies {
        let respond = move |_| {
            let body = body.clone();
            async move { answer(200, &[("content-encoding", coding)], body) }
        };
        let reply = ask_server(respond).await.expect("a reply");
        assert_eq!(json_of(&reply), json!({ "a": 1 }));
        assert!(!reply.headers.contains_key("content-encoding"));
    }
    let bomb = Bytes::from(zipped(&vec![b' '; 2 << 20]));
    let respond = move |_| {
        let bomb = bomb.clone();
        async move { answer(200, &[("content-encoding", "gzip")], bomb) }
    };
    let error = ask_server(respond).await.expect_err("an error");
    assert_eq!(error.code, ErrorCode::UpstreamTooLarge);
}

fn zipped(plain: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    std::io::Write::write_all(&mut encoder, plain).expect("memory");
    encoder.finish().expect("memory")
}

#[tokio::test]
async fn a_stream_ends_with_done() {
    let events = "data: {\"a\":1}\n\ndata:  [DONE] \n\ndata: {\"a\":2}\n\n";
    let kind = [("content-type", "text/event-stream")];
    let server = Server::start(move |_| async move { answer(200, &kind, events) }).await;
    let mut spec = binding(r#"@rest(source: "users", GET: "/", stream: SSE)"#);
    spec.operation = crate::source::Operation::Subscription;
    let call = Rest::new(&[source(server.url())]).compile(&spec).expect("it compiles");
    let request = with_inputs(&json!({}), &caller(&[]), |inputs| call.render(inputs));
    let replies = call.subscribe(Arc::new(request.expect("renders")), in_an_hour()).await;
    let mut replies = replies.expect("a stream");
    let first = replies.next().await.expect("an event").expect("a reply");
    assert_eq!(json_of(&first), json!({ "a": 1 }));
    assert!(replies.next().await.is_none());
    server.stop().await;
}

#[tokio::test]
async fn a_server_that_is_down_or_breaks_off_is_unavailable() {
    let server = Server::start(echo).await;
    let url = server.url();
    server.stop().await;
    let error = ask(url).await.expect_err("an error");
    assert_eq!((error.code, error.kind), (ErrorCode::UpstreamUnavailable, ErrorKind::Failed));
    let half = raw("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"id\":").await;
    assert_eq!(ask(half).await.expect_err("an error").code, ErrorCode::UpstreamUnavailable);
    let nothing = raw("").await;
    assert_eq!(ask(nothing).await.expect_err("an error").code, ErrorCode::UpstreamUnavailable);
    let unknown = http::Uri::from_static("http://no-such-host.invalid");
    assert_eq!(ask(unknown).await.expect_err("an error").code, ErrorCode::UpstreamUnavailable);
}

/// An endless body that counts its bytes.
fn endless(given: &Arc<AtomicUsize>) -> impl HttpBody<Data = Bytes, Error = Infallible> + use<> {
    let given = Arc::clone(given);
    StreamBody::new(futures_util::stream::repeat_with(move || {
        given.fetch_add(8 << 10, Ordering::SeqCst);
        Ok::<_, Infallible>(Frame::data(Bytes::from_static(&[b' '; 8 << 10])))
    }))
}

#[tokio::test]
async fn a_reply_past_the_limit_is_left_unread() {
    let given = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&given);
    let respond = move |_| {
        let body = endless(&counted);
        async move { answer_with(200, &[("content-type", "application/json")], body) }
    };
    // Stopping the server waits for its connections, which end because this side closed.
    let error = ask_server(respond).await.expect_err("an error");
    assert_eq!(error.code, ErrorCode::UpstreamTooLarge);
    // The limit, plus what the sockets' buffers took.
    assert!(given.load(Ordering::SeqCst) < 32 << 20, "{}", given.load(Ordering::SeqCst));
    let announced = raw("HTTP/1.1 200 OK\r\ncontent-length: 314572800\r\n\r\n[").await;
    assert_eq!(ask(announced).await.expect_err("an error").code, ErrorCode::UpstreamTooLarge);
    let refusal = Arc::clone(&given);
    let respond = move |_| {
        let body = endless(&refusal);
        async move { answer_with(500, &[], body) }
    };
    assert_eq!(ask_server(respond).await.expect_err("an error").status, Some(500));
}

/// However long it is, and whether or not the service announces the length.
#[tokio::test]
async fn a_reply_without_room_fails_and_gives_back_what_it_took() {
    let memory = crate::memory::Memory::new(64 << 10, 100);
    let text = || format!("\"{}\"", "x".repeat(40 << 10));
    let server = Server::start(move |_| async move { answer(200, &[], text()) }).await;
    let mut settings = source(server.url());
    settings.upstream.memory = memory.clone();
    let ask = async || ask_source(settings.clone(), r#"@rest(source: "users", GET: "/")"#).await;
    let first = ask().await.expect("a reply");
    assert_eq!(memory.held(), text().len());
    let error = ask().await.expect_err("no room");
    assert_eq!((error.code, error.outcome), (ErrorCode::Overloaded, MutationOutcome::Unknown));
    assert_eq!(memory.held(), text().len());
    drop(first);
    assert_eq!(memory.held(), 0);
    assert!(ask().await.is_ok());
    server.stop().await;
}

#[tokio::test]
async fn a_reply_at_the_limit_is_read() {
    let text = format!("\"{}\"", "x".repeat((1 << 20) - 2));
    let respond = move |_| {
        let text = text.clone();
        async move { answer(200, &[], text) }
    };
    assert!(ask_server(respond).await.is_ok());
}

#[tokio::test]
async fn a_server_that_hangs_before_or_in_its_reply_times_out() {
    let server = Server::start(|_| std::future::pending()).await;
    let mut settings = source(server.url());
    settings.upstream.timeout = Duration::from_millis(50);
    let directive = r#"@rest(source: "users", GET: "/")"#;
    let error = ask_source(settings, directive).await.expect_err("an error");
    assert_eq!(error.code, ErrorCode::UpstreamTimeout);
    server.stop().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("bound");
    let slow = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("a call");
        let mut seen = vec![0; 4096];
        let asked = stream.read(&mut seen).await.expect("a request");
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n[1,").await;
        let rest = stream.read_to_end(&mut seen).await.expect("the call ends");
        (asked, rest)
    });
    let mut settings = source(format!("http://{address}").parse().expect("a URL"));
    settings.upstream.timeout = Duration::from_millis(50);
    // There would be no server for a second one.
    settings.upstream.retry.attempts = 1;
    let error = ask_source(settings, directive).await.expect_err("an error");
    assert_eq!(error.code, ErrorCode::UpstreamTimeout);
    let (asked, rest) = slow.await.expect("the connection was closed");
    assert!(asked > 0 && rest == 0);
}

#[tokio::test]
async fn a_deadline_nearer_than_the_timeout_cuts_the_call() {
    let server = Server::start(|_| std::future::pending()).await;
    let rest = Rest::new(&[source(server.url())]);
    let call = rest.compile(&binding(r#"@rest(source: "users", GET: "/")"#)).expect("compiles");
    let request = with_inputs(&json!({}), &caller(&[]), |inputs| call.render(inputs));
    let deadline = Instant::now() + Duration::from_millis(50);
    let outcome = call.send(Arc::new(request.expect("renders")), deadline).await;
    assert_eq!(outcome.expect_err("an error").code, ErrorCode::UpstreamTimeout);
    server.stop().await;
}

struct Told(Option<oneshot::Sender<()>>);

impl Drop for Told {
    fn drop(&mut self) {
        drop(self.0.take());
    }
}

#[tokio::test]
async fn dropping_a_call_ends_it_at_the_server() {
    let (began, arrival) = oneshot::channel::<()>();
    let (ended, ends) = oneshot::channel::<()>();
    let channels = std::sync::Mutex::new(Some((began, ended)));
    let channels = Arc::new(channels);
    let server = Server::start(move |_| {
        let (began, ended) = channels.lock().expect("one call").take().expect("one call");
        async move {
            let _told = Told(Some(ended));
            drop(began);
            std::future::pending().await
        }
    })
    .await;
    let call = tokio::spawn(ask(server.url()));
    assert!(arrival.await.is_err());
    call.abort();
    assert!(ends.await.is_err());
    server.stop().await;
}

#[tokio::test]
async fn a_trace_goes_along_and_makes_no_difference() {
    let server = Server::start(|asked: Asked| async move {
        let of = |name: &str| asked.headers().get(name).map(|it| it.to_str().unwrap().to_owned());
        answer_json(&json!([of("traceparent"), of("tracestate")]))
    })
    .await;
    let call = Rest::new(&[source(server.url())])
        .compile(&binding(r#"@rest(source: "users", GET: "/users")"#))
        .expect("it compiles");
    let render = |caller: &crate::source::Caller| {
        with_inputs(&json!({}), caller, |inputs| call.render(inputs)).expect("it renders")
    };
    let headers = [("traceparent", "00-a-b-01"), ("tracestate", "a=1")];
    let headers = headers.map(|(name, value)| {
        (http::HeaderName::from_static(name), http::HeaderValue::from_static(value))
    });
    let traced = crate::source::Caller {
        trace: crate::source::Trace::new(http::HeaderValue::from_static("id"), headers),
        ..caller(&[])
    };
    let (with, without) = (render(&traced), render(&caller(&[])));
    assert_eq!(with, without, "two callers still ask the same");
    let reply = call.send(Arc::new(with), in_an_hour()).await.expect("a reply");
    assert_eq!(json_of(&reply), json!(["00-a-b-01", "a=1"]));
    let reply = call.send(Arc::new(without), in_an_hour()).await.expect("a reply");
    assert_eq!(json_of(&reply), json!([null, null]));
    server.stop().await;
}
