//! State of an upstream at one moment, for operators and monitoring.

use super::Upstream;
use super::breaker::Position;
use super::health::Access;
use super::members::Member;
use serde::{Deserialize, Serialize};
use std::time::{Duration, Instant};

/// State of one source.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Status {
    pub source: String,
    pub breaker: Position,
    /// Milliseconds until the breaker lets a call through; only while it is open.
    pub refuses_for_ms: Option<u64>,
    /// Calls that ended since the gateway started, and how many of them gave no reply, refused ones included. A call
    /// that the service answered with a refusal is not a failure.
    pub calls: u64,
    pub failures: u64,
    /// Calls in flight.
    pub in_flight: usize,
    /// Calls that wait for a place.
    pub waiting: usize,
    /// Current limit of calls in flight.
    pub limit: usize,
    /// Retries that the budget still allows.
    pub retries_left: u32,
    /// Attempts since the gateway started that followed an attempt of which nothing was sent.
    pub moves: u64,
    /// Latency of the successful attempts of the last ten to twenty seconds, in milliseconds, as measured; absent if there
    /// was none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p50_ms: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p95_ms: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p99_ms: Option<f64>,
    /// Why the set of instances is not up to date, or is empty.
    pub discovery_error: Option<String>,
    pub instances: Vec<InstanceStatus>,
    /// The latest first.
    pub recent_errors: Vec<RecentError>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct InstanceStatus {
    /// Host and port.
    pub address: String,
    pub zone: Option<String>,
    pub weight: u32,
    pub health: Wellness,
    /// Milliseconds until it is called again; only while it is ejected.
    pub ejected_for_ms: Option<u64>,
    pub in_flight: u32,
    /// Like [`Status::p50_ms`], of this instance.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p50_ms: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p95_ms: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p99_ms: Option<f64>,
    /// Attempts since the gateway knows the instance, and how many of them failed.
    pub calls: u64,
    pub failures: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Wellness {
    Well,
    /// In its slow start.
    Starting,
    Ejected,
    /// It accepts no connections.
    Down,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RecentError {
    /// Milliseconds since the error.
    pub ago_ms: u64,
    pub instance: String,
    pub error: String,
}

impl<C> Upstream<C> {
    /// Returns the state of the source. Holds no lock for longer than it takes to copy what it guards: the source's
    /// state, then one instance after another.
    #[must_use]
    pub fn status(&self, now: Instant) -> Status {
        let set = self.members.set();
        let instances = set.all.iter().map(|member| self.instance_status(member, now)).collect();
        let (calls, failures) = self.metrics.totals();
        let mut state = self.state();
        let [p50_ms, p95_ms, p99_ms] =
            SHARES.map(|share| state.latency.measured(share, now).map(fractional));
        Status {
            source: self.source.to_string(),
            breaker: state.breaker.position(),
            refuses_for_ms: state.breaker.refuses(true, now).map(milliseconds),
            calls,
            failures,
            in_flight: self.bulkhead.in_flight(),
            waiting: self.bulkhead.waiting(),
            limit: self.bulkhead.limit(),
            retries_left: state.budget.left() as u32,
            moves: self.metrics.moves_made(),
            p50_ms,
            p95_ms,
            p99_ms,
            discovery_error: set.error.clone(),
            instances,
            recent_errors: state.recent.latest(now),
        }
    }

    fn instance_status(&self, member: &Member<C>, now: Instant) -> InstanceStatus {
        let mut health = member.health();
        let access = health.access(now);
        let ejected = health.ejected_until(now);
        let started = health.started(self.settings.slow_start, now);
        let (calls, failures) = health.totals();
        let [p50_ms, p95_ms, p99_ms] =
            SHARES.map(|share| health.measured(share, now).map(fractional));
        InstanceStatus {
            address: member.address.shown(),
            zone: member.address.zone.clone(),
            weight: member.address.weight,
            health: match access {
                Access::Down => Wellness::Down,
                Access::Ejected => Wellness::Ejected,
                Access::Up if started < 1.0 => Wellness::Starting,
                Access::Up => Wellness::Well,
            },
            ejected_for_ms: ejected.map(|until| milliseconds(until - now)),
            in_flight: health.in_flight(),
            p50_ms,
            p95_ms,
            p99_ms,
            calls,
            failures,
        }
    }
}

/// Quantiles that are shown.
const SHARES: [f64; 3] = [0.5, 0.95, 0.99];

fn fractional(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
