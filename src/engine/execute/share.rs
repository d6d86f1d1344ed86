//! Limits on caching a response: the strictest limits of its parts.

use crate::engine::replies::Reach;
use http::HeaderName;
use std::time::Duration;

/// Cache lifetime and audience of a whole response.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Share {
    /// Shortest lifetime of a part; `None` if no part came from a call.
    left: Option<Duration>,
    private: bool,
    /// Headers of the client's request that the response depends on.
    headers: Vec<HeaderName>,
}

impl Share {
    /// Returns the limits of a response that must not be cached.
    #[must_use]
    pub fn none() -> Self {
        Self { left: Some(Duration::ZERO), ..Self::default() }
    }

    /// Restricts the response to its caller if `is_for_one`: it depends on an access rule, or contains the caller's
    /// rate limit.
    #[must_use]
    pub(in crate::engine) fn for_one(mut self, is_for_one: bool) -> Self {
        self.private |= is_for_one;
        self
    }

    /// Returns the lifetime in whole seconds; zero if it must not be cached.
    #[must_use]
    pub fn max_age(&self) -> u64 {
        self.left.unwrap_or_default().as_secs()
    }

    /// Returns `true` if only the client itself may cache it, as long as it sends the same credentials.
    #[must_use]
    pub fn private(&self) -> bool {
        self.private
    }

    /// Returns the headers of the client's request that the response depends on, without credentials.
    #[must_use]
    pub fn headers(&self) -> &[HeaderName] {
        &self.headers
    }

    /// Adds the limits of one part.
    pub(super) fn meet(&mut self, left: Duration, private: bool) {
        self.left = Some(self.left.map_or(left, |known| known.min(left)));
        self.private |= private;
    }

    /// Adds a part that depends on these parts of the client's request.
    pub(super) fn tell_apart(&mut self, reach: &Reach) {
        self.private |= reach.personal;
        for name in &reach.headers {
            if !self.headers.contains(name) {
                self.headers.push(name.clone());
            }
        }
    }
}
