//! The retry budget of a source: the load that retries may add to it.
//!
//! Each second allows retries for a share of that second's calls, plus a fixed few. At the beginning of a fault some
//! more are allowed, once. A fault has ended when the budget has not been empty for a while. So a source that fails
//! everything gets a tenth more calls, not three times as many. Hedges use the same budget. Attempts after one that was
//! not sent do not. Time is an argument.

use super::super::settings::Retry;
use super::super::window::{Counts, Window};
use std::time::{Duration, Instant};

const SECOND: Duration = Duration::from_secs(1);

/// Length of a window that never forgets what was spent within the last second: it has ten slices, of which the latest
/// has only begun.
const MORE_THAN_A_SECOND: Duration = Duration::from_millis(1_120);

/// Time without an empty budget after which a fault has ended.
const FAULT_ENDS_AFTER: Duration = Duration::from_secs(10);

#[derive(Debug)]
pub struct Budget {
    share: f64,
    /// Retries per second beside the share.
    free: f64,
    /// Retries beside both, once per fault.
    burst: u32,
    burst_left: u32,
    /// Time when the share and the free retries were last used up.
    empty: Option<Instant>,
    calls: Window,
    spent: Window,
}

impl Budget {
    #[must_use]
    pub fn new(settings: &Retry, now: Instant) -> Self {
        Self {
            share: settings.budget,
            free: f64::from(settings.free),
            burst: settings.burst,
            burst_left: settings.burst,
            empty: None,
            calls: Window::new(SECOND, now),
            spent: Window::new(MORE_THAN_A_SECOND, now),
        }
    }

    /// Counts the start of a call. Retries do not count.
    pub fn count(&mut self, now: Instant) {
        self.calls.count(Counts { calls: 1, marked: 0 }, now);
    }

    /// Takes one retry from the budget. Returns whether there was one.
    pub fn spend(&mut self, now: Instant) -> bool {
        self.calls.turn_to(now);
        self.spent.turn_to(now);
        if self.steady() >= 1.0 {
            self.spent.count(Counts { calls: 0, marked: 1 }, now);
            return true;
        }
        let last = self.empty.replace(now);
        if last.is_none_or(|last| now.saturating_duration_since(last) >= FAULT_ENDS_AFTER) {
            self.burst_left = self.burst;
        }
        let is_paid = self.burst_left > 0;
        self.burst_left = self.burst_left.saturating_sub(1);
        is_paid
    }

    /// Returns the retries left, as of the last call or retry.
    #[must_use]
    pub fn left(&self) -> f64 {
        self.steady() + f64::from(self.burst_left)
    }

    /// Returns the budget without the burst.
    fn steady(&self) -> f64 {
        let allowed = f64::from(self.calls.sum().calls) * self.share + self.free;
        (allowed - f64::from(self.spent.sum().marked)).max(0.0)
    }
}
