//! All three instances are down for a while, and come back.
//!
//! The latency of a refusal is compared with that of an answer without a call, requested at the same time: both wait
//! equally for the machine. In full length, on an otherwise idle machine, it must also be below a fixed time.

use super::figures::{Findings, shown};
use super::instance::Instance;
use super::load::{Aim, End, Load, Shots};
use super::served::{Served, Source};
use super::service::Visit;
use super::{Drill, Length, Trouble, pass, until};
use crate::upstream::Position;
use futures_util::future::FutureExt as _;
use std::time::{Duration, Instant};

pub const DRILL: Drill = Drill {
    name: "outage",
    what: "all instances are down for 10 s, then up; each takes 100 ms",
    must_hold: "the breaker opens within 1 s, refuses in less than 5 ms, closes within 2 s; one probe at a time",
    steps: |ground| run(ground.length).boxed(),
};

/// Maximum latency beyond what the machine needs for any answer, in full length.
const REFUSED_WITHIN: Duration = Duration::from_millis(5);

/// Maximum number of calls that pass meanwhile: one every two seconds.
const MOST_PROBES: usize = 5;

async fn run(length: Length) -> Result<Findings, Trouble> {
    let mut instances = Instance::several(3, Duration::from_millis(100))?;
    let served = Served::start(&[Source::of("a", &instances)]).await?;
    let rate = length.rate(50, 80);
    let aim =
        |source| Aim { gateways: vec![served.address], source, rate, calls: 1, is_mutation: false };
    let (load, beside) = (Load::start(aim(Some("a"))), Load::start(aim(None)));
    let position = || served.status("a").map(|status| status.breaker);
    pass(length.seconds(3, 12)).await;

    let down = Instant::now();
    for instance in &mut instances {
        instance.kill().await?;
    }
    let opened = until(Duration::from_secs(8), || position() != Some(Position::Closed)).await;
    let refusing = Instant::now();
    pass(length.seconds(7, 10).saturating_sub(down.elapsed())).await;
    let back = Instant::now();
    for instance in &mut instances {
        instance.listen()?;
    }
    let closed = until(Duration::from_secs(8), || position() == Some(Position::Closed)).await;
    pass(Duration::from_millis(500)).await;
    let settled = Instant::now();
    pass(Duration::from_millis(500)).await;
    let end = Instant::now();
    let (shots, beside) = (load.stop().await, beside.stop().await);

    let mut findings = Findings::default();
    findings.within("opened", opened, Duration::from_secs(1));
    refusals(&shots.due(refusing, back), &beside.due(refusing, back), length, &mut findings);
    findings.within("closed", closed, Duration::from_secs(2));
    probes(instances.iter().flat_map(Instance::visits), back, &mut findings);
    let (failed, text) = shots.due(settled, end).failures();
    findings.hold(failed == 0, format!("in the last half second, {text}"));
    Ok(findings)
}

/// Checks the answers while the breaker was open. `beside`: answers at the same time that needed no call.
fn refusals(shots: &Shots, beside: &Shots, length: Length, findings: &mut Findings) {
    let refused = shots.ended(|end| *end == End::Error("CIRCUIT_OPEN".to_owned()));
    let others = shots.len() - refused.len();
    let text = format!("{} were refused, {others} were let through to see", refused.len());
    findings.hold(refused.len() > 100 && others <= MOST_PROBES, text);
    for (share, which) in [(0.5, "half"), (0.95, "95 %")] {
        let (took, nobody) = (refused.within(share), beside.within(share));
        let text = format!(
            "{which} of the refusals within {}, of answers without a call within {}",
            shown(took),
            shown(nobody)
        );
        let machine = if length == Length::Short { nobody } else { Duration::ZERO };
        findings.hold(took < REFUSED_WITHIN + machine, text);
    }
}

/// Checks that no call arrived while the first one after the return was being answered.
fn probes(visits: impl Iterator<Item = Visit>, back: Instant, findings: &mut Findings) {
    let mut visits: Vec<_> = visits.filter(|visit| visit.came >= back).collect();
    visits.sort_unstable_by_key(|visit| visit.came);
    let over = visits.first().and_then(|probe| probe.left);
    let others = visits.iter().skip(1).filter(|visit| over.is_none_or(|over| visit.came < over));
    let others = others.count();
    findings.hold(over.is_some() && others == 0, format!("{others} calls beside the probe"));
}
