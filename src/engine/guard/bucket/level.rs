//! The token bucket: tokens are refilled up to a capacity, and operations take them.
//!
//! ```text
//! take:       t = min(C, t0 + (now − ts) · r);  t < cost → throttled;  else t −= cost
//! give back:  t = min(C, t + estimate − actual), and never below −C
//! ```
//!
//! Pure: `now` is an argument, and nothing is locked. An unknown bucket is full, so one that is full again need not be
//! kept. If an operation costs more than its estimate, the bucket goes into debt, by at most its capacity. So no
//! misestimate shuts a caller out for longer than a bucket takes to fill twice.

use std::time::Duration;

/// Tolerance for rounding, so that a refilled bucket does not lack a millionth.
const ROUNDING: f64 = 1e-6;

/// Capacity and refill rate of a bucket.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Flow {
    pub capacity: f64,
    /// Tokens per second; never zero.
    pub refill: f64,
}

/// Tokens of a bucket at a point in time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Level {
    tokens: f64,
    since: Duration,
}

/// Converts a cost into tokens.
#[allow(clippy::cast_precision_loss, reason = "past 2^53 it is more than any bucket holds")]
#[must_use]
pub fn units(cost: u64) -> f64 {
    cost as f64
}

/// Returns whole tokens; zero while there is a debt.
#[allow(clippy::cast_sign_loss, reason = "what is below zero becomes zero")]
#[must_use]
pub fn whole(tokens: f64) -> u64 {
    tokens as u64
}

impl Flow {
    /// Returns one of `replicas` equal parts.
    #[must_use]
    pub fn share(self, replicas: u32) -> Self {
        let parts = f64::from(replicas.max(1));
        Self { capacity: self.capacity / parts, refill: self.refill / parts }
    }

    /// Returns the whole seconds until a bucket with `tokens` holds `due`; at least one.
    #[must_use]
    pub fn seconds_until(self, tokens: f64, due: f64) -> u64 {
        let seconds = (due - ROUNDING - tokens) / self.refill;
        whole(seconds.ceil()).max(1)
    }

    fn time_to_fill(self, tokens: f64) -> Duration {
        let seconds = ((self.capacity - tokens) / self.refill).max(0.0);
        Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
    }
}

impl Level {
    /// Returns a full bucket.
    #[must_use]
    pub fn full(flow: Flow, now: Duration) -> Self {
        Self { tokens: flow.capacity, since: now }
    }

    /// Returns a bucket that holds `tokens` now.
    #[must_use]
    pub fn holding(tokens: f64, flow: Flow, now: Duration) -> Self {
        Self { tokens: tokens.clamp(-flow.capacity, flow.capacity), since: now }
    }

    /// Returns the tokens at `now`. A clock that went backwards refills nothing.
    #[must_use]
    pub fn tokens(&self, flow: Flow, now: Duration) -> f64 {
        let passed = now.saturating_sub(self.since).as_secs_f64();
        (self.tokens + passed * flow.refill).min(flow.capacity)
    }

    /// Takes `cost` tokens, and returns the rest.
    ///
    /// # Errors
    /// If it holds fewer. The error is what it holds, and nothing is taken.
    pub fn take(&mut self, flow: Flow, now: Duration, cost: f64) -> Result<f64, f64> {
        let tokens = self.tokens(flow, now);
        if tokens + ROUNDING < cost {
            return Err(tokens);
        }
        self.set(tokens - cost, now);
        Ok(self.tokens)
    }

    /// Returns surplus tokens of a reservation, or takes the missing ones (then `more` is negative). Returns the tokens
    /// after that.
    pub fn give_back(&mut self, flow: Flow, now: Duration, more: f64) -> f64 {
        let tokens = self.tokens(flow, now) + more;
        self.set(tokens.clamp(-flow.capacity, flow.capacity), now);
        self.tokens
    }

    /// Returns the time at which it is full, and so equal to an unknown bucket.
    #[must_use]
    pub fn full_at(&self, flow: Flow) -> Duration {
        self.since.saturating_add(flow.time_to_fill(self.tokens))
    }

    fn set(&mut self, tokens: f64, now: Duration) {
        self.tokens = tokens;
        self.since = self.since.max(now);
    }
}
