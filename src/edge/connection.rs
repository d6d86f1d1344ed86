//! Timeouts of connections: for the head of a request, and for idle connections.
//!
//! The first request's head is due within the header timeout, counted from when the connection is served, including the
//! TLS handshake. A later head is timed from its first byte.
//!
//! hyper times only the head of an HTTP/1 request, and not the first bytes, which decide between HTTP/1 and HTTP/2. So
//! the socket and the requests report their progress here. A connection that is idle for too long, or takes too long to
//! send a head, is closed, whatever protocol it speaks.

use super::server::{Framing, PREFACE};
use crate::overhead::{Frames, Overhead};
use bytes::Bytes;
use metrics::Counter;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// State of a connection. The orderings are relaxed: a connection is polled by one task at a time, and a timeout that
/// reads a moment late closes a moment late.
pub(super) struct Activity {
    opened: Instant,
    /// Number of requests in flight, or [`RETIRED`].
    in_flight: AtomicUsize,
    /// Number of responses that are being sent.
    answering: AtomicUsize,
    /// Start of the current wait, in milliseconds after `opened`: of the first head, of being idle, or of a later head.
    since: AtomicU64,
    head: AtomicBool,
    http2: AtomicBool,
    /// Number of requests that have begun.
    begun: AtomicU64,
    handed_over: AtomicBool,
    /// Number of the request whose length is ambiguous (see `Framing`); `u64::MAX` if there is none.
    ambiguous: AtomicU64,
    /// The connection is closed after the current response, because the rest of its request is not read.
    closes: AtomicBool,
    overhead: Arc<Overhead>,
    header_timeout: Duration,
    idle_timeout: Duration,
}

/// Value of `in_flight` on a retired connection: far more requests than are possible.
const RETIRED: usize = usize::MAX / 2;

/// Counts a request until it is dropped.
pub(super) struct InFlight {
    activity: Arc<Activity>,
    number: u64,
}

impl Activity {
    pub(super) fn new(header_timeout: Duration, idle_timeout: Duration) -> Arc<Self> {
        Arc::new(Self {
            opened: Instant::now(),
            in_flight: AtomicUsize::new(0),
            answering: AtomicUsize::new(0),
            since: AtomicU64::new(0),
            head: AtomicBool::new(false),
            http2: AtomicBool::new(false),
            begun: AtomicU64::new(0),
            handed_over: AtomicBool::new(false),
            ambiguous: AtomicU64::new(u64::MAX),
            closes: AtomicBool::new(false),
            overhead: Overhead::new(),
            header_timeout,
            idle_timeout,
        })
    }

    /// Starts the timeout of the first head: the connection has a slot now.
    pub(super) fn serve(&self) {
        self.since.store(self.now(), Relaxed);
    }

    /// Marks a response as being sent, until [`answered`](Self::answered) is called.
    pub(super) fn answer(&self) {
        self.answering.fetch_add(1, Relaxed);
    }

    pub(super) fn answered(&self) {
        self.answering.fetch_sub(1, Relaxed);
    }

    /// Begins a request. Returns `None` if the connection is [`retired`](Self::retire).
    pub(super) fn begin(self: &Arc<Self>) -> Option<InFlight> {
        if self.in_flight.fetch_add(1, Relaxed) >= RETIRED {
            self.in_flight.fetch_sub(1, Relaxed);
            return None;
        }
        self.head.store(false, Relaxed);
        if self.http2.load(Relaxed) {
            self.overhead.message();
        } else {
            self.overhead.restart();
        }
        let number = self.begun.fetch_add(1, Relaxed);
        Some(InFlight { activity: Arc::clone(self), number })
    }

    /// Prevents further requests, so that the connection can be closed without interrupting one. Returns `false` and
    /// changes nothing while a request is in flight.
    pub(super) fn retire(&self) -> bool {
        self.in_flight.compare_exchange(0, RETIRED, Relaxed, Relaxed).is_ok()
    }

    /// Closes the connection after the current response. For HTTP/1 only, which has one response at a time.
    pub(super) fn close_after_answer(&self) {
        self.closes.store(true, Relaxed);
    }

    pub(super) fn closes_after_answer(&self) -> bool {
        self.closes.load(Relaxed)
    }

    /// Counts bytes of a request's body that were delivered.
    pub(super) fn delivered(&self, bytes: usize) {
        self.overhead.delivered(bytes);
    }

    /// Counts bytes of a response that are sent.
    pub(super) fn gives(&self, bytes: usize) {
        self.overhead.sent(bytes);
    }

    /// Marks the rest of a refused request as read: the next bytes are another request's head.
    pub(super) fn rest_is_read(&self) {
        if self.in_flight.load(Relaxed) == 0 {
            self.head.store(false, Relaxed);
            self.since.store(self.now(), Relaxed);
        }
    }

    /// Reports progress: the client took a piece of a response, or waits for the next one.
    pub(super) fn progressed(&self) {
        if !self.head.load(Relaxed) {
            self.since.store(self.now(), Relaxed);
        }
    }

    /// Returns when the connection has to be closed.
    pub(super) async fn expired(&self) {
        loop {
            let wait = match self.deadline() {
                None => self.header_timeout,
                Some(deadline) => match deadline.checked_duration_since(Instant::now()) {
                    Some(left) if !left.is_zero() => left.min(self.header_timeout),
                    _ => return,
                },
            };
            tokio::time::sleep(wait).await;
        }
    }

    /// Returns `true` if no request is in flight and the client's next one is awaited.
    pub(super) fn is_idle(&self) -> bool {
        let is_busy = self.in_flight.load(Relaxed) > 0 || self.answering.load(Relaxed) > 0;
        let is_asked = self.begun.load(Relaxed) > 0 && !self.head.load(Relaxed);
        is_asked && !is_busy && !self.handed_over.load(Relaxed)
    }

    /// Stops all timeouts: the connection is handed over to another protocol.
    pub(super) fn hand_over(&self) {
        self.handed_over.store(true, Relaxed);
    }

    /// Returns the time at which the connection is closed; `None` while a request is being answered.
    fn deadline(&self) -> Option<Instant> {
        if self.in_flight.load(Relaxed) > 0 {
            return None;
        }
        let is_first = self.begun.load(Relaxed) == 0;
        let is_head = is_first || self.head.load(Relaxed);
        let allowed = if is_head { self.header_timeout } else { self.idle_timeout };
        Some(self.opened + Duration::from_millis(self.since.load(Relaxed)) + allowed)
    }

    fn now(&self) -> u64 {
        u64::try_from(self.opened.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn received(&self, bytes: &[u8], first: bool) {
        if first {
            self.http2.store(bytes.starts_with(b"PRI"), Relaxed);
        }
        // The first head has its deadline, however much of it has arrived.
        if self.begun.load(Relaxed) == 0 {
            return;
        }
        let idle = self.in_flight.load(Relaxed) == 0 && !self.head.load(Relaxed);
        // HTTP/2 has frames that belong to no request, such as pings.
        if idle && !self.http2.load(Relaxed) {
            self.head.store(true, Relaxed);
            self.since.store(self.now(), Relaxed);
        }
    }

    fn sent(&self) {
        // HTTP/2 writes pings of its own, even if the client is silent.
        if self.http2.load(Relaxed) || self.begun.load(Relaxed) == 0 {
            return;
        }
        if self.in_flight.load(Relaxed) == 0 && !self.head.load(Relaxed) {
            self.since.store(self.now(), Relaxed);
        }
    }
}

impl InFlight {
    /// Returns `true` for the first request of its connection.
    pub(super) fn is_first(&self) -> bool {
        self.number == 0
    }

    /// Returns `true` if the length of the request is ambiguous; see `Framing`.
    pub(super) fn is_ambiguous(&self) -> bool {
        self.activity.ambiguous.load(Relaxed) == self.number
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        if self.activity.in_flight.fetch_sub(1, Relaxed) == 1 {
            self.activity.since.store(self.activity.now(), Relaxed);
        }
    }
}

/// A socket that reports what it reads and writes.
pub(super) struct Watched<S> {
    socket: S,
    /// Bytes that were read from the socket before; returned by the first reads.
    first: Bytes,
    activity: Arc<Activity>,
    framing: Framing,
    frames: Frames,
    received: Counter,
    used: bool,
}

impl<S> Watched<S> {
    pub(super) fn new(socket: S, first: Bytes, activity: Arc<Activity>, received: Counter) -> Self {
        let (framing, frames) = (Framing::new(), Frames::after(PREFACE.len()));
        Self { socket, first, activity, framing, frames, received, used: false }
    }

    /// Counts the bytes read that belong to no message. Fails if there are too many.
    fn count(&mut self, read: &[u8]) -> io::Result<()> {
        if self.activity.handed_over.load(Relaxed) {
            return Ok(());
        }
        let is_http2 = self.activity.http2.load(Relaxed);
        let bytes = if is_http2 { self.frames.overhead(read) } else { read.len() as u64 };
        self.activity.overhead.read(bytes)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let polled = if self.first.is_empty() {
            Pin::new(&mut self.socket).poll_read(cx, buffer)
        } else {
            let most = self.first.len().min(buffer.remaining());
            buffer.put_slice(&self.first.split_to(most));
            if self.first.is_empty() {
                self.first = Bytes::new();
            }
            Poll::Ready(Ok(()))
        };
        let read = &buffer.filled()[before..];
        if polled.is_ready() && !read.is_empty() {
            self.activity.received(read, !self.used);
            self.received.increment(read.len() as u64);
            if !self.used && self.activity.http2.load(Relaxed) {
                self.framing.look_away();
            }
            if let Some(number) = self.framing.read(read) {
                self.activity.ambiguous.store(number, Relaxed);
            }
            self.used = true;
            self.count(read)?;
        }
        polled
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.socket).poll_write(cx, bytes);
        if polled.is_ready() {
            self.activity.sent();
        }
        polled
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.socket).poll_write_vectored(cx, slices);
        if polled.is_ready() {
            self.activity.sent();
        }
        polled
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: Duration = Duration::from_secs(10);
    const IDLE: Duration = Duration::from_secs(75);

    #[test]
    fn a_head_has_less_time_than_an_idle_connection() {
        let activity = Activity::new(HEADER, IDLE);
        let left = |activity: &Activity| activity.deadline().map(|at| at - activity.opened);
        let request = activity.begin().unwrap();
        assert_eq!(left(&activity), None, "a request in flight has its own deadline");
        assert!(request.is_first() && !activity.is_idle());
        drop(request);
        assert!(left(&activity).is_some_and(|left| left >= IDLE) && activity.is_idle());
        activity.received(b"POST /gr", false);
        assert!(left(&activity).is_some_and(|left| left < IDLE && left >= HEADER));
        assert!(!activity.is_idle());
    }

    #[test]
    fn the_first_head_is_due_whatever_was_sent_of_it() {
        for first in [&b""[..], b"P", b"PRI * HTTP/2.0"] {
            let activity = Activity::new(HEADER, IDLE);
            if !first.is_empty() {
                activity.received(first, true);
            }
            assert_eq!(activity.deadline(), Some(activity.opened + HEADER), "{first:?}");
            activity.sent();
            activity.received(b"more", false);
            assert_eq!(activity.deadline(), Some(activity.opened + HEADER), "{first:?}");
        }
    }

    #[test]
    fn an_answer_that_is_sent_is_not_idle() {
        let activity = Activity::new(HEADER, IDLE);
        assert!(!activity.is_idle(), "it is silent");
        drop(activity.begin());
        activity.answer();
        assert!(!activity.is_idle());
        activity.answered();
        assert!(activity.is_idle());
        activity.hand_over();
        assert!(!activity.is_idle());
    }

    #[test]
    fn a_retired_connection_begins_no_request_and_one_with_a_request_is_not_retired() {
        let activity = Activity::new(HEADER, IDLE);
        let request = activity.begin().unwrap();
        assert!(!activity.retire() && activity.begin().is_some());
        drop(request);
        assert!(activity.retire() && activity.begin().is_none());
        assert!(!activity.retire() && !activity.is_idle(), "it is retired once");
    }

    #[test]
    fn pings_of_http2_are_no_head() {
        let activity = Activity::new(HEADER, IDLE);
        activity.received(b"PRI * HTTP/2.0", true);
        drop(activity.begin());
        let since = activity.deadline();
        activity.received(b"ping", false);
        assert_eq!(activity.deadline(), since);
    }
}
