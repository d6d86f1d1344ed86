//! All instances answer 503 for 17 s, and are healthy again.

use super::figures::Findings;
use super::load::{Aim, Load};
use super::served::Source;
use super::service::Answer;
use super::{Drill, Ground, Trouble, pass};
use futures_util::future::FutureExt as _;
use std::time::{Duration, Instant};

pub const DRILL: Drill = Drill {
    name: "recovery",
    what: "all instances answer 503 for 17 s",
    must_hold: "no request fails from 5 s after they are well again",
    steps: |ground| run(ground).boxed(),
};

const BACK_WITHIN: Duration = Duration::from_secs(5);

async fn run(ground: Ground) -> Result<Findings, Trouble> {
    let length = ground.length;
    let instances = ground.instances(3, Duration::from_millis(20), None)?;
    let served = ground.serve(&[Source::of("a", &instances)]).await?;
    let load = Load::start(Aim::at(served.address, "a", length.rate(50, 300)));
    pass(length.seconds(3, 10)).await;
    for instance in &instances {
        instance.answer(Answer::Unavailable);
    }
    pass(length.seconds(7, 17)).await;
    let well = Instant::now();
    for instance in &instances {
        instance.answer(Answer::Well);
    }
    pass(BACK_WITHIN + length.seconds(2, 5)).await;
    let end = Instant::now();
    let shots = load.stop().await;

    let mut findings = Findings::default();
    let refused = shots.due(well, well + BACK_WITHIN).failures().0;
    let (failed, text) = shots.due(well + BACK_WITHIN, end).failures();
    findings.hold(failed == 0, format!("{refused} failed in the first 5 s; later {text}"));
    Ok(findings)
}
