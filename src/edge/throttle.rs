//! Rate limit headers: `RateLimit` and `RateLimit-Policy` as in draft-ietf-httpapi-ratelimit-headers-10 (structured
//! fields, RFC 9651), and `Retry-After` (RFC 9110 §10.2.3).
//!
//! A token bucket has no window. The headers describe it as one: the quota is the capacity, and the window is the time
//! in which an empty bucket fills. `r` is the remaining cost. `t` is the time until the bucket is full or, for a
//! request that was refused, until it would pass. Units are those of cost, not requests.

use crate::engine::Throttle;
use crate::graphql::ErrorCode;
use http::header::RETRY_AFTER;
use http::{HeaderMap, HeaderName, HeaderValue};

const LIMIT: HeaderName = HeaderName::from_static("ratelimit");
const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

/// `Retry-After` in seconds while the store of buckets does not answer.
const UNKNOWN: u16 = 1;

/// Returns the headers of a response to one operation.
pub(super) fn of_answer(
    headers: &mut HeaderMap,
    throttle: Option<&Throttle>,
    refusal: Option<ErrorCode>,
) {
    match throttle {
        Some(throttle) => tell(headers, throttle),
        // The level of the bucket is unknown (`fail: closed`), but a 429 needs a `Retry-After` all the same.
        None if refusal == Some(ErrorCode::Throttled) => {
            headers.insert(RETRY_AFTER, HeaderValue::from(UNKNOWN));
        }
        None => {}
    }
}

pub(super) fn tell(headers: &mut HeaderMap, throttle: &Throttle) {
    let Throttle { policy, capacity, available, window, full_in, retry_after, .. } = throttle;
    let reset = retry_after.unwrap_or(*full_in);
    let fields = [
        (POLICY, format!("\"{policy}\";q={capacity};w={window};qu=\"cost\"")),
        (LIMIT, format!("\"{policy}\";r={available};t={reset}")),
    ];
    for (name, text) in fields {
        // A policy's name is plain ASCII, so this cannot fail.
        if let Ok(value) = HeaderValue::from_str(&text) {
            headers.insert(name, value);
        }
    }
    if let Some(seconds) = retry_after {
        headers.insert(RETRY_AFTER, HeaderValue::from(*seconds));
    }
}
