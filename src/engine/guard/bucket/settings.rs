//! What `limits.rate` sets: whose bucket a request is taken from, how large it is, and where it is kept.

use super::level::Flow;
use crate::engine::settings::Mode;
use crate::mapping::Mapping;
use crate::shared;
use std::time::Duration;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rate {
    pub mode: Mode,
    /// Who asks: the first of these that is not null. May name claims, request headers and the client's address.
    pub key: Vec<Mapping>,
    /// For callers that are in no tier.
    pub allowance: Allowance,
    /// The first one whose rule holds.
    pub tiers: Vec<Tier>,
    pub store: Store,
}

/// A caller of a kind, and what it may ask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tier {
    /// In header fields and metrics; `tier-1` and so on where there is none.
    pub name: Option<String>,
    /// Holds where its value is `true`.
    pub when: Mapping,
    pub allowance: Allowance,
}

/// A bucket's size, in units of cost, and how fast it fills.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allowance {
    pub capacity: u32,
    pub refill: Refill,
}

/// So much in such a time; neither is zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refill {
    pub amount: u32,
    pub per: Duration,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Store {
    /// This process: several gateways give several buckets to each caller.
    Memory,
    /// One bucket per caller for all gateways that name the same server.
    Redis { server: shared::Settings, fail: Fail, replicas: u32 },
}

/// What becomes of a request that Redis does not answer for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Fail {
    /// It runs, uncounted.
    Open,
    /// It is refused.
    Closed,
    /// It is taken from a bucket in this process, of one replica's part of the capacity and the refill.
    #[default]
    Local,
}

impl Allowance {
    #[must_use]
    pub fn flow(self) -> Flow {
        let refill = f64::from(self.refill.amount) / self.refill.per.as_secs_f64();
        Flow { capacity: f64::from(self.capacity), refill }
    }
}
