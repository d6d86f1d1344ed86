//! The breaker of a source: closed it passes calls, open it refuses them but for one now and then, the *probe*.
//!
//! It counts how *calls* end, not attempts: as long as attempts at other instances help, the source is available. It asks
//! to open when enough calls of the last while have failed, or that many in a row; whether it may is decided where the
//! instances are known. While it is open, one probe passes each [`Settings::open`], and the first that succeeds closes it. A
//! probe is a call that may be repeated: a call that may not waits one such time longer, so that it is chosen only where
//! nothing else is called. Calls that passed before it opened do not count afterwards. Time is an argument.

use super::settings::Breaker as Settings;
use super::window::{Counts, Window};
use serde::{Deserialize, Serialize};
use std::time::{Duration, Instant};

#[derive(Debug)]
pub struct Breaker {
    settings: Settings,
    state: State,
    /// How often it changed its state. A call counts only in the state that let it through.
    turn: u64,
}

#[derive(Debug)]
enum State {
    Closed {
        /// Outcomes of the calls of the last while.
        window: Window,
        /// Failures since the last success.
        in_a_row: u32,
    },
    Open {
        /// When the next probe may pass.
        next: Instant,
        /// Probes in flight: more than one only where they hang.
        probes: u32,
    },
}

/// Probes that hang do not keep others from passing, up to so many.
const MOST_PROBES: u32 = 10;

/// A call that was let through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pass {
    turn: u64,
    /// It shows whether the source is back.
    pub is_probe: bool,
}

/// What a breaker does with the next call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Position {
    Closed,
    Open,
    /// Open, and a probe is in flight.
    HalfOpen,
}

impl Breaker {
    #[must_use]
    pub fn new(settings: Settings, now: Instant) -> Self {
        Self { settings, state: State::closed(&settings, now), turn: 0 }
    }

    /// Lets a call through.
    ///
    /// # Errors
    /// It is open: the time until a call like this one may pass.
    pub fn admit(&mut self, may_repeat: bool, now: Instant) -> Result<Pass, Duration> {
        self.refuses(may_repeat, now).map_or(Ok(()), Err)?;
        let is_probe = match &mut self.state {
            State::Closed { .. } => false,
            State::Open { next, probes } => {
                *next = now + self.settings.open;
                *probes += 1;
                true
            }
        };
        Ok(Pass { turn: self.turn, is_probe })
    }

    /// How long a call that came now would be refused; `None`: it would pass.
    #[must_use]
    pub fn refuses(&self, may_repeat: bool, now: Instant) -> Option<Duration> {
        let State::Open { next, probes } = &self.state else { return None };
        let next = if may_repeat { *next } else { *next + self.settings.open };
        let wait = next.saturating_duration_since(now);
        (*probes >= MOST_PROBES || !wait.is_zero()).then_some(wait)
    }

    /// A call that was let through ended. Where it would open, `may_open` is asked first. Returns the new position, if it
    /// changed.
    pub fn settle(
        &mut self,
        pass: Pass,
        success: bool,
        may_open: impl FnOnce() -> bool,
        now: Instant,
    ) -> Option<Position> {
        if pass.turn != self.turn {
            return None;
        }
        match &mut self.state {
            State::Closed { window, in_a_row } => {
                window.count(Counts { calls: 1, marked: u32::from(!success) }, now);
                *in_a_row = if success { 0 } else { in_a_row.saturating_add(1) };
                if success || !opens(&self.settings, window.sum(), *in_a_row) || !may_open() {
                    return None;
                }
                self.turn_into(State::Open { next: now + self.settings.open, probes: 0 });
                Some(Position::Open)
            }
            State::Open { .. } if success => {
                self.turn_into(State::closed(&self.settings, now));
                Some(Position::Closed)
            }
            State::Open { probes, .. } => {
                *probes = probes.saturating_sub(1);
                (*probes == 0).then_some(Position::Open)
            }
        }
    }

    /// A call that was let through was cancelled before anything was known: another one may take its place. Returns the
    /// new position, if it changed.
    pub fn forget(&mut self, pass: Pass, now: Instant) -> Option<Position> {
        let State::Open { next, probes } = &mut self.state else { return None };
        if pass.turn != self.turn {
            return None;
        }
        *probes = probes.saturating_sub(1);
        *next = now.min(*next);
        (*probes == 0).then_some(Position::Open)
    }

    /// There is a sign that the source is back: the next call passes, whatever time it is, unless a probe is in flight.
    pub fn hint(&mut self, now: Instant) {
        if let State::Open { next, probes: 0 } = &mut self.state {
            *next = now.min(*next);
        }
    }

    #[must_use]
    pub fn position(&self) -> Position {
        match self.state {
            State::Closed { .. } => Position::Closed,
            State::Open { probes: 0, .. } => Position::Open,
            State::Open { .. } => Position::HalfOpen,
        }
    }

    fn turn_into(&mut self, state: State) {
        self.state = state;
        self.turn += 1;
    }
}

impl State {
    fn closed(settings: &Settings, now: Instant) -> Self {
        Self::Closed { window: Window::new(settings.window, now), in_a_row: 0 }
    }
}

/// A source that is down is known by its failures in a row long before they are a large share of a window that was full
/// of successes.
fn opens(settings: &Settings, seen: Counts, in_a_row: u32) -> bool {
    let share = settings.failures * f64::from(seen.calls);
    let may_open = settings.failures <= 1.0 && seen.calls >= settings.calls;
    may_open && (f64::from(seen.marked) >= share || in_a_row >= settings.calls)
}

#[cfg(test)]
mod tests;
