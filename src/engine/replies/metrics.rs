//! Metrics of the reply cache. Labels are source names and the fixed words below, so their number is bounded by the
//! configuration.

use crate::graphql::Name;
use metrics::{counter, gauge};

/// Outcome of a lookup.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lookup {
    /// Fresh: no call is made.
    Hit,
    /// Stale, and being renewed.
    Stale,
    /// The call is made.
    Miss,
    /// The call failed, and a stale reply is served instead.
    StaleOnError,
}

impl Lookup {
    fn as_str(self) -> &'static str {
        match self {
            Self::Hit => "hit",
            Self::Stale => "stale",
            Self::Miss => "miss",
            Self::StaleOnError => "stale_on_error",
        }
    }
}

pub(super) fn looked_up(source: &Name, lookup: Lookup) {
    let source = Name::clone(source);
    counter!("portcullis_cache_lookups_total", "source" => source, "outcome" => lookup.as_str())
        .increment(1);
}

/// Outcome of a lookup in Redis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tier {
    Hit,
    Miss,
    /// No answer within the timeout.
    Failed,
    /// A value that does not authenticate for this key.
    Invalid,
}

impl Tier {
    fn as_str(self) -> &'static str {
        match self {
            Self::Hit => "hit",
            Self::Miss => "miss",
            Self::Failed => "failed",
            Self::Invalid => "invalid",
        }
    }
}

pub(super) fn asked_redis(source: &Name, tier: Tier) {
    let source = Name::clone(source);
    counter!("portcullis_cache_redis_total", "source" => source, "outcome" => tier.as_str())
        .increment(1);
}

/// Counts a revalidation by the upstream.
pub(super) fn revalidated(source: &Name, unchanged: bool) {
    let outcome = if unchanged { "unchanged" } else { "changed" };
    let source = Name::clone(source);
    counter!("portcullis_cache_revalidations_total", "source" => source, "outcome" => outcome)
        .increment(1);
}

pub(super) fn stored(source: &Name) {
    counter!("portcullis_cache_stores_total", "source" => Name::clone(source)).increment(1);
}

/// Changes the number of entries and bytes.
pub(super) fn held(source: &Name, entries: f64, bytes: f64) {
    gauge!("portcullis_cache_entries", "source" => Name::clone(source)).increment(entries);
    gauge!("portcullis_cache_bytes", "source" => Name::clone(source)).increment(bytes);
}
