//! The breaker of a source: closed it passes calls, open it refuses them, half open it lets one through to see.
//!
//! What is counted is how *calls* end, not attempts: as long as tries at other instances help, the source is there. It
//! opens when enough of the last while's calls have failed, or that many in a row.
//! Calls that were let through before it opened have no say in what happens after. Time is an argument.

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
        /// How the calls of the last while ended.
        window: Window,
        /// Failures since the last success.
        in_a_row: u32,
    },
    Open {
        until: Instant,
        wait: Duration,
    },
    HalfOpen {
        wait: Duration,
        /// The one call that is let through is under way.
        probing: bool,
    },
}

/// A call that was let through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pass {
    turn: u64,
    /// Much hangs on it: it is tried once.
    pub is_probe: bool,
}

/// What a breaker does with the next call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Position {
    Closed,
    Open,
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
    /// It is open, or half open with its probe under way: how long it will be until another try makes sense.
    pub fn admit(&mut self, now: Instant) -> Result<Pass, Duration> {
        self.refuses(now).map_or(Ok(()), Err)?;
        let is_probe = match &mut self.state {
            State::Closed { .. } => false,
            State::Open { wait, .. } => {
                let wait = *wait;
                self.turn_into(State::HalfOpen { wait, probing: true });
                true
            }
            State::HalfOpen { probing, .. } => {
                *probing = true;
                true
            }
        };
        Ok(Pass { turn: self.turn, is_probe })
    }

    /// How long a call that came now would be refused; `None`: it would not be.
    #[must_use]
    pub fn refuses(&self, now: Instant) -> Option<Duration> {
        match &self.state {
            State::Open { until, .. } if now < *until => Some(*until - now),
            // It may be over at any moment.
            State::HalfOpen { probing: true, .. } => Some(Duration::ZERO),
            _ => None,
        }
    }

    /// A call that was let through ended well, or badly. Returns the position that it brought about, if another.
    pub fn settle(&mut self, pass: Pass, well: bool, now: Instant) -> Option<Position> {
        if pass.turn != self.turn {
            return None;
        }
        match &mut self.state {
            State::Closed { window, in_a_row } => {
                window.count(Counts { calls: 1, marked: u32::from(!well) }, now);
                *in_a_row = if well { 0 } else { in_a_row.saturating_add(1) };
                if well || !opens(&self.settings, window.sum(), *in_a_row) {
                    return None;
                }
                self.open(self.settings.open, now);
                Some(Position::Open)
            }
            State::HalfOpen { .. } if well => {
                self.turn_into(State::closed(&self.settings, now));
                Some(Position::Closed)
            }
            State::HalfOpen { wait, .. } => {
                let wait = (*wait * 2).min(self.settings.max_open);
                self.open(wait, now);
                Some(Position::Open)
            }
            // Nothing was let through in this state.
            State::Open { .. } => None,
        }
    }

    /// A call that was let through was given up before anything was known.
    pub fn forget(&mut self, pass: Pass) {
        if let State::HalfOpen { probing, .. } = &mut self.state
            && pass.turn == self.turn
        {
            *probing = false;
        }
    }

    /// There is a sign that the source is back: the next call is let through, whatever time it is.
    pub fn hint(&mut self, now: Instant) {
        if let State::Open { until, .. } = &mut self.state {
            *until = now.min(*until);
        }
    }

    #[must_use]
    pub fn position(&self) -> Position {
        match self.state {
            State::Closed { .. } => Position::Closed,
            State::Open { .. } => Position::Open,
            State::HalfOpen { .. } => Position::HalfOpen,
        }
    }

    fn open(&mut self, wait: Duration, now: Instant) {
        self.turn_into(State::Open { until: now + wait, wait });
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
