//! What the upstream layer reports, as the engine knows it.

use crate::graphql::ErrorCode;
use crate::source::{Error, ErrorKind};
use crate::upstream::Failure;

/// `kind` says what a status number of the protocol means.
pub(super) fn to_error(failure: &Failure, kind: fn(u16) -> ErrorKind) -> Error {
    let code = match failure {
        Failure::Unreached(_) | Failure::Unprocessed(_) | Failure::Unavailable(_) => {
            ErrorCode::UpstreamUnavailable
        }
        Failure::Timeout(_) | Failure::Silent(_) => ErrorCode::UpstreamTimeout,
        Failure::TooLarge(_) => ErrorCode::UpstreamTooLarge,
        Failure::Invalid(_) => ErrorCode::UpstreamInvalidReply,
        Failure::Status { .. } => ErrorCode::UpstreamStatus,
        Failure::NotSent(_) => ErrorCode::InvalidRequest,
        Failure::CircuitOpen(_) => ErrorCode::CircuitOpen,
        Failure::NoInstance(_) => ErrorCode::NoInstance,
        Failure::Overloaded(_) | Failure::Exhausted(_) => ErrorCode::Overloaded,
    };
    let mut error = Error::new(code, failure.to_string());
    if let Failure::Status { number, .. } = failure {
        error.status = Some(*number);
        error.kind = kind(*number);
    }
    error
}
