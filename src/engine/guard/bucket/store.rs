//! Where buckets are kept, and what becomes of a request when Redis does not answer.
//!
//! The way is one: ask Redis within its timeout ([`crate::shared`] leaves one that failed alone for a while, so that
//! only few requests wait for it), then do as `fail` says. A settlement goes where the reservation was made; it is never
//! waited for, and those under way are bounded.

use super::key::Key;
use super::level::Flow;
use super::memory::{MOST, Memory};
use super::metrics;
use super::remote::Remote;
use super::settings::{self, Fail};
use crate::shared::{Failure, Redis};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;
use tokio::sync::Semaphore;

/// Settlements under way; past it, what they would give back stays spent.
const SETTLING: usize = 1024;

pub struct Store {
    memory: Memory,
    start: Instant,
    remote: Option<Shared>,
}

struct Shared {
    buckets: Remote,
    fail: Fail,
    replicas: u32,
    settling: Arc<Semaphore>,
    /// The last check had no answer; said once.
    silent: AtomicBool,
}

/// What a bucket said.
#[derive(Debug)]
pub enum Answer {
    /// Taken; so much is left.
    Taken { left: f64, from: Origin },
    /// It holds less than that.
    Lacking { held: f64, flow: Flow },
    /// Redis does not answer, and `fail` is `open` or `closed`.
    Unknown(Fail),
}

/// Whose bucket a reservation was made in.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Origin {
    /// A bucket of this process, of this size.
    Memory(Flow),
    Redis(Flow),
}

impl Origin {
    #[must_use]
    pub fn flow(self) -> Flow {
        match self {
            Self::Memory(flow) | Self::Redis(flow) => flow,
        }
    }
}

impl Store {
    /// Does no IO.
    #[must_use]
    pub fn new(settings: &settings::Store) -> Self {
        let remote = match settings {
            settings::Store::Memory => None,
            settings::Store::Redis { server, fail, replicas } => Some(Shared {
                buckets: Remote::new(
                    Redis::new(server.clone()).expect("an address is tried when it is parsed"),
                ),
                fail: *fail,
                replicas: *replicas,
                settling: Arc::new(Semaphore::new(SETTLING)),
                silent: AtomicBool::new(false),
            }),
        };
        Self { memory: Memory::new(MOST), start: Instant::now(), remote }
    }

    /// Takes a cost out of a bucket, which is at most the bucket's capacity.
    pub async fn take(&self, key: &Key, flow: Flow, cost: f64) -> Answer {
        let Some(shared) = &self.remote else { return self.take_here(key, flow, cost) };
        let outcome = shared.buckets.take(key, flow, cost).await;
        shared.say(outcome.as_ref().err());
        if let Ok(Ok(tokens) | Err(tokens)) = outcome {
            self.remember(shared, key, flow, tokens);
        }
        match (outcome, shared.fail) {
            (Ok(Ok(left)), _) => Answer::Taken { left, from: Origin::Redis(flow) },
            (Ok(Err(held)), _) => Answer::Lacking { held, flow },
            (Err(_), Fail::Local) => {
                let part = flow.share(shared.replicas);
                // What fits the whole bucket may be too much for a part; it empties a full part then.
                self.take_here(key, part, cost.min(part.capacity))
            }
            (Err(_), fail) => Answer::Unknown(fail),
        }
    }

    /// Gives back what was reserved too much, or takes what was reserved too little. Never waits.
    pub fn settle(&self, key: Key, from: Origin, more: f64) {
        match (from, &self.remote) {
            (Origin::Memory(flow), _) => {
                self.memory.give_back(&key, flow, self.start.elapsed(), more);
            }
            (Origin::Redis(flow), Some(shared)) => {
                if shared.fail == Fail::Local {
                    let (part, more) = (flow.share(shared.replicas), shared.part_of(more));
                    self.memory.give_back(&key, part, self.start.elapsed(), more);
                }
                shared.settle(key, flow, more);
            }
            (Origin::Redis(_), None) => {}
        }
    }

    /// Takes a cost that is not refused any more, down to a debt. Never waits.
    pub fn spend(&self, key: Key, flow: Flow, cost: f64) {
        let from = if self.remote.is_some() { Origin::Redis(flow) } else { Origin::Memory(flow) };
        self.settle(key, from, -cost);
    }

    /// Keeps this process's part of what Redis has for a key: the bucket that stands in for it without Redis starts
    /// with that.
    fn remember(&self, shared: &Shared, key: &Key, flow: Flow, tokens: f64) {
        if shared.fail == Fail::Local {
            let (part, tokens) = (flow.share(shared.replicas), shared.part_of(tokens));
            self.memory.set(key, part, self.start.elapsed(), tokens);
        }
    }

    fn take_here(&self, key: &Key, flow: Flow, cost: f64) -> Answer {
        match self.memory.take(key, flow, self.start.elapsed(), cost) {
            Ok(left) => Answer::Taken { left, from: Origin::Memory(flow) },
            Err(held) => Answer::Lacking { held, flow },
        }
    }
}

impl Shared {
    /// One replica's part of these tokens.
    fn part_of(&self, tokens: f64) -> f64 {
        tokens / f64::from(self.replicas.max(1))
    }

    fn settle(&self, key: Key, flow: Flow, more: f64) {
        // Without a runtime the process is ending.
        let runtime = tokio::runtime::Handle::try_current();
        let permit = Arc::clone(&self.settling).try_acquire_owned();
        let (Ok(runtime), Ok(permit)) = (runtime, permit) else {
            metrics::settlement_lost();
            return;
        };
        let buckets = self.buckets.clone();
        runtime.spawn(async move {
            if let Err(failure) = buckets.give_back(&key, flow, more).await {
                metrics::store_failed(&failure);
                metrics::settlement_lost();
            }
            drop(permit);
        });
    }

    /// Says once that Redis is gone, and once that it is back.
    fn say(&self, failure: Option<&Failure>) {
        if let Some(failure) = failure {
            metrics::store_failed(failure);
        }
        let silent = failure.is_some();
        if self.silent.load(Ordering::Relaxed) == silent
            || self.silent.swap(silent, Ordering::Relaxed) == silent
        {
            return;
        }
        if let Some(failure) = failure {
            let fail = self.fail;
            tracing::warn!(?fail, "rate limits are not shared between gateways now: {failure}");
        } else {
            tracing::info!("rate limits are shared between gateways again");
        }
    }
}
