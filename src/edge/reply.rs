//! Answers: status, media type and bytes.

use super::negotiate::Media;
use crate::engine;
use crate::graphql::{Error, ErrorCode};
use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http::header::{ALLOW, CONTENT_TYPE};
use http::{HeaderValue, StatusCode};
use std::borrow::Cow;

/// The engine's answer as it goes out; its bytes are not copied.
pub(super) fn answer(media: Media, response: engine::Response) -> Response {
    let status = response.refusal.map_or(StatusCode::OK, |code| status(media, code));
    let mut reply = bytes(status, HeaderValue::from_static(media.content_type()), response.body);
    if response.refusal == Some(ErrorCode::MethodNotAllowed) {
        reply.headers_mut().insert(ALLOW, HeaderValue::from_static("POST"));
    }
    reply
}

/// A request that never became an operation.
pub(super) fn refuse(
    media: Media,
    code: ErrorCode,
    message: impl Into<Cow<'static, str>>,
) -> Response {
    let error = Error::new(code, message.into().into_owned());
    answer(media, engine::Response::refuse(&[error]))
}

/// The gateway's own failure; the log line has the same id.
pub(super) fn internal(media: Media, error_id: String) -> Response {
    let mut error = Error::new(ErrorCode::Internal, "the gateway failed on this request");
    error.extensions.insert("errorId".to_owned(), error_id.into());
    answer(media, engine::Response::refuse(&[error]))
}

/// GraphQL over HTTP, "Status Codes": under `application/json` a well-formed request gets 200 even when its operation
/// is refused.
fn status(media: Media, code: ErrorCode) -> StatusCode {
    let well_formed = matches!(
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
    );
    if media == Media::Json && well_formed {
        return StatusCode::OK;
    }
    StatusCode::from_u16(code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

/// An answer of given bytes.
pub(super) fn bytes(status: StatusCode, content_type: HeaderValue, body: Bytes) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, content_type);
    response
}

/// A line for people and probes.
pub(super) fn text(status: StatusCode, body: impl Into<Bytes>) -> Response {
    bytes(status, HeaderValue::from_static("text/plain; charset=utf-8"), body.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_status_follows_the_media_type() {
        use Media::{GraphqlResponse, Json};
        for (code, json, graphql) in [
            (ErrorCode::ParseFailed, 200, 400),
            (ErrorCode::ValidationFailed, 200, 400),
            (ErrorCode::OperationNotFound, 200, 400),
            (ErrorCode::BadVariables, 200, 400),
            (ErrorCode::LimitExceeded, 200, 400),
            (ErrorCode::IntrospectionDisabled, 200, 400),
            (ErrorCode::BadRequest, 400, 400),
            (ErrorCode::MethodNotAllowed, 405, 405),
            (ErrorCode::PayloadTooLarge, 413, 413),
            (ErrorCode::Overloaded, 503, 503),
            (ErrorCode::DeadlineExceeded, 504, 504),
            (ErrorCode::Internal, 500, 500),
        ] {
            assert_eq!(status(Json, code).as_u16(), json, "{code:?}");
            assert_eq!(status(GraphqlResponse, code).as_u16(), graphql, "{code:?}");
        }
        let mutation = refuse(Json, ErrorCode::MethodNotAllowed, "no");
        assert_eq!(mutation.headers()[ALLOW], "POST");
    }
}
