//! Every instance answers half of its calls with 500, and every call allows three attempts. The breaker is off, because
//! it would refuse calls if slightly more of them failed.

use super::figures::{Findings, percent};
use super::instance::Instance;
use super::load::{Aim, Load};
use super::served::{Served, Source};
use super::service::Answer;
use super::{Drill, Length, Trouble, pass};
use futures_util::future::FutureExt as _;
use std::time::Duration;

pub const DRILL: Drill = Drill {
    name: "retries",
    what: "a source without a breaker fails half of its calls for a minute",
    must_hold: "further tries add at most 13 % to its load",
    steps: |ground| run(ground.length).boxed(),
};

async fn run(length: Length) -> Result<Findings, Trouble> {
    let instances = Instance::several(3, Duration::from_millis(5))?;
    for instance in &instances {
        instance.answer(Answer::ErrorShare(0.5));
    }
    let mut source = Source::of("a", &instances);
    source.settings.push_str(", breaker: { enabled: false }");
    let served = Served::start(&[source]).await?;
    let (rate, calls) = (40, 5);
    let load = Load::start(Aim {
        gateways: vec![served.address],
        source: Some("a"),
        rate,
        calls,
        is_mutation: false,
    });
    pass(length.seconds(15, 60)).await;
    let calls = load.stop().await.len() * calls;

    let mut findings = Findings::default();
    let tries: usize = instances.iter().map(|it| it.visits().len()).sum();
    let added = percent(tries.saturating_sub(calls), calls);
    let text = format!("{tries} tries for {calls} calls: {added:.1} % more");
    // With less, nothing was retried, so the figure proves nothing.
    findings.hold((5.0..=13.0).contains(&added), text);
    Ok(findings)
}
