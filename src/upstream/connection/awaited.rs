//! A call that waits for its reply. If it is dropped after a while without one, its connection becomes doubtful.

use std::time::{Duration, Instant};

pub(super) struct AwaitedReply<F: Fn(Instant)> {
    since: Instant,
    patience: Duration,
    is_over: bool,
    give_up: F,
}

impl<F: Fn(Instant)> AwaitedReply<F> {
    /// Starts the wait. `give_up` is called with the start time if the wait is dropped after `patience`.
    pub fn begin(patience: Duration, give_up: F) -> Self {
        Self { since: Instant::now(), patience, is_over: false, give_up }
    }

    pub fn end(mut self) {
        self.is_over = true;
    }
}

impl<F: Fn(Instant)> Drop for AwaitedReply<F> {
    fn drop(&mut self) {
        if !self.is_over && self.since.elapsed() >= self.patience {
            (self.give_up)(self.since);
        }
    }
}
