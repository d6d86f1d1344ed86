//! When a stale reply that could not be renewed is renewed again: a second after the first try, and after each further one
//! twice as long as before, up to half a minute. Until then it serves as it is, so that an upstream that is down is not
//! asked once for every client that is served a stale reply.
//!
//! What is remembered belongs to one reply: where a renewal succeeds, another reply takes its place, which was never tried.
//! Time is an argument.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

const FIRST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(30);

/// The tries to renew one reply.
#[derive(Debug, Default)]
pub(super) struct Retry(Mutex<Option<Tried>>);

#[derive(Debug, Clone, Copy)]
struct Tried {
    pause: Duration,
    until: Instant,
}

impl Retry {
    pub fn is_due(&self, now: Instant) -> bool {
        let tried = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        tried.is_none_or(|tried| now >= tried.until)
    }

    /// A try is over, and the reply may still be there.
    pub fn tried(&self, now: Instant) {
        let mut tried = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let pause = tried.map_or(FIRST, |before| (before.pause * 2).min(LONGEST));
        *tried = Some(Tried { pause, until: now + pause });
    }
}

#[test]
fn each_try_doubles_the_pause_up_to_half_a_minute() {
    let (retry, mut now) = (Retry::default(), Instant::now());
    assert!(retry.is_due(now), "never tried");
    for seconds in [1, 2, 4, 8, 16, 30, 30] {
        retry.tried(now);
        now += Duration::from_secs(seconds - 1);
        assert!(!retry.is_due(now), "{seconds}");
        now += Duration::from_secs(1);
        assert!(retry.is_due(now), "{seconds}");
    }
}
