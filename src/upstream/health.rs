//! What is known of one instance: calls under way, how long they take, and whether it is ejected.
//!
//! An instance is ejected after some failures in a row, or when it answers clearly worse than the others ([`outliers`]);
//! each time for longer, and on its return it comes to its full share slowly. How many of a source's instances may be
//! ejected at once is the affair of who knows them all ([`may_eject`], [`trusts`]). Time is an argument.

use super::failure::Verdict;
use super::latency::Ewma;
use super::settings::Ejection;
use std::time::{Duration, Instant};

#[derive(Debug)]
pub struct Health {
    in_flight: u32,
    latency: Option<Ewma>,
    /// The last time that a call ended, or began while none was under way.
    progress: Instant,
    /// Failures since the last success.
    in_a_row: u32,
    /// How often it was ejected lately.
    ejections: u32,
    ejected_until: Option<Instant>,
    /// When its slow start began: it is new, or has come back.
    started: Option<Instant>,
    /// It has come back, and was not seen to be well since: one failure is enough.
    on_probation: bool,
    /// Since the last comparison with others.
    rate: Rate,
    calls: u64,
    failures: u64,
}

/// How calls ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Rate {
    pub calls: u32,
    pub successes: u32,
}

/// Ejections that are remembered; the time of one is at most so many times the first.
const MOST_EJECTIONS: u32 = 10;

/// What an instance gets at the beginning of its slow start.
const FIRST_SHARE: f64 = 0.1;

impl Health {
    /// `slowly`: others are there already.
    #[must_use]
    pub fn new(slowly: bool, now: Instant) -> Self {
        Self {
            in_flight: 0,
            latency: None,
            progress: now,
            in_a_row: 0,
            ejections: 0,
            ejected_until: None,
            started: slowly.then_some(now),
            on_probation: false,
            rate: Rate::default(),
            calls: 0,
            failures: 0,
        }
    }

    pub fn begin(&mut self, now: Instant) {
        if self.in_flight == 0 {
            self.progress = now;
        }
        self.in_flight += 1;
    }

    /// An attempt that began `took` ago is over.
    pub fn end(&mut self, verdict: Verdict, took: Duration, now: Instant) {
        self.in_flight = self.in_flight.saturating_sub(1);
        if verdict == Verdict::Nothing {
            return self.took_at_least(took, now);
        }
        self.progress = now;
        self.rate.calls = self.rate.calls.saturating_add(1);
        self.calls += 1;
        if verdict == Verdict::Failure {
            self.in_a_row = self.in_a_row.saturating_add(1);
            self.failures += 1;
            // Fast failures must not make it look fast; timeouts do make it look slow.
            return self.took_at_least(took, now);
        }
        self.rate.successes = self.rate.successes.saturating_add(1);
        self.in_a_row = 0;
        self.on_probation = false;
        self.observe(took, now);
    }

    /// It counts where it is longer than what is known.
    fn took_at_least(&mut self, took: Duration, now: Instant) {
        if self.latency.is_some_and(|known| took.as_secs_f64() > known.seconds(now)) {
            self.observe(took, now);
        }
    }

    fn observe(&mut self, took: Duration, now: Instant) {
        match &mut self.latency {
            Some(latency) => latency.observe(took, now),
            None => self.latency = Some(Ewma::new(took, now)),
        }
    }

    /// It has failed so often in a row that it should be ejected.
    #[must_use]
    pub fn is_failing(&self, settings: &Ejection) -> bool {
        let enough = if self.on_probation { 1 } else { settings.failures };
        settings.failures > 0 && self.in_a_row >= enough
    }

    /// Leaves it out for a while.
    pub fn eject(&mut self, settings: &Ejection, now: Instant) {
        self.ejections = (self.ejections + 1).min(MOST_EJECTIONS);
        self.ejected_until = Some(now + settings.time * self.ejections);
        self.in_a_row = 0;
    }

    /// Until when it is left out, if it is.
    #[must_use]
    pub fn ejected_until(&self, now: Instant) -> Option<Instant> {
        self.ejected_until.filter(|until| now < *until)
    }

    /// Its share of calls, 0 to 1: nothing while it is ejected, and little when it has just begun.
    pub fn share(&mut self, slow_start: Duration, now: Instant) -> f64 {
        if let Some(until) = self.ejected_until {
            if now < until {
                return 0.0;
            }
            self.ejected_until = None;
            self.started = Some(until);
            self.on_probation = true;
        }
        let Some(started) = self.started else { return 1.0 };
        let age = now.saturating_duration_since(started);
        if age >= slow_start {
            self.started = None;
            return 1.0;
        }
        FIRST_SHARE + (1.0 - FIRST_SHARE) * age.as_secs_f64() / slow_start.as_secs_f64()
    }

    #[must_use]
    pub fn in_flight(&self) -> u32 {
        self.in_flight
    }

    /// Calls that are over, and those of them that failed.
    #[must_use]
    pub fn totals(&self) -> (u64, u64) {
        (self.calls, self.failures)
    }

    /// What an average call takes, in seconds; longer if nothing has come back for longer. `None` while nothing is known.
    #[must_use]
    pub fn latency(&self, now: Instant) -> Option<f64> {
        let silence = (self.in_flight > 0)
            .then(|| now.saturating_duration_since(self.progress).as_secs_f64());
        match (self.latency.map(|latency| latency.seconds(now)), silence) {
            (Some(latency), Some(silence)) => Some(latency.max(silence)),
            (latency, _) => latency,
        }
    }

    /// How its calls ended since this was last asked. A while without an ejection lets the next one be shorter.
    pub fn take_rate(&mut self, now: Instant) -> Rate {
        if self.ejected_until(now).is_none() && self.started.is_none() {
            self.ejections = self.ejections.saturating_sub(1);
        }
        std::mem::take(&mut self.rate)
    }
}

/// With fewer instances that have had enough calls, there is no comparison.
const LEAST_INSTANCES: usize = 5;
const LEAST_CALLS: u32 = 100;

/// The places of those whose success rate is lower than the mean of all by more than 1.9 standard deviations.
pub fn outliers(rates: &[Rate]) -> Vec<usize> {
    let judged: Vec<(usize, f64)> = rates
        .iter()
        .enumerate()
        .filter(|(_, rate)| rate.calls >= LEAST_CALLS)
        .map(|(place, rate)| (place, f64::from(rate.successes) / f64::from(rate.calls)))
        .collect();
    if judged.len() < LEAST_INSTANCES {
        return Vec::new();
    }
    let count = judged.len() as f64;
    let mean = judged.iter().map(|(_, rate)| rate).sum::<f64>() / count;
    let variance = judged.iter().map(|(_, rate)| (rate - mean).powi(2)).sum::<f64>() / count;
    let least = mean - 1.9 * variance.sqrt();
    judged.iter().filter(|(_, rate)| *rate < least).map(|(place, _)| *place).collect()
}

/// Whether one more of `all` may be ejected.
#[must_use]
pub fn may_eject(settings: &Ejection, ejected: usize, all: usize) -> bool {
    (ejected + 1) as f64 <= settings.max * all as f64
}

/// Whether ejections are heeded: with less than half of the instances well, something else is wrong, and all are called.
#[must_use]
pub fn trusts(well: usize, all: usize) -> bool {
    2 * well >= all && well > 0
}

#[cfg(test)]
mod tests;
