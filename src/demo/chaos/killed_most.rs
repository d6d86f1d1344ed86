//! Two of three instances are killed, and beside them three of five. After a while all are back. Measured from the kill
//! until they have their full share again.

use super::figures::{Findings, percent};
use super::instance::Instance;
use super::load::{Aim, Load, Shots};
use super::served::Source;
use super::{Drill, Ground, Length, Trouble, pass};
use futures_util::future::{FutureExt as _, join_all};
use std::time::{Duration, Instant};

pub const DRILL: Drill = Drill {
    name: "killed_most",
    what: "2 of 3 instances, and 3 of 5, are killed for 16 s and come back",
    must_hold: "at most 20 requests fail in the first second, 0 after it; those that are back are called within 2 s, \
                and have their full share after slow_start",
    steps: |ground| run(ground).boxed(),
};

const FIRST: Duration = Duration::from_secs(1);
const MOST_FAILED: usize = 20;
const CALLED_WITHIN: Duration = Duration::from_secs(2);

/// Instances of a source, and how many of them are killed.
struct Set {
    name: &'static str,
    instances: Vec<Instance>,
    killed: usize,
}

struct Times {
    killed: Instant,
    back: Instant,
    /// End of the slow start.
    started: Instant,
    end: Instant,
}

async fn run(ground: Ground) -> Result<Findings, Trouble> {
    let length = ground.length;
    let latency = Duration::from_millis(20);
    let mut sets = [
        Set { name: "a", instances: ground.instances(3, latency, None)?, killed: 2 },
        Set { name: "b", instances: ground.instances(5, latency, None)?, killed: 3 },
    ];
    let slow_start = length.seconds(3, 10);
    let setting = format!("slow_start: {}s", slow_start.as_secs());
    let sources = sets.each_ref().map(|set| Source::of(set.name, &set.instances).with(&setting));
    let served = ground.serve(&sources).await?;
    let rate = length.rate(50, 300);
    let loads = sets.each_ref().map(|set| Load::start(Aim::at(served.address, set.name, rate)));
    pass(length.seconds(4, 10)).await;

    let killed = Instant::now();
    for set in &mut sets {
        for instance in &mut set.instances[..set.killed] {
            instance.kill().await?;
        }
    }
    pass(length.seconds(5, 16)).await;
    let back = Instant::now();
    for set in &mut sets {
        for instance in &mut set.instances[..set.killed] {
            instance.listen()?;
        }
    }
    let started = back + slow_start + FIRST;
    tokio::time::sleep_until(started.into()).await;
    pass(length.seconds(5, 8)).await;
    let times = Times { killed, back, started, end: Instant::now() };

    let mut findings = Findings::default();
    for (shots, set) in join_all(loads.map(Load::stop)).await.iter().zip(&sets) {
        judge(set, shots, &times, length, &mut findings);
    }
    Ok(findings)
}

fn judge(set: &Set, shots: &Shots, times: &Times, length: Length, findings: &mut Findings) {
    let Set { instances, killed, .. } = set;
    let all = instances.len();
    let whom = format!("{killed} of {all} killed");
    let (before, text) = shots.before(times.killed).failures();
    findings.hold(before == 0, format!("{whom}: before, {text}"));
    let (failed, text) = shots.due(times.killed, times.killed + FIRST).failures();
    findings.hold(failed <= MOST_FAILED, format!("{whom}: in the first second {text}"));
    let (failed, text) = shots.due(times.killed + FIRST, times.end).failures();
    findings.hold(failed == 0, format!("{whom}: later {text}"));
    let called = instances[..*killed].iter().map(|it| it.first_visit_since(times.back));
    let latest = called.max_by_key(|called| called.map_or(times.end, |called| called)).flatten();
    let latest = latest.map(|called| called.saturating_duration_since(times.back));
    findings.within(&format!("{whom}: all that are back are called"), latest, CALLED_WITHIN);

    let calls = |it: &Instance| it.visits_in(times.started, times.end);
    let total: usize = instances.iter().map(calls).sum();
    let shares = instances.iter().map(|it| percent(calls(it), total));
    // With few calls, chance moves the shares further.
    let points = if length == Length::Short { 12.0 } else { 5.0 };
    let fair = percent(1, all);
    let off = shares.clone().map(|share| (share - fair).abs()).fold(0.0, f64::max);
    let shown: Vec<_> = shares.map(|share| format!("{share:.1} %")).collect();
    let text = format!("{whom}: after slow_start, shares of {total} calls: {}", shown.join(", "));
    findings.hold(off <= points, text);
}
