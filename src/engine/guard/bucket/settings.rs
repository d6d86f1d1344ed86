//! Settings under `limits.rate`: the key, the size and the store of buckets.

use super::level::Flow;
use crate::engine::settings::Mode;
use crate::mapping::Mapping;
use crate::shared;
use std::time::Duration;

/// Settings of the rate limit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rate {
    /// Enforces the limit, or only measures it.
    pub mode: Mode,
    /// Expressions that name the caller; the first one that is not null counts. They may use claims, request headers
    /// and the client's address.
    pub key: Vec<Mapping>,
    /// Allowance of callers that match no tier.
    pub allowance: Allowance,
    /// Tiers in order; the first one whose rule holds applies.
    pub tiers: Vec<Tier>,
    pub store: Store,
}

/// A class of callers with its own allowance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tier {
    /// Name in header fields and metrics. Default: `tier-1` and so on.
    pub name: Option<String>,
    /// Rule; it holds if its value is `true`.
    pub when: Mapping,
    pub allowance: Allowance,
}

/// Size of a bucket in units of cost, and its refill.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allowance {
    /// Capacity of a bucket, in units of cost.
    pub capacity: u32,
    pub refill: Refill,
}

/// `amount` units in each `per`; neither is zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refill {
    pub amount: u32,
    pub per: Duration,
}

/// Store of the buckets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Store {
    /// In this process. With several gateways, each caller has several buckets.
    Memory,
    /// In Redis: one bucket per caller for all gateways that use the same server.
    Redis { server: shared::Settings, fail: Fail, replicas: u32 },
}

/// Handling of a request if Redis does not answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Fail {
    /// Run it, uncounted.
    Open,
    /// Refuse it.
    Closed,
    /// Take it from a bucket in this process, with one replica's part of the capacity and the refill.
    #[default]
    Local,
}

impl Allowance {
    /// Returns capacity and refill in tokens and tokens per second.
    #[must_use]
    pub fn flow(self) -> Flow {
        let refill = f64::from(self.refill.amount) / self.refill.per.as_secs_f64();
        Flow { capacity: f64::from(self.capacity), refill }
    }
}
