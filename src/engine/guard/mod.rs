//! Checks between a prepared operation and its first call, in this order:
//!
//! 1. **limits** ([`limits`], [`values`]): limits of the text and of the number of values. Most are checked while the
//!    operation is prepared, before any step that is more than linear in the text. Here the measured ones are reported.
//! 2. **access** ([`access`]): access rules. Fields that the caller may not see are not fetched, and cost nothing.
//! 3. **cost** ([`cost`]): slicing arguments, the fan-out bound, and the estimated cost.
//! 4. **bucket** ([`bucket`]): the caller's rate limit. Settled when the answer is written.
//!
//! The first three depend on the operation, its variables, the caller and the settings alone, and wait for nothing.
//! The bucket may wait for Redis. It is debited once, also for operations that were refused before, which cost the minimum.

pub(in crate::engine) mod access;
pub(super) mod bucket;
pub(super) mod cost;
pub(super) mod limits;
#[cfg(test)]
mod tests;
pub(super) mod values;

use crate::graphql::Error;
use cost::CostReport;

/// Errors of an operation that does not run.
pub(super) struct Refusal {
    pub errors: Vec<Error>,
    /// Estimated cost, if that is the reason.
    pub cost: Option<CostReport>,
}

impl From<Vec<Error>> for Refusal {
    fn from(errors: Vec<Error>) -> Self {
        Self { errors, cost: None }
    }
}
