//! A circuit breaker for one address: decides when a server that failed is called again.
//!
//! Closed, it passes everything. The first failure opens it for a tenth of a second. Each further failure opens it for
//! twice as long, up to two seconds. When that time is over, one command passes as a probe, and the others do not wait
//! for it. Time is an argument, and the state is two words, so that a check costs one read.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

const FIRST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(2);

#[derive(Debug, Default)]
pub struct Pause {
    /// Nanoseconds until which nothing passes; 0 while it is closed.
    until: AtomicU64,
    /// Failed attempts since the last answer. Commands that were in flight together count as one.
    failures: AtomicU32,
}

/// A command that was let through, with the state at that time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pass {
    until: u64,
}

impl Pause {
    /// Returns a pass if a command may be sent. If a probe has no outcome after `probe`, another one passes.
    pub fn pass(&self, now: Duration, probe: Duration) -> Option<Pass> {
        let until = self.until.load(Ordering::Relaxed);
        if until == 0 {
            return Some(Pass { until });
        }
        if nanoseconds(now) < until {
            return None;
        }
        // At least as long as the probe's own timeout, so that it fails before the next one passes.
        let next = nanoseconds(now + probe + FIRST);
        let taken = self.until.compare_exchange(until, next, Ordering::Relaxed, Ordering::Relaxed);
        taken.is_ok().then_some(Pass { until: next })
    }

    /// Records that the server answered.
    pub fn answered(&self, pass: Pass) {
        if pass.until != 0 && self.shut(pass, 0) {
            self.failures.store(0, Ordering::Relaxed);
        }
    }

    /// Records a failure. Returns the number of failures in a row.
    pub fn failed(&self, pass: Pass, now: Duration) -> u32 {
        let failures = self.failures.load(Ordering::Relaxed);
        let delay = FIRST.saturating_mul(1 << failures.min(10)).min(LONGEST);
        if self.shut(pass, nanoseconds(now + delay)) {
            self.failures.store(failures.saturating_add(1), Ordering::Relaxed);
            return failures.saturating_add(1);
        }
        failures
    }

    /// Updates the state. If several commands passed together, only the first outcome counts.
    fn shut(&self, pass: Pass, until: u64) -> bool {
        self.until.compare_exchange(pass.until, until, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROBE: Duration = Duration::from_millis(50);

    fn at(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    #[test]
    fn failures_that_were_under_way_together_count_once() {
        let pause = Pause::default();
        let (first, second) =
            (pause.pass(at(0), PROBE).unwrap(), pause.pass(at(0), PROBE).unwrap());
        assert_eq!(pause.failed(first, at(10)), 1);
        assert_eq!(pause.failed(second, at(11)), 1);
        assert_eq!(pause.pass(at(109), PROBE), None);
        assert!(pause.pass(at(110), PROBE).is_some());
    }

    #[test]
    fn one_probe_passes_and_the_pause_doubles_up_to_two_seconds() {
        let pause = Pause::default();
        let mut now = at(0);
        for length in [100, 200, 400, 800, 1600, 2000, 2000] {
            let pass = pause.pass(now, PROBE).expect("one try");
            pause.failed(pass, now);
            assert_eq!(pause.pass(now + at(length - 1), PROBE), None);
            now += at(length);
        }
        assert!(pause.pass(now, PROBE).is_some());
        assert_eq!(pause.pass(now, PROBE), None, "the others do not wait for it");
    }

    #[test]
    fn an_answer_closes_it_and_a_probe_that_vanished_is_replaced() {
        let pause = Pause::default();
        pause.failed(pause.pass(at(0), PROBE).unwrap(), at(0));
        let lost = pause.pass(at(100), PROBE).unwrap();
        assert_eq!(pause.pass(at(249), PROBE), None);
        let probe = pause.pass(at(250), PROBE).unwrap();
        pause.failed(lost, at(251));
        pause.answered(probe);
        let pass = pause.pass(at(251), PROBE).expect("closed");
        assert_eq!(pause.failed(pass, at(251)), 1, "counted from the start again");
    }

    #[test]
    fn a_late_answer_of_before_does_not_close_it() {
        let pause = Pause::default();
        let (slow, failing) =
            (pause.pass(at(0), PROBE).unwrap(), pause.pass(at(0), PROBE).unwrap());
        pause.failed(failing, at(1));
        pause.answered(slow);
        assert_eq!(pause.pass(at(2), PROBE), None);
    }
}
