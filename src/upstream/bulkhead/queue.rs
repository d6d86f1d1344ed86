//! Who may wait for a turn, and for how long.
//!
//! A queue that comes with a burst and drains is what a queue is for: its calls wait as long as it takes. One that stands,
//! because more comes than goes, makes every call late and helps none. So while it stands, calls wait no longer than half
//! of what a call takes when the service is healthy, and one that would wait longer is refused when it comes (K. Nichols
//! and V. Jacobson, "Controlling Queue Delay"). Time is an argument.

use std::time::{Duration, Instant};

/// A queue that lasts no longer than this is a burst.
const BURST: Duration = Duration::from_millis(75);

/// The longest wait where nothing else is known or set.
const LONGEST: Duration = Duration::from_secs(1);

/// A wait that is short for any caller.
const SHORTEST: Duration = Duration::from_millis(25);

#[derive(Debug, Default)]
pub struct Queue {
    /// While anything waits.
    standing: Option<Standing>,
}

#[derive(Debug)]
struct Standing {
    since: Instant,
    /// The current part of its time, and what came and went in it and in the part before.
    part: Instant,
    now: Moves,
    before: Moves,
    /// More comes than goes.
    is_overload: bool,
}

#[derive(Debug, Default, Clone, Copy)]
struct Moves {
    came: u32,
    went: u32,
}

impl Queue {
    /// A call comes; `healthy` is what one takes. Returns whether it is from now on that more comes than goes: those that
    /// wait may do so for a shorter time.
    #[must_use]
    pub fn comes(&mut self, healthy: Option<Duration>, now: Instant) -> bool {
        let standing = self.standing.get_or_insert_with(|| Standing::new(now));
        let turns = standing.judge(healthy, now);
        standing.now.came += 1;
        turns
    }

    /// A call's turn has come. Returns the same.
    #[must_use]
    pub fn goes(&mut self, healthy: Option<Duration>, now: Instant) -> bool {
        let Some(standing) = &mut self.standing else { return false };
        let turns = standing.judge(healthy, now);
        standing.now.went += 1;
        turns
    }

    /// Nothing waits.
    pub fn clear(&mut self) {
        self.standing = None;
    }

    #[must_use]
    pub fn is_overload(&self) -> bool {
        self.standing.as_ref().is_some_and(|standing| standing.is_overload)
    }

    /// How long a call may wait.
    #[must_use]
    pub fn age(&self, healthy: Option<Duration>) -> Duration {
        match healthy {
            Some(healthy) if self.is_overload() => (healthy / 2).max(SHORTEST),
            Some(healthy) => LONGEST.max(20 * healthy),
            None => Duration::MAX,
        }
    }
}

impl Standing {
    fn new(now: Instant) -> Self {
        let none = Moves::default();
        Self { since: now, part: now, now: none, before: none, is_overload: false }
    }

    /// Returns whether it is an overload from now on.
    fn judge(&mut self, healthy: Option<Duration>, now: Instant) -> bool {
        let burst = BURST.max(healthy.unwrap_or_default().mul_f64(1.5));
        let age = now.saturating_duration_since(self.part);
        if age >= burst / 2 {
            self.before = if age >= burst { Moves::default() } else { self.now };
            (self.part, self.now) = (now, Moves::default());
        }
        let lasts = now.saturating_duration_since(self.since) >= burst;
        // Where nothing goes, the service is silent, and not full.
        let is_overload = lasts && self.before.came > self.before.went && self.before.went > 0;
        let turns = is_overload && !self.is_overload;
        self.is_overload |= is_overload;
        turns
    }
}
