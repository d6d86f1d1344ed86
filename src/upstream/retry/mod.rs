//! Decides whether, and after what wait, a failed call is retried.
//!
//! The policy depends on the failure ([`Failure::repeatable`]), on what the call allows ([`Repeat`]), on the time left
//! and on the budget. It knows nothing of instances: the balancer picks another one by itself.

pub mod budget;

use super::failure::{Failure, Repeat};
use super::settings::Retry;
use std::time::Duration;

/// A failed attempt, and what is known about the next one.
#[derive(Debug)]
pub struct Tried<'a> {
    pub failure: &'a Failure,
    /// Number of the attempt, from 1.
    pub number: u32,
    pub repeat: Repeat,
    /// Time until the request's deadline.
    pub left: Duration,
    /// Median latency of calls, if known.
    pub p50: Option<Duration>,
}

/// Returns the wait before the next attempt; `None`: there is none. `dice` is between 0 and 1. The budget is checked
/// separately.
///
/// Full jitter (M. Brooker, "Exponential Backoff And Jitter"), unless the upstream sent a time to wait.
#[must_use]
pub fn wait(settings: &Retry, tried: &Tried<'_>, dice: f64) -> Option<Duration> {
    let needed = tried.failure.repeatable()?;
    if tried.number >= settings.attempts || tried.repeat < needed {
        return None;
    }
    let doubled = settings.backoff.saturating_mul(1 << (tried.number - 1).min(20));
    let backoff = doubled.min(settings.max_backoff).mul_f64(dice);
    let wait = tried.failure.retry_after().unwrap_or(backoff);
    let needed = wait.saturating_add(tried.p50.unwrap_or_default());
    (needed < tried.left).then_some(wait)
}

#[cfg(test)]
mod tests;
