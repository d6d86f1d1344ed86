//! What stands between a prepared operation and its first call, in this order:
//!
//! 1. **limits** ([`limits`], [`values`]): what the text and the number of values alone tell. Most are counted while the
//!    operation is prepared, before anything that is more than linear in the text; here the ones that were only measured
//!    are told.
//! 2. **access** ([`access`]): who may see what. What a caller may not see is not fetched, and costs nothing.
//! 3. **cost** ([`cost`]): the slicing arguments are there, the fan-out bound and the estimate are within their limits.
//! 4. **bucket** ([`bucket`]): the caller may ask as much now. Settled when the answer is written.
//!
//! The first three are decided by the operation, its variables, the caller and the settings alone, and wait for nothing.
//! The bucket may wait, for Redis; it is asked once, and for what was refused before as well, which costs its floor.

pub(in crate::engine) mod access;
pub(super) mod bucket;
pub(super) mod cost;
pub(super) mod limits;
#[cfg(test)]
mod tests;
pub(super) mod values;

use crate::graphql::Error;
use cost::CostReport;

/// Why an operation does not run.
pub(super) struct Refusal {
    pub errors: Vec<Error>,
    /// What it would have cost, where that is the reason.
    pub cost: Option<CostReport>,
}

impl From<Vec<Error>> for Refusal {
    fn from(errors: Vec<Error>) -> Self {
        Self { errors, cost: None }
    }
}
