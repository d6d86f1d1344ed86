//! How long a reply may be used: fresh, stale while it is being renewed, stale where renewing fails, not at all.
//!
//! Pure: headers and times in, a verdict out (RFC 9111, section 4.2; RFC 5861). What the schema and the configuration
//! allow comes as [`Allowed`]; the upstream's word makes it shorter, and longer only where the configuration says so.

use super::control::{Stale, Stated, Vary};
use http::header::{ACCEPT, ACCEPT_ENCODING, HeaderName, ORIGIN, USER_AGENT};
use std::time::Duration;

/// How long a reply is kept for its validators alone, after it may no longer be used as it is.
const KEPT_FOR_ITS_VALIDATORS: Duration = Duration::from_mins(10);

/// What the schema and the configuration say of a call's replies.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Allowed {
    /// `None`: nothing of their own; only an upstream that is trusted with it can allow reuse.
    pub max_age: Option<Duration>,
    pub from_upstream: bool,
    pub stale_while_revalidate: Option<Duration>,
    pub stale_if_error: Option<Duration>,
}

/// Who may be given a reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Audience {
    /// Everybody whose request is the same.
    All,
    /// The caller it was fetched for.
    Caller,
}

/// The spans of a reply's life, one after the other, from when it came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Lifetime {
    pub fresh: Duration,
    /// Past `fresh`, it serves while one refresh is under way.
    pub while_revalidate: Duration,
    /// Past `fresh`, it serves in place of an error.
    pub if_error: Duration,
    /// Past `fresh`, the upstream may say that it is still good.
    pub for_validators: Duration,
}

/// What a kept reply is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Use {
    /// Fresh for this long.
    Serve(Duration),
    ServeAndRefresh,
    /// The upstream has to be asked.
    Ask {
        serves_on_error: bool,
    },
}

impl Lifetime {
    /// What a reply that says `stated` may be kept for; `None`: it must not be kept. `took` is how long the call took.
    pub fn of(
        allowed: &Allowed,
        stated: &Stated,
        audience: Audience,
        took: Duration,
        has_validators: bool,
    ) -> Option<Self> {
        let upstream = upstream_lifetime(stated, audience);
        let may = allowed.max_age.is_some() || (allowed.from_upstream && upstream.is_some());
        if !may || stated.never {
            return None;
        }
        // RFC 9111, section 4.2.3: the age it came with, and at worst all of the time it took.
        let upstream = upstream.map(|lifetime| lifetime.saturating_sub(stated.age + took));
        let mut lifetime = Self {
            fresh: lower(allowed.max_age, upstream).unwrap_or_default(),
            while_revalidate: lower(allowed.stale_while_revalidate, stated.stale_while_revalidate)
                .unwrap_or_default(),
            if_error: lower(allowed.stale_if_error, stated.stale_if_error).unwrap_or_default(),
            for_validators: Duration::ZERO,
        };
        if stated.no_cache {
            lifetime.fresh = Duration::ZERO;
        }
        let serves_stale = match stated.stale {
            Stale::Anybody => true,
            Stale::OneCaller => audience == Audience::Caller,
            Stale::Nobody => false,
        };
        if stated.no_cache || !serves_stale {
            lifetime.while_revalidate = Duration::ZERO;
            lifetime.if_error = Duration::ZERO;
        }
        if has_validators {
            lifetime.for_validators = KEPT_FOR_ITS_VALIDATORS;
        }
        (!lifetime.whole().is_zero()).then_some(lifetime)
    }

    /// How long it is of any use.
    pub fn whole(&self) -> Duration {
        self.fresh + self.while_revalidate.max(self.if_error).max(self.for_validators)
    }

    /// What it is good for, so long after it came. `most` is what an operation takes at most of a fresh reply's age.
    pub fn at(&self, age: Duration, most: Option<Duration>) -> Use {
        let fresh = most.map_or(self.fresh, |most| most.min(self.fresh));
        let left = fresh.saturating_sub(age);
        if !left.is_zero() {
            return Use::Serve(left);
        }
        let stale_for = age.saturating_sub(fresh);
        if stale_for < self.while_revalidate {
            return Use::ServeAndRefresh;
        }
        Use::Ask { serves_on_error: stale_for < self.if_error }
    }
}

/// RFC 9111, section 4.2.1. There is no heuristic freshness here: who says nothing allows nothing.
fn upstream_lifetime(stated: &Stated, audience: Audience) -> Option<Duration> {
    let shared = if audience == Audience::All { stated.s_maxage } else { None };
    shared.or(stated.max_age).or(stated.expires_in)
}

fn lower(one: Option<Duration>, other: Option<Duration>) -> Option<Duration> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

/// Whether all that the upstream says the reply depends on is part of the call's identity: the headers that were sent,
/// and those that every call of ours sends alike.
pub(super) fn is_covered(vary: &Vary, sent: &[(HeaderName, http::HeaderValue)]) -> bool {
    const ALWAYS_ALIKE: [HeaderName; 4] = [ACCEPT, ACCEPT_ENCODING, ORIGIN, USER_AGENT];
    match vary {
        Vary::Nothing => true,
        Vary::Anything => false,
        Vary::Headers(names) => names
            .iter()
            .all(|name| ALWAYS_ALIKE.contains(name) || sent.iter().any(|(known, _)| known == name)),
    }
}
