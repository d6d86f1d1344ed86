//! Two builds of the gateway against each other, in one run: whether the new one is slower than the old one.

use crate::bootstrap::{Ratio, ratio_of_medians};
use crate::contest::{Contest, Outcome, Rules};
use crate::figures;
use anyhow::{Context, Result, bail};

/// With fewer rounds the interval says little.
pub const LEAST_ROUNDS: usize = 15;

/// A build is slower if even the lower end of the interval is above this.
const SLOWER: f64 = 1.03;

/// Measures the two contestants, the old build first, and prints a line for each number of connections. `true`: the new
/// one is not slower.
pub async fn compare(mut contest: Contest, rules: &Rules) -> Result<bool> {
    contest.verify().await?;
    let mut holds = true;
    println!(
        "\n| connections | old, CPU ms per request (least–most) | new (least–most) | ratio of medians | 95 % interval | |"
    );
    println!("|---|---|---|---|---|---|");
    for &connections in &rules.connections {
        let outcomes = contest.run(rules, connections).await?;
        let [old, new] = outcomes.as_slice() else { bail!("two builds are compared") };
        let ratio = ratio_of_medians(&pairs(old, new)).context("no round was measured")?;
        let verdict = if is_slower(ratio) { "**slower**" } else { "not slower" };
        let Ratio { value, low, high } = ratio;
        let (old, new) = (figures::cpu(old), figures::cpu(new));
        println!("| {connections} | {old} | {new} | {value:.3} | {low:.3}–{high:.3} | {verdict} |");
        holds &= !is_slower(ratio);
    }
    Ok(holds)
}

fn is_slower(ratio: Ratio) -> bool {
    ratio.low > SLOWER
}

/// The CPU time per request of both in each round.
fn pairs(old: &Outcome, new: &Outcome) -> Vec<(f64, f64)> {
    old.turns.iter().zip(&new.turns).map(|(old, new)| (old.cpu, new.cpu)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_build_is_slower_only_if_the_whole_interval_says_so() {
        let ratio = |low, high| Ratio { value: 1.05, low, high };
        assert!(is_slower(ratio(1.031, 1.08)));
        assert!(!is_slower(ratio(1.03, 1.2)) && !is_slower(ratio(0.9, 1.2)));
    }
}
