//! One of three instances is killed: its port refuses connections, and those that it had break.

use super::figures::Findings;
use super::instance::Instance;
use super::load::{Aim, Load};
use super::served::{Served, Source};
use super::service::{Answer, Visit};
use super::{Drill, Length, Trouble, pass};
use futures_util::future::FutureExt as _;
use std::time::{Duration, Instant};

pub const DRILL: Drill = Drill {
    name: "killed",
    what: "one of three instances is killed under steady load",
    must_hold: "no request fails",
    steps: |ground| run(ground.length).boxed(),
};

/// Number of calls that it answers first.
const BEFORE: usize = 20;

async fn run(length: Length) -> Result<Findings, Trouble> {
    let mut instances = Instance::several(3, Duration::from_millis(20))?;
    let served = Served::start(&[Source::of("a", &instances)]).await?;
    let rate = length.rate(50, 150);
    let load = Load::start(Aim {
        gateways: vec![served.address],
        source: Some("a"),
        rate,
        calls: 1,
        is_mutation: false,
    });
    // It does not answer calls from now on, so that it ends in the middle of calls.
    let answered = |visits: &[Visit]| visits.iter().filter(|visit| visit.left.is_some()).count();
    instances[0].seen(|visits| answered(visits) >= BEFORE).await;
    instances[0].answer(Answer::Never);
    let held = instances[0].visits().len();
    instances[0].seen(|visits| visits.len() > held).await;
    let killed = Instant::now();
    instances[0].kill().await?;
    pass(length.seconds(3, 10)).await;
    let shots = load.stop().await;

    let mut findings = Findings::default();
    let (failed, text) = shots.failures();
    findings.hold(failed == 0, text);
    let visits = instances[0].visits();
    let broken = visits.iter().filter(|visit| visit.left.is_some_and(|left| left >= killed));
    let broken = broken.count();
    let before = visits.len() - broken;
    let text = format!("it had answered {before} calls, and was in the middle of {broken}");
    findings.hold(before >= BEFORE && broken > 0, text);
    Ok(findings)
}
