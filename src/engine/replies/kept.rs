//! A cached reply, and the reply that is served from it.

use super::freshness::Lifetime;
use super::policy::Policy;
use super::retry::Retry;
use crate::memory::Held;
use crate::source::{Body, Reply, Validators};
use http::header::{
    AGE, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, DATE, ETAG, EXPIRES,
    HeaderMap, HeaderName, LAST_MODIFIED, TRANSFER_ENCODING, VARY,
};
use std::sync::Arc;
use std::time::{Duration, Instant};

const OF_A_BODY: [HeaderName; 4] =
    [CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, TRANSFER_ENCODING];

/// Headers about caching. They stay in force after a renewal without them (RFC 9111, section 4.3.4).
const OF_REUSE: [HeaderName; 5] = [CACHE_CONTROL, ETAG, EXPIRES, LAST_MODIFIED, VARY];

/// One cached reply.
#[derive(Debug)]
pub(in crate::engine) struct Kept {
    pub(super) body: Body,
    pub(super) status: u16,
    /// All headers if a mapping of the binding reads them; otherwise those that a renewal needs, if one is possible.
    pub(super) headers: Arc<HeaderMap>,
    pub(super) lifetime: Lifetime,
    /// For the caller that it was fetched for.
    pub(super) private: bool,
    pub(super) came: Instant,
    pub(super) retry: Retry,
}

/// A reply with its further lifetime, for caches on the way.
#[derive(Debug, Clone)]
pub(in crate::engine) struct Served {
    pub reply: Reply,
    /// Time for which it stays fresh; zero if it must not be cached.
    pub left: Duration,
    /// For this caller only.
    pub private: bool,
}

impl Served {
    /// Wraps a reply that must not be cached.
    pub fn once(reply: Reply) -> Self {
        Self { reply, left: Duration::ZERO, private: false }
    }
}

impl Kept {
    pub(super) fn new(
        policy: &Policy,
        reply: &Reply,
        lifetime: Lifetime,
        private: bool,
        came: Instant,
    ) -> Self {
        let headers = if policy.reads_headers {
            Arc::clone(&reply.headers)
        } else if Validators::of(&reply.headers).is_empty() {
            Arc::default()
        } else {
            Arc::new(renewable(&reply.headers))
        };
        let (body, status) = (reply.body.clone(), reply.status);
        Self { body, status, headers, lifetime, private, came, retry: Retry::default() }
    }

    pub(super) fn validators(&self) -> Validators {
        Validators::of(&self.headers)
    }

    /// Returns `true` if it may still be served or revalidated.
    pub(super) fn is_of_use(&self, now: Instant) -> bool {
        self.age(now) < self.lifetime.whole()
    }

    /// Returns the same reply after the upstream confirmed it. New headers replace the cached ones, except those that
    /// describe a body (RFC 9111, section 3.2).
    pub(super) fn renewed(&self, said: &HeaderMap) -> Reply {
        let mut headers = HeaderMap::clone(&self.headers);
        for name in [DATE, AGE] {
            headers.remove(name);
        }
        for name in said.keys().filter(|name| !OF_A_BODY.contains(name)) {
            headers.remove(name);
            for value in said.get_all(name) {
                headers.append(name.clone(), value.clone());
            }
        }
        self.with(Arc::new(headers))
    }

    pub(super) fn reply(&self) -> Reply {
        self.with(Arc::clone(&self.headers))
    }

    fn with(&self, headers: Arc<HeaderMap>) -> Reply {
        Reply { body: self.body.clone(), status: self.status, headers, held: Held::default() }
    }

    pub(super) fn age(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.came)
    }

    /// Returns its size in bytes, without its key.
    pub(super) fn size(&self) -> usize {
        let (Body::Json(body) | Body::Proto(body)) = &self.body;
        let length = |(name, value): (&HeaderName, &http::HeaderValue)| {
            name.as_str().len() + value.len() + 64
        };
        body.len() + self.headers.iter().map(length).sum::<usize>()
    }
}

fn renewable(headers: &HeaderMap) -> HeaderMap {
    let mut kept = HeaderMap::with_capacity(OF_REUSE.len());
    for name in OF_REUSE {
        for value in headers.get_all(&name) {
            kept.append(name.clone(), value.clone());
        }
    }
    kept
}
