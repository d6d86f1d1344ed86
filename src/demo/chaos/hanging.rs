//! One of three instances accepts calls and answers none. A source with three healthy instances is called in the same
//! way beside it.

use super::figures::{Findings, percent, shown};
use super::instance::Instance;
use super::load::{Aim, Load};
use super::served::{Served, Source};
use super::service::Answer;
use super::{Drill, Length, Trouble, pass};
use futures_util::future::FutureExt as _;
use std::time::{Duration, Instant};

pub const DRILL: Drill = Drill {
    name: "hanging",
    what: "one of three instances hangs; each takes 200 ms",
    must_hold: "after 2 s p99 is within 1.2 times that of a healthy source; it gets at most 2 % of the calls",
    steps: |ground| run(ground.length).boxed(),
};

/// After this time, latency must be as before.
const RECOVERY: Duration = Duration::from_secs(2);

async fn run(length: Length) -> Result<Findings, Trouble> {
    let latency = Duration::from_millis(200);
    let (ill, well) = (Instance::several(3, latency)?, Instance::several(3, latency)?);
    let served = Served::start(&[Source::of("a", &ill), Source::of("b", &well)]).await?;
    let rate = length.rate(30, 80);
    let aim = |source| Aim {
        gateways: vec![served.address],
        source: Some(source),
        rate,
        calls: 1,
        is_mutation: false,
    };
    let loads = (Load::start(aim("a")), Load::start(aim("b")));
    pass(Duration::from_secs(2)).await;
    ill[0].answer(Answer::Never);
    let hung = Instant::now();
    pass(RECOVERY + length.seconds(12, 18)).await;
    let end = Instant::now();
    let (ill_shots, well_shots) = (loads.0.stop().await, loads.1.stop().await);

    let mut findings = Findings::default();
    let (of_ill, of_well) =
        (ill_shots.due(hung + RECOVERY, end), well_shots.due(hung + RECOVERY, end));
    let (slow, healthy) = (of_ill.within(0.99), of_well.within(0.99));
    let text = format!(
        "p99 of {} requests {}, that of the healthy source {}",
        of_ill.len(),
        shown(slow),
        shown(healthy)
    );
    findings.hold(slow <= healthy.mul_f64(1.2), text);
    let all = ill.iter().map(|it| it.visits_since(hung)).sum();
    let its = ill[0].visits_since(hung);
    let share = percent(its, all);
    findings.hold(share <= 2.0, format!("it got {its} of {all} calls, {share:.2} %"));
    let (failed, text) = ill_shots.failures();
    findings.hold(failed == 0, text);
    Ok(findings)
}
