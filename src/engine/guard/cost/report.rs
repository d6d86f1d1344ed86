//! What an operation cost, as its answer tells under `extensions.cost`.

use crate::engine::guard::bucket::ThrottleStatus;
use serde::Serialize;

/// The cost of one request: what it could have come to, and what it came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CostReport {
    /// The estimate that was held against the limits.
    pub requested_query_cost: u64,
    /// Counted with the lists as long as they were.
    pub actual_query_cost: u64,
    pub upstream_calls: UpstreamCalls,
    /// How the caller's bucket stands, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub throttle_status: Option<ThrottleStatus>,
}

/// Calls to sources.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct UpstreamCalls {
    /// The most that the operation could have come to, splits of refused batches aside.
    pub bound: u64,
    /// Calls made, shared ones and splits included.
    pub actual: u64,
}
