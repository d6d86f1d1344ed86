//! The circuit breaker of a source. Closed, it passes calls. Open, it refuses them, except for a *probe* now and then.
//!
//! It counts how *calls* end, not attempts: as long as attempts at other instances succeed, the source is available. It
//! asks to open when enough of the recent calls have failed, in share or in a row. Whether it may open is decided where
//! the instances are known. While it is open, one probe passes each [`Settings::open`], and the first successful probe
//! closes it. A probe is a call that may be repeated. A call that may not be repeated waits twice as long, so that it
//! becomes a probe only if the source gets no other calls. Calls that passed before it opened do not count afterwards.
//! Time is an argument.

use super::settings::Breaker as Settings;
use super::window::{Counts, Window};
use serde::{Deserialize, Serialize};
use std::time::{Duration, Instant};

#[derive(Debug)]
pub struct Breaker {
    settings: Settings,
    state: State,
    /// Number of state changes so far. A call counts only in the state that let it through.
    turn: u64,
}

#[derive(Debug)]
enum State {
    Closed {
        /// Outcomes of recent calls.
        window: Window,
        /// Failures since the last success.
        in_a_row: u32,
    },
    Open {
        /// Time from which the next probe may pass.
        next: Instant,
        /// Probes in flight. More than one only if probes hang.
        probes: u32,
    },
}

/// Maximum number of probes in flight. A probe that hangs does not block the next one, up to this number.
const MOST_PROBES: u32 = 10;

/// A call that was let through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pass {
    turn: u64,
    /// The call is a probe: its outcome shows whether the source is available again.
    pub is_probe: bool,
}

/// State of a breaker.
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
    /// The breaker is open. The error is the time until a call like this one may pass.
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

    /// Returns for how long a call that came now would be refused; `None` if it would pass.
    #[must_use]
    pub fn refuses(&self, may_repeat: bool, now: Instant) -> Option<Duration> {
        let State::Open { next, probes } = &self.state else { return None };
        let next = if may_repeat { *next } else { *next + self.settings.open };
        let wait = next.saturating_duration_since(now);
        (*probes >= MOST_PROBES || !wait.is_zero()).then_some(wait)
    }

    /// Records the outcome of a call that was let through. `may_open` is called before the breaker would open. Returns
    /// the new position, if it changed.
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

    /// Records that a call was cancelled before its outcome was known: another probe may take its place. Returns the
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

    /// Lets the next call pass at once, unless a probe is in flight: something indicates that the source is available
    /// again.
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

/// Returns whether the counts open the breaker. Failures in a row show that a source is down long before they are a
/// large share of a window full of successes.
fn opens(settings: &Settings, seen: Counts, in_a_row: u32) -> bool {
    let share = settings.failures * f64::from(seen.calls);
    let may_open = settings.failures <= 1.0 && seen.calls >= settings.calls;
    may_open && (f64::from(seen.marked) >= share || in_a_row >= settings.calls)
}

#[cfg(test)]
mod tests;
