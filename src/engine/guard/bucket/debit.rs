//! One request's dealings with its bucket.

use super::Buckets;
use super::key::{Key, Policy};
use super::level::{Flow, units, whole};
use super::metrics::{self, Outcome};
use super::settings::Fail;
use super::store::{Answer, Origin};
use crate::engine::guard::cost::FLOOR;
use crate::engine::settings::Mode;
use crate::graphql::{Error, ErrorCode};
use crate::source::Caller;
use serde::Serialize;
use serde_json::Number;
use std::sync::Arc;

/// What a request takes out of its caller's bucket. Dropped before it was settled, it has spent what it reserved.
pub struct Debit<'a> {
    /// `None` where there are no limits.
    buckets: Option<&'a Buckets>,
    caller: &'a Caller,
    state: State,
    throttle: Option<Throttle>,
}

enum State {
    /// The bucket was not asked yet.
    New,
    Reserved(Reservation),
    /// Nothing is to be settled.
    Done,
}

struct Reservation {
    key: Key,
    policy: Arc<Policy>,
    from: Origin,
    cost: f64,
    left: f64,
}

/// How a caller's bucket stands after a request.
#[derive(Debug, Clone, PartialEq)]
pub struct Throttle {
    /// `default`, or the tier's name.
    pub policy: Arc<str>,
    pub capacity: u64,
    /// Whole units; none while there is a debt.
    pub available: u64,
    /// Units a second.
    pub restore_rate: f64,
    /// Seconds that an empty bucket takes to fill.
    pub window: u64,
    /// Seconds until it is full.
    pub full_in: u64,
    /// `Some`: the request was refused, and would pass after so many seconds.
    pub retry_after: Option<u64>,
}

/// As it is told under `extensions.cost.throttleStatus`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ThrottleStatus {
    pub maximum_available: u64,
    pub currently_available: u64,
    /// Units a second.
    pub restore_rate: Number,
}

impl Buckets {
    /// The refusal of an operation that costs more than the caller's bucket ever holds.
    pub fn never_holds(
        &self,
        caller: &Caller,
        estimate: u64,
        formula: impl FnOnce() -> String,
    ) -> Option<Error> {
        let (_, policy) = self.policies.find(caller);
        let cost = estimate.max(FLOOR);
        let is_refused = self.mode == Mode::Enforce && units(cost) > policy.flow.capacity;
        is_refused.then(|| too_dear(cost, policy, &formula()))
    }
}

impl<'a> Debit<'a> {
    #[must_use]
    pub fn new(buckets: Option<&'a Buckets>, caller: &'a Caller) -> Self {
        Self { buckets, caller, state: State::New, throttle: None }
    }

    /// Reserves what an operation is estimated to cost; `formula` is asked for the message of a refusal.
    ///
    /// # Errors
    /// If the bucket holds less, or could never hold as much.
    pub async fn admit(
        &mut self,
        estimate: u64,
        formula: impl FnOnce() -> String + Send,
    ) -> Result<(), Error> {
        let Some(buckets) = self.buckets else { return Ok(()) };
        let (key, policy) = buckets.policies.find(self.caller);
        let cost = estimate.max(FLOOR);
        if units(cost) > policy.flow.capacity {
            if buckets.mode == Mode::Enforce {
                return Err(too_dear(cost, policy, &formula()));
            }
            self.state = State::Done;
            metrics::decided(&policy.name, Outcome::Measured);
            return Ok(());
        }
        let answer = buckets.store.take(&key, policy.flow, units(cost)).await;
        self.state = State::Done;
        match answer {
            Answer::Taken { left, from } => {
                metrics::decided(&policy.name, Outcome::Admitted);
                let policy = Arc::clone(policy);
                // A part of a bucket may have held less than that.
                let cost = units(cost).min(from.flow().capacity);
                self.throttle = Some(Throttle::new(&policy, from.flow(), left));
                self.state = State::Reserved(Reservation { key, policy, from, cost, left });
                Ok(())
            }
            Answer::Lacking { held, flow } => {
                let seconds = flow.seconds_until(held, units(cost).min(flow.capacity));
                self.throttle = Some(Throttle::new(policy, flow, held));
                if buckets.mode != Mode::Enforce {
                    metrics::decided(&policy.name, Outcome::Measured);
                    return Ok(());
                }
                metrics::decided(&policy.name, Outcome::Throttled);
                if let Some(throttle) = &mut self.throttle {
                    throttle.retry_after = Some(seconds);
                }
                let left = whole(held);
                let message = format!(
                    "the operation costs {cost}, and {left} is left; try again in {seconds} s"
                );
                Err(throttled(message, seconds))
            }
            Answer::Unknown(Fail::Closed) if buckets.mode == Mode::Enforce => {
                metrics::decided(&policy.name, Outcome::FailedClosed);
                Err(throttled(
                    "what you may ask cannot be told now; try again in 1 s".to_owned(),
                    1,
                ))
            }
            Answer::Unknown(_) => {
                metrics::decided(&policy.name, Outcome::FailedOpen);
                Ok(())
            }
        }
    }

    /// Takes the floor for an operation that was refused before it came to its bucket. Where even that is not there,
    /// the answer is that; the reasons of before are told another time.
    pub async fn charge_refusal(&mut self, errors: Vec<Error>) -> Vec<Error> {
        if !matches!(self.state, State::New) {
            return errors;
        }
        match self.admit(FLOOR, String::new).await {
            Ok(()) => {
                self.settle(FLOOR);
                errors
            }
            Err(throttled) => vec![throttled],
        }
    }

    /// Settles a request, or takes what an event of a subscription cost. Never waits.
    pub fn pay(&mut self, actual: u64, is_event: bool) {
        match self.buckets {
            Some(buckets) if is_event => {
                let (key, policy) = buckets.policies.find(self.caller);
                metrics::spent(&policy.name, actual);
                buckets.store.spend(key, policy.flow, units(actual));
            }
            _ => self.settle(actual),
        }
    }

    /// Gives back what was reserved and not spent, or takes the rest. Never waits.
    pub fn settle(&mut self, actual: u64) {
        let State::Reserved(reservation) = std::mem::replace(&mut self.state, State::Done) else {
            return;
        };
        let Reservation { key, policy, from, cost, left } = reservation;
        let actual = actual.max(FLOOR);
        metrics::spent(&policy.name, actual);
        let more = cost - units(actual);
        if let Some(buckets) = self.buckets
            && more != 0.0
        {
            buckets.store.settle(key, from, more);
            let flow = from.flow();
            let left = (left + more).clamp(-flow.capacity, flow.capacity);
            self.throttle = Some(Throttle::new(&policy, flow, left));
        }
    }

    /// How the bucket stands, where that is known.
    #[must_use]
    pub fn throttle(&self) -> Option<&Throttle> {
        self.throttle.as_ref()
    }
}

impl Drop for Debit<'_> {
    fn drop(&mut self) {
        if let State::Reserved(reservation) = &self.state {
            metrics::spent(&reservation.policy.name, whole(reservation.cost));
        }
    }
}

impl Throttle {
    fn new(policy: &Policy, flow: Flow, left: f64) -> Self {
        Self {
            policy: Arc::clone(&policy.name),
            capacity: whole(flow.capacity),
            available: whole(left),
            restore_rate: flow.refill,
            window: flow.seconds_until(0.0, flow.capacity),
            full_in: flow.seconds_until(left, flow.capacity),
            retry_after: None,
        }
    }

    #[must_use]
    pub fn status(&self) -> ThrottleStatus {
        let rate = self.restore_rate;
        let integral = rate.fract() == 0.0;
        let rate = if integral { Some(Number::from(whole(rate))) } else { Number::from_f64(rate) };
        ThrottleStatus {
            maximum_available: self.capacity,
            currently_available: self.available,
            restore_rate: rate.unwrap_or_else(|| 0.into()),
        }
    }
}

fn too_dear(cost: u64, policy: &Policy, formula: &str) -> Error {
    let capacity = policy.flow.capacity;
    let message = format!(
        "the operation costs {cost}; {capacity} is what you may ever spend at once (limits.rate): {formula}"
    );
    Error::new(ErrorCode::CostLimitExceeded, message)
}

fn throttled(message: String, seconds: u64) -> Error {
    let mut error = Error::new(ErrorCode::Throttled, message);
    error.extensions.insert("retryAfter".to_owned(), seconds.into());
    error
}
