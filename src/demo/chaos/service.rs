//! Service of a drill's instance: REST and gRPC on one port, with adjustable latency and errors.
//!
//! Over HTTP/1.1 and HTTP/2. `GET` and `POST` of a path are answered with its last segment as `{"id": …}`, and a gRPC
//! call with its own message. Every call is recorded in a journal.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, header};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use serde::{Deserialize, Serialize};
use std::convert::Infallible;
use std::future::ready;
use std::io::{self, Write as _};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, oneshot, watch};
use tokio::task::JoinSet;

/// Time for calls in flight when it stops.
const GRACE: Duration = Duration::from_secs(5);

/// Maximum number of concurrent calls on one HTTP/2 connection.
const STREAMS_MAX: u32 = 1_024;

/// Answer to a call.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub enum Answer {
    Well,
    /// Never.
    Never,
    /// With status 500, or gRPC's INTERNAL.
    Error,
    /// With status 503, or gRPC's UNAVAILABLE.
    Unavailable,
    /// With status 500 to this share of calls, 0 to 1, at random.
    ErrorShare(f64),
    /// Successful, but after `late` for one item in `every`: those whose number has the remainder `rest`.
    Late {
        late: Duration,
        every: usize,
        rest: usize,
    },
}

/// Behavior from the next call on.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Behaviour {
    pub answer: Answer,
    pub latency: Duration,
}

/// One call, as seen by the instance.
#[derive(Debug, Clone, Copy)]
pub struct Visit {
    pub came: Instant,
    /// Time when it was answered, or its client disconnected.
    pub left: Option<Instant>,
}

/// State shared by all connections of an instance.
pub struct Stage {
    pub behaviour: watch::Sender<Behaviour>,
    pub visits: watch::Sender<Vec<Visit>>,
    /// Permits for calls that are answered concurrently; others wait.
    slots: Semaphore,
    /// Number of connections so far.
    connections: AtomicUsize,
    /// Number of the first connections that are dead: nothing is read from them or written to them.
    dead: AtomicUsize,
    /// Receives a line for each call that begins and ends.
    journal: Option<io::Stdout>,
}

impl Stage {
    pub fn new(behaviour: Behaviour, slots: Option<usize>) -> Self {
        Self {
            behaviour: watch::Sender::new(behaviour),
            visits: watch::Sender::new(Vec::new()),
            slots: Semaphore::new(slots.unwrap_or(Semaphore::MAX_PERMITS)),
            connections: AtomicUsize::new(0),
            dead: AtomicUsize::new(0),
            journal: None,
        }
    }

    /// Also writes visits to standard output: `+ 7` when the eighth call begins, `- 7` when it ends.
    #[must_use]
    pub fn written(self) -> Self {
        Self { journal: Some(io::stdout()), ..self }
    }

    fn write(&self, what: char, place: usize) {
        if let Some(mut journal) = self.journal.as_ref() {
            // A closed reader does not matter.
            let _ = writeln!(journal, "{what} {place}");
        }
    }

    /// Silences all existing connections, as on a path that drops their packets; new ones work.
    pub fn silence(&self) {
        self.dead.store(self.connections.load(Ordering::Relaxed), Ordering::Relaxed);
    }

    pub fn came(&self) -> usize {
        let mut place = 0;
        self.visits.send_modify(|visits| {
            place = visits.len();
            visits.push(Visit { came: Instant::now(), left: None });
            // In their order.
            self.write('+', place);
        });
        place
    }

    pub fn left(&self, place: usize) {
        let left = Some(Instant::now());
        self.visits.send_modify(|visits| {
            if let Some(visit) = visits.get_mut(place) {
                visit.left = left;
            }
        });
        self.write('-', place);
    }
}

pub async fn serve(listener: TcpListener, stage: Arc<Stage>, mut drained: oneshot::Receiver<()>) {
    let graceful = GracefulShutdown::new();
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            _ = &mut drained => break,
            accepted = listener.accept() => accepted,
        };
        while connections.try_join_next().is_some() {}
        let Ok((stream, _)) = accepted else { continue };
        let _ = stream.set_nodelay(true);
        let number = stage.connections.fetch_add(1, Ordering::Relaxed);
        let line = Line { stream, number, stage: Arc::clone(&stage) };
        let stage = Arc::clone(&stage);
        let service = service_fn(move |request| answer(request, Arc::clone(&stage)));
        let mut builder = Builder::new(TokioExecutor::new());
        builder.http2().max_concurrent_streams(STREAMS_MAX);
        let connection = builder.serve_connection(TokioIo::new(line), service).into_owned();
        connections.spawn(graceful.watch(connection));
    }
    drop(listener);
    let _ = tokio::time::timeout(GRACE, graceful.shutdown()).await;
}

async fn answer(
    request: Request<Incoming>,
    stage: Arc<Stage>,
) -> Result<Response<BoxBody<Bytes, Infallible>>, Infallible> {
    let _guest = Guest::enter(Arc::clone(&stage));
    let Ok(_slot) = stage.slots.acquire().await else { return std::future::pending().await };
    let Behaviour { answer, mut latency } = *stage.behaviour.borrow();
    let id = request.uri().path().rsplit('/').next().unwrap_or_default().to_owned();
    if let Answer::Late { late, every, rest } = answer
        && id.parse::<usize>().is_ok_and(|id| id % every == rest)
    {
        latency = late;
    }
    tokio::time::sleep(latency).await;
    let status = match answer {
        Answer::Error => StatusCode::INTERNAL_SERVER_ERROR,
        Answer::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        Answer::ErrorShare(share) if fastrand::f64() < share => StatusCode::INTERNAL_SERVER_ERROR,
        Answer::Well | Answer::Late { .. } | Answer::ErrorShare(_) => StatusCode::OK,
        Answer::Never => std::future::pending().await,
    };
    let kind = request.headers().get(header::CONTENT_TYPE);
    if kind.is_some_and(|kind| kind.as_bytes().starts_with(b"application/grpc")) {
        return Ok(over_grpc(request.into_body(), status).await);
    }
    let body = Full::from(format!(r#"{{"id":"{id}"}}"#)).boxed();
    Ok(reply(status, HeaderValue::from_static("application/json"), body))
}

/// Answers with the received message, or a status without one.
async fn over_grpc(body: Incoming, status: StatusCode) -> Response<BoxBody<Bytes, Infallible>> {
    let kind = HeaderValue::from_static("application/grpc");
    let code = match status {
        StatusCode::OK => 0,
        StatusCode::SERVICE_UNAVAILABLE => 14,
        _ => 13,
    };
    let message = body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    if code != 0 {
        let mut response = reply(StatusCode::OK, kind, Full::default().boxed());
        response.headers_mut().insert("grpc-status", code.into());
        return response;
    }
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", code.into());
    let body = Full::new(message).with_trailers(ready(Some(Ok(trailers)))).boxed();
    reply(StatusCode::OK, kind, body)
}

fn reply(
    status: StatusCode,
    kind: HeaderValue,
    body: BoxBody<Bytes, Infallible>,
) -> Response<BoxBody<Bytes, Infallible>> {
    let mut reply = Response::new(body);
    reply.headers_mut().insert(header::CONTENT_TYPE, kind);
    *reply.status_mut() = status;
    reply
}

/// A visit that has not ended.
struct Guest {
    stage: Arc<Stage>,
    place: usize,
}

impl Guest {
    fn enter(stage: Arc<Stage>) -> Self {
        let place = stage.came();
        Self { stage, place }
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        self.stage.left(self.place);
    }
}

/// A connection, which can be dead.
struct Line {
    stream: TcpStream,
    number: usize,
    stage: Arc<Stage>,
}

impl Line {
    fn alive(&mut self) -> Poll<Pin<&mut TcpStream>> {
        if self.number < self.stage.dead.load(Ordering::Relaxed) {
            // Never woken again.
            return Poll::Pending;
        }
        Poll::Ready(Pin::new(&mut self.stream))
    }
}

impl AsyncRead for Line {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        std::task::ready!(self.alive()).poll_read(context, buffer)
    }
}

impl AsyncWrite for Line {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        std::task::ready!(self.alive()).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        std::task::ready!(self.alive()).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        std::task::ready!(self.alive()).poll_shutdown(context)
    }
}
