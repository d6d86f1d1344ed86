//! Limits and their modes: `enforce` refuses, `measure` serves, logs and counts, `off` serves.
//!
//! Limits of the text are checked once, when the operation is prepared and cached, but reported for every request that
//! sends it. The log has at most one line for each limit in ten seconds, so that measuring does not flood it.

#[cfg(test)]
mod tests;

use crate::engine::settings::{Limit, Mode};
use crate::graphql::{Error, ErrorCode};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

/// Lists every limit once, for messages, logs and metrics.
macro_rules! names {
    ($($variant:ident = $text:literal;)*) => {
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum LimitName {
            $($variant,)*
        }

        impl LimitName {
            const COUNT: usize = [$(Self::$variant),*].len();

            /// Returns the name under `limits` in the configuration.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)*
                }
            }
        }
    };
}

names! {
    Depth = "depth";
    Aliases = "aliases";
    RootFields = "root_fields";
    Directives = "directives";
    Document = "document";
    Tokens = "tokens";
    Selections = "selections";
    Variables = "variables";
    Body = "body";
    Response = "response";
    ListSize = "list_size";
    FanOut = "fan_out";
    Cost = "cost";
    Slicing = "slicing";
}

impl Limit {
    /// Returns the value past which every mode refuses.
    #[must_use]
    pub fn bound(self, name: LimitName) -> u64 {
        match self.mode {
            Mode::Enforce => self.max,
            Mode::Measure | Mode::Off => self.max.max(name.bound()),
        }
    }
}

impl LimitName {
    /// Maximum that the process can bear, whatever is set. Parsing and validation take time and memory for each byte,
    /// token and selection, and a response takes memory for each byte. The other limits are bounded by these, or by
    /// bounds of their own (calls, nesting, steps of planning).
    #[must_use]
    pub fn bound(self) -> u64 {
        match self {
            Self::Document => 4 << 20,
            Self::Tokens => 100_000,
            Self::Selections => 50_000,
            Self::Variables => 1_000_000,
            Self::Body => 32 << 20,
            Self::Response => 256 << 20,
            _ => u64::MAX,
        }
    }
}

/// A limit that was exceeded while it is only measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exceeded {
    pub limit: LimitName,
    pub found: u64,
    pub max: u64,
}

/// Result of checking an operation against limits.
#[derive(Debug, Default)]
pub(in crate::engine) struct Verdict {
    pub errors: Vec<Error>,
    pub measured: Vec<Exceeded>,
}

impl Verdict {
    /// Checks a value against a limit. `message` describes the error of a refusal.
    pub fn hold(
        &mut self,
        name: LimitName,
        limit: Limit,
        found: u64,
        message: impl FnOnce() -> String,
    ) {
        self.hold_as(ErrorCode::LimitExceeded, name, limit, found, message);
    }

    /// Like `hold`, with another error code.
    pub fn hold_as(
        &mut self,
        code: ErrorCode,
        name: LimitName,
        limit: Limit,
        found: u64,
        message: impl FnOnce() -> String,
    ) {
        if found <= limit.max {
            return;
        }
        match limit.mode {
            Mode::Enforce => self.refuse(code, name, message()),
            Mode::Measure | Mode::Off if found > limit.bound(name) => {
                let bound = limit.bound(name);
                self.refuse(code, name, format!("{}; past {bound} no mode serves it", message()));
            }
            Mode::Measure => self.measure(Exceeded { limit: name, found, max: limit.max }),
            Mode::Off => {}
        }
    }

    /// Records an exceeded limit. Of several operations and fragments in one text, the largest value counts.
    fn measure(&mut self, exceeded: Exceeded) {
        match self.measured.iter_mut().find(|known| known.limit == exceeded.limit) {
            Some(known) => known.found = known.found.max(exceeded.found),
            None => self.measured.push(exceeded),
        }
    }

    fn refuse(&mut self, code: ErrorCode, name: LimitName, message: String) {
        count(name, Mode::Enforce);
        self.errors.push(Error::new(code, message));
    }

    /// Returns the limits that were exceeded and measured, or the errors of a refusal.
    pub fn finish(self) -> Result<Vec<Exceeded>, Vec<Error>> {
        if self.errors.is_empty() { Ok(self.measured) } else { Err(self.errors) }
    }
}

/// Counts a request that exceeded a limit.
pub(in crate::engine) fn count(limit: LimitName, mode: Mode) {
    metrics::counter!(
        "portcullis_limit_exceeded_total",
        "limit" => limit.as_str(),
        "mode" => mode.as_str()
    )
    .increment(1);
}

/// Minimum interval between two log lines of one limit, in seconds.
const QUIET: u64 = 10;

/// Time of the last log line of each limit.
pub(in crate::engine) struct Told {
    start: Instant,
    /// Seconds since the start, plus one; 0 for never.
    last: [AtomicU64; LimitName::COUNT],
}

impl Told {
    pub fn new(start: Instant) -> Self {
        Self { start, last: std::array::from_fn(|_| AtomicU64::new(0)) }
    }

    /// Counts an exceeded limit, and logs it unless that was done within the interval.
    pub fn tell(&self, exceeded: Exceeded, operation: Option<&str>, now: Instant) {
        let Exceeded { limit, found, max } = exceeded;
        count(limit, Mode::Measure);
        if self.is_due(limit, now) {
            let (limit, operation) = (limit.as_str(), operation.map(shown).unwrap_or_default());
            tracing::warn!(limit, found, max, operation, "a measured limit is exceeded");
        }
    }

    fn is_due(&self, limit: LimitName, now: Instant) -> bool {
        let now = now.saturating_duration_since(self.start).as_secs() + 1;
        let last = &self.last[limit as usize];
        let before = last.load(Ordering::Relaxed);
        let due = before == 0 || now >= before + QUIET;
        due && last.compare_exchange(before, now, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }
}

/// Shortens a name that a client chose, for a line of the log.
fn shown(name: &str) -> &str {
    name.char_indices().nth(100).map_or(name, |(end, _)| &name[..end])
}
