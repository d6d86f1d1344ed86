//! The adaptive concurrency limit: as many calls in flight as the service answers about as fast as it answers few.
//!
//! A service that works on k calls at a time does not answer call k+1 any sooner if it is sent at once. The call only
//! waits at the service instead of here, where it can be refused. By Little's law, latency grows with the calls in
//! flight beyond k. So k is found by comparing the latency of calls that began while few were in flight (the *healthy*
//! latency) with the latency of calls that began at the limit:
//!
//! - If calls at the limit are as fast as the healthy ones, the limit rises, quickly while nothing contradicts it.
//! - If calls at the limit are slower, the limit is set to what Little's law gives, plus a little, so that the service
//!   always has a next call.
//! - If calls that began with so few in flight that they were always fast are slow now, the service itself has become
//!   slower. The same holds for calls that are slow however many were in flight. Their latency is the healthy one from
//!   now on, and the same rate then needs more calls in flight.
//! - If the service sends no answer for one and a half healthy latencies, it is not full: it hangs or is slow. The
//!   limit opens up to its maximum, and timeouts, ejection and the breaker take over.
//!
//! Calls are compared as cohorts: all calls that began within a period, when all of them have ended. Comparing calls
//! that ended within a period would mix the fast ones of the latest calls with the slow ones of earlier calls.
//! Latencies of different kinds of calls differ, so means are compared only as far as chance allows.
//!
//! If a service was full recently, its limit is halved for a short time now and then. This measures the healthy latency
//! again, also under constant load. Time is an argument. See J. Little, "A Proof for the Queuing Formula L = λW";
//! Netflix's concurrency-limits for limits by gradients of latency; N. Cardwell et al., "BBR: Congestion-Based
//! Congestion Control" for measuring with less in flight.

use super::answers::{Answers, LITTLE};
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Initial limit, before anything is measured.
const FIRST: f64 = 20.0;
const LEAST: f64 = 1.0;

/// Up to this number of calls in flight, a service has no load.
const QUIET: f64 = 1.0;

/// Multiples of the healthy latency: equal, equal but for chance, and slower.
const ALIKE: f64 = 1.05;
const AS_FAST: f64 = 1.15;
const SLOWER: f64 = 1.25;

/// If the latency at the limit is higher by less than this factor, half as many calls have the healthy latency.
const HALF_IS_HEALTHY: f64 = 1.5;

/// Factor beyond Little's law, so that the service never waits for the next call.
const SPARE: f64 = 1.15;

/// Share of the limit: calls that began with at least this many in flight count as calls at the limit.
const NEAR: f64 = 0.8;

/// The limit grows up to this multiple of the calls in flight that are known to be answered fast.
const AHEAD: f64 = 1.3;

/// Minimum duration and size of a cohort. Its calls began within one healthy latency, and at least within this time.
const COHORT: Duration = Duration::from_millis(50);
const CALLS: u32 = 16;

/// Maximum number of cohorts that have not ended; older ones are forgotten.
const COHORTS: usize = 16;

/// Minimum number of answers for a comparison. If this many show no difference, there is none.
const FEW: u32 = 8;
const ENOUGH: u32 = 512;
/// The same after the healthy latency has changed.
const ENOUGH_SOON: u32 = 64;

/// Slow answers in a row that are not chance. The first number ends quick growth. The second (at the limit) shows that
/// the service is full. The third (below the limit) shows whether the calls in flight are the cause.
const SOME_SLOW: u32 = 2;
const ALL_SLOW: u32 = 4;
const TREND: u32 = 8;

/// Elasticities. Below the first, the calls in flight are not the cause of the latency; above the second, they are.
const BY_ITSELF: f64 = 0.25;
const BY_LOAD: f64 = 0.5;

/// The limit opens after this silence if no call was ever answered.
const UNKNOWN: Duration = Duration::from_secs(1);

/// Number of decisions at the limit until it is halved: after the healthy latency has changed, and at most.
const SOON: u32 = 2;
const SELDOM: u32 = 64;

/// Largest step of careful growth; after it, growth is quick again.
const LARGEST_STEP: f64 = 32.0;

#[derive(Debug)]
pub struct Limit {
    max: f64,
    current: f64,
    growth: Growth,
    /// Answers to calls that began with few in flight.
    healthy: Answers,
    /// Largest number of calls in flight that is answered as fast as fewer are.
    carried: f64,
    /// Slow answers since the last fast one.
    slow: Answers,
    /// Cohorts that have not ended. Calls that begin now belong to the last one.
    cohorts: VecDeque<Cohort>,
    /// Number of cohorts before these.
    forgotten: u64,
    /// Ended cohorts since the last decision.
    seen: Seen,
    /// Number of decisions. Cohorts from before the last one belong to another limit.
    decision: u64,
    halved: Option<Halved>,
    /// Decisions at the limit since it was halved, and the number after which it is halved again.
    decisions: u32,
    halved_after: u32,
    heard: Instant,
}

#[derive(Debug, Clone, Copy)]
enum Growth {
    /// By one for each fast answer near the limit.
    Quick,
    /// By a step that doubles, and at most by an eighth: the service was full recently.
    Careful { step: f64 },
}

/// A limit that is halved for a while.
#[derive(Debug, Clone, Copy)]
struct Halved {
    limit: f64,
    /// Seconds per answer before, with twice as many calls in flight.
    before: f64,
    /// Its calls have begun. It lasts until they have ended.
    is_begun: bool,
}

/// Calls that began within one period.
#[derive(Debug)]
struct Cohort {
    opened: Instant,
    begun: u32,
    ended: u32,
    is_open: bool,
    is_concluded: bool,
    decision: u64,
    limit: f64,
    halved: Option<Halved>,
    seen: Seen,
}

#[derive(Debug, Default, Clone, Copy)]
struct Seen {
    all: Answers,
    /// Answers to calls that began with few in flight.
    quiet: Answers,
    /// Answers to calls that began at the limit, or nearly.
    full: Answers,
}

/// The cohort that a call belongs to.
#[derive(Debug, Clone, Copy)]
pub struct CohortId(u64);

impl Limit {
    #[must_use]
    pub fn new(max: usize, now: Instant) -> Self {
        let max = max as f64;
        Self {
            max,
            current: FIRST.min(max),
            growth: Growth::Quick,
            healthy: Answers::default(),
            carried: QUIET,
            slow: Answers::default(),
            cohorts: VecDeque::with_capacity(COHORTS + 1),
            forgotten: 0,
            seen: Seen::default(),
            decision: 0,
            halved: None,
            decisions: 0,
            halved_after: SELDOM,
            heard: now,
        }
    }

    /// Maximum number of calls in flight.
    #[must_use]
    pub fn get(&self) -> usize {
        self.halved.map_or(self.current, |halved| halved.limit.min(self.current)).round() as usize
    }

    /// Returns the latency of a call while few are in flight.
    #[must_use]
    pub fn healthy(&self) -> Option<Duration> {
        (self.healthy.count > 0).then(|| Duration::from_secs_f64(self.healthy.mean()))
    }

    /// Records the start of a call, with `level` in flight, itself included.
    pub fn began(&mut self, level: usize, now: Instant) -> CohortId {
        let longest = self.healthy().unwrap_or_default().max(COHORT);
        let counts = |halved: &Halved| !halved.is_begun && level as f64 <= halved.limit;
        let halved = self.halved.filter(counts);
        if level == 1 {
            self.heard = now;
        }
        if let Some(last) = self.cohorts.back_mut() {
            let age = now.saturating_duration_since(last.opened);
            let is_late = age >= 4 * longest && last.begun >= FEW;
            let is_over = age >= longest && (last.begun >= CALLS || is_late);
            if let Some(halved) = self.halved.as_mut().filter(|_| is_over && last.halved.is_some())
            {
                halved.is_begun = true;
            }
            last.is_open = !is_over && last.halved.is_some() == halved.is_some();
        }
        self.conclude(self.cohorts.len().saturating_sub(1));
        if self.cohorts.back().is_none_or(|last| !last.is_open) {
            let (limit, decision) = (self.current.round(), self.decision);
            let halved = halved.filter(|_| self.halved.is_some_and(|halved| !halved.is_begun));
            self.cohorts.push_back(Cohort::new(limit, decision, halved, now));
            if self.cohorts.len() > COHORTS {
                let oldest = self.cohorts.pop_front();
                if oldest.is_some_and(|oldest| oldest.halved.is_some() && !oldest.is_concluded) {
                    self.halved = None;
                }
                self.forgotten += 1;
            }
        }
        if let Some(last) = self.cohorts.back_mut() {
            last.begun += 1;
        }
        CohortId(self.forgotten + self.cohorts.len() as u64 - 1)
    }

    /// Records the end of a call that began with `level` in flight. `answered` is its duration, if it was answered.
    pub fn ended(
        &mut self,
        of: CohortId,
        level: usize,
        answered: Option<Duration>,
        left: usize,
        now: Instant,
    ) {
        let level = level as f64;
        if answered.is_some() {
            self.heard = now;
        }
        let place = of.0.checked_sub(self.forgotten).map(|place| place as usize);
        let Some(place) = place.filter(|place| *place < self.cohorts.len()) else { return };
        let cohort = &mut self.cohorts[place];
        cohort.ended += 1;
        if let Some(took) = answered {
            let seconds = took.as_secs_f64();
            cohort.seen.add(level, seconds, self.carried, cohort.limit);
            if cohort.decision == self.decision {
                self.answered(level, seconds, left as f64);
            }
        }
        self.conclude(place);
    }

    /// Evaluates a cohort when all its calls have ended.
    fn conclude(&mut self, place: usize) {
        let Some(cohort) = self.cohorts.get_mut(place) else { return };
        if cohort.is_open || cohort.ended < cohort.begun || cohort.is_concluded {
            return;
        }
        cohort.is_concluded = true;
        let (seen, halved) = (cohort.seen, cohort.halved);
        let is_current = cohort.decision == self.decision;
        match halved {
            Some(halved) => self.measured(&seen.all, halved),
            None => self.judge(seen, is_current),
        }
    }

    /// Opens the limit if the service is silent while calls wait. Returns whether it did.
    pub fn open_if_silent(&mut self, now: Instant) -> bool {
        if self.silent_from().is_none_or(|from| now < from) {
            return false;
        }
        self.halved = None;
        self.growth = Growth::Quick;
        self.set(self.max);
        true
    }

    /// Returns the time at which the silence of the service is long enough to open the limit; `None` if it is open.
    #[must_use]
    pub fn silent_from(&self) -> Option<Instant> {
        let patience = self.healthy().map_or(UNKNOWN, |healthy| healthy.max(COHORT).mul_f64(1.5));
        ((self.get() as f64) < self.max).then(|| self.heard.checked_add(patience)).flatten()
    }

    /// Evaluates a single answer.
    fn answered(&mut self, level: f64, seconds: f64, left: f64) {
        if self.healthy.count == 0 {
            self.healthy.add(level, seconds);
        }
        let healthy = self.healthy.mean();
        // The last answers of a burst are its slow ones.
        if seconds > self.healthy.outlier(SLOWER) && left >= NEAR * self.current.min(level) {
            self.slow.add(level, seconds);
        } else {
            self.slow = Answers::default();
        }
        if self.halved.is_some() {
            return;
        }
        let is_quick = matches!(self.growth, Growth::Quick) && self.slow.count < SOME_SLOW;
        if is_quick && seconds <= AS_FAST * healthy + LITTLE && self.current <= AHEAD * level {
            self.set(self.current + 1.0);
        }
        if self.slow.count >= ALL_SLOW {
            self.slowed();
        }
    }

    /// Called when some answers in a row are slow: decides as soon as the cause is certain.
    fn slowed(&mut self) {
        let slow = self.slow;
        let (level, is_at_limit) = (slow.level(), slow.level() >= NEAR * self.current);
        let trend = slow.elasticity().filter(|_| slow.count >= TREND);
        if level <= AS_FAST * self.carried || trend.is_some_and(|trend| trend < BY_ITSELF) {
            self.slower_by_itself(slow, is_at_limit);
        } else if is_at_limit {
            self.full(&slow, self.current);
        } else if trend.is_some_and(|trend| trend > BY_LOAD) {
            self.full(&slow, level);
        } else if slow.count < 4 * TREND {
            return;
        }
        self.slow = Answers::default();
    }

    /// Evaluates a cohort that ran with half as many calls in flight.
    fn measured(&mut self, answers: &Answers, halved: Halved) {
        let Halved { limit, before, .. } = halved;
        self.halved = None;
        self.decide();
        if answers.count < FEW {
            return;
        }
        if answers.mean() < before / HALF_IS_HEALTHY && limit > 1.0 {
            // Half may still be too many.
            self.halve(limit, answers.mean());
            return;
        }
        let is_alike = before <= ALIKE * answers.mean();
        self.carried = if is_alike { 2.0 * limit } else { limit }.max(QUIET);
        self.healthy = *answers;
        if !is_alike {
            let fits = 2.0 * limit * answers.mean() / before;
            self.set((fits * SPARE).min(self.current));
        }
    }

    /// Halves a limit of `limit` calls, with which an answer took `before` seconds.
    fn halve(&mut self, limit: f64, before: f64) {
        self.decisions = 0;
        let limit = (limit / 2.0).floor();
        if limit < 1.0 {
            return;
        }
        self.halved = Some(Halved { limit, before, is_begun: false });
    }

    fn decide(&mut self) {
        self.seen = Seen::default();
        self.decision += 1;
    }

    /// Evaluates a cohort that has ended. One that is not current began under another limit.
    fn judge(&mut self, seen: Seen, is_current: bool) {
        if !is_current {
            return;
        }
        self.seen.all.merge(&seen.all);
        self.seen.quiet.merge(&seen.quiet);
        self.seen.full.merge(&seen.full);
        let Seen { all, quiet, full } = self.seen;
        let before = self.healthy;
        if quiet.count >= FEW && before.count > 0 && quiet.is_over(SLOWER, &before) {
            self.slower_by_itself(quiet, full.count >= FEW);
            return;
        }
        // Answers as fast as with few in flight count as healthy, too.
        let healthy = if self.carry(&all) { &seen.all } else { &seen.quiet };
        self.healthy.merge(healthy);
        self.healthy.forget();
        if full.count < FEW {
            if all.count >= ENOUGH {
                self.seen = Seen::default();
            }
        } else if full.is_over(SLOWER, &before) {
            if all.elasticity().is_some_and(|elasticity| elasticity < BY_ITSELF) {
                self.slower_by_itself(all, true);
            } else {
                self.full(&full, self.current);
            }
        } else if full.is_under(AS_FAST, &before) {
            self.fast(&full);
        } else if full.count >= if self.halved_after <= SOON { ENOUGH_SOON } else { ENOUGH } {
            if let Growth::Careful { step } = &mut self.growth {
                *step = 1.0;
            }
            self.decide();
            self.measure_again(&full);
        }
    }

    /// Records the calls in flight if they were answered as fast as few. Returns whether they were.
    fn carry(&mut self, answers: &Answers) -> bool {
        let is_alike = answers.count >= FEW
            && answers.mean() <= ALIKE * self.healthy.mean()
            && answers.is_under(AS_FAST, &self.healthy);
        if is_alike {
            self.carried = self.carried.max(answers.level());
        }
        is_alike
    }

    fn slower_by_itself(&mut self, quiet: Answers, is_full: bool) {
        let before = self.healthy.mean();
        self.healthy = quiet;
        if is_full && before > 0.0 {
            self.set(self.current * quiet.mean() / before);
        }
        self.decide();
        (self.decisions, self.halved_after) = (0, SOON);
    }

    /// Lowers the limit: with `level` calls in flight, answers are slower than healthy ones.
    fn full(&mut self, full: &Answers, level: f64) {
        self.decide();
        self.growth = Growth::Careful { step: 1.0 };
        if self.healthy.count < FEW {
            // The healthy latency is a guess.
            self.halve(level, full.mean());
            return;
        }
        // One measurement does not outweigh all earlier ones.
        let fits = full.level() * self.healthy.mean() / full.mean();
        let fits = fits.max(self.carried / 2.0);
        self.carried = self.carried.min(fits).max(QUIET);
        self.set((fits * SPARE).min(self.current));
        self.decisions += 1;
    }

    /// Raises the limit: calls at the limit are as fast as healthy ones.
    fn fast(&mut self, full: &Answers) {
        self.carry(full);
        let Growth::Careful { step } = self.growth else {
            self.seen = Seen::default();
            return;
        };
        self.decide();
        self.measure_again(full);
        self.set(self.current + step.min((self.current / 8.0).max(1.0)));
        self.growth = match step {
            LARGEST_STEP.. => Growth::Quick,
            _ => Growth::Careful { step: step * 2.0 },
        };
    }

    /// Halves the limit now and then if the service was full recently. Rare, because it costs calls.
    fn measure_again(&mut self, full: &Answers) {
        self.decisions += 1;
        if self.decisions >= self.halved_after && matches!(self.growth, Growth::Careful { .. }) {
            self.halved_after = (self.halved_after * 2).min(SELDOM);
            self.halve(self.current, full.mean());
        }
    }

    fn set(&mut self, limit: f64) {
        self.current = limit.max(LEAST).min(self.max);
    }
}

impl Cohort {
    fn new(limit: f64, decision: u64, halved: Option<Halved>, now: Instant) -> Self {
        let (begun, ended, seen) = (0, 0, Seen::default());
        let (is_open, is_concluded) = (true, false);
        Self { opened: now, begun, ended, is_open, is_concluded, decision, limit, halved, seen }
    }
}

impl Seen {
    fn add(&mut self, level: f64, seconds: f64, carried: f64, limit: f64) {
        self.all.add(level, seconds);
        if level <= carried {
            self.quiet.add(level, seconds);
        }
        if level >= NEAR * limit {
            self.full.add(level, seconds);
        }
    }
}
