//! Picks the store of a bucket, and falls back if Redis does not answer.
//!
//! Redis is asked within its timeout, then `fail` decides. ([`crate::shared`] does not ask again for a while after a
//! failure, so that only few requests wait for it.) A settlement goes where the reservation was made. Nothing waits for
//! settlements, and the number of those in flight is bounded.

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

/// Maximum number of settlements in flight. Further ones are dropped: their reservations stay spent.
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
    /// The last check had no answer; logged once.
    silent: AtomicBool,
}

/// Result of a check.
#[derive(Debug)]
pub enum Answer {
    /// The cost was taken; `left` tokens remain.
    Taken { left: f64, from: Origin },
    /// The bucket holds only `held` tokens.
    Lacking { held: f64, flow: Flow },
    /// Redis does not answer, and `fail` is `open` or `closed`.
    Unknown(Fail),
}

/// Store in which a reservation was made.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Origin {
    /// A bucket of this process, with this capacity and refill.
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
    /// Creates the store. Does no IO.
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

    /// Takes a cost from a bucket. `cost` is at most the bucket's capacity.
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
                // A cost that fits the whole bucket may exceed a part. Then it empties a full part.
                self.take_here(key, part, cost.min(part.capacity))
            }
            (Err(_), fail) => Answer::Unknown(fail),
        }
    }

    /// Returns the surplus of a reservation, or takes what is missing. Never waits.
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

    /// Takes a cost that can no longer be refused, and may leave a debt. Never waits.
    pub fn spend(&self, key: Key, flow: Flow, cost: f64) {
        let from = if self.remote.is_some() { Origin::Redis(flow) } else { Origin::Memory(flow) };
        self.settle(key, from, -cost);
    }

    /// Remembers this process's part of the level in Redis, so that the local fallback bucket starts with it.
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
    /// Returns one replica's part of these tokens.
    fn part_of(&self, tokens: f64) -> f64 {
        tokens / f64::from(self.replicas.max(1))
    }

    fn settle(&self, key: Key, flow: Flow, more: f64) {
        // Without a runtime the process is exiting.
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

    /// Logs once that Redis is unavailable, and once that it is back.
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
