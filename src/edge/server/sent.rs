//! Sends a response's body in pieces, to tell a client that reads from one that does not.
//!
//! A body mostly is one large piece, and the connection does not report how much of it was sent. HTTP/2 writes pings as
//! well, so writes prove nothing. If the body is cut up, each piece that is requested shows that the earlier ones were
//! taken. A client that stops reading is idle, and loses its connection as any other idle one. Cutting copies nothing.

use super::stalled::Progress;
use crate::edge::connection::Activity;
use crate::edge::exchange::Exchange;
use axum::body::Body;
use bytes::Bytes;
use http_body::{Body as _, Frame, SizeHint};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

const PIECE: usize = 64 << 10;

pub(in crate::edge) struct Sent {
    body: Body,
    /// Unsent rest of the piece that `body` returned last.
    rest: Bytes,
    activity: Arc<Activity>,
    stream: Option<Arc<Progress>>,
    exchange: Exchange,
}

impl Sent {
    pub(in crate::edge) fn new(body: Body, activity: Arc<Activity>, exchange: Exchange) -> Self {
        activity.answer();
        Self { body, rest: Bytes::new(), activity, stream: Progress::of_stream(), exchange }
    }
}

impl http_body::Body for Sent {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        self.activity.progressed();
        if let Some(stream) = &self.stream {
            stream.progressed();
        }
        if self.rest.is_empty() {
            match ready!(Pin::new(&mut self.body).poll_frame(cx)) {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => self.rest = data,
                    Err(trailers) => return Poll::Ready(Some(Ok(trailers))),
                },
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => {
                    self.exchange.complete();
                    return Poll::Ready(None);
                }
            }
        }
        let most = self.rest.len().min(PIECE);
        let piece = self.rest.split_to(most);
        self.exchange.sent(piece.len());
        self.activity.gives(piece.len());
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let rest = self.rest.len() as u64;
        let body = self.body.size_hint();
        let mut hint = SizeHint::new();
        hint.set_lower(body.lower() + rest);
        if let Some(upper) = body.upper() {
            hint.set_upper(upper + rest);
        }
        hint
    }
}

impl Drop for Sent {
    fn drop(&mut self) {
        self.activity.answered();
        if self.is_end_stream() {
            self.exchange.complete();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::edge::metrics::Metrics;
    use crate::edge::trace::Ids;
    use http::{HeaderMap, Method};
    use http_body_util::BodyExt as _;
    use std::time::Duration;

    #[tokio::test]
    async fn a_large_body_goes_out_in_pieces_that_add_up() {
        let text = Bytes::from("abcdefgh".repeat(20_000));
        let activity = Activity::new(Duration::from_secs(1), Duration::from_secs(1));
        let ids = Ids::take(&HeaderMap::new(), false, 0);
        let exchange = Exchange::begin(&Metrics::new(), false, &Method::GET, "/", &ids);
        let mut sent = Sent::new(Body::from(text.clone()), activity, exchange);
        let mut collected = Vec::new();
        while let Some(frame) = sent.frame().await {
            let piece = frame.unwrap().into_data().unwrap();
            assert!(piece.len() <= PIECE);
            collected.extend_from_slice(&piece);
            let left = (text.len() - collected.len()) as u64;
            assert_eq!(sent.size_hint().exact(), Some(left));
        }
        assert!(collected == text && sent.is_end_stream());
    }
}
