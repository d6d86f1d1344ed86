//! The retry budget of a source: what further tries may add to its load.
//!
//! In any ten seconds, a share of that time's calls and a few a second on top. So a source that fails everything sees
//! a tenth more calls, not three times as many. Hedges are paid out of it, too. Time is an argument.

use super::super::settings::Retry;
use super::super::window::{Counts, Window};
use std::time::{Duration, Instant};

const SPAN: Duration = Duration::from_secs(10);

#[derive(Debug)]
pub struct Budget {
    share: f64,
    /// Beside the share, in all of the window.
    free: f64,
    /// What is marked is what was spent.
    window: Window,
}

impl Budget {
    #[must_use]
    pub fn new(settings: &Retry, now: Instant) -> Self {
        let free = f64::from(settings.free) * SPAN.as_secs_f64();
        Self { share: settings.budget, free, window: Window::new(SPAN, now) }
    }

    /// A call was made: first tries only.
    pub fn count(&mut self, now: Instant) {
        self.window.count(Counts { calls: 1, marked: 0 }, now);
    }

    /// Takes one further try out of it, if one is left.
    pub fn spend(&mut self, now: Instant) -> bool {
        self.window.turn_to(now);
        let paid = self.left() >= 1.0;
        self.window.count(Counts { calls: 0, marked: u32::from(paid) }, now);
        paid
    }

    /// Further tries that are left, as of the last call or try.
    #[must_use]
    pub fn left(&self) -> f64 {
        let Counts { calls, marked } = self.window.sum();
        f64::from(calls) * self.share + self.free - f64::from(marked)
    }
}
