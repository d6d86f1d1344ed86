//! How long to wait: after failures, and so that many gateways do not ask in step.

use ring::rand::{SecureRandom as _, SystemRandom};
use std::time::Duration;

/// Of two rounds, the least time between their beginnings.
pub(super) const SHORTEST: Duration = Duration::from_millis(500);
/// However often it failed.
pub(super) const LONGEST: Duration = Duration::from_secs(30);

/// After so many failures in a row: from the upper half of 1, 2, 4 … 30 s.
pub(super) fn pause(failures: u32, random: f64) -> Duration {
    let most = (2 * SHORTEST).saturating_mul(1 << failures.saturating_sub(1).min(10)).min(LONGEST);
    jittered(most, 0.5, random)
}

/// Up to this part of it shorter.
pub(super) fn jittered(most: Duration, part: f64, random: f64) -> Duration {
    most.mul_f64(1.0 - part * random)
}

/// At least 0, less than 1.
pub(super) fn random() -> f64 {
    let mut bytes = [0; 4];
    // Without randomness gateways ask in step, which harms nothing else.
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
