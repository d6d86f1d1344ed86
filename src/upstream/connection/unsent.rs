//! Finds out from protocol errors which requests were never processed.
//!
//! One of these is proof: the connection gave the request back before it took it; the service's GOAWAY names a last
//! stream below the request's (RFC 9113, section 6.8); the service refused the stream (RFC 9113, section 8.7). A
//! connection that breaks in any other way proves nothing.

use super::super::Failure;
use super::super::http::sentence;
use bytes::Bytes;
use h2::Reason;
use http::Request;

/// Reasons why an exchange gave no reply.
pub(super) enum Failed {
    /// The connection was closed before it took the request. Holds the request and the reason.
    Unsent(Box<Request<Bytes>>, String),
    Final(Failure),
}

impl From<Failure> for Failed {
    fn from(failure: Failure) -> Self {
        Self::Final(failure)
    }
}

/// Classifies the error of a stream that was opened and has no reply yet.
///
/// `h2` reports a remote GOAWAY as an error only to streams above its last stream, whatever its reason. The streams at
/// or below it continue, and end with the connection's IO error if it breaks.
pub(super) fn of_stream(error: &h2::Error) -> Failure {
    let is_refused = error.is_reset() && error.reason() == Some(Reason::REFUSED_STREAM);
    if error.is_remote() && (error.is_go_away() || is_refused) {
        return Failure::Unprocessed(sentence(error));
    }
    broken(error)
}

/// Classifies the error of a stream that could not be opened.
pub(super) fn of_opening(error: &h2::Error) -> Failure {
    if error.is_io() || error.is_go_away() || error.is_reset() {
        return Failure::Unprocessed(sentence(error));
    }
    Failure::NotSent(sentence(error))
}

/// Classifies the error of a stream that ended before its reply was complete. A reset stream says nothing about its
/// connection.
pub(super) fn broken(error: &h2::Error) -> Failure {
    let text = sentence(error);
    if error.is_reset() { Failure::Reset(text) } else { Failure::Unavailable(text) }
}

/// Classifies the error of a request that an HTTP/1.1 connection took.
pub(super) fn of_http1(error: &hyper::Error) -> Failure {
    let text = sentence(error);
    if error.is_parse() { Failure::Invalid(text) } else { Failure::Unavailable(text) }
}
