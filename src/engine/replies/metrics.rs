//! What is counted of reply caching. Labels are source names and the few words below: bounded by the configuration.

use crate::graphql::Name;
use metrics::{counter, gauge};

/// How a call that might have been spared came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lookup {
    /// Fresh: no call.
    Hit,
    /// Stale, and being renewed.
    Stale,
    /// The call is made.
    Miss,
    /// The call failed, and a stale reply stands in for it.
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

/// What Redis said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tier {
    Hit,
    Miss,
    /// No answer, or none in time.
    Failed,
    /// A value that is not the answer to this question.
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

/// The upstream was asked whether a reply still holds.
pub(super) fn revalidated(source: &Name, unchanged: bool) {
    let outcome = if unchanged { "unchanged" } else { "changed" };
    let source = Name::clone(source);
    counter!("portcullis_cache_revalidations_total", "source" => source, "outcome" => outcome)
        .increment(1);
}

pub(super) fn stored(source: &Name) {
    counter!("portcullis_cache_stores_total", "source" => Name::clone(source)).increment(1);
}

/// Entries and bytes that came or went.
pub(super) fn held(source: &Name, entries: f64, bytes: f64) {
    gauge!("portcullis_cache_entries", "source" => Name::clone(source)).increment(entries);
    gauge!("portcullis_cache_bytes", "source" => Name::clone(source)).increment(bytes);
}
