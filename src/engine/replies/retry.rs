//! Backoff of renewals that fail: a second after the first attempt, then twice as long each time, up to half a minute.
//! Until then the stale reply is served without another attempt, so that an upstream that is down does not get a call
//! for every client.
//!
//! The state belongs to one reply: after a successful renewal, another reply replaces it, with no failed attempts. Time
//! is an argument.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

const FIRST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(30);

/// Attempts to renew one reply.
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

    /// Records that an attempt ended. The reply may still be cached.
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
