//! Interim replies of HTTP/1.1 (status 1xx; RFC 9110, section 15.2), which hyper reads and drops: a service may send a
//! few before its reply, but not endlessly.

use super::Failure;
use crate::overhead::Overhead;
use http::Request;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::Notify;

/// Maximum number of interim replies to one request.
pub const MAX_INTERIM: usize = 8;

/// The interim replies to one request.
#[derive(Default)]
pub struct Interim {
    came: AtomicUsize,
    too_many: Notify,
    stop: Stop,
}

/// Stops reading from a connection.
#[derive(Clone, Default)]
pub struct Stop(Arc<AtomicBool>);

impl Interim {
    /// Counts the interim replies to this request, and stops its connection if there are too many. A connection that
    /// always has something to read would otherwise occupy its thread.
    pub fn of<B>(request: &mut Request<B>, stop: &Stop) -> Arc<Self> {
        let interim = Arc::new(Self { stop: stop.clone(), ..Self::default() });
        let counted = Arc::clone(&interim);
        hyper::ext::on_informational(request, move |_| counted.count());
        interim
    }

    /// Returns the outcome of the request's exchange, which is dropped if there are too many interim replies.
    ///
    /// # Errors
    /// Those of the exchange; [`Failure::Invalid`] if there are too many.
    pub async fn bounded<T>(
        &self,
        exchange: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        let outcome = tokio::select! {
            biased;
            () = self.too_many.notified() => None,
            outcome = exchange => Some(outcome),
        };
        // All of them may have arrived together with the reply.
        let few = self.came.load(Ordering::Relaxed) <= MAX_INTERIM;
        outcome.filter(|_| few).unwrap_or_else(|| {
            Err(Failure::Invalid(format!("more than {MAX_INTERIM} interim replies")))
        })
    }

    fn count(&self) {
        if self.came.fetch_add(1, Ordering::Relaxed) == MAX_INTERIM {
            self.stop.0.store(true, Ordering::Relaxed);
            self.too_many.notify_one();
        }
    }
}

/// A connection whose reading can be stopped, and that fails if too many bytes belong to no reply.
pub struct Stoppable<T> {
    stream: T,
    stop: Stop,
    overhead: Arc<Overhead>,
}

impl<T> Stoppable<T> {
    pub fn new(stream: T, stop: &Stop, overhead: &Arc<Overhead>) -> Self {
        Self { stream, stop: stop.clone(), overhead: Arc::clone(overhead) }
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Stoppable<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.stop.0.load(Ordering::Relaxed) {
            return Poll::Ready(Err(io::Error::other("too many interim replies")));
        }
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(context, buffer))?;
        Poll::Ready(self.overhead.read((buffer.filled().len() - before) as u64))
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Stoppable<T> {
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

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffers: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, buffers)
    }
}
