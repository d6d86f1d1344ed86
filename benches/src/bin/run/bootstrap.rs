//! How sure a ratio of two medians is: the percentile bootstrap (Efron, "Bootstrap Methods: Another Look at the Jackknife",
//! 1979), over pairs that were measured one after the other.
//!
//! Pairs are drawn and not single figures, because what disturbs the machine in a round disturbs both. The generator's seed
//! is fixed: the same figures give the same interval.

use crate::figures::median;

const RESAMPLES: usize = 10_000;

const SEED: u64 = 0x5eed_0000_0000_0001;

/// A ratio of medians, and the interval that holds the true one in 95 of 100 runs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ratio {
    pub value: f64,
    pub low: f64,
    pub high: f64,
}

/// The median of the second figures over that of the first ones; `None` without pairs.
pub fn ratio_of_medians(pairs: &[(f64, f64)]) -> Option<Ratio> {
    if pairs.is_empty() {
        return None;
    }
    let mut random = SplitMix(SEED);
    let mut drawn = pairs.to_vec();
    let mut ratios: Vec<f64> = (0..RESAMPLES)
        .map(|_| {
            drawn.fill_with(|| pairs[random.below(pairs.len())]);
            ratio(&drawn)
        })
        .collect();
    ratios.sort_by(f64::total_cmp);
    let last = RESAMPLES - 1;
    let (low, high) = (ratios[last * 25 / 1000], ratios[last - last * 25 / 1000]);
    Some(Ratio { value: ratio(pairs), low, high })
}

fn ratio(pairs: &[(f64, f64)]) -> f64 {
    let of = |figure: fn(&(f64, f64)) -> f64| {
        let mut values: Vec<f64> = pairs.iter().map(figure).collect();
        values.sort_by(f64::total_cmp);
        median(&values)
    };
    of(|pair| pair.1) / of(|pair| pair.0)
}

/// SplitMix64 (Steele, Lea and Flood, "Fast Splittable Pseudorandom Number Generators", 2014).
struct SplitMix(u64);

impl SplitMix {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`, which is small: what the modulo prefers does not show.
    #[allow(clippy::cast_possible_truncation)]
    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Figures around `mean`, up to a tenth of it away.
    fn noisy(random: &mut SplitMix, mean: f64) -> f64 {
        mean * (0.9 + 0.2 * random.below(10_001) as f64 / 10_000.0)
    }

    fn measured(random: &mut SplitMix, rounds: usize, ratio: f64) -> Vec<(f64, f64)> {
        (0..rounds).map(|_| (noisy(random, 1.0), noisy(random, ratio))).collect()
    }

    #[test]
    fn figures_without_noise_have_one_ratio() {
        let pairs: Vec<_> = (0..15).map(|_| (2.0, 2.5)).collect();
        assert_eq!(ratio_of_medians(&pairs), Some(Ratio { value: 1.25, low: 1.25, high: 1.25 }));
        assert_eq!(ratio_of_medians(&[]), None);
    }

    #[test]
    fn the_value_is_the_ratio_of_the_medians_and_one_outlier_does_not_move_it() {
        let pairs = [(1.0, 2.0), (3.0, 3.0), (2.0, 400.0)];
        assert_eq!(ratio_of_medians(&pairs).unwrap().value, 1.5);
        let even = [(1.0, 1.0), (2.0, 3.0)];
        assert_eq!(ratio_of_medians(&even).unwrap().value, 2.0 / 1.5);
    }

    #[test]
    fn the_same_figures_give_the_same_interval() {
        let pairs = measured(&mut SplitMix(1), 15, 1.0);
        let first = ratio_of_medians(&pairs);
        assert_eq!(first, ratio_of_medians(&pairs));
        let Ratio { value, low, high } = first.unwrap();
        assert!(low < value && value < high, "{first:?}");
    }

    #[test]
    fn the_interval_holds_the_true_ratio_in_most_runs_and_narrows_with_more_rounds() {
        let mut random = SplitMix(7);
        let runs: Vec<_> = (0..60)
            .map(|_| ratio_of_medians(&measured(&mut random, 15, 1.1)).unwrap())
            .collect();
        let hits = runs.iter().filter(|ratio| ratio.low <= 1.1 && 1.1 <= ratio.high).count();
        assert!(hits >= 50, "{hits} of 60");
        let width = |ratio: Ratio| ratio.high - ratio.low;
        let many = ratio_of_medians(&measured(&mut random, 150, 1.1)).unwrap();
        let few = runs.iter().map(|ratio| width(*ratio)).sum::<f64>() / runs.len() as f64;
        assert!(width(many) < few / 1.5, "{} after 150 rounds, {few} after 15", width(many));
    }
}
