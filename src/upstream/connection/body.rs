//! The body of a reply while it arrives. It holds the connection. If it is read to its end, an HTTP/1.1 connection
//! returns to the pool. If it is dropped before, the connection (HTTP/1.1) or the stream (HTTP/2) is closed.

use super::super::Failure;
use super::super::http::sentence;
use super::http1::Http1;
use super::http2::Http2;
use super::pool::ConnectionPool;
use super::unsent::broken;
use bytes::Bytes;
use futures_util::future::BoxFuture;
use h2::{Reason, RecvStream};
use http_body::{Frame, SizeHint};
use hyper::body::Incoming;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

pub struct ReplyBody(BodyKind);

enum BodyKind {
    Http1 {
        incoming: Incoming,
        /// Connection and the pool that it returns to after the end.
        back: Option<(Http1, Arc<ConnectionPool>)>,
    },
    Http2 {
        /// Declared before the connection, which closes when nothing holds it.
        stream: RecvStream,
        /// Bytes still to come, if the headers give a length.
        left: Option<u64>,
        is_data_over: bool,
        /// Completes when the connection is lost. Set for replies without a time limit.
        lost: Option<BoxFuture<'static, Failure>>,
        connection: Arc<Http2>,
    },
}

impl ReplyBody {
    pub(super) fn http1(incoming: Incoming, connection: Http1, pool: Arc<ConnectionPool>) -> Self {
        let mut back = Some((connection, pool));
        if http_body::Body::is_end_stream(&incoming) {
            give_back(&mut back);
        }
        Self(BodyKind::Http1 { incoming, back })
    }

    pub(super) fn http2(
        stream: RecvStream,
        left: Option<u64>,
        lost: Option<BoxFuture<'static, Failure>>,
        connection: Arc<Http2>,
    ) -> Self {
        Self(BodyKind::Http2 { stream, left, is_data_over: false, lost, connection })
    }
}

fn give_back(back: &mut Option<(Http1, Arc<ConnectionPool>)>) {
    if let Some((connection, pool)) = back.take() {
        pool.put(connection);
    }
}

impl http_body::Body for ReplyBody {
    type Data = Bytes;
    type Error = Failure;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Failure>>> {
        match &mut self.0 {
            BodyKind::Http1 { incoming, back } => {
                let frame = ready!(Pin::new(&mut *incoming).poll_frame(context));
                if let (Some(Ok(frame)), Some((connection, _))) = (&frame, &*back) {
                    connection.delivered(frame.data_ref().map_or(0, Bytes::len));
                }
                match &frame {
                    Some(Err(_)) => drop(back.take()),
                    Some(Ok(_)) if !incoming.is_end_stream() => {}
                    Some(Ok(_)) | None => give_back(back),
                }
                let failure = |error| Failure::Unavailable(sentence(&error));
                Poll::Ready(frame.map(|frame| frame.map_err(failure)))
            }
            BodyKind::Http2 { stream, left, is_data_over, lost, connection } => {
                let frame = poll_http2(stream, left, is_data_over, context);
                if let Poll::Ready(Some(Ok(frame))) = &frame {
                    connection.delivered(frame.data_ref().map_or(0, Bytes::len));
                }
                match lost {
                    Some(lost) if frame.is_pending() => {
                        lost.as_mut().poll(context).map(|failure| Some(Err(failure)))
                    }
                    _ => frame,
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            BodyKind::Http1 { incoming, .. } => incoming.is_end_stream(),
            BodyKind::Http2 { stream, .. } => stream.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            BodyKind::Http1 { incoming, .. } => incoming.size_hint(),
            BodyKind::Http2 { left: Some(left), .. } => SizeHint::with_exact(*left),
            BodyKind::Http2 { .. } => SizeHint::new(),
        }
    }
}

fn poll_http2(
    stream: &mut RecvStream,
    left: &mut Option<u64>,
    is_data_over: &mut bool,
    context: &mut Context<'_>,
) -> Poll<Option<Result<Frame<Bytes>, Failure>>> {
    if !*is_data_over {
        match ready!(stream.poll_data(context)) {
            Some(Ok(part)) => {
                // Fails only for more than was received.
                let _ = stream.flow_control().release_capacity(part.len());
                *left = left.map(|left| left.saturating_sub(part.len() as u64));
                return Poll::Ready(Some(Ok(Frame::data(part))));
            }
            Some(Err(error)) if is_early_end(&error, *left) => return Poll::Ready(None),
            Some(Err(error)) => return Poll::Ready(Some(Err(broken(&error)))),
            None => *is_data_over = true,
        }
    }
    match ready!(stream.poll_trailers(context)) {
        Ok(trailers) => Poll::Ready(trailers.map(|map| Ok(Frame::trailers(map)))),
        Err(error) if is_early_end(&error, *left) => Poll::Ready(None),
        Err(error) => Poll::Ready(Some(Err(broken(&error)))),
    }
}

/// Returns whether the stream was ended with `NO_ERROR`, as a service does that answers before it has read the whole
/// request (RFC 9113, section 8.1). If announced bytes are missing, the reply is broken.
fn is_early_end(error: &h2::Error, left: Option<u64>) -> bool {
    let is_early = error.is_reset() && error.reason() == Some(Reason::NO_ERROR);
    is_early && left.is_none_or(|left| left == 0)
}

impl std::fmt::Debug for ReplyBody {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("ReplyBody").finish_non_exhaustive()
    }
}
