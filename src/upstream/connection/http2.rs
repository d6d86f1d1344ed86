//! One HTTP/2 connection, shared by all calls of an instance.
//!
//! A call that ends unanswered retires its connection if nothing was received on it since the call was sent. New calls
//! then go to a new connection, and running calls stay. This needs no pings, so services that limit pings have none to
//! count. Only an endless stream of replies, which has no timeout, is watched by pings (`ping`).

use super::super::Failure;
use super::super::http::sentence;
use super::super::interim::MAX_INTERIM;
use super::awaited::AwaitedReply;
use super::body::ReplyBody;
use super::dial::Stream;
use super::ping::Pings;
use super::pool::ConnectionPool;
use super::unsent::{Failed, of_opening, of_stream};
use crate::overhead::{Frames, Overhead};
use bytes::Bytes;
use futures_util::FutureExt;
use h2::client::{Builder, Connection, ResponseFuture, SendRequest};
use http::header::{
    CONNECTION, CONTENT_LENGTH, HeaderMap, HeaderName, TE, TRANSFER_ENCODING, UPGRADE,
};
use http::{Request, Response};
use hyper_util::rt::TokioIo;
use std::convert::Infallible;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::oneshot;

/// Bytes that a service may send ahead: per stream, and per connection.
const STREAM_WINDOW: u32 = 1 << 20;
const CONNECTION_WINDOW: u32 = 4 << 20;

/// Maximum size of a reply's headers, as HPACK counts it.
const MAX_HEADERS: u32 = 16 << 10;

/// Maximum number of streams that local errors may reset before the connection is closed.
const MAX_RESETS: usize = 1024;

/// First bytes of every answer of a server that speaks only HTTP/1. As an HTTP/2 frame they would announce an invalid
/// length. `h2` fails when it has read as many.
const HTTP1: &[u8] = b"HTT";

/// Time that a connection without calls may take for its closing handshake.
const GOODBYE: Duration = Duration::from_secs(1);

pub(super) struct Http2 {
    /// Declared before `_open`: the connection closes when its task finds no handle left.
    sender: SendRequest<Bytes>,
    /// Number of reads that returned bytes.
    heard: Arc<AtomicU64>,
    overhead: Arc<Overhead>,
    /// The service answered with HTTP/1.
    is_http1: Arc<AtomicBool>,
    /// Shown if the service does not speak HTTP/2.
    advice: &'static str,
    /// New calls use another connection.
    is_retired: AtomicBool,
    pings: Option<Pings>,
    _open: oneshot::Sender<Infallible>,
}

impl Http2 {
    /// Opens a connection over a stream. `advice` is shown if the service does not speak HTTP/2.
    pub async fn open(stream: Stream, advice: &'static str) -> Result<Arc<Self>, Failure> {
        let heard = Arc::new(AtomicU64::new(0));
        let overhead = Overhead::new();
        let is_http1 = Arc::new(AtomicBool::new(false));
        let stream = CountedStream {
            stream: TokioIo::new(stream),
            of_http1: Some(0),
            is_http1: Arc::clone(&is_http1),
            reads: Arc::clone(&heard),
            frames: Frames::after(0),
            overhead: Arc::clone(&overhead),
        };
        let opened = Builder::new()
            .enable_push(false)
            .initial_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .max_header_list_size(MAX_HEADERS)
            .max_local_error_reset_streams(Some(MAX_RESETS))
            .handshake(stream)
            .await;
        let (sender, mut connection) =
            opened.map_err(|error| Failure::Unreached(sentence(&error)))?;
        let pings = connection.ping_pong().map(Pings::new);
        let (open, closed) = oneshot::channel();
        tokio::spawn(run(connection, closed));
        let is_retired = AtomicBool::new(false);
        let connection =
            Self { sender, heard, overhead, is_http1, advice, is_retired, pings, _open: open };
        Ok(Arc::new(connection))
    }

    pub fn is_usable(&self) -> bool {
        !self.is_retired.load(Ordering::Relaxed)
    }

    pub fn retire(&self) {
        self.is_retired.store(true, Ordering::Relaxed);
    }

    /// Retires the connection if nothing was received on it since a call was sent that is now cancelled.
    fn doubt(&self, heard: u64) {
        if self.heard() == heard {
            self.retire();
        }
    }

    pub fn heard(&self) -> u64 {
        self.heard.load(Ordering::Relaxed)
    }

    /// Records that bytes of a reply were delivered.
    pub fn delivered(&self, bytes: usize) {
        self.overhead.delivered(bytes);
    }

    /// Completes when the connection does not answer a ping. Never completes while it is alive.
    async fn lost(self: Arc<Self>) -> Failure {
        match &self.pings {
            Some(pings) => pings.unanswered(|| self.heard()).await,
            None => std::future::pending().await,
        }
        self.retire();
        Failure::Unavailable("the connection is silent, and answers no ping".to_owned())
    }

    /// Sends a request and waits for its reply. `endless`: the reply has no time limit, so the connection is watched
    /// while it is read.
    pub async fn exchange(
        self: Arc<Self>,
        request: Request<Bytes>,
        pool: &ConnectionPool,
        endless: bool,
    ) -> Result<Response<ReplyBody>, Failed> {
        let outcome = Arc::clone(&self).exchange_frames(request, pool, endless).await;
        outcome.map_err(|failed| {
            if !self.is_http1.load(Ordering::Relaxed) {
                return failed;
            }
            let advice = self.advice;
            Failure::Invalid(format!("the service answered with HTTP/1.1; {advice}")).into()
        })
    }

    async fn exchange_frames(
        self: Arc<Self>,
        request: Request<Bytes>,
        pool: &ConnectionPool,
        endless: bool,
    ) -> Result<Response<ReplyBody>, Failed> {
        let mut sender = self.sender.clone();
        if let Err(error) = poll_fn(|context| sender.poll_ready(context)).await {
            self.retire();
            return Err(Failed::Unsent(Box::new(request), sentence(&error)));
        }
        let (mut parts, body) = request.into_parts();
        strip(&mut parts.headers);
        let opened = sender.send_request(Request::from_parts(parts, ()), body.is_empty());
        let (reply, mut stream) = opened.map_err(|error| of_opening(&error))?;
        drop(sender);
        self.overhead.message();
        self.overhead.sent(body.len());
        if !body.is_empty() {
            // The body is in memory and is sent as the windows allow. If the stream was reset, its reply says why.
            let _ = stream.send_data(body, true);
        }
        let heard = self.heard();
        let waiting = AwaitedReply::begin(pool.patience(), |_| self.doubt(heard));
        let mut lost = endless.then(|| Arc::clone(&self).lost().boxed());
        let outcome = match &mut lost {
            None => reply_of(reply).await,
            Some(lost) => tokio::select! {
                outcome = reply_of(reply) => outcome,
                failure = lost => Err(failure),
            },
        };
        waiting.end();
        let reply = outcome?;
        let length = reply.headers().get(CONTENT_LENGTH).and_then(|value| value.to_str().ok());
        let length = length.and_then(|length| length.parse().ok());
        Ok(reply.map(|stream| ReplyBody::http2(stream, length, lost, self)))
    }
}

/// Returns the final reply, after the interim ones.
async fn reply_of(mut reply: ResponseFuture) -> Result<Response<h2::RecvStream>, Failure> {
    let mut interim = 0;
    poll_fn(|context| {
        while let Poll::Ready(Some(Ok(_))) = reply.poll_informational(context) {
            interim += 1;
            if interim > MAX_INTERIM {
                let text = format!("more than {MAX_INTERIM} interim replies");
                return Poll::Ready(Err(Failure::Invalid(text)));
            }
        }
        Pin::new(&mut reply).poll(context).map_err(|error| of_stream(&error))
    })
    .await
}

/// Runs the connection until the service closes it, or until no call and no pool holds it.
async fn run(connection: Connection<CountedStream, Bytes>, closed: oneshot::Receiver<Infallible>) {
    let mut connection = std::pin::pin!(connection);
    tokio::select! {
        // Each call reports its own error.
        _ = &mut connection => return,
        _ = closed => {}
    }
    let _ = tokio::time::timeout(GOODBYE, connection).await;
}

/// Removes headers that belong to an HTTP/1.1 connection (RFC 9113, section 8.2.2).
fn strip(headers: &mut HeaderMap) {
    const OLD: [HeaderName; 5] = [
        CONNECTION,
        TRANSFER_ENCODING,
        UPGRADE,
        HeaderName::from_static("keep-alive"),
        HeaderName::from_static("proxy-connection"),
    ];
    for name in &OLD {
        headers.remove(name);
    }
    if headers.get(TE).is_some_and(|value| value != "trailers") {
        headers.remove(TE);
    }
}

/// Counts reads that return bytes, and fails if too many bytes belong to no reply.
struct CountedStream {
    stream: TokioIo<Stream>,
    reads: Arc<AtomicU64>,
    /// Number of bytes read so far that match [`HTTP1`]; `None` after the first mismatch.
    of_http1: Option<usize>,
    is_http1: Arc<AtomicBool>,
    frames: Frames,
    overhead: Arc<Overhead>,
}

impl CountedStream {
    /// Compares the first bytes with [`HTTP1`].
    ///
    /// # Errors
    /// The service speaks HTTP/1.
    fn check_version(&mut self, read: &[u8]) -> io::Result<()> {
        let Some(seen) = self.of_http1 else { return Ok(()) };
        let more = read.len().min(HTTP1.len() - seen);
        let is_same = read[..more] == HTTP1[seen..seen + more];
        self.of_http1 = is_same.then_some(seen + more);
        if self.of_http1 == Some(HTTP1.len()) {
            self.is_http1.store(true, Ordering::Relaxed);
            return Err(io::Error::new(io::ErrorKind::InvalidData, "an answer of HTTP/1"));
        }
        Ok(())
    }
}

impl AsyncRead for CountedStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(context, buffer);
        let read = &buffer.filled()[before..];
        if !read.is_empty() {
            self.reads.fetch_add(1, Ordering::Relaxed);
            self.check_version(read)?;
            let overhead = self.frames.overhead(read);
            self.overhead.read(overhead)?;
        }
        polled
    }
}

impl AsyncWrite for CountedStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffers: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, buffers)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
