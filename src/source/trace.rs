//! The request that a call belongs to: its id, and its place in a distributed trace, whose headers go along with the call.
//!
//! Lines of the log read both ids here. Nothing is formatted or copied until a line is written.

use http::{HeaderName, HeaderValue};
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// Headers that a connector adds when it sends. They are no part of what is asked: any two traces are equal, so that two
/// requests which differ in nothing else are still one question, and reuse sends the trace of whoever asked first.
#[derive(Debug, Clone, Default)]
pub struct Trace(Option<Arc<[(HeaderName, HeaderValue)]>>);

/// The name of the first header, which is the request's own id and does not go along.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Bytes of `traceparent` that are the id of the trace.
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

    /// The id of the request. `None`: the call belongs to none.
    #[must_use]
    pub fn request_id(&self) -> Option<&str> {
        self.0.as_ref()?.first()?.1.to_str().ok()
    }

    /// The id of the trace, 32 hexadecimal digits.
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
