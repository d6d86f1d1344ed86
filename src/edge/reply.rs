//! Responses: status, media type and bytes.

use super::Statuses;
use super::batch;
use super::negotiate::Media;
use super::sharing;
use super::throttle;
use crate::engine::{self, Share};
use crate::graphql::{Error, ErrorCode};
use crate::memory::Account;
use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http::header::{ACCEPT_ENCODING, ALLOW, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, StatusCode};
use std::borrow::Cow;

/// Methods of the endpoint.
const METHODS: HeaderValue = HeaderValue::from_static("GET, HEAD, POST, OPTIONS");

/// `Retry-After` of a request that is refused for lack of capacity, in seconds.
const RETRY_SECONDS: u16 = 1;

/// Returns the response with an engine's answer. Its bytes are not copied.
pub(super) fn answer(media: Media, response: engine::Response) -> Response {
    let status = match response.refusal {
        Some(code) => status(media, code),
        None if response.errors > 0 => partly(media),
        None => StatusCode::OK,
    };
    let share = sharing::headers(&response.cache);
    let mut reply = bytes(status, HeaderValue::from_static(media.content_type()), response.body);
    reply.headers_mut().extend(share);
    throttle::of_answer(reply.headers_mut(), response.throttle.as_deref(), response.refusal);
    response.returned.write(reply.headers_mut());
    if response.refusal == Some(ErrorCode::MethodNotAllowed) {
        reply.headers_mut().insert(ALLOW, HeaderValue::from_static("POST"));
    }
    reply
}

/// Returns the response to a batch. Each answer has its own errors, so the status of the batch is success. The rate
/// limit headers are those of the emptiest bucket.
pub(super) fn answers(media: Media, responses: &[engine::Response], account: &Account) -> Response {
    let content_type = HeaderValue::from_static(media.content_type());
    let joined = account.answer(batch::join(responses));
    let mut reply = bytes(StatusCode::OK, content_type, joined);
    reply.headers_mut().extend(sharing::headers(&Share::none()));
    let mut returned = engine::ReturnedHeaders::default();
    for response in responses {
        returned.add(&response.returned);
    }
    returned.write(reply.headers_mut());
    let throttles = responses.iter().filter_map(|response| response.throttle.as_ref());
    if let Some(throttle) = throttles.min_by_key(|throttle| throttle.available) {
        throttle::tell(reply.headers_mut(), throttle);
    }
    reply
}

/// Returns the response to `OPTIONS`: the methods of the endpoint.
pub(super) fn options() -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    response.headers_mut().insert(ALLOW, METHODS);
    response
}

/// Returns the response to a method that the endpoint does not have.
pub(super) fn not_allowed(media: Media) -> Response {
    let message = "send operations by POST, or queries by GET";
    let mut response = refuse(media, ErrorCode::MethodNotAllowed, message);
    response.headers_mut().insert(ALLOW, METHODS);
    response
}

/// Returns the response to JSON that is not a valid GraphQL request.
pub(super) fn unprocessable(media: Media, message: impl Into<Cow<'static, str>>) -> Response {
    let mut response = refuse(media, ErrorCode::BadRequest, message);
    if media == Media::GraphqlResponse(Statuses::Fine) {
        *response.status_mut() = StatusCode::UNPROCESSABLE_ENTITY;
    }
    response
}

/// Returns the response to a body that did not arrive within the timeout.
pub(super) fn late(media: Media) -> Response {
    let message = "the body did not arrive in time";
    let mut response = refuse(media, ErrorCode::BadRequest, message);
    if media == Media::GraphqlResponse(Statuses::Fine) {
        *response.status_mut() = StatusCode::REQUEST_TIMEOUT;
    }
    response
}

/// Returns the response to a body with an unsupported coding (RFC 9110 §15.5.16).
pub(super) fn unknown_coding(media: Media, understood: &'static str) -> Response {
    let message = "the body is compressed in a way that is not understood";
    let mut response = refuse(media, ErrorCode::UnsupportedMediaType, message);
    response.headers_mut().insert(ACCEPT_ENCODING, HeaderValue::from_static(understood));
    response
}

/// Returns the response to a request that is refused for lack of capacity.
pub(super) fn overloaded(media: Media, message: &'static str) -> Response {
    let mut response = refuse(media, ErrorCode::Overloaded, message);
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(RETRY_SECONDS));
    response
}

/// Returns the response to a request that is refused before it becomes an operation.
pub(super) fn refuse(
    media: Media,
    code: ErrorCode,
    message: impl Into<Cow<'static, str>>,
) -> Response {
    refuse_with(media, &Error::new(code, message.into().into_owned()))
}

/// Like [`refuse`], for an error with more than a message.
pub(super) fn refuse_with(media: Media, error: &Error) -> Response {
    answer(media, engine::Response::refuse(std::slice::from_ref(error)))
}

/// Returns the status of an operation that ran with errors.
fn partly(media: Media) -> StatusCode {
    match media {
        Media::GraphqlResponse(Statuses::Fine) => {
            StatusCode::from_u16(294).unwrap_or(StatusCode::OK)
        }
        _ => StatusCode::OK,
    }
}

/// Returns the status of a refusal (GraphQL over HTTP, "Status Codes"). With `application/json` a well-formed request
/// gets 200 even if its operation is refused.
fn status(media: Media, code: ErrorCode) -> StatusCode {
    if media == Media::Json && well_formed(code) {
        return StatusCode::OK;
    }
    let senseless = matches!(
        code,
        ErrorCode::ValidationFailed
            | ErrorCode::OperationNotFound
            | ErrorCode::BadVariables
            | ErrorCode::LimitExceeded
            | ErrorCode::IntrospectionDisabled
            | ErrorCode::CostLimitExceeded
            | ErrorCode::CostInvalidSlicingArguments
    );
    if media == Media::GraphqlResponse(Statuses::Fine) && senseless {
        return StatusCode::UNPROCESSABLE_ENTITY;
    }
    StatusCode::from_u16(code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

/// Returns `true` if the request was well-formed and only its operation is refused.
pub(super) fn is_well_formed(response: &engine::Response) -> bool {
    response.refusal.is_some_and(well_formed)
}

fn well_formed(code: ErrorCode) -> bool {
    matches!(
        code,
        ErrorCode::ParseFailed
            | ErrorCode::ValidationFailed
            | ErrorCode::OperationNotFound
            | ErrorCode::BadVariables
            | ErrorCode::LimitExceeded
            | ErrorCode::IntrospectionDisabled
            | ErrorCode::CostLimitExceeded
            | ErrorCode::CostInvalidSlicingArguments
            | ErrorCode::PersistedQueryNotFound
            | ErrorCode::PersistedQueryNotSupported
    )
}

/// Returns a response with the given bytes.
pub(super) fn bytes(status: StatusCode, content_type: HeaderValue, body: Bytes) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, content_type);
    response
}

/// Returns a plain text response for people and probes.
pub(super) fn text(status: StatusCode, body: impl Into<Bytes>) -> Response {
    bytes(status, HeaderValue::from_static("text/plain; charset=utf-8"), body.into())
}

/// Returns metrics in Prometheus's text format.
pub(super) fn metrics(text: String) -> Response {
    let media = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    bytes(StatusCode::OK, media, text.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_status_follows_the_media_type() {
        const AUDITED: Media = Media::GraphqlResponse(Statuses::Audited);
        const FINE: Media = Media::GraphqlResponse(Statuses::Fine);
        for (code, json, audited, fine) in [
            (ErrorCode::ParseFailed, 200, 400, 400),
            (ErrorCode::ValidationFailed, 200, 400, 422),
            (ErrorCode::OperationNotFound, 200, 400, 422),
            (ErrorCode::BadVariables, 200, 400, 422),
            (ErrorCode::LimitExceeded, 200, 400, 422),
            (ErrorCode::IntrospectionDisabled, 200, 400, 422),
            (ErrorCode::BadRequest, 400, 400, 400),
            (ErrorCode::CsrfBlocked, 403, 403, 403),
            (ErrorCode::MethodNotAllowed, 405, 405, 405),
            (ErrorCode::PayloadTooLarge, 413, 413, 413),
            (ErrorCode::Overloaded, 503, 503, 503),
            (ErrorCode::DeadlineExceeded, 504, 504, 504),
            (ErrorCode::Internal, 500, 500, 500),
        ] {
            assert_eq!(status(Media::Json, code).as_u16(), json, "{code:?}");
            assert_eq!(status(AUDITED, code).as_u16(), audited, "{code:?}");
            assert_eq!(status(FINE, code).as_u16(), fine, "{code:?}");
        }
        let mutation = refuse(Media::Json, ErrorCode::MethodNotAllowed, "no");
        assert_eq!(mutation.headers()[ALLOW], "POST");
    }
}
