//! Two of three instances answer 503, as fast as before, and are healthy again after a while.

use super::figures::Findings;
use super::load::{Aim, Load};
use super::served::{Protocol, Source};
use super::service::Answer;
use super::{Drill, Ground, Trouble, pass};
use futures_util::future::{FutureExt as _, join_all};
use std::time::{Duration, Instant};

pub const DRILL: Drill = Drill {
    name: "unavailable",
    what: "2 of 3 instances answer 503 for 16 s",
    must_hold: "at most 20 requests fail in the first second, 0 after it, over REST and gRPC",
    steps: |ground| run(ground).boxed(),
};

const FIRST: Duration = Duration::from_secs(1);
const MOST_FAILED: usize = 20;

async fn run(ground: Ground) -> Result<Findings, Trouble> {
    let length = ground.length;
    let instances = ground.instances(3, Duration::from_millis(20), None)?;
    let sources = [("rest", Protocol::Rest), ("grpc", Protocol::Grpc)]
        .map(|(name, protocol)| Source::over(protocol, name, &instances));
    let served = ground.serve(&sources).await?;
    let rate = length.rate(50, 300);
    let loads =
        sources.each_ref().map(|source| Load::start(Aim::at(served.address, source.name, rate)));
    pass(length.seconds(4, 10)).await;
    let ill = Instant::now();
    for instance in &instances[..2] {
        instance.answer(Answer::Unavailable);
    }
    pass(length.seconds(5, 16)).await;
    for instance in &instances[..2] {
        instance.answer(Answer::Well);
    }
    pass(length.seconds(2, 10)).await;
    let end = Instant::now();

    let mut findings = Findings::default();
    for (shots, source) in join_all(loads.map(Load::stop)).await.iter().zip(&sources) {
        let name = source.name;
        let (failed, text) = shots.due(ill, ill + FIRST).failures();
        findings.hold(failed <= MOST_FAILED, format!("{name}: in the first second {text}"));
        let (failed, text) = shots.due(ill + FIRST, end).failures();
        findings.hold(failed == 0, format!("{name}: later {text}"));
    }
    Ok(findings)
}
