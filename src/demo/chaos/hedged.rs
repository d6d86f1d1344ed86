//! Every instance delays the calls for one item in thirty, each for different items. A source with the same instances
//! is called without hedging beside it.

use super::figures::{Findings, percent, shown};
use super::instance::Instance;
use super::load::{Aim, Load};
use super::served::{Served, Source};
use super::service::{Answer, Visit};
use super::{Drill, Length, Trouble, pass};
use futures_util::future::FutureExt as _;
use std::time::{Duration, Instant};

pub const DRILL: Drill = Drill {
    name: "hedged",
    what: "a source that is hedged takes 2 s instead of 50 ms for a call in thirty",
    must_hold: "its p99 is at most half of what it is without hedging; attempts add no more than the budget for retries lets them, and those that are not needed are dropped",
    steps: |ground| run(ground.length).boxed(),
};

const LATE: Duration = Duration::from_secs(2);

/// One call in this many is late.
const EVERY: usize = 30;

/// Percent: a tenth of the calls, and three per second.
const MOST_ADDED: f64 = 20.0;

/// Time until the latency of calls is known.
const LEARNING: Duration = Duration::from_secs(2);

async fn run(length: Length) -> Result<Findings, Trouble> {
    let latency = Duration::from_millis(50);
    let (hedged, plain) = (Instance::several(3, latency)?, Instance::several(3, latency)?);
    let mut source = Source::of("a", &hedged);
    source.settings.push_str(", hedge: true");
    let served = Served::start(&[source, Source::of("b", &plain)]).await?;
    let (rate, calls) = (length.rate(20, 40), 3);
    let aim = |source| Aim {
        gateways: vec![served.address],
        source: Some(source),
        rate,
        calls,
        is_mutation: false,
    };
    let loads = (Load::start(aim("a")), Load::start(aim("b")));
    pass(LEARNING).await;
    let since = Instant::now();
    for instances in [&hedged, &plain] {
        for (place, instance) in instances.iter().enumerate() {
            let rest = EVERY / instances.len() * place;
            instance.answer(Answer::Late { late: LATE, every: EVERY, rest });
        }
    }
    pass(length.seconds(8, 15)).await;
    let end = Instant::now();
    let (of_hedged, of_plain) = (loads.0.stop().await, loads.1.stop().await);

    let mut findings = Findings::default();
    let (failed, text) = of_hedged.failures();
    findings.hold(failed == 0, text);
    let (of_hedged, of_plain) = (of_hedged.due(since, end), of_plain.due(since, end));
    let (with, without) = (of_hedged.within(0.99), of_plain.within(0.99));
    let text =
        format!("p99 of {} requests {}, without {}", of_hedged.len(), shown(with), shown(without));
    findings.hold(without >= LATE && with * 2 <= without, text);
    let tries: usize = hedged.iter().map(|it| it.visits_since(since)).sum();
    let calls = of_hedged.len() * calls;
    let added = percent(tries.saturating_sub(calls), calls);
    findings.hold(added > 0.0 && added <= MOST_ADDED, format!("{added:.1} % more attempts"));
    let visits: Vec<_> = hedged.iter().flat_map(Instance::visits).collect();
    let late = |visit: &&Visit| visit.left.is_none_or(|left| left - visit.came >= LATE);
    let (late, all) = (visits.iter().filter(late).count(), calls / EVERY);
    findings
        .hold(late * 4 <= all, format!("{late} of some {all} late attempts went on to their end"));
    Ok(findings)
}
