//! Handles the unread rest of a request's body: a refused request is answered while its body is still arriving.
//!
//! A connection that is closed while it holds unread bytes is reset. Many clients then report the reset and never read
//! the response. So over HTTP/1 the rest is read for at most a second and 64 KiB, and only then the connection is
//! closed (RFC 9112, section 9.6 "Tear-down"). If the rest ends within that, the connection stays usable. Over HTTP/2
//! the stream is reset with NO_ERROR as soon as the body is dropped (RFC 9113, section 8.1).

use crate::edge::connection::Activity;
use bytes::Bytes;
use http::header::EXPECT;
use http::{Request, Version};
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

/// Timeout for the rest of a body.
const TIME: Duration = Duration::from_secs(1);

/// Maximum bytes of the rest that are read.
const BYTES: usize = 64 << 10;

/// A body whose rest is read if it is dropped before its end.
pub(super) struct Received {
    /// `None` once it is dropped, and if the rest need not be read.
    body: Option<Incoming>,
    /// The client waits for `100 Continue`, which reading the body sends.
    waits: bool,
    is_http1: bool,
    activity: Arc<Activity>,
}

impl Received {
    pub(super) fn of(request: Request<Incoming>, activity: &Arc<Activity>) -> Request<Self> {
        let is_http1 = request.version() < Version::HTTP_2;
        let waits = request.headers().contains_key(EXPECT);
        let activity = Arc::clone(activity);
        request.map(|body| Self { body: Some(body), waits, is_http1, activity })
    }
}

impl Body for Received {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        self.waits = false;
        let Some(body) = &mut self.body else { return Poll::Ready(None) };
        let polled = Pin::new(body).poll_frame(cx);
        if let Poll::Ready(Some(Ok(frame))) = &polled {
            self.activity.delivered(frame.data_ref().map_or(0, Bytes::len));
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map_or_else(SizeHint::default, Body::size_hint)
    }
}

impl Drop for Received {
    fn drop(&mut self) {
        let rest = self.body.take().filter(|body| !body.is_end_stream());
        let Some(rest) = rest.filter(|_| self.is_http1 && !self.waits) else { return };
        if rest.size_hint().lower() > BYTES as u64 {
            self.activity.close_after_answer();
        }
        // Without a runtime the process is exiting.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let activity = Arc::clone(&self.activity);
            runtime.spawn(async move {
                read_on(rest).await;
                activity.rest_is_read();
            });
        }
    }
}

/// Reads the rest of a body, within the limits, and keeps the connection open meanwhile.
async fn read_on(mut rest: impl Body<Data = Bytes> + Unpin) {
    let reading = async {
        let mut left = BYTES;
        while let Some(Ok(frame)) = rest.frame().await {
            left = left.saturating_sub(frame.data_ref().map_or(0, Bytes::len));
            if left == 0 {
                // The client may still be sending. It gets the rest of the time to read its answer.
                std::future::pending::<()>().await;
            }
        }
    };
    let _ = tokio::time::timeout(TIME, reading).await;
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::StreamBody;
    use std::convert::Infallible;
    use std::sync::atomic::{AtomicUsize, Ordering};

    /// Returns a body of `pieces` of 16 KiB that then never ends. `taken` counts the pieces that were read.
    fn endless(
        pieces: usize,
        taken: Arc<AtomicUsize>,
    ) -> impl Body<Data = Bytes, Error = Infallible> + Unpin + Send {
        let frames = futures_util::stream::unfold(pieces, move |left| {
            let taken = Arc::clone(&taken);
            async move {
                if left == 0 {
                    std::future::pending::<()>().await;
                }
                taken.fetch_add(1, Ordering::Relaxed);
                Some((Ok(Frame::data(Bytes::from(vec![b'x'; 16 << 10]))), left - 1))
            }
        });
        StreamBody::new(Box::pin(frames))
    }

    #[tokio::test(start_paused = true)]
    async fn a_rest_is_read_for_so_many_bytes_and_so_long() {
        for (pieces, due) in [(100, 4), (2, 2)] {
            let taken = Arc::new(AtomicUsize::new(0));
            let start = tokio::time::Instant::now();
            read_on(endless(pieces, Arc::clone(&taken))).await;
            assert_eq!(taken.load(Ordering::Relaxed), due);
            assert_eq!(start.elapsed(), TIME);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_rest_that_ends_is_not_waited_for() {
        let start = tokio::time::Instant::now();
        read_on(http_body_util::Full::new(Bytes::from("rest"))).await;
        assert_eq!(start.elapsed(), Duration::ZERO);
    }
}
