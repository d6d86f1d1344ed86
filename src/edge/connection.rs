//! How long a client may keep a connection without asking anything.
//!
//! hyper times only the head of an HTTP/1 request, and not the first bytes, by which HTTP/1 and HTTP/2 are told
//! apart. So the socket and the requests report here what they do, and a connection that is idle for too long, or takes
//! too long over a head, is closed, whatever protocol it speaks.

use super::server::Framing;
use metrics::Counter;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// What a connection is doing. The orderings are relaxed: a connection is polled by one task at a time, and a timeout
/// that reads a moment late closes a moment late.
pub(super) struct Activity {
    opened: Instant,
    in_flight: AtomicUsize,
    /// Milliseconds after `opened`: since when it is idle, or since when a head is being sent.
    since: AtomicU64,
    head: AtomicBool,
    http2: AtomicBool,
    /// Requests that have begun.
    begun: AtomicU64,
    /// The number of the one whose end is said twice; `u64::MAX` while there is none.
    ambiguous: AtomicU64,
    /// The connection is closed after the answer that is being made, since the rest of its request is not read.
    closes: AtomicBool,
    header_timeout: Duration,
    idle_timeout: Duration,
}

/// Counts a request for as long as it lives.
pub(super) struct InFlight {
    activity: Arc<Activity>,
    number: u64,
}

impl Activity {
    pub(super) fn new(header_timeout: Duration, idle_timeout: Duration) -> Arc<Self> {
        Arc::new(Self {
            opened: Instant::now(),
            in_flight: AtomicUsize::new(0),
            since: AtomicU64::new(0),
            head: AtomicBool::new(false),
            http2: AtomicBool::new(false),
            begun: AtomicU64::new(0),
            ambiguous: AtomicU64::new(u64::MAX),
            closes: AtomicBool::new(false),
            header_timeout,
            idle_timeout,
        })
    }

    pub(super) fn begin(self: &Arc<Self>) -> InFlight {
        self.in_flight.fetch_add(1, Relaxed);
        self.head.store(false, Relaxed);
        let number = self.begun.fetch_add(1, Relaxed);
        InFlight { activity: Arc::clone(self), number }
    }

    /// The connection cannot be used after the answer that is being made. For HTTP/1, which has one at a time.
    pub(super) fn close_after_answer(&self) {
        self.closes.store(true, Relaxed);
    }

    pub(super) fn closes_after_answer(&self) -> bool {
        self.closes.load(Relaxed)
    }

    /// The rest of a refused request is over: what comes next is the head of another one.
    pub(super) fn rest_is_read(&self) {
        if self.in_flight.load(Relaxed) == 0 {
            self.head.store(false, Relaxed);
            self.since.store(self.now(), Relaxed);
        }
    }

    /// The client has taken a piece of an answer, or waits for the next.
    pub(super) fn progressed(&self) {
        if !self.head.load(Relaxed) {
            self.since.store(self.now(), Relaxed);
        }
    }

    /// Comes back when the connection is to be closed.
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

    /// `None` while a request is being answered.
    fn deadline(&self) -> Option<Instant> {
        if self.in_flight.load(Relaxed) > 0 {
            return None;
        }
        let head = self.head.load(Relaxed);
        let allowed = if head { self.header_timeout } else { self.idle_timeout };
        Some(self.opened + Duration::from_millis(self.since.load(Relaxed)) + allowed)
    }

    fn now(&self) -> u64 {
        u64::try_from(self.opened.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn received(&self, bytes: &[u8], first: bool) {
        if first {
            self.http2.store(bytes.starts_with(b"PRI"), Relaxed);
        }
        let idle = self.in_flight.load(Relaxed) == 0 && !self.head.load(Relaxed);
        // HTTP/2 has frames that are no request, such as pings.
        if idle && !self.http2.load(Relaxed) {
            self.head.store(true, Relaxed);
            self.since.store(self.now(), Relaxed);
        }
    }

    fn sent(&self) {
        // HTTP/2 writes pings of its own, however silent the client is.
        if self.http2.load(Relaxed) {
            return;
        }
        if self.in_flight.load(Relaxed) == 0 && !self.head.load(Relaxed) {
            self.since.store(self.now(), Relaxed);
        }
    }
}

impl InFlight {
    /// The end of the request is said twice; see `Framing`.
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
    activity: Arc<Activity>,
    framing: Framing,
    received: Counter,
    used: bool,
}

impl<S> Watched<S> {
    pub(super) fn new(socket: S, activity: Arc<Activity>, received: Counter) -> Self {
        Self { socket, activity, framing: Framing::new(), received, used: false }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.socket).poll_read(cx, buffer);
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
        assert!(left(&activity) == Some(IDLE));
        activity.received(b"POST /gr", true);
        assert!(left(&activity).is_some_and(|left| left < IDLE && left >= HEADER));
        let request = activity.begin();
        assert_eq!(left(&activity), None, "a request in flight has its own deadline");
        drop(request);
        assert!(left(&activity).is_some_and(|left| left >= IDLE));
    }

    #[test]
    fn pings_of_http2_are_no_head() {
        let activity = Activity::new(HEADER, IDLE);
        activity.received(b"PRI * HTTP/2.0", true);
        activity.received(b"ping", false);
        assert!(activity.deadline().is_some_and(|at| at - activity.opened == IDLE));
    }
}
