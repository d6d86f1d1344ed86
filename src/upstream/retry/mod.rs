//! Whether, and after what wait, a call that failed is tried again.
//!
//! A policy over what the failure says ([`Failure::repeatable`]), what the call allows ([`Repeat`]), the time that is
//! left and the budget. It knows nothing of instances: the balancer takes another one by itself.

pub mod budget;

use super::failure::{Failure, Repeat};
use super::settings::Retry;
use std::time::Duration;

/// A try that failed, and what is known of the next one.
#[derive(Debug)]
pub struct Tried<'a> {
    pub failure: &'a Failure,
    /// Which try it was, from 1.
    pub number: u32,
    pub repeat: Repeat,
    /// Until the request's deadline.
    pub left: Duration,
    /// What half of the calls take, if that is known.
    pub p50: Option<Duration>,
}

/// How long to wait before the next try; `None`: there is none. `dice` is between 0 and 1. The budget has yet to agree.
///
/// Full jitter (M. Brooker, "Exponential Backoff And Jitter"), unless the upstream said when it wants to be asked.
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
