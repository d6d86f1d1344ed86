//! A sliding window over the recent past: counts calls, and how many of them were marked, in ten slices.

use std::time::{Duration, Instant};

const SLICES: usize = 10;

#[derive(Debug)]
pub struct Window {
    slices: [Counts; SLICES],
    at: usize,
    /// Start of the slice at `at`.
    since: Instant,
    /// Length of one slice.
    length: Duration,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    pub calls: u32,
    /// Marked calls. The window's owner decides what is marked: failures, or retries.
    pub marked: u32,
}

impl Window {
    #[must_use]
    pub fn new(length: Duration, now: Instant) -> Self {
        let slices = [Counts::default(); SLICES];
        Self { slices, at: 0, since: now, length: length / SLICES as u32 }
    }

    pub fn count(&mut self, counts: Counts, now: Instant) {
        self.turn_to(now);
        let slice = &mut self.slices[self.at];
        slice.calls = slice.calls.saturating_add(counts.calls);
        slice.marked = slice.marked.saturating_add(counts.marked);
    }

    /// Returns the sums as of the last time that something was counted, or the window was turned.
    #[must_use]
    pub fn sum(&self) -> Counts {
        self.slices.iter().fold(Counts::default(), |sum, slice| Counts {
            calls: sum.calls.saturating_add(slice.calls),
            marked: sum.marked.saturating_add(slice.marked),
        })
    }

    /// Removes slices that are too old.
    pub fn turn_to(&mut self, now: Instant) {
        for _ in 0..SLICES {
            if now.saturating_duration_since(self.since) < self.length {
                return;
            }
            self.at = (self.at + 1) % SLICES;
            self.slices[self.at] = Counts::default();
            self.since += self.length;
        }
        // All slices are too old.
        self.since = self.since.max(now);
    }
}
