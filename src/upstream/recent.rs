//! The last few errors of a source, for operators.

use super::status::RecentError;
use std::collections::VecDeque;
use std::time::Instant;

/// Number of errors that are kept.
const KEPT: usize = 10;

/// Maximum length of a text in bytes; longer ones are cut.
const LONGEST: usize = 300;

#[derive(Debug, Default)]
pub struct Recent(VecDeque<Entry>);

#[derive(Debug)]
struct Entry {
    at: Instant,
    instance: String,
    error: String,
}

impl Recent {
    pub fn add(&mut self, instance: String, mut error: String, now: Instant) {
        if self.0.len() == KEPT {
            self.0.pop_back();
        }
        error.truncate(error.floor_char_boundary(LONGEST));
        self.0.push_front(Entry { at: now, instance, error });
    }

    /// Returns the errors, the latest first.
    pub fn latest(&self, now: Instant) -> Vec<RecentError> {
        let shown = |entry: &Entry| RecentError {
            ago_ms: now.saturating_duration_since(entry.at).as_millis() as u64,
            instance: entry.instance.clone(),
            error: entry.error.clone(),
        };
        self.0.iter().map(shown).collect()
    }
}
