//! What buckets count. Labels are policies and fixed words, never a caller.

use crate::shared::Failure;
use metrics::{counter, gauge};
use std::sync::Arc;

/// What came of a request at its bucket.
#[derive(Debug, Clone, Copy)]
pub enum Outcome {
    Admitted,
    Throttled,
    /// It would have been throttled; `limits.rate.mode` only measures.
    Measured,
    /// Redis did not answer: run uncounted, or refused.
    FailedOpen,
    FailedClosed,
}

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

/// Units of cost that were taken, after settling.
pub fn spent(policy: &Arc<str>, cost: u64) {
    counter!("portcullis_rate_cost_total", "policy" => Arc::clone(policy)).increment(cost);
}

/// Redis did not answer a check or a settlement.
pub fn store_failed(failure: &Failure) {
    counter!("portcullis_rate_store_failures_total", "kind" => failure.kind()).increment(1);
}

/// A settlement that was not made: what was given back too little stays spent.
pub fn settlement_lost() {
    counter!("portcullis_rate_settlements_lost_total").increment(1);
}

/// Buckets kept in this process, more or less by so many.
pub fn buckets(change: f64) {
    gauge!("portcullis_rate_buckets").increment(change);
}
