//! The request that a call belongs to: its ID, and its position in a distributed trace, whose headers are sent with the
//! call.
//!
//! Log lines read both IDs here. Nothing is formatted or copied until a line is written.

use http::{HeaderName, HeaderValue};
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// Headers that a connector adds when it sends. They are not part of the request's identity: all traces are equal, so
/// that two otherwise equal requests count as the same. Reuse sends the trace of the first one.
#[derive(Debug, Clone, Default)]
pub struct Trace(Option<Arc<[(HeaderName, HeaderValue)]>>);

/// Name of the first header, which is the request's own ID and is not sent.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Bytes of `traceparent` that hold the trace ID.
const TRACE_ID: std::ops::Range<usize> = 3..35;

impl Trace {
    #[must_use]
    pub fn new(
        request_id: HeaderValue,
        headers: impl IntoIterator<Item = (HeaderName, HeaderValue)>,
    ) -> Self {
        Self(Some([(REQUEST_ID, request_id)].into_iter().chain(headers).collect()))
    }

    pub fn headers(&self) -> impl Iterator<Item = &(HeaderName, HeaderValue)> {
        self.0.iter().flat_map(|headers| headers.iter().skip(1))
    }

    /// Returns the ID of the request; `None` if the call belongs to no request.
    #[must_use]
    pub fn request_id(&self) -> Option<&str> {
        self.0.as_ref()?.first()?.1.to_str().ok()
    }

    /// Returns the trace ID, 32 hexadecimal digits.
    #[must_use]
    pub fn trace_id(&self) -> Option<&str> {
        let (_, parent) = self.headers().find(|(name, _)| name.as_str() == "traceparent")?;
        parent.to_str().ok()?.get(TRACE_ID)
    }
}

impl PartialEq for Trace {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Trace {}

impl Hash for Trace {
    fn hash<H: Hasher>(&self, _: &mut H) {}
}
