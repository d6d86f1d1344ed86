//! Connections against servers on loopback ports: how many are opened, which requests count as unprocessed, and what a
//! silent connection means for other calls.

mod floods;
mod prior;
mod proxies;
#[cfg(unix)]
mod sockets;

use super::*;
use crate::upstream::Failure;
use futures_util::FutureExt;
use futures_util::stream::{FuturesUnordered, StreamExt};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, Semaphore};

async fn listen() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("bound");
    (listener, address)
}

fn connections(address: SocketAddr, versions: Versions, settings: &Settings) -> Connections {
    let uri = format!("http://{address}").parse().expect("a URL");
    Connections::new(settings, &uri, None, versions).expect("an instance")
}

fn request(address: SocketAddr, path: &str) -> Request<Bytes> {
    let uri = format!("http://{address}{path}");
    Request::post(uri).body(Bytes::from_static(b"{}")).expect("a request")
}

async fn text(reply: Result<Response<ReplyBody>, Failure>) -> Result<String, Failure> {
    let body = reply?.into_body().collect().await?.to_bytes();
    Ok(String::from_utf8_lossy(&body).into_owned())
}

/// Serves both versions and counts connections. `respond` gets the connection's number, from 1, and the request.
async fn serve<F, A>(respond: F) -> (SocketAddr, Arc<AtomicUsize>)
where
    F: Fn(usize, Request<Incoming>) -> A + Clone + Send + Sync + 'static,
    A: Future<Output = String> + Send + 'static,
{
    let (listener, address) = listen().await;
    let accepted = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&accepted);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let number = count.fetch_add(1, Ordering::SeqCst) + 1;
            let respond = respond.clone();
            let service = service_fn(move |asked| {
                let answer = respond(number, asked);
                async { Ok::<_, Infallible>(Response::new(Full::new(Bytes::from(answer.await)))) }
            });
            tokio::spawn(async move {
                let builder = auto::Builder::new(TokioExecutor::new());
                drop(builder.serve_connection(TokioIo::new(stream), service).await);
            });
        }
    });
    (address, accepted)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn http1_opens_no_more_connections_than_calls_are_in_flight() {
    let (address, accepted) = serve(|_, asked| async move {
        drop(asked.into_body().collect().await);
        tokio::task::yield_now().await;
        "x".repeat(1000)
    })
    .await;
    let connections = Arc::new(connections(address, Versions::Negotiated, &Settings::default()));
    let places = Arc::new(Semaphore::new(44));
    let calls: FuturesUnordered<_> = (0..1000)
        .map(|_| {
            let (connections, places) = (Arc::clone(&connections), Arc::clone(&places));
            tokio::spawn(async move {
                let _place = places.acquire().await.expect("open");
                text(connections.send(request(address, "/"), false).await).await
            })
        })
        .collect();
    let replies: Vec<_> = calls.collect().await;
    assert!(replies.into_iter().all(|reply| reply.expect("no panic").is_ok()));
    let accepted = accepted.load(Ordering::SeqCst);
    // A connection whose last exchange does not settle within milliseconds is not waited for.
    assert!(accepted <= 66, "{accepted} connections for 44 calls at once");
}

#[tokio::test]
async fn http2_shares_one_connection_from_the_first_burst_on() {
    let (address, accepted) = serve(|_, _| async { "ok".to_owned() }).await;
    let connections = connections(address, Versions::Http2, &Settings::default());
    let calls: FuturesUnordered<_> = (0..100)
        .map(|_| async { text(connections.send(request(address, "/"), false).await).await })
        .collect();
    let replies: Vec<_> = calls.collect().await;
    assert!(replies.into_iter().all(|reply| reply == Ok("ok".to_owned())));
    assert_eq!(accepted.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_fresh_connection_is_a_new_one() {
    for versions in [Versions::Negotiated, Versions::Http2] {
        let (address, _) = serve(|number, _| async move { number.to_string() }).await;
        let connections = connections(address, versions, &Settings::default());
        let mut numbers = Vec::new();
        for fresh in [false, false, true, false] {
            let reply = text(connections.send(request(address, "/"), fresh).await).await;
            numbers.push(reply.expect("a reply"));
        }
        // The connection that a probe opened is used from then on.
        assert_eq!(numbers, ["1", "1", "2", "2"], "{versions:?}");
    }
}

#[tokio::test]
async fn calls_that_require_a_new_connection_share_one_over_http2() {
    let (address, accepted) = serve(|_, _| async { "ok".to_owned() }).await;
    let connections = connections(address, Versions::Http2, &Settings::default());
    let calls: FuturesUnordered<_> = (0..20)
        .map(|_| async { text(connections.send(request(address, "/"), true).await).await })
        .collect();
    let replies: Vec<_> = calls.collect().await;
    assert!(replies.into_iter().all(|reply| reply == Ok("ok".to_owned())));
    assert_eq!(accepted.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_connection_that_a_dropped_call_was_given_is_used_by_the_next_one() {
    let (address, accepted) = serve(|_, _| async { "ok".to_owned() }).await;
    let connections = connections(address, Versions::Negotiated, &Settings::default());
    let mut given_up = Box::pin(connections.send(request(address, "/"), false));
    assert!((&mut given_up).now_or_never().is_none());
    while accepted.load(Ordering::SeqCst) == 0 {
        tokio::task::yield_now().await;
    }
    // Its connection is ready, but the call is not polled again.
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    drop(given_up);
    let reply = text(connections.send(request(address, "/"), false).await).await;
    assert_eq!((reply, accepted.load(Ordering::SeqCst)), (Ok("ok".to_owned()), 1));
}

#[tokio::test]
async fn nothing_waits_for_a_connection_whose_service_does_not_read() {
    let (listener, address) = listen().await;
    let service = async {
        let mut held = Vec::new();
        for _ in 0..2 {
            let (mut stream, _) = listener.accept().await.expect("a connection");
            let _ = stream.read(&mut [0; 1024]).await.expect("a request");
            let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
            stream.write_all(answer).await.expect("sent");
            held.push(stream);
        }
        std::future::pending::<()>().await;
    };
    let connections = connections(address, Versions::Negotiated, &Settings::default());
    let calls = async {
        let large = request(address, "/").map(|_| Bytes::from(vec![b'x'; 32 << 20]));
        for asked in [large, request(address, "/")] {
            let reply = text(connections.send(asked, false).await).await;
            assert_eq!(reply, Ok("ok".to_owned()));
        }
    };
    tokio::select! { () = calls => {}, () = service => {} }
}

const HEADERS: u8 = 1;

fn frame(kind: u8, stream: u32, payload: &[u32]) -> Vec<u8> {
    let length = payload.len() as u8 * 4;
    let payload = payload.iter().flat_map(|word| word.to_be_bytes());
    let head = [0, 0, length, kind, 0].into_iter().chain(stream.to_be_bytes());
    head.chain(payload).collect()
}

fn reset(stream: u32, reason: u32) -> Vec<u8> {
    frame(3, stream, &[reason])
}

fn go_away(last: u32, reason: u32) -> Vec<u8> {
    frame(7, 0, &[last, reason])
}

/// Reads the preface, then frames until one opens a stream. Returns the stream's number.
async fn opened(stream: &mut TcpStream) -> u32 {
    let mut preface = [0; 24];
    stream.read_exact(&mut preface).await.expect("a preface");
    stream.write_all(&frame(4, 0, &[])).await.expect("settings");
    loop {
        let (head, _) = read_frame(stream).await.expect("a frame");
        if head[3] == HEADERS {
            return u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
        }
    }
}

/// Reads the nine bytes in front of a frame, and its payload.
async fn read_frame(stream: &mut TcpStream) -> std::io::Result<([u8; 9], Vec<u8>)> {
    let mut head = [0; 9];
    stream.read_exact(&mut head).await?;
    let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
    let mut payload = vec![0; length as usize];
    stream.read_exact(&mut payload).await?;
    Ok((head, payload))
}

/// Writes the head of a reply with status 200, optionally with a `content-length` of ten.
fn reply_head(stream: u32, announces_ten: bool) -> Vec<u8> {
    // Entries 8 and 28 of HPACK's static table.
    let fields: &[u8] = if announces_ten { b"\x88\x0f\x0d\x0210" } else { b"\x88" };
    let end_of_headers = 4;
    let head = [0, 0, fields.len() as u8, HEADERS, end_of_headers];
    head.into_iter().chain(stream.to_be_bytes()).chain(fields.iter().copied()).collect()
}

/// Returns the outcome of a call if the service answers its stream with these frames and closes.
async fn ends(answer: fn(u32) -> Vec<u8>) -> Result<String, Failure> {
    let (listener, address) = listen().await;
    let connections = connections(address, Versions::Http2, &Settings::default());
    let service = async {
        let (mut stream, _) = listener.accept().await.expect("a connection");
        let number = opened(&mut stream).await;
        stream.write_all(&answer(number)).await.expect("written");
        stream.shutdown().await.expect("shut down");
        // Reads what is still in transit, so that no reset overtakes the answer.
        drop(stream.read_to_end(&mut Vec::new()).await);
    };
    let call = async { text(connections.send(request(address, "/"), false).await).await };
    let (outcome, ()) = tokio::join!(call, service);
    outcome
}

#[tokio::test]
async fn a_reply_that_is_reset_before_its_announced_end_is_broken() {
    let begun: fn(u32) -> Vec<u8> = |stream| [reply_head(stream, true), reset(stream, 0)].concat();
    let failure = ends(begun).await;
    assert!(matches!(failure, Err(Failure::Reset(_))), "{failure:?}");
    let early: fn(u32) -> Vec<u8> = |stream| [reply_head(stream, false), reset(stream, 0)].concat();
    assert_eq!(ends(early).await, Ok(String::new()), "the service did not want the whole request");
}

#[tokio::test]
async fn only_the_services_own_word_proves_that_a_request_was_not_processed() {
    const NO_ERROR: u32 = 0;
    const INTERNAL_ERROR: u32 = 2;
    const REFUSED_STREAM: u32 = 7;
    const CANCEL: u32 = 8;
    const ENHANCE_YOUR_CALM: u32 = 11;
    let unprocessed: [fn(u32) -> Vec<u8>; 3] = [
        |_| go_away(0, NO_ERROR),
        |_| go_away(0, ENHANCE_YOUR_CALM),
        |stream| reset(stream, REFUSED_STREAM),
    ];
    for answer in unprocessed {
        let failure = ends(answer).await;
        assert!(matches!(failure, Err(Failure::Unprocessed(_))), "{failure:?}");
    }
    let broken: [fn(u32) -> Vec<u8>; 3] = [
        |_| Vec::new(),
        |stream| go_away(stream, NO_ERROR),
        |stream| go_away(stream, INTERNAL_ERROR),
    ];
    for answer in broken {
        let failure = ends(answer).await;
        assert!(matches!(failure, Err(Failure::Unavailable(_))), "{failure:?}");
    }
    let given_up: [fn(u32) -> Vec<u8>; 3] = [
        |stream| reset(stream, CANCEL),
        |stream| reset(stream, INTERNAL_ERROR),
        |stream| reset(stream, NO_ERROR),
    ];
    for answer in given_up {
        let failure = ends(answer).await;
        assert!(matches!(failure, Err(Failure::Reset(_))), "{failure:?}");
    }
}

/// Connections are shut down gracefully one after another, each after some requests, as in a rolling restart.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn graceful_shutdowns_under_load_cost_no_call_and_repeat_none() {
    let (listener, address) = listen().await;
    let processed = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&processed);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (enough, count) = (Arc::new(Notify::new()), Arc::clone(&count));
            let full = Arc::clone(&enough);
            let seen = Arc::new(AtomicUsize::new(0));
            let service = service_fn(move |_| {
                count.fetch_add(1, Ordering::SeqCst);
                if seen.fetch_add(1, Ordering::SeqCst) == 20 {
                    full.notify_one();
                }
                async {
                    tokio::task::yield_now().await;
                    Ok::<_, Infallible>(Response::new(Full::new(Bytes::from_static(b"ok"))))
                }
            });
            tokio::spawn(async move {
                let builder = auto::Builder::new(TokioExecutor::new()).http2_only();
                let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service));
                tokio::select! {
                    _ = &mut connection => return,
                    () = enough.notified() => connection.as_mut().graceful_shutdown(),
                }
                drop(connection.await);
            });
        }
    });
    let connections = Arc::new(connections(address, Versions::Http2, &Settings::default()));
    let callers: Vec<_> = (0..32)
        .map(|_| {
            let connections = Arc::clone(&connections);
            tokio::spawn(async move {
                for _ in 0..100 {
                    let mut moves = 0;
                    let reply = loop {
                        match connections.send(request(address, "/"), false).await {
                            Err(failure) if failure.is_unsent() && moves < 5 => moves += 1,
                            outcome => break text(outcome).await,
                        }
                    };
                    assert_eq!(reply, Ok("ok".to_owned()));
                }
            })
        })
        .collect();
    for caller in callers {
        caller.await.expect("all calls are answered");
    }
    assert_eq!(processed.load(Ordering::SeqCst), 3200);
}

#[tokio::test]
async fn calls_beyond_the_services_limit_of_streams_wait_and_may_be_given_up() {
    let (listener, address) = listen().await;
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.expect("a connection");
        let service = service_fn(|_| async {
            tokio::task::yield_now().await;
            Ok::<_, Infallible>(Response::new(Full::new(Bytes::from_static(b"ok"))))
        });
        let mut builder = auto::Builder::new(TokioExecutor::new()).http2_only();
        builder.http2().max_concurrent_streams(2);
        drop(builder.serve_connection(TokioIo::new(stream), service).await);
    });
    let connections = connections(address, Versions::Http2, &Settings::default());
    let send = || async { text(connections.send(request(address, "/"), false).await).await };
    // The limit is known from here on.
    assert_eq!(send().await, Ok("ok".to_owned()));
    let calls: FuturesUnordered<_> = (0..50)
        .map(|number| {
            let call = Box::pin(send());
            async move {
                if number % 5 != 0 {
                    return call.await;
                }
                // Sent, and dropped before its reply.
                assert!(call.now_or_never().is_none());
                Ok("ok".to_owned())
            }
        })
        .collect();
    let replies: Vec<_> = calls.collect().await;
    assert!(replies.iter().all(|reply| *reply == Ok("ok".to_owned())), "{replies:?}");
    assert_eq!(send().await, Ok("ok".to_owned()));
}

/// Serves the first connection's requests when `late` is notified, and those of other connections at once.
async fn half_silent(late: Arc<Notify>) -> (SocketAddr, Arc<AtomicUsize>) {
    serve(move |number, asked| {
        let late = Arc::clone(&late);
        async move {
            if number == 1 && asked.uri().path() != "/quick" {
                late.notified().await;
            }
            number.to_string()
        }
    })
    .await
}

const PATIENCE: Duration = Duration::from_millis(50);

fn impatient() -> Settings {
    Settings { connect_timeout: PATIENCE, ..Settings::default() }
}

#[tokio::test]
async fn a_timeout_on_a_silent_connection_moves_new_calls_and_leaves_the_running_ones() {
    let late = Arc::new(Notify::new());
    let (address, accepted) = half_silent(Arc::clone(&late)).await;
    let connections = Arc::new(connections(address, Versions::Http2, &impatient()));
    let first = text(connections.send(request(address, "/quick"), false).await).await;
    assert_eq!(first, Ok("1".to_owned()));
    let running = {
        let connections = Arc::clone(&connections);
        tokio::spawn(
            async move { text(connections.send(request(address, "/"), false).await).await },
        )
    };
    let hanging = connections.send(request(address, "/"), false);
    assert!(tokio::time::timeout(2 * PATIENCE, hanging).await.is_err());
    let next = text(connections.send(request(address, "/"), false).await).await;
    assert_eq!((next, accepted.load(Ordering::SeqCst)), (Ok("2".to_owned()), 2));
    late.notify_waiters();
    assert_eq!(running.await.expect("no panic"), Ok("1".to_owned()));
}

#[tokio::test]
async fn a_timeout_on_a_connection_that_answers_others_moves_nothing() {
    let late = Arc::new(Notify::new());
    let (address, accepted) = half_silent(Arc::clone(&late)).await;
    let connections = connections(address, Versions::Http2, &impatient());
    let hanging = connections.send(request(address, "/"), false);
    let others = async {
        loop {
            let reply = text(connections.send(request(address, "/quick"), false).await).await;
            assert_eq!(reply, Ok("1".to_owned()));
            tokio::task::yield_now().await;
        }
    };
    let both = async {
        tokio::select! { _ = hanging => {}, () = others => {} }
    };
    assert!(tokio::time::timeout(2 * PATIENCE, both).await.is_err());
    let reply = text(connections.send(request(address, "/quick"), false).await).await;
    assert_eq!((reply, accepted.load(Ordering::SeqCst)), (Ok("1".to_owned()), 1));
}

#[tokio::test]
async fn a_timeout_over_http1_drops_the_connections_that_were_idle_before() {
    let late = Arc::new(Notify::new());
    let held = Arc::clone(&late);
    let (address, accepted) = serve(move |_, asked| {
        let late = Arc::clone(&held);
        async move {
            if asked.uri().path() == "/held" {
                late.notified().await;
            }
            String::new()
        }
    })
    .await;
    let connections = connections(address, Versions::Negotiated, &impatient());
    let connections = &connections;
    let send =
        |path| async move { text(connections.send(request(address, path), false).await).await };
    // Two connections, idle afterwards.
    let release = async {
        while accepted.load(Ordering::SeqCst) < 2 {
            tokio::task::yield_now().await;
        }
        loop {
            late.notify_waiters();
            tokio::task::yield_now().await;
        }
    };
    let together = futures_util::future::join(send("/held"), send("/held"));
    tokio::select! {
        replies = together => assert_eq!(replies, (Ok(String::new()), Ok(String::new()))),
        () = release => {}
    }
    assert!(tokio::time::timeout(2 * PATIENCE, send("/held")).await.is_err());
    assert_eq!(send("/").await, Ok(String::new()));
    assert_eq!(accepted.load(Ordering::SeqCst), 3, "the other idle one was not trusted");
}

#[tokio::test]
async fn a_request_on_a_connection_that_was_closed_while_idle_goes_over_another_one() {
    let (listener, address) = listen().await;
    let connections = connections(address, Versions::Negotiated, &Settings::default());
    let service = async {
        for _ in 0..2 {
            let (mut stream, _) = listener.accept().await.expect("a connection");
            let mut buffer = [0; 1024];
            let _ = stream.read(&mut buffer).await.expect("a request");
            stream
                .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
                .await
                .expect("sent");
        }
    };
    let calls = async {
        for _ in 0..2 {
            let reply = text(connections.send(request(address, "/"), false).await).await;
            assert_eq!(reply, Ok("ok".to_owned()));
            // The service closes.
            tokio::task::yield_now().await;
        }
    };
    tokio::join!(service, calls);
}

#[tokio::test]
async fn calls_that_wait_for_one_connection_fail_together() {
    let (listener, address) = listen().await;
    drop(listener);
    for versions in [Versions::Negotiated, Versions::Http2] {
        let connections = connections(address, versions, &Settings::default());
        let calls: FuturesUnordered<_> =
            (0..10).map(|_| connections.send(request(address, "/"), false)).collect();
        let failures: Vec<_> = calls.collect().await;
        for failure in failures {
            assert!(matches!(failure, Err(Failure::Unreached(_))), "{failure:?}");
        }
    }
}
