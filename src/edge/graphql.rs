//! The GraphQL endpoint: from an HTTP request to the engine and back (GraphQL over HTTP).
//!
//! Nothing is spawned here: when the client goes away, the server drops this future, and every call below it is
//! cancelled. A panic below ends the one request, not the process.

use super::access_log::OperationName;
use super::negotiate::{self, Media};
use super::payload::{self, Payload};
use super::{Peer, Settings, body, reply};
use crate::engine::{self, Engine};
use crate::graphql::{ErrorCode, error_id};
use crate::source::Caller;
use axum::extract::{Request, State};
use axum::response::Response;
use futures_util::FutureExt as _;
use http::header::ALLOW;
use http::request::Parts;
use http::{HeaderValue, Method};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Instant;

pub(super) struct Endpoint {
    pub engine: Engine,
    pub settings: Arc<Settings>,
}

/// Answers one request at the endpoint.
pub(super) async fn graphql(State(endpoint): State<Arc<Endpoint>>, request: Request) -> Response {
    let (mut parts, body) = request.into_parts();
    let Some(media) = negotiate::accept(&parts.headers) else {
        let message = "answers are `application/graphql-response+json` or `application/json`";
        return reply::refuse(Media::Json, ErrorCode::NotAcceptable, message);
    };
    let payload = match endpoint.payload(&parts, body).await {
        Ok(payload) => payload,
        Err((code, message)) => return refuse(media, code, message),
    };
    let name = if endpoint.settings.access_log { payload.operation_name.clone() } else { None };
    let mut response = endpoint.run(media, &mut parts, payload).await;
    if let Some(name) = name {
        response.extensions_mut().insert(OperationName(name));
    }
    response
}

fn refuse(media: Media, code: ErrorCode, message: payload::Mistake) -> Response {
    let mut response = reply::refuse(media, code, message);
    if code == ErrorCode::MethodNotAllowed {
        response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, POST"));
    }
    response
}

impl Endpoint {
    /// Takes the GraphQL request out of its transport.
    async fn payload(
        &self,
        parts: &Parts,
        body: axum::body::Body,
    ) -> Result<Payload, (ErrorCode, payload::Mistake)> {
        let malformed = |message| (ErrorCode::BadRequest, message);
        if parts.method == Method::GET {
            return payload::from_query(parts.uri.query()).map_err(malformed);
        }
        if parts.method != Method::POST {
            let message = "send operations by POST, or queries by GET";
            return Err((ErrorCode::MethodNotAllowed, message.into()));
        }
        if !negotiate::sends_json(&parts.headers) {
            let message = "send the body as JSON, with `content-type: application/json`";
            return Err((ErrorCode::UnsupportedMediaType, message.into()));
        }
        let Settings { body_limit, body_timeout, .. } = *self.settings;
        let bytes = body::read(&parts.headers, body, body_limit, body_timeout).await;
        let bytes = bytes.map_err(|mistake| match mistake {
            body::Mistake::TooLarge => {
                let message = format!("the body is larger than {body_limit} bytes");
                (ErrorCode::PayloadTooLarge, message.into())
            }
            body::Mistake::TooSlow => malformed("the body did not arrive in time".into()),
            body::Mistake::Broken => malformed("the body broke off".into()),
        })?;
        payload::from_body(&bytes).map_err(malformed)
    }

    async fn run(&self, media: Media, parts: &mut Parts, payload: Payload) -> Response {
        let caller = Caller {
            ip: parts.extensions.get::<Peer>().map(|peer| peer.0.ip()),
            headers: std::mem::take(&mut parts.headers),
            ..Caller::default()
        };
        let request = engine::Request {
            query: payload.query,
            operation_name: payload.operation_name,
            variables: payload.variables,
            caller: Arc::new(caller),
            queries_only: parts.method == Method::GET,
            deadline: Instant::now() + self.engine.settings().timeout,
        };
        match AssertUnwindSafe(self.engine.execute(request)).catch_unwind().await {
            Ok(response) => reply::answer(media, response),
            Err(panic) => {
                let id = error_id();
                tracing::error!(error_id = id, "a request panicked: {}", said(&*panic));
                reply::internal(media, id)
            }
        }
    }
}

/// The words of a panic.
fn said(panic: &(dyn std::any::Any + Send)) -> &str {
    let owned = panic.downcast_ref::<String>().map(String::as_str);
    owned.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message")
}
