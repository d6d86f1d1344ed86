//! Waits between rounds: after failures, and with jitter, so that many gateways do not query in step.

use ring::rand::{SecureRandom as _, SystemRandom};
use std::time::Duration;

/// Minimum time between the starts of two rounds.
pub(super) const SHORTEST: Duration = Duration::from_millis(500);
/// Maximum pause, after any number of failures.
pub(super) const LONGEST: Duration = Duration::from_secs(30);

/// Returns the pause after `failures` failures in a row: from the upper half of 1, 2, 4 … 30 s.
pub(super) fn pause(failures: u32, random: f64) -> Duration {
    let most = (2 * SHORTEST).saturating_mul(1 << failures.saturating_sub(1).min(10)).min(LONGEST);
    jittered(most, 0.5, random)
}

/// Returns `most`, shortened at random by up to `part` of it.
pub(super) fn jittered(most: Duration, part: f64, random: f64) -> Duration {
    most.mul_f64(1.0 - part * random)
}

/// Returns a random number: at least 0, less than 1.
pub(super) fn random() -> f64 {
    let mut bytes = [0; 4];
    // Without randomness, gateways query in step, which does no other harm.
    let _ = SystemRandom::new().fill(&mut bytes);
    f64::from(u32::from_le_bytes(bytes)) / (f64::from(u32::MAX) + 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_make_it_longer_within_bounds() {
        let range = |failures| {
            let [long, short] = [0.0, 1.0].map(|random| pause(failures, random).as_secs_f64());
            (short, long)
        };
        assert_eq!(range(0), (0.5, 1.0));
        assert_eq!(range(1), (0.5, 1.0));
        assert_eq!(range(2), (1.0, 2.0));
        assert_eq!(range(5), (8.0, 16.0));
        assert_eq!(range(6), (15.0, 30.0));
        assert_eq!(range(u32::MAX), (15.0, 30.0));
    }

    #[test]
    fn randomness_is_a_fraction_and_not_always_the_same() {
        let drawn: Vec<f64> = (0..1000).map(|_| random()).collect();
        assert!(drawn.iter().all(|random| (0.0..1.0).contains(random)));
        assert!(drawn.iter().any(|random| *random < 0.5));
        assert!(drawn.iter().any(|random| *random >= 0.5));
    }
}
