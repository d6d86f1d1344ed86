//! One of three instances answers 500 to every call.

use super::figures::Findings;
use super::instance::Instance;
use super::load::{Aim, Load};
use super::served::{Served, Source};
use super::service::Answer;
use super::{Drill, Length, Trouble, pass, until};
use crate::upstream::status::Wellness;
use futures_util::future::FutureExt as _;
use std::time::Duration;

pub const DRILL: Drill = Drill {
    name: "failing",
    what: "one of three instances answers 500 to everything",
    must_hold: "it is ejected within 1 s; no request fails",
    steps: |ground| run(ground.length).boxed(),
};

/// Calls per second. Each failure halves the instance's share, so the five failures that eject it happen within a
/// second only at this rate.
const RATE: u32 = 300;

async fn run(length: Length) -> Result<Findings, Trouble> {
    let instances = Instance::several(3, Duration::from_millis(20))?;
    let served = Served::start(&[Source::of("a", &instances)]).await?;
    let load = Load::start(Aim {
        gateways: vec![served.address],
        source: Some("a"),
        rate: RATE,
        calls: 1,
        is_mutation: false,
    });
    pass(Duration::from_secs(2)).await;
    instances[0].answer(Answer::Error);
    let address = instances[0].address.to_string();
    let is_ejected = || {
        served.status("a").is_some_and(|status| {
            let mut all = status.instances.into_iter();
            all.any(|it| it.address == address && it.health == Wellness::Ejected)
        })
    };
    let ejected = until(Duration::from_secs(5), is_ejected).await;
    pass(length.seconds(2, 8)).await;
    let shots = load.stop().await;

    let mut findings = Findings::default();
    findings.within("ejected", ejected, Duration::from_secs(1));
    let (failed, text) = shots.failures();
    findings.hold(failed == 0, text);
    Ok(findings)
}
