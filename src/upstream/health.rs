//! Health of one instance: calls in flight, latency, recent failures, and whether it takes calls.
//!
//! An instance is *up*, *ejected* or *down*. If it accepts no connections, it is down at once; it is up again when it
//! accepts one. If it answers with failures, or not in time, it is ejected after some of them in a row. It is also
//! ejected if it answers clearly worse than the others ([`outliers`]). Each ejection lasts longer than the last. After
//! its return it reaches its full share slowly. [`Health::share`] is its share of the calls: less after each failure,
//! and while it is silent. How many of a source's instances may be ejected at once is decided where all are known
//! ([`may_eject`]). Time is an argument; nothing here does IO.

use super::failure::Verdict;
use super::latency::{Ewma, Quantiles};
use super::penalty::Penalty;
use super::settings::Ejection;
use std::time::{Duration, Instant};

#[derive(Debug)]
pub struct Health {
    in_flight: u32,
    latency: Option<Ewma>,
    /// Durations of successful attempts only, for people.
    measured: Quantiles,
    /// Time when an attempt last ended, or began while none was in flight.
    progress: Instant,
    /// Start of the last attempt.
    begun: Instant,
    /// Time of the last reply, successful or not.
    answered: Option<Instant>,
    situation: Situation,
    /// Start of its current situation. Attempts that began earlier do not change it.
    since: Instant,
    penalty: Penalty,
    outcomes: Outcomes,
    /// Failures since the last success, and how many of them were broken connections.
    in_a_row: u32,
    broken: u32,
    /// Number of recent ejections.
    ejections: u32,
    /// Failed returns in a row.
    relapses: u32,
    /// Outcomes since the last comparison with others.
    rate: Rate,
    calls: u64,
    failures: u64,
}

#[derive(Debug, Clone, Copy)]
enum Situation {
    Up {
        /// It is in its slow start: it is new among others, or has come back.
        slowly: bool,
        /// It has come back and has not succeeded since: one failure ejects it.
        on_probation: bool,
    },
    Ejected {
        until: Instant,
    },
    Down {
        /// Time of the next check whether it accepts connections.
        check: Instant,
    },
}

/// Availability of an instance for calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    Up,
    Ejected,
    Down,
}

/// Consequence of an attempt's outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Consequence {
    Nothing,
    /// The instance has gone down.
    WentDown,
    /// The instance should be ejected.
    Eject,
}

/// Number of attempts by outcome.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Rate {
    pub calls: u32,
    pub successes: u32,
}

/// Maximum number of ejections that count. One ejection lasts at most this multiple of the first.
const MOST_EJECTIONS: u32 = 10;

/// Share at the beginning of the slow start.
const FIRST_SHARE: f64 = 0.1;

/// Time between two checks of an instance that is down, shortened at random by up to a fifth.
const CHECK_EVERY: Duration = Duration::from_millis(500);

/// Number of failed returns after which the time between two checks no longer doubles.
const MOST_RELAPSES: u32 = 2;

/// An instance is silent when no attempt has ended for this multiple of its latency, and at least for this time. If its
/// latency is unknown, the longer time counts.
const SILENT_LATENCIES: f64 = 4.0;
const SILENT_SECONDS: f64 = 0.05;
const SILENT_SECONDS_UNKNOWN: f64 = 0.25;

impl Health {
    /// Creates the state of an instance. `slowly` starts it with a slow start: other instances are known already.
    #[must_use]
    pub fn new(slowly: bool, now: Instant) -> Self {
        Self {
            in_flight: 0,
            latency: None,
            measured: Quantiles::new(now),
            progress: now,
            begun: now,
            answered: None,
            situation: Situation::Up { slowly, on_probation: false },
            since: now,
            penalty: Penalty::none(now),
            outcomes: Outcomes::default(),
            in_a_row: 0,
            broken: 0,
            ejections: 0,
            relapses: 0,
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
        self.begun = now;
    }

    /// Records the end of an attempt that began `took` ago.
    pub fn end(
        &mut self,
        verdict: Verdict,
        took: Duration,
        settings: &Ejection,
        now: Instant,
    ) -> Consequence {
        self.in_flight = self.in_flight.saturating_sub(1);
        let is_current = now.checked_sub(took).is_none_or(|began| began >= self.since);
        match verdict {
            // Its reply may begin late, so silence is not a failure.
            Verdict::Unheard => return Consequence::Nothing,
            Verdict::Nothing => {
                self.took_at_least(took, now);
                return Consequence::Nothing;
            }
            // Not a failure: it may be shutting down, or at its limit of streams.
            Verdict::Unprocessed => {
                if is_current {
                    self.penalty.raise(now);
                }
                return Consequence::Nothing;
            }
            _ => {}
        }
        self.progress = now;
        self.rate.calls = self.rate.calls.saturating_add(1);
        self.calls += 1;
        if verdict.is_answer() {
            self.answered = Some(now);
        }
        if verdict == Verdict::Success {
            self.succeeded(took, is_current, now);
            return Consequence::Nothing;
        }
        self.failures += 1;
        // Fast failures must not make it look fast; timeouts do make it look slow.
        self.took_at_least(took, now);
        if is_current { self.failed(verdict, settings, now) } else { Consequence::Nothing }
    }

    fn succeeded(&mut self, took: Duration, is_current: bool, now: Instant) {
        self.rate.successes = self.rate.successes.saturating_add(1);
        self.observe(took, now);
        self.measured.observe(took, now);
        if !is_current {
            return;
        }
        self.in_a_row = 0;
        self.broken = 0;
        self.relapses = 0;
        self.penalty.ease(now);
        self.outcomes.push(true);
        match &mut self.situation {
            Situation::Up { on_probation, .. } => *on_probation = false,
            // It was called although it takes no calls, and it is available again.
            Situation::Ejected { .. } | Situation::Down { .. } => self.rise(false, now),
        }
    }

    fn failed(&mut self, verdict: Verdict, settings: &Ejection, now: Instant) -> Consequence {
        self.penalty.raise(now);
        self.outcomes.push(false);
        self.in_a_row = self.in_a_row.saturating_add(1);
        self.broken = self.broken.saturating_add(u32::from(verdict == Verdict::Broken));
        let on_probation = match self.situation {
            Situation::Down { .. } => return Consequence::Nothing,
            Situation::Up { on_probation, .. } => on_probation,
            Situation::Ejected { .. } => false,
        };
        // A process that died breaks its connections before it refuses new ones.
        let is_gone = self.broken == self.in_a_row && !on_probation && self.is_failing(settings);
        if verdict == Verdict::Refused || is_gone {
            self.go_down(on_probation, now);
            return Consequence::WentDown;
        }
        let is_ejected = matches!(self.situation, Situation::Ejected { .. });
        if is_ejected || !self.is_failing(settings) {
            return Consequence::Nothing;
        }
        Consequence::Eject
    }

    /// Counts a latency if it is longer than the average.
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

    /// Returns whether it has failed so often in a row that it should be ejected.
    fn is_failing(&self, settings: &Ejection) -> bool {
        let on_probation = matches!(self.situation, Situation::Up { on_probation: true, .. });
        let enough = if on_probation { 1 } else { settings.failures };
        settings.failures > 0 && self.in_a_row >= enough
    }

    /// Returns whether its failures in a row are twice as many as an ejection needs.
    #[must_use]
    pub fn fails_all(&self, settings: &Ejection) -> bool {
        settings.failures > 0 && self.in_a_row >= settings.failures.saturating_mul(2)
    }

    /// Ejects it for a while.
    pub fn eject(&mut self, settings: &Ejection, now: Instant) {
        self.ejections = (self.ejections + 1).min(MOST_EJECTIONS);
        self.turn(Situation::Ejected { until: now + settings.time * self.ejections }, now);
    }

    fn go_down(&mut self, again: bool, now: Instant) {
        self.relapses = if again { (self.relapses + 1).min(MOST_RELAPSES) } else { 0 };
        self.turn(Situation::Down { check: now + self.pace() }, now);
    }

    /// Records that it accepts connections again.
    ///
    /// Returns whether it was down.
    pub fn accepts(&mut self, now: Instant) -> bool {
        let was_down = self.access(now) == Access::Down;
        if was_down {
            // Most likely it is another process.
            self.latency = None;
            self.measured = Quantiles::new(now);
            self.rise(true, now);
        }
        was_down
    }

    fn rise(&mut self, on_probation: bool, now: Instant) {
        self.penalty = Penalty::none(now);
        self.outcomes = Outcomes::default();
        self.turn(Situation::Up { slowly: true, on_probation }, now);
    }

    fn turn(&mut self, situation: Situation, now: Instant) {
        self.situation = situation;
        self.since = now;
        self.in_a_row = 0;
        self.broken = 0;
    }

    fn pace(&self) -> Duration {
        (CHECK_EVERY * (1 << self.relapses)).mul_f64(1.0 - 0.2 * fastrand::f64())
    }

    /// Returns the time of the next check, if it is down.
    #[must_use]
    pub fn check_due(&self) -> Option<Instant> {
        match self.situation {
            Situation::Down { check } => Some(check),
            _ => None,
        }
    }

    /// Postpones the next check while one runs that takes at most `most`.
    pub fn begin_check(&mut self, most: Duration, now: Instant) {
        let pace = self.pace();
        if let Situation::Down { check } = &mut self.situation {
            *check = now + most + pace;
        }
    }

    /// Records that a check that began at `began` found no accepted connection.
    pub fn stay_down(&mut self, began: Instant, now: Instant) {
        let pace = self.pace();
        if let Situation::Down { check } = &mut self.situation {
            *check = (began + pace).max(now);
        }
    }

    /// Returns whether it takes calls. Ends an ejection whose time is over.
    pub fn access(&mut self, now: Instant) -> Access {
        match self.situation {
            Situation::Up { .. } => Access::Up,
            Situation::Down { .. } => Access::Down,
            Situation::Ejected { until } if now < until => Access::Ejected,
            Situation::Ejected { until } => {
                self.rise(true, until);
                Access::Up
            }
        }
    }

    /// Returns the end of its ejection, if it is ejected.
    #[must_use]
    pub fn ejected_until(&self, now: Instant) -> Option<Instant> {
        match self.situation {
            Situation::Ejected { until } if now < until => Some(until),
            _ => None,
        }
    }

    /// Returns whether it takes calls, and fewer than half of its last twenty attempts failed.
    pub fn is_healthy(&mut self, now: Instant) -> bool {
        self.access(now) == Access::Up && self.outcomes.are_good()
    }

    /// Returns its part of its full share of calls, above 0 and at most 1: less after failures, while it is silent, and
    /// in its slow start.
    #[must_use]
    pub fn share(&self, slow_start: Duration, now: Instant) -> f64 {
        self.started(slow_start, now) * self.penalty.factor(now) * self.silence_factor(now)
    }

    /// Returns the part of its full share that the slow start allows.
    #[must_use]
    pub fn started(&self, slow_start: Duration, now: Instant) -> f64 {
        if !matches!(self.situation, Situation::Up { slowly: true, .. }) {
            return 1.0;
        }
        let age = now.saturating_duration_since(self.since);
        if age >= slow_start {
            return 1.0;
        }
        FIRST_SHARE + (1.0 - FIRST_SHARE) * age.as_secs_f64() / slow_start.as_secs_f64()
    }

    fn silence_factor(&self, now: Instant) -> f64 {
        if self.in_flight == 0 {
            return 1.0;
        }
        let silence = now.saturating_duration_since(self.progress).as_secs_f64();
        if silence <= SILENT_SECONDS {
            return 1.0;
        }
        let usual = self.latency.map_or(SILENT_SECONDS_UNKNOWN, |latency| {
            (SILENT_LATENCIES * latency.last()).max(SILENT_SECONDS)
        });
        if silence <= usual { 1.0 } else { (usual / silence).powi(2) }
    }

    #[must_use]
    pub fn in_flight(&self) -> u32 {
        self.in_flight
    }

    /// Returns the start of the last attempt.
    #[must_use]
    pub fn begun(&self) -> Instant {
        self.begun
    }

    /// Returns the time of the last reply.
    #[must_use]
    pub fn answered(&self) -> Option<Instant> {
        self.answered
    }

    /// Returns the number of finished attempts, and of failed ones.
    #[must_use]
    pub fn totals(&self) -> (u64, u64) {
        (self.calls, self.failures)
    }

    /// Returns a quantile of the durations of successful attempts in the last ten to twenty seconds; `None` if there
    /// was none.
    pub fn measured(&mut self, share: f64, now: Instant) -> Option<Duration> {
        self.measured.measured(share, now)
    }

    /// Returns the average duration of an attempt for the balancer, in seconds, or the current silence if that is
    /// longer. `None` if nothing is known.
    #[must_use]
    pub fn latency(&self, now: Instant) -> Option<f64> {
        let silence = (self.in_flight > 0)
            .then(|| now.saturating_duration_since(self.progress).as_secs_f64());
        match (self.latency.map(|latency| latency.seconds(now)), silence) {
            (Some(latency), Some(silence)) => Some(latency.max(silence)),
            (None, Some(silence)) if silence > SILENT_SECONDS_UNKNOWN => Some(silence),
            (latency, _) => latency,
        }
    }

    /// Returns the outcomes since the last call. A period without an ejection makes the next one shorter.
    pub fn take_rate(&mut self, slow_start: Duration, now: Instant) -> Rate {
        if self.access(now) != Access::Ejected && self.started(slow_start, now) >= 1.0 {
            self.ejections = self.ejections.saturating_sub(1);
        }
        std::mem::take(&mut self.rate)
    }
}

/// The last twenty outcomes, the latest in the lowest bit. A failure is 1.
#[derive(Debug, Clone, Copy, Default)]
struct Outcomes(u32);

impl Outcomes {
    const KEPT: u32 = 20;

    fn push(&mut self, success: bool) {
        self.0 = (self.0 << 1 | u32::from(!success)) & ((1 << Self::KEPT) - 1);
    }

    fn are_good(self) -> bool {
        self.0.count_ones() * 2 < Self::KEPT
    }
}

/// Minimum number of instances with enough calls for a comparison.
const LEAST_INSTANCES: usize = 5;
const LEAST_CALLS: u32 = 100;

/// Returns the indexes of the rates that are lower than the mean by more than 1.9 standard deviations.
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

/// Returns whether one more of `all` instances may be ejected by its failures alone.
#[must_use]
pub fn may_eject(settings: &Ejection, ejected: usize, all: usize) -> bool {
    (ejected + 1) as f64 <= settings.max * all as f64
}

#[cfg(test)]
mod tests;
