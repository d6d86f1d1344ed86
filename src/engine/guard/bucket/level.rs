//! One bucket: tokens that flow in until it is full, and what an operation takes out of it.
//!
//! ```text
//! take:       t = min(C, t0 + (now − ts) · r);  t < cost → throttled;  else t −= cost
//! give back:  t = min(C, t + estimate − actual), and never below −C
//! ```
//!
//! Pure: `now` is an argument, and nothing is locked. A bucket that was never seen is full, which is why one that is
//! full need not be kept. An operation that turned out dearer than its estimate leaves a debt, of at most one bucket,
//! so that no surprise shuts a caller out for longer than a bucket takes to fill twice.

use std::time::Duration;

/// Of rounding, so that a bucket that was waited for is not a millionth short.
const ROUNDING: f64 = 1e-6;

/// How large a bucket is, and how fast it fills.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Flow {
    pub capacity: f64,
    /// Tokens a second; never zero.
    pub refill: f64,
}

/// What a bucket held at a time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Level {
    tokens: f64,
    since: Duration,
}

/// A cost as a bucket counts it.
#[allow(clippy::cast_precision_loss, reason = "past 2^53 it is more than any bucket holds")]
#[must_use]
pub fn units(cost: u64) -> f64 {
    cost as f64
}

/// Whole units; none while there is a debt.
#[allow(clippy::cast_sign_loss, reason = "what is below zero becomes zero")]
#[must_use]
pub fn whole(tokens: f64) -> u64 {
    tokens as u64
}

impl Flow {
    /// One of `replicas` equal parts.
    #[must_use]
    pub fn share(self, replicas: u32) -> Self {
        let parts = f64::from(replicas.max(1));
        Self { capacity: self.capacity / parts, refill: self.refill / parts }
    }

    /// Whole seconds until a bucket that holds `tokens` holds `due`; at least one.
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
    #[must_use]
    pub fn full(flow: Flow, now: Duration) -> Self {
        Self { tokens: flow.capacity, since: now }
    }

    /// A bucket that holds `tokens` now.
    #[must_use]
    pub fn holding(tokens: f64, flow: Flow, now: Duration) -> Self {
        Self { tokens: tokens.clamp(-flow.capacity, flow.capacity), since: now }
    }

    /// What it holds by now. A clock that went backwards fills nothing.
    #[must_use]
    pub fn tokens(&self, flow: Flow, now: Duration) -> f64 {
        let passed = now.saturating_sub(self.since).as_secs_f64();
        (self.tokens + passed * flow.refill).min(flow.capacity)
    }

    /// Takes `cost` out.
    ///
    /// # Errors
    /// What it holds, if that is less; nothing is taken.
    pub fn take(&mut self, flow: Flow, now: Duration, cost: f64) -> Result<f64, f64> {
        let tokens = self.tokens(flow, now);
        if tokens + ROUNDING < cost {
            return Err(tokens);
        }
        self.set(tokens - cost, now);
        Ok(self.tokens)
    }

    /// Gives back what was taken too much, or takes what was taken too little (`more` is negative then); what it holds
    /// after that.
    pub fn give_back(&mut self, flow: Flow, now: Duration, more: f64) -> f64 {
        let tokens = self.tokens(flow, now) + more;
        self.set(tokens.clamp(-flow.capacity, flow.capacity), now);
        self.tokens
    }

    /// When it will be full, and so no different from one that was never seen.
    #[must_use]
    pub fn full_at(&self, flow: Flow) -> Duration {
        self.since.saturating_add(flow.time_to_fill(self.tokens))
    }

    fn set(&mut self, tokens: f64, now: Duration) {
        self.tokens = tokens;
        self.since = self.since.max(now);
    }
}
