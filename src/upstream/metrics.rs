//! Metrics of each source and each instance. Handles are looked up once, when a source or an instance is made. Without
//! a recorder in the process, they cost nothing.
//!
//! Labels are bounded: sources are those of the configuration, outcomes those of [`Outcome`], and only the first
//! [`MOST_INSTANCES`] instances of a source have a label of their own. A call's content is never a label.

use super::breaker::Position;
use super::failure::{Failure, Fault};
use metrics::{Counter, Gauge, Histogram, SharedString, Unit, counter, gauge, histogram};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Number of instances of one source with a label of their own, for as long as the process lives.
const MOST_INSTANCES: usize = 100;

/// Label of all other instances.
const OTHER: &str = "other";

/// Outcome of an attempt, or of a call after all its attempts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    Ok,
    /// A status caused by the call, or by the load of all callers together.
    ClientError,
    /// A status caused by the instance.
    ServerError,
    Unreached,
    /// The connection broke.
    Broken,
    Timeout,
    Invalid,
    TooLarge,
    NotSent,
    /// No file descriptors, ports or memory of this machine were left.
    Exhausted,
    /// The client disconnected, or another attempt was faster.
    Cancelled,
    CircuitOpen,
    NoInstance,
    Overloaded,
}

/// Labels in the order of the variants.
const OUTCOMES: [&str; 14] = [
    "ok",
    "client_error",
    "server_error",
    "unreached",
    "broken",
    "timeout",
    "invalid",
    "too_large",
    "not_sent",
    "exhausted",
    "cancelled",
    "circuit_open",
    "no_instance",
    "overloaded",
];

/// Number of outcomes that an attempt can have; they come first.
const OF_ATTEMPTS: usize = 11;

const POSITIONS: [(Position, &str); 3] =
    [(Position::Closed, "closed"), (Position::HalfOpen, "half_open"), (Position::Open, "open")];

impl Outcome {
    pub fn of(failure: &Failure) -> Self {
        match failure {
            Failure::Unreached(_) | Failure::Unprocessed(_) => Self::Unreached,
            Failure::Unavailable(_) | Failure::Reset(_) => Self::Broken,
            Failure::Timeout(_) | Failure::Silent(_) => Self::Timeout,
            Failure::TooLarge(_) => Self::TooLarge,
            Failure::Invalid(_) => Self::Invalid,
            Failure::Status { fault: Fault::Call | Fault::Load | Fault::Excused, .. } => {
                Self::ClientError
            }
            Failure::Status { .. } => Self::ServerError,
            Failure::NotSent(_) => Self::NotSent,
            Failure::Exhausted(_) => Self::Exhausted,
            Failure::CircuitOpen(_) => Self::CircuitOpen,
            Failure::NoInstance(_) => Self::NoInstance,
            Failure::Overloaded(_) | Failure::NoRoom => Self::Overloaded,
        }
    }

    pub fn label(self) -> &'static str {
        OUTCOMES[self as usize]
    }

    fn is_failure(self) -> bool {
        !matches!(self, Self::Ok | Self::ClientError | Self::Cancelled)
    }
}

/// Metrics of one source.
pub(super) struct OfSource {
    calls: [Counter; OUTCOMES.len()],
    pub retries: Counter,
    moves: Counter,
    moved: AtomicU64,
    pub hedges: Counter,
    /// Retries and hedges that the budget refused.
    pub unpaid: Counter,
    pub in_flight: Gauge,
    pub waiting: Gauge,
    /// Current limit of calls in flight.
    pub limit: Gauge,
    pub seconds: Histogram,
    position: Gauge,
    transitions: [Counter; POSITIONS.len()],
    instances: Gauge,
    discovery_errors: Counter,
    discovery_failing: Gauge,
    /// Calls that ended, and how many of them failed, for readers without a recorder.
    ended: AtomicU64,
    failed: AtomicU64,
}

impl OfSource {
    pub fn new(source: &Arc<str>) -> Self {
        describe();
        let name = || SharedString::from_shared(Arc::clone(source));
        let call = |outcome| counter!("portcullis_upstream_calls_total", "source" => name(), "outcome" => outcome);
        let turn = |(_, to)| counter!("portcullis_upstream_breaker_transitions_total", "source" => name(), "to" => to);
        Self {
            calls: OUTCOMES.map(call),
            retries: counter!("portcullis_upstream_retries_total", "source" => name()),
            moves: counter!("portcullis_upstream_moves_total", "source" => name()),
            moved: AtomicU64::new(0),
            hedges: counter!("portcullis_upstream_hedges_total", "source" => name()),
            unpaid: counter!("portcullis_upstream_budget_empty_total", "source" => name()),
            in_flight: gauge!("portcullis_upstream_calls_in_flight", "source" => name()),
            waiting: gauge!("portcullis_upstream_calls_waiting", "source" => name()),
            limit: gauge!("portcullis_upstream_concurrency_limit", "source" => name()),
            seconds: histogram!("portcullis_upstream_attempt_duration_seconds", "source" => name()),
            position: gauge!("portcullis_upstream_breaker_position", "source" => name()),
            transitions: POSITIONS.map(turn),
            instances: gauge!("portcullis_upstream_instances", "source" => name()),
            discovery_errors: counter!("portcullis_upstream_discovery_errors_total", "source" => name()),
            discovery_failing: gauge!("portcullis_upstream_discovery_failing", "source" => name()),
            ended: AtomicU64::new(0),
            failed: AtomicU64::new(0),
        }
    }

    /// Records the start of a call.
    pub fn begin(&self) -> Call<'_> {
        Call { source: self, is_over: false }
    }

    /// Records that a call moves to another instance because nothing was sent.
    pub fn moves(&self) {
        self.moves.increment(1);
        self.moved.fetch_add(1, Ordering::Relaxed);
    }

    pub fn moves_made(&self) -> u64 {
        self.moved.load(Ordering::Relaxed)
    }

    pub fn turned(&self, position: Position) {
        let place = POSITIONS.iter().position(|(known, _)| *known == position);
        if let Some(place) = place {
            self.position.set(place as f64);
            self.transitions[place].increment(1);
        }
    }

    /// Records what discovery found.
    pub fn found(&self, instances: usize, failing: bool) {
        self.instances.set(instances as f64);
        self.discovery_failing.set(f64::from(u8::from(failing)));
        self.discovery_errors.increment(u64::from(failing));
    }

    /// Returns the calls that ended, and how many of them failed.
    pub fn totals(&self) -> (u64, u64) {
        (self.ended.load(Ordering::Relaxed), self.failed.load(Ordering::Relaxed))
    }

    fn ended(&self, outcome: Outcome) {
        self.calls[outcome as usize].increment(1);
        self.ended.fetch_add(1, Ordering::Relaxed);
        self.failed.fetch_add(u64::from(outcome.is_failure()), Ordering::Relaxed);
    }
}

/// A call in flight. If it is dropped before it ends, its client disconnected.
pub(super) struct Call<'a> {
    source: &'a OfSource,
    is_over: bool,
}

impl Call<'_> {
    pub fn end(mut self, failure: Option<&Failure>) {
        self.is_over = true;
        self.source.ended(failure.map_or(Outcome::Ok, Outcome::of));
    }
}

impl Drop for Call<'_> {
    fn drop(&mut self) {
        if !self.is_over {
            self.source.ended(Outcome::Cancelled);
        }
    }
}

/// Metrics of one instance, or of all instances without a label of their own.
pub(super) struct OfInstance {
    attempts: [Counter; OF_ATTEMPTS],
    pub ejections: Counter,
    pub downs: Counter,
}

impl OfInstance {
    pub fn new(source: &Arc<str>, instance: String) -> Self {
        let source_name = || SharedString::from_shared(Arc::clone(source));
        let instance = named(source, instance);
        let of = |at: usize| {
            counter!("portcullis_upstream_attempts_total", "source" => source_name(),
                "instance" => instance.clone(), "outcome" => OUTCOMES[at])
        };
        Self {
            attempts: std::array::from_fn(of),
            ejections: counter!("portcullis_upstream_ejections_total", "source" => source_name(),
                "instance" => instance.clone()),
            downs: counter!("portcullis_upstream_downs_total", "source" => source_name(),
                "instance" => instance.clone()),
        }
    }

    pub fn attempted(&self, outcome: Outcome) {
        if let Some(counter) = self.attempts.get(outcome as usize) {
            counter.increment(1);
        }
    }
}

/// Returns the label of an instance.
fn named(source: &Arc<str>, instance: String) -> SharedString {
    static NAMED: Mutex<BTreeMap<Arc<str>, BTreeSet<String>>> = Mutex::new(BTreeMap::new());
    let mut sources = NAMED.lock().unwrap_or_else(PoisonError::into_inner);
    let known = sources.entry(Arc::clone(source)).or_default();
    if !known.contains(&instance) {
        if known.len() == MOST_INSTANCES {
            return SharedString::const_str(OTHER);
        }
        known.insert(instance.clone());
    }
    SharedString::from_owned(instance)
}

fn describe() {
    for (name, text) in [
        ("portcullis_upstream_calls_total", "Calls after all their attempts, by how they ended."),
        ("portcullis_upstream_attempts_total", "Attempts at an instance, by how they ended."),
        (
            "portcullis_upstream_retries_total",
            "Further attempts after one that was sent and failed.",
        ),
        (
            "portcullis_upstream_moves_total",
            "Further attempts after one of which nothing was sent.",
        ),
        ("portcullis_upstream_hedges_total", "Attempts beside one that took long."),
        ("portcullis_upstream_budget_empty_total", "Further attempts there was no budget for."),
        ("portcullis_upstream_ejections_total", "Times an instance was ejected for a while."),
        (
            "portcullis_upstream_downs_total",
            "Times an instance went down: it accepted no connections.",
        ),
        ("portcullis_upstream_breaker_transitions_total", "Times the breaker changed, by to what."),
        ("portcullis_upstream_discovery_errors_total", "News of discovery that were a failure."),
    ] {
        metrics::describe_counter!(name, Unit::Count, text);
    }
    for (name, text) in [
        ("portcullis_upstream_calls_in_flight", "Calls under way."),
        ("portcullis_upstream_calls_waiting", "Calls that wait for their turn."),
        ("portcullis_upstream_concurrency_limit", "Calls that may be in flight now."),
        ("portcullis_upstream_breaker_position", "0 closed, 1 half open, 2 open."),
        ("portcullis_upstream_instances", "Instances that are known."),
        ("portcullis_upstream_discovery_failing", "1 while instances cannot be found anew."),
    ] {
        metrics::describe_gauge!(name, Unit::Count, text);
    }
    metrics::describe_histogram!(
        "portcullis_upstream_attempt_duration_seconds",
        Unit::Seconds,
        "What attempts took that were not given up."
    );
}

#[cfg(test)]
mod tests;
