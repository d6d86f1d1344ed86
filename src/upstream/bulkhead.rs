//! The bulkhead of a source: limits how many of its calls are in flight, how many may wait, and for how long. A slow
//! source cannot hold resources that all sources need, and an overloaded one still answers what it can at full speed.
//!
//! [`limit`] decides how many calls are in flight, up to `concurrency.max`. [`queue`] decides how many wait. This file
//! makes calls wait for each other.

mod answers;
mod limit;
mod queue;

use self::limit::Limit;
use self::queue::{Queue, Service};
use super::failure::Failure;
use super::metrics::OfSource;
use super::now;
use super::settings::Concurrency;
use metrics::Gauge;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{Notify, Semaphore, SemaphorePermit};

pub struct Bulkhead {
    places: Semaphore,
    in_flight: AtomicUsize,
    waiting: AtomicUsize,
    settings: Concurrency,
    state: Mutex<State>,
    /// Notified when the queue becomes a standing one.
    stands: Notify,
    measured: Measured,
}

struct State {
    limit: Limit,
    queue: Queue,
    /// Time of the last answer.
    answered: Option<Instant>,
    /// Number of permits that exist, and how many of them end with the call that holds them.
    places: usize,
    ending: usize,
}

impl State {
    /// Returns whether the service has not answered since `then`.
    fn is_silent_since(&self, then: Instant) -> bool {
        self.answered.is_none_or(|answered| answered < then)
    }
}

/// The same numbers, published for readers without the lock.
struct Measured {
    in_flight: Gauge,
    waiting: Gauge,
    limit: Gauge,
}

impl Bulkhead {
    #[must_use]
    pub fn new(settings: Concurrency, metrics: &OfSource, now: Instant) -> Self {
        let measured = Measured {
            in_flight: metrics.in_flight.clone(),
            waiting: metrics.waiting.clone(),
            limit: metrics.limit.clone(),
        };
        let max = settings.max.min(Semaphore::MAX_PERMITS);
        let limit = Limit::new(max, now);
        let places = if settings.adapt { limit.get() } else { max };
        measured.limit.set(places as f64);
        let queue = Queue::default();
        Self {
            places: Semaphore::new(places),
            in_flight: AtomicUsize::new(0),
            waiting: AtomicUsize::new(0),
            settings,
            state: Mutex::new(State { limit, queue, answered: None, places, ending: 0 }),
            stands: Notify::new(),
            measured,
        }
    }

    /// Waits for a place, if none is free. A call waits no longer than `timeout` for a service that does not answer
    /// meanwhile.
    ///
    /// # Errors
    /// [`Failure::Overloaded`]: too many calls wait already, or the wait took too long.
    pub async fn enter(
        &self,
        deadline: Instant,
        timeout: Duration,
        now: Instant,
    ) -> Result<Place<'_>, Failure> {
        match self.places.try_acquire() {
            Ok(permit) => Ok(self.place(permit, now)),
            Err(_) => self.wait(deadline, timeout, now).await,
        }
    }

    /// Calls in flight.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::Relaxed)
    }

    #[must_use]
    pub fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    /// Current limit of calls in flight.
    #[must_use]
    pub fn limit(&self) -> usize {
        let state = self.state();
        state.places - state.ending
    }

    fn place<'a>(&'a self, permit: SemaphorePermit<'a>, began: Instant) -> Place<'a> {
        let level = self.in_flight.fetch_add(1, Ordering::Relaxed) + 1;
        self.measured.in_flight.increment(1);
        let of = self.settings.adapt.then(|| self.state().limit.began(level, began));
        Place {
            bulkhead: self,
            permit: Some(permit),
            level,
            of,
            came: began,
            began,
            answered: None,
        }
    }

    async fn wait(
        &self,
        deadline: Instant,
        timeout: Duration,
        came: Instant,
    ) -> Result<Place<'_>, Failure> {
        let mut waiting = self.join(deadline, came)?;
        let mut permit = pin!(self.places.acquire());
        loop {
            let mut stands = pin!(self.stands.notified());
            // No notification is missed from here on.
            stands.as_mut().enable();
            let age = self.age(came, timeout);
            let until = came.checked_add(age).map_or(deadline, |until| until.min(deadline));
            let silent = self.silent_from().unwrap_or(until);
            tokio::select! {
                biased;
                permit = &mut permit => {
                    let Ok(permit) = permit else { break };
                    let now = now();
                    waiting.goes(now);
                    drop(waiting);
                    let is_silent = self.state().is_silent_since(came);
                    let mut place = self.place(permit, now);
                    place.came = if is_silent { came } else { now };
                    return Ok(place);
                }
                () = stands => {}
                () = tokio::time::sleep_until(silent.into()), if silent < until => {
                    // One waiting call opens the limit for all.
                    let mut state = self.state();
                    if state.limit.open_if_silent(now()) {
                        self.resize(&mut state);
                    }
                }
                () = tokio::time::sleep_until(until.into()) => {
                    // Calls may take longer now than when this one came.
                    let waited = now().saturating_duration_since(came);
                    if now() >= deadline || waited >= self.age(came, timeout) {
                        break;
                    }
                }
            }
        }
        Err(Failure::Overloaded("its turn did not come in time"))
    }

    /// Adds a call to the queue.
    fn join(&self, deadline: Instant, now: Instant) -> Result<Waiting<'_>, Failure> {
        let full = Failure::Overloaded("too many calls wait for their turn");
        let most = self.settings.waiting;
        let join = |waiting| (waiting < most).then_some(waiting + 1);
        let mut state = self.state();
        if self.settings.adapt {
            let was_overload = state.queue.is_overload();
            let healthy = state.limit.healthy();
            if state.limit.open_if_silent(now) {
                self.resize(&mut state);
            }
            let limit = state.limit.get();
            state.queue.comes(deadline, Service { healthy, limit }, now);
            self.notice(&state, was_overload);
            let ahead = self.waiting() + 1;
            let wait = healthy.unwrap_or_default().mul_f64(ahead as f64 / limit as f64);
            if state.queue.is_overload() && wait > state.queue.age(healthy) {
                state.queue.leaves(deadline);
                return Err(full);
            }
        }
        if self.waiting.fetch_update(Ordering::Relaxed, Ordering::Relaxed, join).is_err() {
            state.queue.leaves(deadline);
            return Err(full);
        }
        drop(state);
        self.measured.waiting.increment(1);
        Ok(Waiting { bulkhead: self, deadline, is_gone: false })
    }

    /// Wakes the waiting calls if the queue has become a standing one.
    fn notice(&self, state: &State, was_overload: bool) {
        if state.queue.is_overload() && !was_overload {
            self.stands.notify_waiters();
        }
    }

    /// Returns the time at which the limit opens if the service stays silent.
    fn silent_from(&self) -> Option<Instant> {
        self.settings.adapt.then(|| self.state().limit.silent_from()).flatten()
    }

    /// Returns the maximum wait of a call that came at `came`.
    fn age(&self, came: Instant, timeout: Duration) -> Duration {
        let state = self.state();
        let set = self.settings.age.unwrap_or(Duration::MAX);
        let set = if state.is_silent_since(came) { set.min(timeout) } else { set };
        if self.settings.adapt { state.queue.age(state.limit.healthy()).min(set) } else { set }
    }

    /// Adjusts the number of permits to the limit. Permits in use are removed when their calls end.
    fn resize(&self, state: &mut State) {
        let wanted = state.limit.get();
        let there = state.places - state.ending;
        if wanted == there {
            return;
        }
        self.measured.limit.set(wanted as f64);
        if wanted > there {
            let kept = (wanted - there).min(state.ending);
            state.ending -= kept;
            let new = wanted - there - kept;
            state.places += new;
            self.places.add_permits(new);
        } else {
            let surplus = there - wanted;
            let free = self.places.forget_permits(surplus);
            state.places -= free;
            state.ending += surplus - free;
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The place of one call in flight.
pub struct Place<'a> {
    bulkhead: &'a Bulkhead,
    permit: Option<SemaphorePermit<'a>>,
    /// Calls in flight when this call began, itself included.
    level: usize,
    of: Option<limit::CohortId>,
    came: Instant,
    began: Instant,
    answered: Option<Instant>,
}

impl Place<'_> {
    /// Time from which the timeout of the first attempt counts: the call's arrival, if the service has not answered
    /// since then. A service that hangs therefore delays its callers by one timeout, not by two.
    #[must_use]
    pub fn counts_from(&self) -> Instant {
        self.came
    }

    /// Records that the first attempt was answered: its duration shows how busy the service is.
    pub fn answered(&mut self, now: Instant) {
        self.answered = Some(now);
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let bulkhead = self.bulkhead;
        let left = bulkhead.in_flight.fetch_sub(1, Ordering::Relaxed);
        bulkhead.measured.in_flight.decrement(1);
        let mut state = bulkhead.state();
        state.answered = self.answered.or(state.answered);
        let Some(of) = self.of else { return };
        let now = self.answered.unwrap_or_else(now);
        let answered = self.answered.map(|now| now.saturating_duration_since(self.began));
        state.limit.ended(of, self.level, answered, left, now);
        bulkhead.resize(&mut state);
        if state.ending > 0 {
            state.ending -= 1;
            state.places -= 1;
            if let Some(permit) = self.permit.take() {
                permit.forget();
            }
        }
    }
}

/// A call that waits for a place.
struct Waiting<'a> {
    bulkhead: &'a Bulkhead,
    deadline: Instant,
    is_gone: bool,
}

impl Waiting<'_> {
    /// Ends the wait: the call gets its place.
    fn goes(&mut self, now: Instant) {
        self.is_gone = true;
        let mut state = self.bulkhead.state();
        let was_overload = state.queue.is_overload();
        let service = Service { healthy: state.limit.healthy(), limit: state.limit.get() };
        state.queue.goes(self.deadline, service, now);
        self.bulkhead.notice(&state, was_overload);
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let mut state = self.bulkhead.state();
        if !self.is_gone {
            state.queue.leaves(self.deadline);
        }
        self.bulkhead.measured.waiting.decrement(1);
        if self.bulkhead.waiting.fetch_sub(1, Ordering::Relaxed) == 1 {
            state.queue.clear(now());
        }
    }
}

#[cfg(test)]
mod tests;
