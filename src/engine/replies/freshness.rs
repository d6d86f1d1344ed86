//! Lifetime of a cached reply: fresh, stale while it is being renewed, stale if renewing fails, expired.
//!
//! Pure: headers and times in, a decision out (RFC 9111, section 4.2; RFC 5861). [`Allowed`] is what the schema and the
//! configuration allow. The upstream's headers make it shorter, and longer only if the configuration allows that.

use super::control::{Stale, Stated, Vary};
use http::header::{ACCEPT, ACCEPT_ENCODING, HeaderName, ORIGIN, USER_AGENT};
use std::time::Duration;

/// Time for which an expired reply is kept for revalidation only.
const KEPT_FOR_ITS_VALIDATORS: Duration = Duration::from_mins(10);

/// Lifetimes that the schema and the configuration allow for a call's replies.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Allowed {
    /// `None` if they set none. Then only the headers of a trusted upstream can allow caching.
    pub max_age: Option<Duration>,
    /// The upstream's headers may allow caching, or a longer lifetime.
    pub from_upstream: bool,
    /// Time past its freshness in which a reply may be served while it is renewed.
    pub stale_while_revalidate: Option<Duration>,
    /// Time past its freshness in which a reply may replace an error.
    pub stale_if_error: Option<Duration>,
}

/// Callers that may get a cached reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Audience {
    /// Every caller that sends the same request.
    All,
    /// The caller that it was fetched for.
    Caller,
}

/// Phases of a reply's life, from when it arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Lifetime {
    /// Time in which it is served without asking the upstream.
    pub fresh: Duration,
    /// Time past `fresh` in which it is served while one renewal is in flight.
    pub while_revalidate: Duration,
    /// Time past `fresh` in which it is served instead of an error.
    pub if_error: Duration,
    /// Time past `fresh` in which the upstream may confirm that it is unchanged.
    pub for_validators: Duration,
}

/// Permitted use of a cached reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Use {
    /// Serve it; fresh for this long.
    Serve(Duration),
    ServeAndRefresh,
    /// Ask the upstream first.
    Ask {
        serves_on_error: bool,
    },
}

impl Lifetime {
    /// Returns the lifetime of a reply with the headers `stated`; `None` if it must not be cached. `took` is the
    /// duration of the call.
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
        // RFC 9111, section 4.2.3: the age that it arrived with, plus at most the whole duration of the call.
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

    /// Returns the time after which it can be dropped.
    pub fn whole(&self) -> Duration {
        self.fresh + self.while_revalidate.max(self.if_error).max(self.for_validators)
    }

    /// Returns the permitted use at this age. `most` is the maximum age of a fresh reply that the operation accepts.
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

/// Returns the freshness that the upstream allows (RFC 9111, section 4.2.1). There is no heuristic freshness: without
/// headers nothing is allowed.
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

/// Returns `true` if the call's identity covers every header in `Vary`: it was sent, or all our calls send it alike.
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
