//! Entry of every service: each request is counted first, delayed by the service's latency, and refused if the service
//! is to fail.
//!
//! The behavior can change while the service runs. Nothing here depends on a protocol.

use super::settings::Failure;
use serde::Serialize;
use std::future::pending;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

/// Number of requests to a service since it started, or since the counters were last reset.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Requests {
    pub total: u64,
    /// Requests that are not answered yet. A client that disconnects leaves at once.
    pub in_flight: u64,
    /// Requests by endpoint, such as `GET /users/{id}`; endpoints without requests are included.
    pub endpoints: indexmap::IndexMap<&'static str, u64>,
}

pub(super) struct Desk {
    endpoints: Vec<(&'static str, AtomicU64)>,
    behaviour: RwLock<Behaviour>,
    in_flight: AtomicU64,
    /// Number of requests that [`Failure::Share`] has judged; decides which one fails next.
    judged: AtomicU64,
}

#[derive(Debug, Clone, Copy, Default)]
struct Behaviour {
    latency: Duration,
    failure: Option<Failure>,
}

/// A request in flight. Held until it is answered.
pub(super) struct Visit(Arc<Desk>);

impl Drop for Visit {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Relaxed);
    }
}

impl Desk {
    pub(super) fn new(endpoints: &[&'static str]) -> Arc<Self> {
        Arc::new(Self {
            endpoints: endpoints.iter().map(|name| (*name, AtomicU64::new(0))).collect(),
            behaviour: RwLock::default(),
            in_flight: AtomicU64::new(0),
            judged: AtomicU64::new(0),
        })
    }

    /// Admits a request. `endpoint` is an index into the names passed to [`Desk::new`].
    ///
    /// # Errors
    /// The failure that the client gets. Never returns if the service hangs.
    pub(super) async fn enter(self: &Arc<Self>, endpoint: usize) -> Result<Visit, Failure> {
        self.endpoints[endpoint].1.fetch_add(1, Relaxed);
        self.in_flight.fetch_add(1, Relaxed);
        let visit = Visit(Arc::clone(self));
        let Behaviour { latency, failure } = self.behaviour();
        if !latency.is_zero() {
            tokio::time::sleep(latency).await;
        }
        match failure {
            None => Ok(visit),
            Some(Failure::Hang) => pending().await,
            Some(Failure::Share(share)) if !self.hits(share) => Ok(visit),
            Some(Failure::Share(_)) => Err(Failure::Status(500)),
            Some(failure) => Err(failure),
        }
    }

    pub(super) fn set_latency(&self, latency: Duration) {
        self.behaviour.write().unwrap_or_else(PoisonError::into_inner).latency = latency;
    }

    pub(super) fn set_failure(&self, failure: Option<Failure>) {
        self.behaviour.write().unwrap_or_else(PoisonError::into_inner).failure = failure;
    }

    pub(super) fn requests(&self) -> Requests {
        let endpoints: indexmap::IndexMap<_, _> =
            self.endpoints.iter().map(|(name, count)| (*name, count.load(Relaxed))).collect();
        Requests {
            total: endpoints.values().sum(),
            in_flight: self.in_flight.load(Relaxed),
            endpoints,
        }
    }

    /// Resets the counters. Requests in flight stay counted as such.
    pub(super) fn reset(&self) {
        for (_, count) in &self.endpoints {
            count.store(0, Relaxed);
        }
    }

    fn behaviour(&self) -> Behaviour {
        *self.behaviour.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns whether the next request is among `share` of a hundred: those where the running total passes a whole
    /// number.
    fn hits(&self, share: u8) -> bool {
        let before = self.judged.fetch_add(1, Relaxed);
        let share = u64::from(share);
        (before % 100) * share / 100 != (before % 100 + 1) * share / 100
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_fails_evenly_and_exactly() {
        for share in [0, 1, 33, 50, 99, 100] {
            let desk = Desk::new(&[]);
            let failed: Vec<bool> = (0..300).map(|_| desk.hits(share)).collect();
            assert_eq!(failed.iter().filter(|hit| **hit).count(), 3 * usize::from(share));
        }
        let desk = Desk::new(&[]);
        assert_eq!([(); 4].map(|()| desk.hits(50)), [false, true, false, true]);
    }
}
