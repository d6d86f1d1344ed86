//! The figures as Markdown.

use crate::contest::{Outcome, Rules, Turn};

type Figure = fn(&Turn) -> f64;

/// In the order of the columns.
const FIGURES: [Figure; 5] = [|t| t.cpu, |t| t.per_second, |t| t.p50, |t| t.p99, |t| t.calls];

/// What was measured on, and how.
pub fn print_machine(rules: &Rules) {
    let read = |path| std::fs::read_to_string(path).unwrap_or_default();
    let cpus = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    let model = read("/proc/cpuinfo")
        .lines()
        .find_map(|line| {
            line.strip_prefix("model name")?.split_once(':').map(|(_, name)| name.trim().to_owned())
        })
        .unwrap_or_else(|| "unknown CPU".into());
    println!(
        "{cpus} cores ({model}), Linux {}; {} rounds of {:?} each; load average at the start {}",
        read("/proc/sys/kernel/osrelease").trim(),
        rules.rounds,
        rules.length,
        read("/proc/loadavg").split(' ').next().unwrap_or_default(),
    );
}

pub fn print_table(connections: usize, outcomes: &[Outcome]) {
    let noun = if connections == 1 { "connection" } else { "connections" };
    println!("\n{connections} {noun}\n");
    println!(
        "| | CPU ms per request (least–most) | requests/s | p50 ms | p99 ms | upstream calls per request | peak MiB |"
    );
    println!("|---|---|---|---|---|---|---|");
    for outcome in outcomes {
        let Outcome { name, turns, peak } = outcome;
        let [_, rate, p50, p99, calls] = FIGURES.map(|of| sorted(turns, of));
        println!(
            "| {name} | {} | {:.0} | {:.2} | {:.2} | {:.2} | {peak:.0} |",
            cpu(outcome),
            median(&rate),
            median(&p50),
            median(&p99),
            median(&calls),
        );
    }
}

/// CPU milliseconds per request: the median, the least and the most.
pub fn cpu(outcome: &Outcome) -> String {
    let cpu = sorted(&outcome.turns, FIGURES[0]);
    let (least, most) = (cpu.first().unwrap_or(&0.0), cpu.last().unwrap_or(&0.0));
    format!("{:.3} ({least:.3}–{most:.3})", median(&cpu))
}

fn sorted(turns: &[Turn], of: Figure) -> Vec<f64> {
    let mut values: Vec<f64> = turns.iter().map(of).collect();
    values.sort_by(f64::total_cmp);
    values
}

/// Of values in order.
pub fn median(sorted: &[f64]) -> f64 {
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => 0.0,
        n if n % 2 == 1 => sorted[middle],
        _ => f64::midpoint(sorted[middle - 1], sorted[middle]),
    }
}
