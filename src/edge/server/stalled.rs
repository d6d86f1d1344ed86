//! Answers over HTTP/2 that the client does not read.
//!
//! An HTTP/2 connection is not idle while any of its streams makes progress, so each stream is timed by itself. hyper
//! drives each in a future of its own. If an answer makes no progress for the idle timeout, the future is dropped,
//! which resets the stream and gives its bytes back. Requests that are not answered yet have their own deadline.

use hyper::rt::Executor;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::{Instant, Sleep, sleep_until};

tokio::task_local! {
    static STREAM: Arc<Progress>;
}

/// Spawns the streams of a connection.
#[derive(Debug, Clone)]
pub(super) struct Streams {
    idle_timeout: Duration,
}

/// The time of the last progress of a stream's answer.
pub(super) struct Progress {
    begun: Instant,
    /// Time of the last progress, in milliseconds after `begun`, plus one; 0 until the response begins.
    last: AtomicU64,
}

impl Streams {
    pub(super) fn new(idle_timeout: Duration) -> Self {
        Self { idle_timeout }
    }
}

impl<F: Future + Send + 'static> Executor<F> for Streams {
    fn execute(&self, stream: F) {
        let progress = Arc::new(Progress { begun: Instant::now(), last: AtomicU64::new(0) });
        let running = run(stream, Arc::clone(&progress), self.idle_timeout);
        tokio::spawn(STREAM.scope(progress, running));
    }
}

/// Runs a stream to its end, or until its answer makes no progress.
async fn run(stream: impl Future, progress: Arc<Progress>, idle_timeout: Duration) {
    let mut stream = pin!(stream);
    let mut timer: Option<Pin<Box<Sleep>>> = None;
    std::future::poll_fn(|cx| {
        if stream.as_mut().poll(cx).is_ready() {
            return Poll::Ready(());
        }
        progress.poll_stalled(&mut timer, idle_timeout, cx)
    })
    .await;
}

impl Progress {
    /// Returns the progress of the stream that is being polled; `None` under HTTP/1.
    pub(super) fn of_stream() -> Option<Arc<Self>> {
        let progress = STREAM.try_with(Arc::clone).ok();
        progress.inspect(|progress| progress.progressed())
    }

    pub(super) fn progressed(&self) {
        let passed = u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX - 1);
        self.last.store(passed + 1, Relaxed);
    }

    /// Returns `Ready` if the client has taken nothing of the response for the idle timeout.
    fn poll_stalled(
        &self,
        timer: &mut Option<Pin<Box<Sleep>>>,
        idle_timeout: Duration,
        cx: &mut Context<'_>,
    ) -> Poll<()> {
        loop {
            let last = self.last.load(Relaxed);
            if last == 0 {
                return Poll::Pending;
            }
            let due = self.begun + Duration::from_millis(last) + idle_timeout;
            if due <= Instant::now() {
                tracing::debug!("a stream whose answer was not read was reset");
                return Poll::Ready(());
            }
            let timer = timer.get_or_insert_with(|| Box::pin(sleep_until(due)));
            if timer.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            timer.as_mut().reset(due);
        }
    }
}
