//! Latency of calls: an average for the balancer, and quantiles for retries, hedges and the admin page.

use std::time::{Duration, Instant};

/// An exponentially weighted average: after [`Ewma::MEMORY`], an observation has a third of its weight.
#[derive(Debug, Clone, Copy)]
pub struct Ewma {
    seconds: f64,
    at: Instant,
}

impl Ewma {
    const MEMORY: Duration = Duration::from_secs(5);

    #[must_use]
    pub fn new(first: Duration, now: Instant) -> Self {
        Self { seconds: first.as_secs_f64(), at: now }
    }

    pub fn observe(&mut self, latency: Duration, now: Instant) {
        let age = now.saturating_duration_since(self.at).as_secs_f64();
        // Two at the same moment count at least a hundredth, so that a burst is not lost.
        let weight = (1.0 - (-age / Self::MEMORY.as_secs_f64()).exp()).max(0.01);
        self.seconds += (latency.as_secs_f64() - self.seconds) * weight;
        self.at = now;
    }

    /// Returns the average at the last observation, in seconds.
    #[must_use]
    pub fn last(&self) -> f64 {
        self.seconds
    }

    /// Returns the average in seconds. It fades while nothing is observed, so that an instance that was slow once is
    /// tried again.
    #[must_use]
    pub fn seconds(&self, now: Instant) -> f64 {
        let age = now.saturating_duration_since(self.at).as_secs_f64();
        self.seconds * (-age / Self::MEMORY.as_secs_f64()).exp()
    }
}

/// Quantiles of the last ten to twenty seconds, at most a sixteenth too high. Holds two generations of counters, of ten
/// seconds each.
#[derive(Debug)]
pub struct Quantiles {
    young: Counts,
    old: Counts,
    since: Instant,
    /// Cached quantile 0.95, which hedges need at every call.
    p95: Option<(Instant, Option<Duration>)>,
}

/// Sixteen steps per octave, from 16 microseconds to more than four minutes.
const STEPS: usize = (OCTAVES as usize) << BITS;
const OCTAVES: u32 = 24;
/// Bits of a step's number within its octave.
const BITS: u32 = 4;

#[derive(Debug)]
struct Counts(Box<[u32]>);

impl Quantiles {
    const GENERATION: Duration = Duration::from_secs(10);
    /// Minimum number of observations for a decision.
    const LEAST: u64 = 20;
    const REMEMBERED: Duration = Duration::from_millis(100);

    #[must_use]
    pub fn new(now: Instant) -> Self {
        let counts = || Counts(vec![0; STEPS].into_boxed_slice());
        Self { young: counts(), old: counts(), since: now, p95: None }
    }

    pub fn observe(&mut self, latency: Duration, now: Instant) {
        self.age(now);
        let count = &mut self.young.0[step(latency)];
        *count = count.saturating_add(1);
    }

    /// Returns the latency that `share` of the calls do not exceed; `None` if there are too few observations.
    pub fn at(&mut self, share: f64, now: Instant) -> Option<Duration> {
        self.quantile(share, Self::LEAST, now)
    }

    /// Like [`Quantiles::at`], for any number of calls: for people, who see that number beside it. `None` without
    /// observations.
    pub fn measured(&mut self, share: f64, now: Instant) -> Option<Duration> {
        self.quantile(share, 1, now)
    }

    fn quantile(&mut self, share: f64, least: u64, now: Instant) -> Option<Duration> {
        self.age(now);
        let counts = || {
            self.young.0.iter().zip(self.old.0.iter()).map(|(a, b)| u64::from(*a) + u64::from(*b))
        };
        let total: u64 = counts().sum();
        if total < least {
            return None;
        }
        let wanted = (total as f64 * share).ceil() as u64;
        let mut seen = 0;
        let found = counts().position(|count| {
            seen += count;
            seen >= wanted
        });
        found.map(upper_end)
    }

    pub fn p95(&mut self, now: Instant) -> Option<Duration> {
        match self.p95 {
            Some((at, known)) if now.saturating_duration_since(at) < Self::REMEMBERED => known,
            _ => {
                let found = self.at(0.95, now);
                self.p95 = Some((now, found));
                found
            }
        }
    }

    fn age(&mut self, now: Instant) {
        let age = now.saturating_duration_since(self.since);
        if age < Self::GENERATION {
            return;
        }
        std::mem::swap(&mut self.young, &mut self.old);
        self.young.0.fill(0);
        if age >= 2 * Self::GENERATION {
            self.old.0.fill(0);
        }
        self.since = now;
    }
}

fn step(latency: Duration) -> usize {
    let micros = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX).max(1 << BITS);
    let octave = micros.ilog2() - BITS;
    // The bits behind the leading one.
    let within = (micros >> octave) as usize & ((1 << BITS) - 1);
    (((octave as usize) << BITS) + within).min(STEPS - 1)
}

fn upper_end(step: usize) -> Duration {
    let (octave, within) = (step >> BITS, step as u64 & ((1 << BITS) - 1));
    Duration::from_micros(((1 << BITS) + within + 1) << octave)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_average_follows_what_is_new_and_forgets_what_is_old() {
        let start = Instant::now();
        let mut average = Ewma::new(Duration::from_millis(10), start);
        average.observe(Duration::from_millis(100), start + Duration::from_secs(5));
        assert!((0.060..0.072).contains(&average.seconds), "{average:?}");
        average.observe(Duration::from_millis(100), start + Duration::from_mins(2));
        assert!(average.seconds > 0.099, "{average:?}");
    }

    #[test]
    fn what_is_known_fades() {
        let start = Instant::now();
        let average = Ewma::new(Duration::from_millis(100), start);
        let seen = [0, 5, 60].map(|s| average.seconds(start + Duration::from_secs(s)));
        assert!((0.036..0.038).contains(&seen[1]) && seen[2] < 0.001, "{seen:?}");
    }

    #[test]
    fn a_burst_at_one_moment_is_not_lost() {
        let now = Instant::now();
        let mut average = Ewma::new(Duration::from_millis(1), now);
        (0..500).for_each(|_| average.observe(Duration::from_millis(100), now));
        assert!(average.seconds > 0.09, "{average:?}");
    }

    #[test]
    fn quantiles_are_right_to_a_sixteenth() {
        let now = Instant::now();
        let mut quantiles = Quantiles::new(now);
        (1..=1000).for_each(|ms| quantiles.observe(Duration::from_millis(ms), now));
        for (share, exact) in [(0.5, 500.0), (0.95, 950.0), (0.99, 990.0)] {
            let found = quantiles.at(share, now).unwrap().as_secs_f64() * 1000.0;
            assert!((exact..exact * 1.0626).contains(&found), "{share}: {found}");
        }
        for extreme in [Duration::ZERO, Duration::from_secs(1 << 40)] {
            quantiles.observe(extreme, now);
        }
    }

    #[test]
    fn quantiles_need_something_to_go_by_and_forget() {
        let start = Instant::now();
        let mut quantiles = Quantiles::new(start);
        (0..19).for_each(|_| quantiles.observe(Duration::from_millis(3), start));
        assert_eq!(quantiles.at(0.5, start), None);
        let shown = quantiles.measured(0.5, start).unwrap_or_default();
        assert!((3000..3200).contains(&shown.as_micros()), "{shown:?}");
        quantiles.observe(Duration::from_millis(3), start);
        assert!(quantiles.at(0.5, start).is_some());
        assert!(quantiles.at(0.5, start + Duration::from_secs(11)).is_some());
        assert_eq!(quantiles.at(0.5, start + Duration::from_secs(40)), None);
        assert_eq!(quantiles.measured(0.5, start + Duration::from_secs(40)), None);
    }
}
