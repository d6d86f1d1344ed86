//! All instances accept calls and answer none: a call that times out is not retried, since no other instance answers.

use super::figures::{Findings, shown};
use super::load::{Aim, Load};
use super::served::Source;
use super::service::Answer;
use super::{Drill, Ground, Trouble, pass};
use futures_util::future::FutureExt as _;
use std::time::{Duration, Instant};

pub const DRILL: Drill = Drill {
    name: "hung",
    what: "all instances hang",
    must_hold: "p99 is within 5 % of the source's timeout",
    steps: |ground| run(ground).boxed(),
};

async fn run(ground: Ground) -> Result<Findings, Trouble> {
    let length = ground.length;
    let timeout = length.seconds(2, 5);
    let instances = ground.instances(3, Duration::from_millis(20), None)?;
    let setting = format!("timeout: {}s", timeout.as_secs());
    let served = ground.serve(&[Source::of("a", &instances).with(&setting)]).await?;
    let load = Load::start(Aim::at(served.address, "a", length.rate(30, 100)));
    pass(length.seconds(3, 10)).await;
    let hung = Instant::now();
    for instance in &instances {
        instance.answer(Answer::Never);
    }
    pass(2 * timeout).await;
    let end = Instant::now();
    let shots = load.stop().await.due(hung, end);

    let mut findings = Findings::default();
    let (p99, bound) = (shots.within(0.99), timeout.mul_f64(1.05));
    let text = format!("p99 of {} requests {}, at most {}", shots.len(), shown(p99), shown(bound));
    findings.hold(p99 <= bound, text);
    Ok(findings)
}
