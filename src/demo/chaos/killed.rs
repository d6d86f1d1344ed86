//! One of three instances is killed: its port refuses connections, and those that it had break.

use super::figures::Findings;
use super::instance::Instance;
use super::load::{Aim, Load};
use super::served::{Served, Source};
use super::{Drill, Length, Trouble, pass};
use futures_util::future::FutureExt as _;
use std::time::{Duration, Instant};

pub const DRILL: Drill = Drill {
    name: "killed",
    what: "one of three instances is killed under steady load",
    must_hold: "no request fails",
    steps: |length| run(length).boxed(),
};

async fn run(length: Length) -> Result<Findings, Trouble> {
    let mut instances = Instance::several(3, Duration::from_millis(20))?;
    let served = Served::start(&[Source::of("a", &instances)]).await?;
    let rate = length.rate(50, 150);
    let load =
        Load::start(Aim { gateways: vec![served.address], source: Some("a"), rate, calls: 1 });
    pass(Duration::from_secs(2)).await;
    let (killed, before) = (Instant::now(), instances[0].visits().len());
    instances[0].kill().await?;
    pass(length.seconds(3, 10)).await;
    let shots = load.stop().await;

    let mut findings = Findings::default();
    let (failed, text) = shots.failures();
    findings.hold(failed == 0, text);
    let mut visits = instances[0].visits();
    visits.retain(|visit| visit.left.is_some_and(|left| left >= killed));
    let text = format!("it had had {before} calls, and was in the middle of {}", visits.len());
    findings.hold(before > 20, text);
    Ok(findings)
}
