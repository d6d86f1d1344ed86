//! Cost report of an operation, as in `extensions.cost` of its response.

use crate::engine::guard::bucket::ThrottleStatus;
use serde::Serialize;

/// Cost of one request: estimated and actual.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CostReport {
    /// Estimated cost, which was checked against the limits.
    pub requested_query_cost: u64,
    /// Actual cost, with the real lengths of lists.
    pub actual_query_cost: u64,
    pub upstream_calls: UpstreamCalls,
    /// State of the caller's bucket, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub throttle_status: Option<ThrottleStatus>,
}

/// Number of calls to sources.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct UpstreamCalls {
    /// Maximum number of calls of the operation, not counting splits of refused batches.
    pub bound: u64,
    /// Calls that were made, including shared ones and splits.
    pub actual: u64,
}
