//! Metrics of the rate limit. Labels are policies and fixed words, never a caller.

use crate::shared::Failure;
use metrics::{counter, gauge};
use std::sync::Arc;

/// Outcome of a request at its bucket.
#[derive(Debug, Clone, Copy)]
pub enum Outcome {
    Admitted,
    Throttled,
    /// Would have been throttled, but `limits.rate.mode` only measures.
    Measured,
    /// Redis did not answer: the request ran uncounted, or was refused.
    FailedOpen,
    FailedClosed,
}

/// Counts a request and its outcome.
pub fn decided(policy: &Arc<str>, outcome: Outcome) {
    let outcome = match outcome {
        Outcome::Admitted => "admitted",
        Outcome::Throttled => "throttled",
        Outcome::Measured => "measured",
        Outcome::FailedOpen => "failed_open",
        Outcome::FailedClosed => "failed_closed",
    };
    counter!("portcullis_rate_requests_total", "policy" => Arc::clone(policy), "outcome" => outcome)
        .increment(1);
}

/// Counts units of cost that were spent, after settling.
pub fn spent(policy: &Arc<str>, cost: u64) {
    counter!("portcullis_rate_cost_total", "policy" => Arc::clone(policy)).increment(cost);
}

/// Counts a check or a settlement that Redis did not answer.
pub fn store_failed(failure: &Failure) {
    counter!("portcullis_rate_store_failures_total", "kind" => failure.kind()).increment(1);
}

/// Counts a settlement that was dropped: its reservation stays spent.
pub fn settlement_lost() {
    counter!("portcullis_rate_settlements_lost_total").increment(1);
}

/// Changes the number of buckets in this process.
pub fn buckets(change: f64) {
    gauge!("portcullis_rate_buckets").increment(change);
}
