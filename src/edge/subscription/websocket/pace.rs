//! Rate limit of frames that start no operation: pings, pongs, parts of messages, ends of operations, invalid messages.
//!
//! Operations are bounded by their number, their cost and their caller's bucket. All other frames cost the client
//! almost nothing and the gateway a little. A client past the rate is read later, and one that stays past it is
//! flooding.

use std::time::{Duration, Instant};

/// Frames that may arrive at once.
const BURST: f64 = 1_000.0;

/// Frames per second after that.
const RATE: f64 = 500.0;

/// With fewer frames left than this, the client counts as slowed down.
const LOW: f64 = 50.0;

/// Maximum time that a client may be slowed down. After that it is flooding.
const FLOOD: Duration = Duration::from_secs(5);

pub(super) struct Pace {
    /// Frames that are left at `at`; negative after a burst of operations that were refused.
    left: f64,
    at: Instant,
    low_since: Option<Instant>,
}

impl Pace {
    pub(super) fn new(now: Instant) -> Self {
        Self { left: BURST, at: now, low_since: None }
    }

    /// Counts a frame.
    pub(super) fn count(&mut self, now: Instant) {
        self.left = self.left(now) - 1.0;
        self.at = now;
        if self.left >= LOW {
            self.low_since = None;
        } else {
            self.low_since.get_or_insert(now);
        }
    }

    /// Returns the time to wait before the next frame is read; zero if there is none.
    pub(super) fn wait(&self, now: Instant) -> Duration {
        let missing = (1.0 - self.left(now)).max(0.0);
        Duration::from_secs_f64(missing / RATE)
    }

    pub(super) fn is_flood(&self, now: Instant) -> bool {
        self.low_since.is_some_and(|since| now.saturating_duration_since(since) > FLOOD)
    }

    fn left(&self, now: Instant) -> f64 {
        let gained = now.saturating_duration_since(self.at).as_secs_f64() * RATE;
        (self.left + gained).min(BURST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_passes_and_a_flood_is_slowed_down() {
        let start = Instant::now();
        let mut pace = Pace::new(start);
        for _ in 0..1_000 {
            assert_eq!(pace.wait(start), Duration::ZERO);
            pace.count(start);
        }
        assert!(pace.wait(start) >= Duration::from_millis(2));
        let later = start + Duration::from_secs(1);
        for _ in 0..500 {
            assert_eq!(pace.wait(later), Duration::ZERO);
            pace.count(later);
        }
        assert!(pace.wait(later) > Duration::ZERO);
        let much_later = later + Duration::from_hours(1);
        assert!((pace.left(much_later) - BURST).abs() < f64::EPSILON, "a pause saves no more");
    }

    #[test]
    fn who_is_slowed_down_for_long_is_a_flood() {
        let start = Instant::now();
        let mut pace = Pace::new(start);
        let mut now = start;
        while !pace.is_flood(now) {
            now += pace.wait(now);
            pace.count(now);
        }
        let time = now - start;
        assert!((5..6).contains(&time.as_secs()), "{time:?}");
        // A client that sends as much in bursts, with pauses, is not flooding.
        let mut pace = Pace::new(start);
        for burst in 0..20 {
            let mut now = start + burst * Duration::from_secs(4);
            for _ in 0..2_000 {
                now += pace.wait(now);
                pace.count(now);
                assert!(!pace.is_flood(now));
            }
        }
    }
}
