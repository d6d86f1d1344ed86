//! Streams of answers: subscriptions over server-sent events, multipart, and WebSocket.
//!
//! A stream is polled when its client's socket has room, and only then the next event is requested, down to the socket
//! of the service. So a slow client slows its own subscription down, and nothing is queued in between. A client that
//! stops reading is idle, and loses its connection. Nothing is spawned for a stream that is an HTTP body: when the
//! client disconnects, the server drops it, and with it every call that it made. All streams end at shutdown.

mod chunk;
mod places;
pub(super) mod websocket;

pub(super) use places::{Here, Places};

use super::graphql::{self, Endpoint};
use super::intake::Taken;
use super::negotiate::{Media, Streaming};
use super::reply;
use crate::engine::{Answers, Request, Response as Answer};
use crate::graphql::{Error, ErrorCode};
use crate::memory::Account;
use crate::source::Trace;
use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use chunk::Chunks;
use futures_util::FutureExt as _;
use futures_util::stream::{self, BoxStream, Stream, StreamExt as _};
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, StatusCode};
use places::Place;
use std::convert::Infallible;
use std::panic::AssertUnwindSafe;
use std::time::Duration;
use tokio::sync::watch;

/// Settings of subscriptions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Maximum number of open subscriptions. Default: 1,000.
    pub max: usize,
    /// Maximum number of open subscriptions on one connection. Default: 100.
    pub max_per_connection: usize,
    /// Time without an answer after which a keep-alive is sent. Default: 15 s.
    pub keep_alive: Duration,
    /// Timeout for `connection_init`, once a WebSocket is open. Default: 10 s.
    pub init_timeout: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            max: 1_000,
            max_per_connection: 100,
            keep_alive: Duration::from_secs(15),
            init_timeout: Duration::from_secs(10),
        }
    }
}

/// A request, and the bytes that it holds until it has been answered.
pub(super) struct Asked {
    pub request: Request,
    pub taken: Taken,
}

/// Answers a request whose client accepts a stream. `plain` is the media type for an operation with a single answer, if
/// the client accepts one.
pub(super) async fn answer(
    endpoint: &Endpoint,
    here: Option<&Here>,
    streaming: Streaming,
    plain: Option<Media>,
    asked: Asked,
) -> Response {
    let Asked { request, taken } = asked;
    let media = plain.unwrap_or(Media::Json);
    let (account, trace) = (request.caller.account.clone(), request.caller.trace.clone());
    let Some(place) = here.and_then(|here| endpoint.places.take(here, &request.caller)) else {
        return reply::answer(media, full());
    };
    let opened = AssertUnwindSafe(endpoint.engine.subscribe(request)).catch_unwind().await;
    let opened = match opened {
        Ok(opened) => opened,
        Err(panic) => Err(graphql::panicked(&*panic, &trace)),
    };
    let answers = match opened {
        Ok(Answers::Many(answers)) => answers,
        Ok(Answers::One(answer)) if plain.is_some() => return reply::answer(media, answer),
        Ok(Answers::One(answer)) => stream::iter([answer]).boxed(),
        // A client that accepts only events could not read another response. It gets the error in the stream, where the
        // status would be 200 anyway.
        Err(refusal) if plain.is_none() && reply::is_well_formed(&refusal) => {
            stream::iter([refusal]).boxed()
        }
        Err(refusal) => return reply::answer(media, refusal),
    };
    let open = Open {
        answers,
        chunks: Chunks::new(streaming),
        // A connection on which nothing is sent for the idle timeout would be closed.
        keep_alive: endpoint
            .settings
            .subscriptions
            .keep_alive
            .min(endpoint.settings.idle_timeout / 2),
        draining: endpoint.draining.subscribe(),
        account,
        trace,
        _held: (place, taken),
    };
    let mut response = Response::new(Body::from_stream(open.chunks()));
    *response.status_mut() = StatusCode::OK;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(streaming.content_type()));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // Proxies that buffer would keep events back.
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    response
}

/// Returns the refusal of a subscription past the limit.
pub(super) fn full() -> Answer {
    let message = "there are too many subscriptions; end one, or try again later";
    Answer::refuse(&[Error::new(ErrorCode::Overloaded, message)])
}

/// An HTTP body that streams answers.
struct Open {
    answers: BoxStream<'static, Answer>,
    chunks: Chunks,
    keep_alive: Duration,
    draining: watch::Receiver<bool>,
    account: Account,
    trace: Trace,
    _held: (Place, Taken),
}

impl Open {
    fn chunks(self) -> impl Stream<Item = Result<Bytes, Infallible>> {
        let answers = graphql::guarded(self.answers, self.trace.clone());
        let begin = self.chunks.begin();
        let open = Self { answers, ..self };
        let rest = stream::unfold(Some(open), |open| async move {
            let mut open = open?;
            match open.next().await {
                Some(chunk) => Some((Ok(chunk), Some(open))),
                None => Some((Ok(open.chunks.end()), None)),
            }
        });
        // Sent at once, so the client knows that the stream is open.
        stream::iter([Ok(begin)]).chain(rest)
    }

    /// Returns the next chunk: an answer or a keep-alive. `None` at the end.
    async fn next(&mut self) -> Option<Bytes> {
        tokio::select! {
            biased;
            _ = self.draining.wait_for(|draining| *draining) => None,
            answer = self.answers.next() => {
                Some(self.account.answer(self.chunks.answer(&answer?.body)))
            }
            () = tokio::time::sleep(self.keep_alive) => Some(self.chunks.sign_of_life()),
        }
    }
}
