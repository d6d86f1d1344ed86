//! Cache policy of one binding, combined once from schema and settings.

use super::freshness::Allowed;
use super::settings::CacheSettings;
use crate::graph::{Binding, CacheHint};
use crate::graphql::Name;
use crate::mapping::{Mapping, Reference, Variable};
use crate::source::Placed;
use http::header::{AUTHORIZATION, COOKIE, HeaderName};
use std::time::Duration;

/// Cache policy of a binding whose replies may be cached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::engine) struct Policy {
    pub(super) source: Name,
    /// The field of the binding, such as `User.orders`.
    pub(super) coordinate: Name,
    pub(super) allowed: Allowed,
    /// The schema declares replies as private to a caller.
    pub(super) private: bool,
    /// The client's credentials are forwarded.
    pub(super) forwards_credentials: bool,
    /// A mapping of the source's bindings reads headers of replies, or clients receive some. Then they are cached as
    /// well.
    pub(super) reads_headers: bool,
    /// Parts of the caller's request that caches of clients must distinguish.
    pub reach: Reach,
}

/// Parts of the client's request that can change the response.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(in crate::engine) struct Reach {
    /// Claims, credentials, or the address: no other caller may get the response.
    pub personal: bool,
    pub headers: Vec<HeaderName>,
}

impl Policy {
    /// Returns the policy; `None` if no reply of the binding may be cached.
    pub(super) fn of(binding: &Binding, settings: &CacheSettings) -> Option<Self> {
        let call = &binding.call;
        let source = settings.sources.get(call.source()).cloned().unwrap_or_default();
        let seconds = |seconds: Option<u32>| seconds.map(|s| Duration::from_secs(s.into()));
        let CacheHint { max_age, private, stale_if_error } = binding.cache;
        let allowed = Allowed {
            max_age: seconds(max_age).or(source.max_age),
            from_upstream: source.from_upstream,
            stale_while_revalidate: source.stale_while_revalidate,
            stale_if_error: seconds(stale_if_error).or(source.stale_if_error),
        };
        if !call.reusable() || (allowed.max_age.is_none() && !allowed.from_upstream) {
            return None;
        }
        let select = call.select().map(Mapping::references).unwrap_or_default();
        let mut sent = Reach::default();
        for Placed { reference, .. } in call.references() {
            sent.add(reference);
        }
        sent.headers.extend(call.forwards().iter().cloned());
        sent.personal |= call.sends_claims();
        let forwards_credentials = sent.has_credentials();
        let mut reach = sent;
        for reference in &select {
            reach.add(reference);
        }
        reach.personal |= reach.has_credentials();
        reach.headers.sort_unstable_by(|one, other| one.as_str().cmp(other.as_str()));
        reach.headers.dedup();
        let reads = |reference: &Reference| reference.variable == Variable::ResponseHeaders;
        Some(Self {
            source: Name::clone(call.source()),
            coordinate: Name::clone(&binding.coordinate),
            allowed,
            private,
            forwards_credentials,
            reads_headers: !call.returned().headers.is_empty()
                || select.iter().any(reads)
                || call.references().iter().any(|placed| reads(&placed.reference)),
            reach,
        })
    }
}

impl Reach {
    fn add(&mut self, reference: &Reference) {
        match reference.variable {
            Variable::Claims | Variable::RequestIp => self.personal = true,
            Variable::RequestHeaders => match reference.path.first() {
                Some(name) => self.headers.extend(HeaderName::from_bytes(name.as_bytes())),
                // All headers, including credentials.
                None => self.headers.extend([AUTHORIZATION, COOKIE]),
            },
            _ => {}
        }
    }

    fn has_credentials(&self) -> bool {
        self.headers.iter().any(|name| *name == AUTHORIZATION || *name == COOKIE)
    }
}
