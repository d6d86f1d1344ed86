//! The bulkhead of a source: how many calls of it are under way, and how many may wait, so that one slow source
//! cannot hold what all need.

use super::failure::Failure;
use super::metrics::OfSource;
use super::settings::Concurrency;
use metrics::Gauge;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;
use tokio::sync::{Semaphore, SemaphorePermit};

pub struct Bulkhead {
    places: Semaphore,
    waiting: AtomicUsize,
    settings: Concurrency,
    /// The same two numbers, as others see them.
    measured: (Gauge, Gauge),
}

impl Bulkhead {
    #[must_use]
    pub fn new(settings: Concurrency, metrics: &OfSource) -> Self {
        let measured = (metrics.in_flight.clone(), metrics.waiting.clone());
        let places = Semaphore::new(settings.max.min(Semaphore::MAX_PERMITS));
        Self { places, waiting: AtomicUsize::new(0), settings, measured }
    }

    /// A place, at once or when it is this call's turn.
    ///
    /// # Errors
    /// [`Failure::Overloaded`]: too many wait already, or its turn did not come before the deadline.
    pub async fn enter(&self, deadline: Instant) -> Result<Place<'_>, Failure> {
        if let Ok(place) = self.places.try_acquire() {
            return Ok(Place::take(place, &self.measured.0));
        }
        let Some(_waiting) = self.wait() else {
            return Err(Failure::Overloaded("too many calls wait for their turn"));
        };
        match tokio::time::timeout_at(deadline.into(), self.places.acquire()).await {
            Ok(Ok(place)) => Ok(Place::take(place, &self.measured.0)),
            // It is never closed.
            Ok(Err(_)) | Err(_) => Err(Failure::Overloaded("its turn did not come in time")),
        }
    }

    /// Calls under way.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.settings.max.saturating_sub(self.places.available_permits())
    }

    #[must_use]
    pub fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    fn wait(&self) -> Option<Waiting<'_>> {
        let most = self.settings.waiting;
        let join = |waiting| (waiting < most).then_some(waiting + 1);
        self.waiting.fetch_update(Ordering::Relaxed, Ordering::Relaxed, join).ok()?;
        self.measured.1.increment(1);
        Some(Waiting(self))
    }
}

/// Of a call under way.
pub struct Place<'a> {
    _permit: SemaphorePermit<'a>,
    measured: &'a Gauge,
}

impl<'a> Place<'a> {
    fn take(permit: SemaphorePermit<'a>, measured: &'a Gauge) -> Self {
        measured.increment(1);
        Self { _permit: permit, measured }
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.measured.decrement(1);
    }
}

struct Waiting<'a>(&'a Bulkhead);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::Relaxed);
        self.0.measured.1.decrement(1);
    }
}
