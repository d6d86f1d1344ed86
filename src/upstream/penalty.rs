//! The penalty of an instance whose calls fail: it raises the instance's cost and lowers its share for a while.
//!
//! Each failure halves the share, each success removes half of the penalty, and the penalty decays with time. An
//! instance that fails everything still gets a call now and then, at any rate of calls. One that fails rarely keeps
//! nearly all of its share. Time is an argument.

use std::time::{Duration, Instant};

/// Time in which a penalty halves by itself.
const HALF_LIFE: Duration = Duration::from_secs(5);

/// Largest penalty, in failures: a share of about a thousandth.
const LARGEST: f64 = 10.0;

/// A smaller penalty counts as none.
const SMALLEST: f64 = 0.05;

#[derive(Debug, Clone, Copy)]
pub struct Penalty {
    failures: f64,
    at: Instant,
}

impl Penalty {
    #[must_use]
    pub fn none(now: Instant) -> Self {
        Self { failures: 0.0, at: now }
    }

    /// Records a failed call.
    pub fn raise(&mut self, now: Instant) {
        *self = Self { failures: (self.failures(now) + 1.0).min(LARGEST), at: now };
    }

    /// Records a successful call.
    pub fn ease(&mut self, now: Instant) {
        if self.failures > 0.0 {
            let failures = self.failures(now) / 2.0;
            *self = Self { failures: if failures < SMALLEST { 0.0 } else { failures }, at: now };
        }
    }

    /// Returns the factor for the instance's share: 1 without failures.
    #[must_use]
    pub fn factor(&self, now: Instant) -> f64 {
        if self.failures > 0.0 { (-self.failures(now)).exp2() } else { 1.0 }
    }

    fn failures(&self, now: Instant) -> f64 {
        let age = now.saturating_duration_since(self.at).as_secs_f64();
        self.failures * (-age / HALF_LIFE.as_secs_f64()).exp2()
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::float_cmp, reason = "powers of two are exact")]

    use super::*;

    #[test]
    fn each_failure_halves_the_share_down_to_a_thousandth() {
        let now = Instant::now();
        let mut penalty = Penalty::none(now);
        let factors: Vec<f64> = (0..20)
            .map(|_| {
                penalty.raise(now);
                penalty.factor(now)
            })
            .collect();
        assert_eq!(factors[..3], [0.5, 0.25, 0.125]);
        assert_eq!(factors[19], 1.0 / 1024.0);
    }

    #[test]
    fn successes_and_time_take_it_back() {
        let now = Instant::now();
        let mut penalty = Penalty::none(now);
        (0..4).for_each(|_| penalty.raise(now));
        let later = now + HALF_LIFE;
        assert_eq!(penalty.factor(later), 0.25, "half of four failures");
        penalty.ease(later);
        assert_eq!(penalty.factor(later), 0.5);
        (0..10).for_each(|_| penalty.ease(later));
        assert_eq!(penalty.factor(later), 1.0);
    }

    #[test]
    fn one_failure_in_twenty_calls_costs_little() {
        let now = Instant::now();
        let mut penalty = Penalty::none(now);
        let mut sum = 0.0;
        for call in 0..1000 {
            if call % 20 == 0 {
                penalty.raise(now);
            } else {
                penalty.ease(now);
            }
            sum += penalty.factor(now);
        }
        assert!(sum / 1000.0 > 0.9, "{sum}");
    }
}
