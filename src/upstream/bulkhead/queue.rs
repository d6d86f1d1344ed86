//! Who may wait for a turn, and for how long.
//!
//! A queue that comes with a burst and drains is what a queue is for: its calls wait as long as it takes. One that stands,
//! because more comes than goes, makes every call late and helps none. So while it stands, calls wait no longer than half
//! of what a call takes when the service is healthy, and one that would wait longer is refused when it comes (K. Nichols
//! and V. Jacobson, "Controlling Queue Delay"). Operations are what comes and goes: all calls of one are one burst, however
//! many they are and however long it takes to make them. Time is an argument.

use hashbrown::HashMap;
use std::time::{Duration, Instant};

/// A queue that lasts no longer than this is a burst.
const BURST: Duration = Duration::from_millis(75);

/// A queue that forms so soon after one that stood is the same overload.
const RELAPSE: Duration = Duration::from_secs(1);

/// The longest wait where nothing else is known or set.
const LONGEST: Duration = Duration::from_secs(5);

/// A wait that is short for any caller.
const SHORTEST: Duration = Duration::from_millis(25);

#[derive(Debug, Default)]
pub struct Queue {
    /// While anything waits.
    standing: Option<Standing>,
    /// When a queue that stood was empty at last.
    stood: Option<Instant>,
    /// Calls that wait, by operation: all of one have the same deadline.
    waiting: HashMap<Instant, u32>,
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
    /// A call of an operation with this deadline comes; `healthy` is what a call takes.
    pub fn comes(&mut self, deadline: Instant, healthy: Option<Duration>, now: Instant) {
        let lately = |stood: Instant| now.saturating_duration_since(stood) < RELAPSE;
        let is_overload = self.stood.is_some_and(lately);
        let standing = self.standing.get_or_insert_with(|| Standing::new(now, is_overload));
        standing.judge(healthy, now);
        let calls = self.waiting.entry(deadline).or_default();
        *calls += 1;
        standing.now.came += u32::from(*calls == 1);
    }

    /// The turn of one of its calls has come.
    pub fn goes(&mut self, deadline: Instant, healthy: Option<Duration>, now: Instant) {
        let was_last = self.leaves(deadline);
        if let Some(standing) = &mut self.standing {
            standing.judge(healthy, now);
            standing.now.went += u32::from(was_last);
        }
    }

    /// One of its calls does not wait any more. Returns that none of them does.
    pub fn leaves(&mut self, deadline: Instant) -> bool {
        let Some(calls) = self.waiting.get_mut(&deadline) else { return false };
        *calls -= 1;
        let was_last = *calls == 0;
        if was_last {
            self.waiting.remove(&deadline);
        }
        was_last
    }

    /// Nothing waits.
    pub fn clear(&mut self, now: Instant) {
        if self.is_overload() {
            self.stood = Some(now);
        }
        self.standing = None;
        self.waiting.clear();
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
    fn new(now: Instant, is_overload: bool) -> Self {
        let none = Moves::default();
        Self { since: now, part: now, now: none, before: none, is_overload }
    }

    fn judge(&mut self, healthy: Option<Duration>, now: Instant) {
        let burst = BURST.max(healthy.unwrap_or_default().mul_f64(1.5));
        let age = now.saturating_duration_since(self.part);
        if age >= burst / 2 {
            self.before = if age >= burst { Moves::default() } else { self.now };
            (self.part, self.now) = (now, Moves::default());
        }
        let lasts = now.saturating_duration_since(self.since) >= burst;
        // Where nothing goes, the service is silent, and not full.
        self.is_overload |= lasts && self.before.came > self.before.went && self.before.went > 0;
    }
}
