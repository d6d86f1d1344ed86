//! A service that answers sixteen calls at a time is called three times as often as it can answer, with default
//! settings. An equal service is called lightly beside it.

use super::figures::{Findings, quantile, shown};
use super::load::{Aim, End, Load};
use super::served::Source;
use super::{Drill, Ground, Length, Trouble, pass};
use futures_util::future::{FutureExt as _, join_all};
use std::time::{Duration, Instant};

pub const DRILL: Drill = Drill {
    name: "overload",
    what: "a service with 16 slots of 50 ms is called three times as often as it can answer",
    must_hold: "it answers 90 % of what it can; p99 of the answers is within twice that of one that is called little; \
                half of those refused at once are within 10 ms; the others are dropped within twice a healthy call's time",
    steps: |ground| run(ground).boxed(),
};

const SLOTS: usize = 16;

/// Latency that separates refusals on arrival from those out of the queue.
const DOOR: Duration = Duration::from_millis(10);

#[expect(clippy::cast_precision_loss, clippy::cast_sign_loss, reason = "counts and rates of calls")]
async fn run(ground: Ground) -> Result<Findings, Trouble> {
    let length = ground.length;
    // In short drills, the same with fewer calls per second.
    let latency = if length == Length::Short { 200 } else { 50 };
    let latency = Duration::from_millis(latency);
    let busy = ground.instances(1, latency, Some(SLOTS))?;
    let twin = ground.instances(1, latency, Some(SLOTS))?;
    let served = ground.serve(&[Source::of("a", &busy), Source::of("b", &twin)]).await?;
    let capacity = SLOTS as f64 / latency.as_secs_f64();
    let aim = |source, times: f64| Aim::at(served.address, source, (capacity * times) as u32);
    let beside = Load::start(aim("b", 0.3));
    let before = Load::start(aim("a", 0.3));
    pass(length.seconds(3, 5)).await;
    before.stop().await;
    let began = Instant::now();
    let over = Load::start(aim("a", 3.0));
    pass(length.seconds(10, 20)).await;
    let (end, visits) = (Instant::now(), busy[0].visits());
    let shots = join_all([over, beside].map(Load::stop)).await;
    let (over, beside) = (&shots[0], shots[1].due(began, end));

    let mut findings = Findings::default();
    let ended = |left: Option<Instant>| left.is_some_and(|left| left >= began && left < end);
    let answered = visits.iter().filter(|visit| ended(visit.left)).count();
    let can = capacity * (end - began).as_secs_f64();
    let text = format!("{answered} answers of {can:.0} that it can give");
    findings.hold(answered as f64 >= can * 0.9, text);
    let (answers, healthy) = (over.ended(|end| *end == End::Data), beside.within(0.99));
    let p99 = answers.within(0.99);
    let text = format!("p99 of the answers {}, called little {}", shown(p99), shown(healthy));
    findings.hold(p99 <= 2 * healthy, text);
    let refused = over.ended(|end| *end == End::Error("OVERLOADED".to_owned()));
    let took: Vec<_> = refused.times().collect();
    let door = quantile(took.iter().copied().filter(|took| *took < DOOR), 0.5);
    let at_door = took.iter().filter(|took| **took < DOOR).count();
    let text = format!("{at_door} of {} refusals at once, half within {}", took.len(), shown(door));
    findings.hold(at_door * 4 >= took.len(), text);
    let (dropped, healthy) = (quantile(took, 0.99), beside.within(0.5));
    let text = format!("99 % of the refusals within {}, a call {}", shown(dropped), shown(healthy));
    findings.hold(dropped <= 2 * healthy, text);
    let others = over.len() - answers.len() - refused.len();
    findings.hold(others == 0, format!("{others} ended otherwise"));
    Ok(findings)
}
