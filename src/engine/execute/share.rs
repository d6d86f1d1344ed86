//! What those who get an answer may do with it: the strictest of its parts.

use crate::engine::replies::Reach;
use http::HeaderName;
use std::time::Duration;

/// How long, and by whom, a whole answer may be reused.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Share {
    /// The shortest life of a part; `None`: nothing of it came from a call.
    left: Option<Duration>,
    private: bool,
    /// Headers of the client's request that the answer depends on.
    headers: Vec<HeaderName>,
}

impl Share {
    /// Nobody may reuse it.
    #[must_use]
    pub fn none() -> Self {
        Self { left: Some(Duration::ZERO), ..Self::default() }
    }

    /// What stands under a rule, or tells of a caller's bucket, is for that caller.
    #[must_use]
    pub(in crate::engine) fn for_one(mut self, is_for_one: bool) -> Self {
        self.private |= is_for_one;
        self
    }

    /// Whole seconds; zero: nobody may reuse it.
    #[must_use]
    pub fn max_age(&self) -> u64 {
        self.left.unwrap_or_default().as_secs()
    }

    /// Only the client itself may reuse it, as long as it sends the same credentials.
    #[must_use]
    pub fn private(&self) -> bool {
        self.private
    }

    /// Headers of the client's request that the answer depends on, credentials not counted.
    #[must_use]
    pub fn headers(&self) -> &[HeaderName] {
        &self.headers
    }

    /// One part more.
    pub(super) fn meet(&mut self, left: Duration, private: bool) {
        self.left = Some(self.left.map_or(left, |known| known.min(left)));
        self.private |= private;
    }

    /// A part that depends on this of the client's request.
    pub(super) fn tell_apart(&mut self, reach: &Reach) {
        self.private |= reach.personal;
        for name in &reach.headers {
            if !self.headers.contains(name) {
                self.headers.push(name.clone());
            }
        }
    }
}
