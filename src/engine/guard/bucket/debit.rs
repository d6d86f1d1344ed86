//! Reserves and settles the cost of one request.

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

/// Debit of one request from its caller's bucket. If it is dropped before it was settled, the reservation is spent.
pub struct Debit<'a> {
    /// `None` if there is no rate limit.
    buckets: Option<&'a Buckets>,
    caller: &'a Caller,
    state: State,
    throttle: Option<Throttle>,
}

enum State {
    /// Nothing was taken from the bucket yet.
    New,
    Reserved(Reservation),
    /// Nothing has to be settled.
    Done,
}

struct Reservation {
    key: Key,
    policy: Arc<Policy>,
    from: Origin,
    cost: f64,
    left: f64,
}

/// State of the caller's bucket after a request.
#[derive(Debug, Clone, PartialEq)]
pub struct Throttle {
    /// Name of the tier, or `default`.
    pub policy: Arc<str>,
    /// Capacity of the bucket, in units of cost.
    pub capacity: u64,
    /// Remaining cost, in whole units; zero while the bucket is in debt.
    pub available: u64,
    /// Refill rate, in units per second.
    pub restore_rate: f64,
    /// Time in which an empty bucket fills, in seconds.
    pub window: u64,
    /// Time until the bucket is full, in seconds.
    pub full_in: u64,
    /// Set if the request was refused: seconds after which it would pass.
    pub retry_after: Option<u64>,
}

/// The throttle state in `extensions.cost.throttleStatus`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ThrottleStatus {
    /// Capacity of the bucket, in units of cost.
    pub maximum_available: u64,
    /// Remaining units; zero while the bucket is in debt.
    pub currently_available: u64,
    /// Refill rate, in units per second.
    pub restore_rate: Number,
}

impl Buckets {
    /// Returns the error of an operation that costs more than the caller's bucket can ever hold.
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

    /// Reserves the estimated cost of an operation. `formula` is printed in the message of a refusal.
    ///
    /// # Errors
    /// If the bucket holds less, or could never hold as much. Also if Redis does not answer and `fail` is `closed`.
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
                // The local part of a bucket may have held less than that.
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

    /// Takes the minimum cost for an operation that was refused before its bucket was debited. If the bucket lacks even
    /// that, the throttling error replaces `errors`.
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

    /// Settles a request, or takes the cost of a subscription's event. Never waits.
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

    /// Returns the unspent part of the reservation, or takes the rest. Never waits.
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

    /// Returns the state of the bucket, if it is known.
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

    /// Returns the state in the form of the response.
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
