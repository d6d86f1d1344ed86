//! gRPC against real servers on loopback ports: what is sent, and how every status is mapped.

use super::tests::source;
use super::*;
use crate::connector::FailureCodes;
use crate::connector::testing::{
    Answer, Asked, Server, answer, answer_with, binding, caller, in_an_hour, read_asked,
    with_inputs,
};
use crate::graphql::ErrorCode;
use crate::source::{Body, Error, ErrorKind, Reply};
use crate::upstream::status::Wellness;
use base64::Engine as _;
use bytes::{BufMut, Bytes, BytesMut};
use futures_util::stream;
use http_body_util::StreamBody;
use hyper::body::Frame;
use serde_json::json;
use std::convert::Infallible;
use std::time::Duration;
use tokio::sync::oneshot;

const GET: &str = r#"@grpc(source: "products", method: "shop.v1.Products/GetProduct",
    message: "product_id: $args.id", metadata: { name: "x-shop", value: "s-{$args.id}" })"#;

fn grpc(settings: SourceSettings) -> Arc<dyn Call> {
    let grpc = Grpc::new(&[settings]).unwrap_or_else(|found| panic!("{found:?}"));
    grpc.compile(&binding(GET)).unwrap_or_else(|found| panic!("{found:?}"))
}

async fn ask(call: &Arc<dyn Call>) -> Result<Reply, Error> {
    let caller = caller(&[("authorization", "Bearer t")]);
    let request = with_inputs(&json!({ "id": 5 }), &caller, |inputs| call.render(inputs));
    call.send(Arc::new(request.expect("it renders")), in_an_hour()).await
}

fn framed(message: &[u8]) -> Bytes {
    let mut frame = BytesMut::new();
    frame.put_u8(0);
    frame.put_u32(message.len() as u32);
    frame.put_slice(message);
    frame.freeze()
}

const GRPC: (&str, &str) = ("content-type", "application/grpc");

/// Sends a message, then the status in trailers.
fn message(message: &[u8], trailers: &[(&'static str, &str)]) -> Answer {
    let mut map = http::HeaderMap::new();
    for (name, value) in trailers {
        map.append(*name, value.parse().expect("a value"));
    }
    let frames = [Frame::data(framed(message)), Frame::trailers(map)];
    let frames = stream::iter(frames.into_iter().map(Ok::<_, Infallible>));
    answer_with(200, &[GRPC, ("x-served-by", "a")], StreamBody::new(frames))
}

fn ok(bytes: &[u8]) -> Answer {
    message(bytes, &[("grpc-status", "0")])
}

/// Sends the status alone, in headers, as servers do if there is no message.
fn status(code: i32, more: &[(&str, &str)]) -> Answer {
    let code = code.to_string();
    let mut headers = vec![GRPC, ("grpc-status", code.as_str())];
    headers.extend(more);
    answer(200, &headers, "")
}

async fn ask_server<F, A>(respond: F) -> Result<Reply, Error>
where
    F: Fn(Asked) -> A + Clone + Send + 'static,
    A: Future<Output = Answer> + Send + 'static,
{
    let server = Server::start(respond).await;
    let mut settings = source(server.url());
    settings.upstream.max_reply = 1 << 10;
    let call = grpc(settings);
    let outcome = ask(&call).await;
    drop(call);
    server.stop().await;
    outcome
}

async fn ask_status(code: i32) -> Error {
    let respond = move |_| async move { status(code, &[]) };
    ask_server(respond).await.expect_err("an error")
}

#[tokio::test]
async fn message_metadata_and_deadline_arrive_and_the_reply_comes_back() {
    let respond = |asked| async {
        let (parts, body) = read_asked(asked).await;
        assert_eq!(parts.uri.path(), "/shop.v1.Products/GetProduct");
        assert_eq!(body, framed(b"\x0a\x015"));
        assert_eq!(parts.headers["x-shop"], "s-5");
        assert_eq!(parts.headers["authorization"], "Bearer t");
        assert_eq!(parts.headers["te"], "trailers");
        let timeout = parts.headers["grpc-timeout"].to_str().expect("text");
        assert!(timeout.starts_with('4') || timeout.starts_with("5000"), "{timeout}");
        ok(b"\x0a\x015")
    };
    let reply = ask_server(respond).await.expect("a reply");
    assert_eq!((reply.status, &reply.headers["x-served-by"]), (0, &"a".parse().expect("text")));
    assert!(matches!(&reply.body, Body::Proto(message) if message == &b"\x0a\x015"[..]));
}

#[tokio::test]
async fn statuses_are_told_apart() {
    let refusing = [
        (5, ErrorKind::NotFound),
        (3, ErrorKind::Refused),
        (9, ErrorKind::Refused),
        (11, ErrorKind::Refused),
        (1, ErrorKind::Failed),
        (2, ErrorKind::Failed),
        (6, ErrorKind::Failed),
        (7, ErrorKind::Failed),
        (8, ErrorKind::Failed),
        (10, ErrorKind::Failed),
        (12, ErrorKind::Failed),
        (13, ErrorKind::Failed),
        (15, ErrorKind::Failed),
        (16, ErrorKind::Failed),
    ];
    for (code, kind) in refusing {
        let error = ask_status(code).await;
        let number = u16::try_from(code).ok();
        assert_eq!(
            (error.code, error.status, error.kind),
            (ErrorCode::UpstreamStatus, number, kind)
        );
    }
    assert_eq!(ask_status(4).await.code, ErrorCode::UpstreamTimeout);
    let unavailable = ask_status(14).await;
    assert_eq!((unavailable.code, unavailable.status), (ErrorCode::UpstreamUnavailable, None));
    let trailers = |_| async { message(b"", &[("grpc-status", "5")]) };
    let error = ask_server(trailers).await.expect_err("an error");
    assert_eq!(error.kind, ErrorKind::NotFound);
}

/// Replies of a proxy that cannot reach its service.
#[tokio::test]
async fn answers_without_a_grpc_status_count_as_their_http_status_says() {
    for (status, code, number) in [
        (400, ErrorCode::UpstreamStatus, Some(13)),
        (401, ErrorCode::UpstreamStatus, Some(16)),
        (403, ErrorCode::UpstreamStatus, Some(7)),
        (404, ErrorCode::UpstreamStatus, Some(12)),
        (429, ErrorCode::UpstreamUnavailable, None),
        (500, ErrorCode::UpstreamStatus, Some(2)),
        (502, ErrorCode::UpstreamUnavailable, None),
        (503, ErrorCode::UpstreamUnavailable, None),
        (504, ErrorCode::UpstreamUnavailable, None),
    ] {
        let html = ("content-type", "text/html");
        let respond = move |_| async move { answer(status, &[html], "<h1>sorry</h1>") };
        let error = ask_server(respond).await.expect_err("an error");
        assert_eq!((error.code, error.status), (code, number), "{status}: {error}");
    }
    // gRPC's own status wins.
    let both = |_| async { answer(503, &[GRPC, ("grpc-status", "5")], "") };
    assert_eq!(ask_server(both).await.expect_err("an error").kind, ErrorKind::NotFound);
}

#[tokio::test]
async fn a_service_that_sheds_load_is_not_down() {
    let html = ("content-type", "text/html");
    for by_proxy in [false, true] {
        let respond = move |_| async move {
            if by_proxy { answer(503, &[html], "<h1>sorry</h1>") } else { status(14, &[]) }
        };
        let server = Server::start(respond).await;
        let mut settings = source(server.url());
        settings.upstream.retry.attempts = 1;
        let grpc = Grpc::new(&[settings]).unwrap_or_else(|found| panic!("{found:?}"));
        let call = grpc.compile(&binding(GET)).unwrap_or_else(|found| panic!("{found:?}"));
        for _ in 0..8 {
            assert_eq!(ask(&call).await.expect_err("away").code, ErrorCode::UpstreamUnavailable);
        }
        let status = grpc.upstreams()[0].status(std::time::Instant::now());
        let instance = &status.instances[0];
        assert_eq!((instance.health, instance.failures), (Wellness::Well, 8));
        drop((call, grpc));
        server.stop().await;
    }
}

/// Servers may send their head with the first message: the wait for it does not count as the service's latency.
#[tokio::test]
async fn a_stream_without_a_head_is_open_and_says_nothing_of_the_service() {
    let server = Server::start(|_| std::future::pending()).await;
    let mut settings = source(server.url());
    settings.upstream.timeout = Duration::from_millis(150);
    let mut spec = binding(r#"@grpc(source: "products", method: "shop.v1.Products/Watch")"#);
    spec.operation = crate::source::Operation::Subscription;
    let grpc = Grpc::new(&[settings]).unwrap_or_else(|found| panic!("{found:?}"));
    let call = grpc.compile(&spec).unwrap_or_else(|found| panic!("{found:?}"));
    let request = with_inputs(&json!({}), &caller(&[]), |inputs| call.render(inputs));
    let replies = call.subscribe(Arc::new(request.expect("it renders")), in_an_hour()).await;
    assert!(replies.is_ok());
    let status = grpc.upstreams()[0].status(std::time::Instant::now());
    let instance = &status.instances[0];
    assert_eq!((status.p50_ms, instance.p50_ms, instance.calls), (None, None, 0));
    drop((replies, call, grpc));
    server.stop().await;
}

#[tokio::test]
async fn a_message_past_the_limit_is_left_unread() {
    let respond = |_| async { ok(&[b'x'; 1025]) };
    let error = ask_server(respond).await.expect_err("an error");
    assert_eq!(error.code, ErrorCode::UpstreamTooLarge);
    let respond = |_| async { ok(&[b'x'; 1024]) };
    assert!(ask_server(respond).await.is_ok());
    // The server's own error for a request that is too large is a refusal, not a large reply.
    let text = "Error, decoded message length too large: found 9 bytes, the limit is: 1 bytes";
    let respond = move |_| async move { status(11, &[("grpc-message", text)]) };
    assert_eq!(ask_server(respond).await.expect_err("an error").kind, ErrorKind::Refused);
}

#[tokio::test]
async fn details_that_are_not_base64_do_no_harm() {
    let details = ("grpc-status-details-bin", "!!!");
    let respond = move |_| async move { status(3, &[details]) };
    assert_eq!(ask_server(respond).await.expect_err("an error").status, Some(3));
    let respond = move |_| async move { message(b"", &[("grpc-status", "3"), details]) };
    assert_eq!(ask_server(respond).await.expect_err("an error").status, Some(3));
}

#[tokio::test]
async fn answers_that_are_not_grpc_are_errors() {
    let html = |_| async { answer(200, &[("content-type", "text/html")], "<h1>hello</h1>") };
    let error = ask_server(html).await.expect_err("an error");
    assert_eq!(error.code, ErrorCode::UpstreamInvalidReply, "{error}");
    let unnamed = |_| async {
        let (mut parts, body) = ok(b"").into_parts();
        parts.headers.remove("content-type");
        Answer::from_parts(parts, body)
    };
    let error = ask_server(unnamed).await.expect_err("it has no content type");
    assert_eq!(error.code, ErrorCode::UpstreamInvalidReply, "{error}");
    let twice = [("grpc-status", "0"), ("grpc-status", "13")];
    let trailers = move |_| async move { message(b"", &twice) };
    let error = ask_server(trailers).await.expect_err("it has two statuses");
    assert_eq!(error.code, ErrorCode::UpstreamInvalidReply, "{error}");
    let headers = move |_| async move { status(0, &[("grpc-status", "13")]) };
    let error = ask_server(headers).await.expect_err("it has two statuses");
    assert_eq!(error.code, ErrorCode::UpstreamInvalidReply, "{error}");
    let cut = |_| async { answer(200, &[GRPC], Bytes::from_static(&[0, 0, 0, 0, 9, 1])) };
    let error = ask_server(cut).await.expect_err("an error");
    assert_eq!(error.code, ErrorCode::UpstreamInvalidReply, "{error}");
}

#[tokio::test]
async fn a_server_that_goes_down_and_comes_back_is_called_again() {
    let respond = |_| async { ok(b"") };
    let server = Server::start(respond).await;
    let address = server.address;
    let call = grpc(source(server.url()));
    assert!(ask(&call).await.is_ok());
    server.stop().await;
    for _ in 0..3 {
        let error = ask(&call).await.expect_err("it is down");
        assert_eq!((error.code, error.kind), (ErrorCode::UpstreamUnavailable, ErrorKind::Failed));
    }
    let server = Server::start_at(address, respond).await;
    assert!(ask(&call).await.is_ok());
    drop(call);
    server.stop().await;
}

#[tokio::test]
async fn a_server_that_hangs_times_out_and_sees_the_call_end() {
    let (ended, ends) = oneshot::channel::<()>();
    let ended = Arc::new(std::sync::Mutex::new(Some(ended)));
    let server = Server::start(move |_| {
        let ended = ended.lock().expect("one call").take();
        async move {
            let _ended = ended;
            std::future::pending().await
        }
    })
    .await;
    let mut settings = source(server.url());
    settings.upstream.timeout = Duration::from_millis(50);
    let call = grpc(settings);
    assert_eq!(ask(&call).await.expect_err("an error").code, ErrorCode::UpstreamTimeout);
    assert!(ends.await.is_err());
    drop(call);
    server.stop().await;
}

#[tokio::test]
async fn a_connection_that_breaks_is_unavailable() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("bound"));
    let closes = tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            drop(stream);
        }
    });
    let error = ask(&grpc(source(url.parse().expect("a URL")))).await.expect_err("an error");
    assert_eq!(error.code, ErrorCode::UpstreamUnavailable, "{error}");
    closes.abort();
}

#[tokio::test]
async fn a_trace_goes_along_as_metadata() {
    let (told, asked) = oneshot::channel();
    let told = Arc::new(std::sync::Mutex::new(Some(told)));
    let server = Server::start(move |asked: Asked| {
        let told = Arc::clone(&told);
        async move {
            let trace = asked.headers().get("traceparent").cloned();
            let told = told.lock().unwrap().take().expect("one call");
            let _ = told.send(trace);
            ok(&[])
        }
    })
    .await;
    let call = grpc(source(server.url()));
    let name = http::HeaderName::from_static("traceparent");
    let trace = crate::source::Trace::new(
        http::HeaderValue::from_static("id"),
        [(name, http::HeaderValue::from_static("00-a-b-01"))],
    );
    let caller = crate::source::Caller { trace, ..caller(&[]) };
    let request = with_inputs(&json!({ "id": 5 }), &caller, |inputs| call.render(inputs));
    let reply = call.send(Arc::new(request.expect("it renders")), in_an_hour()).await;
    assert!(reply.is_ok());
    assert_eq!(asked.await.unwrap(), Some(http::HeaderValue::from_static("00-a-b-01")));
    server.stop().await;
}

/// Opens a stream whose server answers with these messages and this status.
async fn listen(
    messages: &'static [&'static [u8]],
    status: &'static str,
) -> Vec<Result<Reply, Error>> {
    let server = Server::start(move |_| async move {
        let mut trailers = http::HeaderMap::new();
        trailers.insert("grpc-status", status.parse().expect("a value"));
        let frames = messages.iter().map(|message| Frame::data(framed(message)));
        let frames = frames.chain([Frame::trailers(trailers)]).map(Ok::<_, Infallible>);
        answer_with(200, &[GRPC], StreamBody::new(stream::iter(frames)))
    })
    .await;
    let mut settings = source(server.url());
    settings.upstream.max_reply = 1 << 10;
    let mut spec = binding(r#"@grpc(source: "products", method: "shop.v1.Products/Watch")"#);
    spec.operation = crate::source::Operation::Subscription;
    let grpc = Grpc::new(&[settings]).unwrap_or_else(|found| panic!("{found:?}"));
    let call = grpc.compile(&spec).unwrap_or_else(|found| panic!("{found:?}"));
    let request = with_inputs(&json!({}), &caller(&[]), |inputs| call.render(inputs));
    let request = Arc::new(request.expect("it renders"));
    let replies = match call.subscribe(request, in_an_hour()).await {
        Ok(replies) => futures_util::StreamExt::collect(replies).await,
        Err(error) => vec![Err(error)],
    };
    drop((call, grpc));
    server.stop().await;
    replies
}

#[tokio::test]
async fn a_stream_of_messages_is_one_of_replies() {
    let replies = listen(&[b"\x0a\x011", b"", b"\x0a\x012"], "0").await;
    let body = |reply: Result<Reply, Error>| match reply.expect("a reply").body {
        Body::Proto(bytes) => bytes,
        Body::Json(_) => panic!("not a message"),
    };
    let bodies: Vec<_> = replies.into_iter().map(body).collect();
    assert_eq!(bodies, [&b"\x0a\x011"[..], b"", b"\x0a\x012"]);
}

#[tokio::test]
async fn a_status_that_is_not_ok_ends_a_stream() {
    let codes = |replies: Vec<Result<Reply, Error>>| -> Vec<Option<ErrorCode>> {
        replies.into_iter().map(|reply| reply.err().map(|error| error.code)).collect()
    };
    let late = codes(listen(&[b""], "14").await);
    assert_eq!(late, [None, Some(ErrorCode::UpstreamUnavailable)]);
    let at_once = codes(listen(&[], "7").await);
    assert_eq!(at_once, [Some(ErrorCode::UpstreamStatus)]);
    let large = codes(listen(&[b"", &[0; 2_000]], "0").await);
    assert_eq!(large, [None, Some(ErrorCode::UpstreamTooLarge)]);
}

#[tokio::test]
async fn a_unary_reply_is_one_message_and_a_status() {
    let ended = |frames: Vec<Frame<Bytes>>, headers: &'static [(&'static str, &'static str)]| {
        let frames = Arc::new(frames);
        move |_: Asked| {
            let frames =
                frames.iter().map(|frame| match (frame.data_ref(), frame.trailers_ref()) {
                    (Some(data), _) => Frame::data(data.clone()),
                    (_, trailers) => Frame::trailers(trailers.cloned().unwrap_or_default()),
                });
            let frames = stream::iter(frames.map(Ok::<_, Infallible>).collect::<Vec<_>>());
            let answer = answer_with(200, headers, StreamBody::new(frames));
            async move { answer }
        }
    };
    let trailers = |status: &str| {
        let mut trailers = http::HeaderMap::new();
        trailers.insert("grpc-status", status.parse().expect("a number"));
        Frame::trailers(trailers)
    };
    let one = || Frame::data(framed(b"\x0a\x015"));
    let both = Frame::data(Bytes::from([framed(b"\x0a\x015"), framed(b"\x0a\x016")].concat()));
    let mut flagged = framed(b"\x0a\x015").to_vec();
    flagged[0] = 1;
    let code = |outcome: Result<Reply, Error>| outcome.map_err(|error| error.code).map(drop);
    let invalid = Err(ErrorCode::UpstreamInvalidReply);
    for (name, frames, due) in [
        ("one message", vec![one(), trailers("0")], Ok(())),
        ("two messages", vec![one(), one(), trailers("0")], invalid),
        ("two messages in one frame", vec![both, trailers("0")], invalid),
        ("no message", vec![trailers("0")], invalid),
        (
            "a message that is cut",
            vec![Frame::data(framed(b"abc").slice(..6)), trailers("0")],
            invalid,
        ),
        ("a compressed message", vec![Frame::data(flagged.into()), trailers("0")], invalid),
        ("a message and an error", vec![one(), trailers("5")], Err(ErrorCode::UpstreamStatus)),
        ("two messages and an error", vec![one(), one(), trailers("5")], invalid),
    ] {
        assert_eq!(code(ask_server(ended(frames, &[GRPC])).await), due, "{name}");
    }
    let compressed = &[GRPC, ("grpc-encoding", "gzip")];
    let outcome = ask_server(ended(vec![one(), trailers("0")], compressed)).await;
    assert_eq!(code(outcome), invalid, "an encoding that was not offered");
    let only_headers = ask_server(|_| async { status(0, &[]) }).await;
    assert_eq!(code(only_headers), invalid, "success without a message");
}

/// Returns the failures counted against the instance after fifty calls answered with UNKNOWN.
async fn failures_of_fifty(failures: FailureCodes) -> (u64, u64) {
    let server = Server::start(|_| async { status(2, &[("grpc-message", "no such thing")]) }).await;
    let mut settings = source(server.url());
    let Protocol::Grpc { failures: of_source, .. } = &mut settings.protocol else { panic!() };
    *of_source = failures;
    settings.upstream.breaker.calls = 1_000;
    let grpc = Grpc::new(&[settings]).unwrap_or_else(|found| panic!("{found:?}"));
    let call = grpc.compile(&binding(GET)).unwrap_or_else(|found| panic!("{found:?}"));
    for _ in 0..50 {
        assert_eq!(ask(&call).await.expect_err("an error").status, Some(2));
    }
    let status = grpc.upstreams()[0].status(std::time::Instant::now());
    drop((call, grpc));
    server.stop().await;
    (status.instances[0].calls, status.instances[0].failures)
}

#[tokio::test]
async fn business_errors_that_arrive_as_unknown_count_against_no_instance() {
    assert_eq!(failures_of_fifty(FailureCodes::default()).await, (50, 0));
    let all = FailureCodes::new([tonic::Code::Unavailable]);
    assert_eq!(failures_of_fifty(all).await, (50, 0));
}

#[tokio::test]
async fn a_code_that_a_source_lists_counts() {
    let (calls, failures) = failures_of_fifty(FailureCodes::new([tonic::Code::Unknown])).await;
    assert_eq!(failures, calls);
}

const MAPPED: &str = r#"@grpc(source: "products", method: "shop.v1.Products/GetProduct",
    errors: { message: "$.message" })"#;

async fn refusal(
    details: &'static str,
    directive: &str,
) -> Option<Arc<crate::source::RefusedReply>> {
    let respond = move |_| async move {
        let more =
            [("grpc-message", "a%20b"), ("grpc-status-details-bin", details), ("x-why", "y")];
        status(9, &more)
    };
    let server = Server::start(respond).await;
    let grpc = Grpc::new(&[source(server.url())]).unwrap_or_else(|found| panic!("{found:?}"));
    let call = grpc.compile(&binding(directive)).unwrap_or_else(|found| panic!("{found:?}"));
    let error = ask(&call).await.expect_err("an error");
    drop((call, grpc));
    server.stop().await;
    error.refusal
}

#[tokio::test]
async fn googles_own_details_are_read_and_what_is_none_is_left_out() {
    // A BadRequest with one violation, in a `google.rpc.Status`.
    let mut violation = Vec::new();
    prost::encoding::string::encode(1, &"id".to_owned(), &mut violation);
    let mut bad_request = Vec::new();
    prost::encoding::bytes::encode(1, &violation, &mut bad_request);
    let mut any = Vec::new();
    let url = "type.googleapis.com/google.rpc.BadRequest".to_owned();
    prost::encoding::string::encode(1, &url, &mut any);
    prost::encoding::bytes::encode(2, &bad_request, &mut any);
    let mut status = Vec::new();
    prost::encoding::bytes::encode(3, &any, &mut status);
    let encoded: &'static str = base64::engine::general_purpose::STANDARD.encode(status).leak();
    let refusal = refusal(encoded, MAPPED).await.expect("a refusal");
    assert_eq!((refusal.reply.status, &refusal.reply.headers["x-why"]), (9, &"y".parse().unwrap()));
    let words: serde_json::Value = serde_json::from_slice(&refusal.words).unwrap();
    assert_eq!(words["message"], "a b");
    assert_eq!(words["status"], "FAILED_PRECONDITION");
    assert_eq!(words["details"][0]["@type"], url);
    assert_eq!(words["details"][0]["field_violations"][0]["field"], "id");
}

#[tokio::test]
async fn details_that_are_no_base64_or_no_message_say_nothing() {
    for details in ["###", "AAAA", "/////w=="] {
        let refusal = refusal(details, MAPPED).await.expect("a refusal");
        let words: serde_json::Value = serde_json::from_slice(&refusal.words).unwrap();
        assert_eq!(words["details"], json!([]), "{details}");
        assert_eq!(words["code"], 9);
    }
}

#[tokio::test]
async fn a_status_that_nobody_reads_is_not_kept() {
    assert!(refusal("AAAA", GET).await.is_none());
}
