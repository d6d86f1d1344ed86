//! The GraphQL endpoint: from an HTTP request to the engine and back (GraphQL over HTTP).
//!
//! Nothing is spawned here: when the client disconnects, the server drops this future, and with it every call that it
//! made. A panic ends the one request, not the process.

use super::body::{self, Bounds};
use super::exchange::{self, Operation};
use super::intake::{self, Intake, Taken};
use super::negotiate::{self, Media, Streaming};
use super::payload::{self, Payload};
use super::subscription::{self, Here, Places, websocket};
use super::{Settings, batch, caller, csrf, inflate, reply};
use crate::engine::{self, Engine, Limit, LimitName};
use crate::graphql::{Error, ErrorCode, error_id};
use crate::identity::Identity;
use crate::memory::EXHAUSTED;
use crate::source::{Caller, Trace};
use axum::extract::{Request, State};
use axum::response::Response;
use futures_util::FutureExt as _;
use futures_util::future::join_all;
use futures_util::stream::{BoxStream, StreamExt as _};
use http::Method;
use http::request::Parts;
use serde::de::IgnoredAny;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::watch;

pub(super) struct Endpoint {
    pub engine: Engine,
    pub identity: Identity,
    pub settings: Arc<Settings>,
    pub places: Places,
    /// `true` once the gateway is shutting down.
    pub draining: watch::Sender<bool>,
}

/// The operations of one HTTP request.
enum Asked {
    One(Payload),
    /// A batch. An element that could not be parsed has an error of its own.
    Many(Vec<Result<Payload, payload::Mistake>>),
}

impl Asked {
    /// Returns the operation's name; `None` for a batch, whose size belongs to no single operation.
    fn operation_name(&self) -> Option<&str> {
        match self {
            Self::One(payload) => payload.operation_name.as_deref(),
            Self::Many(_) => None,
        }
    }
}

/// Serves one request at the endpoint.
pub(super) async fn graphql(State(endpoint): State<Arc<Endpoint>>, request: Request) -> Response {
    if websocket::is_wanted(&request) {
        return websocket::open(endpoint, request).await;
    }
    let (parts, body) = request.into_parts();
    if parts.method == Method::OPTIONS {
        return reply::options();
    }
    let accepted = match endpoint.admit(&parts) {
        Ok(accepted) => accepted,
        Err(refusal) => return *refusal,
    };
    let media = accepted.media();
    let here = parts.extensions.get::<Here>().cloned();
    let mut taken = match &here {
        Some(here) => here.intake().begin(),
        None => Intake::new(endpoint.settings.body_bound()).begin(),
    };
    let asked = match endpoint.read(media, &parts, body, &mut taken).await {
        Ok(asked) => asked,
        Err(refusal) => return *refusal,
    };
    let run = match endpoint.run(media, parts).await {
        Ok(run) => run,
        Err(refusal) => return *refusal,
    };
    match asked {
        Asked::One(payload) => {
            let logged = (endpoint.settings.access_log && exchange::is_read())
                .then(|| Operation::of(payload.operation_name.as_ref(), &payload.document));
            let mut response = match accepted.streaming {
                None => reply::answer(media, run.one(payload).await),
                Some(streaming) => {
                    let Accepted { plain, .. } = accepted;
                    let asked = subscription::Asked { request: run.request(payload), taken };
                    subscription::answer(&endpoint, here.as_ref(), streaming, plain, asked).await
                }
            };
            if let Some(operation) = logged {
                response.extensions_mut().insert(operation);
            }
            response
        }
        Asked::Many(payloads) => {
            reply::answers(media, &run.many(payloads).await, &run.caller.account)
        }
    }
}

/// Boxed, because responses are large and refusals are rare.
type Refused<T> = Result<T, Box<Response>>;

impl Endpoint {
    /// Checks a request by its head: CSRF, an acceptable media type, and memory for the response.
    fn admit(&self, parts: &Parts) -> Refused<Accepted> {
        let accepted = Accepted {
            plain: negotiate::accept(&parts.headers, self.settings.statuses),
            streaming: negotiate::streaming(&parts.headers)
                .filter(|_| parts.method != Method::HEAD),
        };
        let media = accepted.media();
        if ![Method::GET, Method::HEAD, Method::POST].contains(&parts.method) {
            return Err(reply::not_allowed(media).into());
        }
        if let Err(message) = csrf::check(parts, &self.settings) {
            return Err(reply::refuse(media, ErrorCode::CsrfBlocked, message).into());
        }
        if accepted == Accepted::default() {
            let message = "answers are `application/graphql-response+json` or `application/json`, \
                           and of subscriptions `text/event-stream` or `multipart/mixed; \
                           subscriptionSpec=1.0`";
            return Err(reply::refuse(media, ErrorCode::NotAcceptable, message).into());
        }
        if !caller::account(parts).admits() {
            return Err(reply::overloaded(media, EXHAUSTED).into());
        }
        Ok(accepted)
    }

    /// Reads the GraphQL request from the body or the query string.
    async fn read(
        &self,
        media: Media,
        parts: &Parts,
        body: axum::body::Body,
        taken: &mut Taken,
    ) -> Refused<Asked> {
        if parts.method != Method::POST {
            return payload::from_query(parts.uri.query())
                .map(Asked::One)
                .map_err(|mistake| reply::unprocessable(media, mistake).into());
        }
        if !negotiate::sends_json(&parts.headers) {
            let message = "send the body as JSON, with `content-type: application/json`";
            return Err(reply::refuse(media, ErrorCode::UnsupportedMediaType, message).into());
        }
        let Settings { body_limit, body_mode, body_timeout: time, compression, .. } =
            *self.settings;
        let allowed = Limit::new(body_limit as u64, body_mode);
        let limit = allowed.bound(LimitName::Body) as usize;
        let bounds = Bounds { limit, time, inflate: compression };
        let bytes = body::read(&parts.headers, body, &bounds, taken).await;
        let bytes = bytes.map_err(|mistake| match mistake {
            body::Mistake::TooLarge => {
                self.engine.exceeded(LimitName::Body, allowed, limit as u64 + 1, None);
                let message = format!("the body is larger than {limit} bytes");
                reply::refuse(media, ErrorCode::PayloadTooLarge, message)
            }
            body::Mistake::UnknownCoding => {
                let understood = if compression { inflate::UNDERSTOOD } else { "identity" };
                reply::unknown_coding(media, understood)
            }
            body::Mistake::TooSlow => reply::late(media),
            body::Mistake::Crowded => {
                reply::refuse(media, ErrorCode::Overloaded, intake::EXHAUSTED)
            }
            body::Mistake::Broken => {
                reply::refuse(media, ErrorCode::BadRequest, "the body broke off")
            }
        })?;
        let tell_size = |operation| {
            if bytes.len() > body_limit {
                self.engine.exceeded(LimitName::Body, allowed, bytes.len() as u64, operation);
            }
        };
        if self.engine.exceeds_values(&bytes, self.settings.batching.unwrap_or(1)) {
            tell_size(None);
            let message = "the variables hold more values than are allowed (limits.variables)";
            return Err(reply::refuse(media, ErrorCode::LimitExceeded, message).into());
        }
        let asked = self.asked(&bytes);
        // Only now, because the log line of the limit has the operation's name.
        tell_size(asked.as_ref().ok().and_then(Asked::operation_name));
        asked.map_err(|mistake| {
            if serde_json::from_slice::<IgnoredAny>(&bytes).is_ok() {
                reply::unprocessable(media, mistake).into()
            } else {
                reply::refuse(media, ErrorCode::BadRequest, mistake).into()
            }
        })
    }

    fn asked(&self, body: &[u8]) -> Result<Asked, payload::Mistake> {
        match self.settings.batching {
            Some(most) if batch::is_list(body) => {
                let elements = batch::split(body, most)?;
                let payloads = elements.iter().map(|text| payload::from_body(text.as_bytes()));
                Ok(Asked::Many(payloads.collect()))
            }
            _ => payload::from_body(body).map(Asked::One),
        }
    }

    /// Authenticates the caller. This is the last step, so that invalid requests cost no verification of a token.
    async fn run(&self, media: Media, mut parts: Parts) -> Refused<Run<'_>> {
        let caller = caller::of_request(&self.identity, &mut parts).await;
        Ok(Run {
            engine: &self.engine,
            caller: caller.map_err(|refused| caller::refuse(media, &refused))?,
            queries_only: parts.method != Method::POST,
            deadline: Instant::now() + self.engine.settings().timeout,
        })
    }
}

/// The parts that all operations of one HTTP request share.
struct Run<'a> {
    engine: &'a Engine,
    caller: Arc<Caller>,
    queries_only: bool,
    deadline: Instant,
}

impl Run<'_> {
    fn request(&self, payload: Payload) -> engine::Request {
        engine::Request {
            document: payload.document,
            operation_name: payload.operation_name,
            variables: payload.variables,
            caller: Arc::clone(&self.caller),
            queries_only: self.queries_only,
            deadline: self.deadline,
        }
    }

    /// Runs one operation.
    async fn one(&self, payload: Payload) -> engine::Response {
        let answer = AssertUnwindSafe(self.engine.execute(self.request(payload))).catch_unwind();
        answer.await.unwrap_or_else(|panic| panicked(&*panic, &self.caller.trace))
    }

    /// Runs operations concurrently. The responses are in the order of the request.
    async fn many(
        &self,
        payloads: Vec<Result<Payload, payload::Mistake>>,
    ) -> Vec<engine::Response> {
        let answers = payloads.into_iter().map(|payload| async {
            match payload {
                Ok(payload) => self.one(payload).await,
                Err(mistake) => {
                    let error = Error::new(ErrorCode::BadRequest, mistake.into_owned());
                    engine::Response::refuse(&[error])
                }
            }
        });
        join_all(answers).await
    }
}

/// The forms that the client accepts: a single response, a stream, or either.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Accepted {
    plain: Option<Media>,
    streaming: Option<Streaming>,
}

impl Accepted {
    /// Returns the media type for an answer that is not a stream, even if the client asked for one.
    fn media(self) -> Media {
        self.plain.unwrap_or(Media::Json)
    }
}

/// Ends a stream with an error if it panics. Nothing else is affected.
pub(super) fn guarded(
    answers: BoxStream<'static, engine::Response>,
    trace: Trace,
) -> BoxStream<'static, engine::Response> {
    let answers = AssertUnwindSafe(answers).catch_unwind();
    answers.map(move |answer| answer.unwrap_or_else(|panic| panicked(&*panic, &trace))).boxed()
}

/// Returns the response to a request that panicked. The log line has the same id.
pub(super) fn panicked(panic: &(dyn std::any::Any + Send), trace: &Trace) -> engine::Response {
    let id = error_id();
    let (request_id, trace_id) = (trace.request_id(), trace.trace_id());
    tracing::error!(error_id = id, request_id, trace_id, "a request panicked: {}", said(panic));
    let mut error = Error::new(ErrorCode::Internal, "the gateway failed on this request");
    error.extensions.insert("errorId".to_owned(), id.into());
    engine::Response::refuse(&[error])
}

/// Returns the message of a panic.
fn said(panic: &(dyn std::any::Any + Send)) -> &str {
    let owned = panic.downcast_ref::<String>().map(String::as_str);
    owned.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message")
}
