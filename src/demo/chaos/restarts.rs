//! A rolling restart without grace: one instance after another is killed, and starts again after a second and a half.
//! The same instances are called over REST and gRPC, with each load balancing strategy, often and rarely.

use super::figures::Findings;
use super::load::{Aim, Load};
use super::served::{Protocol, Source};
use super::{Drill, Ground, Trouble, pass};
use futures_util::future::{FutureExt as _, join_all};
use std::time::{Duration, Instant};

pub const DRILL: Drill = Drill {
    name: "restarts",
    what: "three instances are killed and start again one after another, each down for 1.5 s",
    must_hold: "no query fails, over REST and gRPC, with every balancer, often and seldom called",
    steps: |ground| run(ground).boxed(),
};

const DOWN: Duration = Duration::from_millis(1500);

/// Name, protocol and balancer of a source, and whether it is called often.
const SOURCES: [(&str, Protocol, &str, bool); 12] = [
    ("rest_p2c", Protocol::Rest, "p2c", true),
    ("rest_turns", Protocol::Rest, "round_robin", true),
    ("rest_least", Protocol::Rest, "least_in_flight", true),
    ("grpc_p2c", Protocol::Grpc, "p2c", true),
    ("grpc_turns", Protocol::Grpc, "round_robin", true),
    ("grpc_least", Protocol::Grpc, "least_in_flight", true),
    ("rest_p2c_seldom", Protocol::Rest, "p2c", false),
    ("rest_turns_seldom", Protocol::Rest, "round_robin", false),
    ("rest_least_seldom", Protocol::Rest, "least_in_flight", false),
    ("grpc_p2c_seldom", Protocol::Grpc, "p2c", false),
    ("grpc_turns_seldom", Protocol::Grpc, "round_robin", false),
    ("grpc_least_seldom", Protocol::Grpc, "least_in_flight", false),
];

async fn run(ground: Ground) -> Result<Findings, Trouble> {
    let length = ground.length;
    let mut instances = ground.instances(3, Duration::from_millis(20), None)?;
    let sources = SOURCES.map(|(name, protocol, balance, _)| {
        Source::over(protocol, name, &instances).with(&format!("balance: {balance}"))
    });
    let served = ground.serve(&sources).await?;
    let loads = SOURCES.map(|(name, _, _, often)| {
        let rate = if often { length.rate(20, 300) } else { length.rate(4, 60) };
        Load::start(Aim::at(served.address, name, rate))
    });
    pass(length.seconds(3, 5)).await;
    let every = length.seconds(3, 6);
    for instance in &mut instances {
        let killed = Instant::now();
        instance.kill().await?;
        pass(DOWN).await;
        instance.listen()?;
        tokio::time::sleep_until((killed + every).into()).await;
    }

    let mut findings = Findings::default();
    for (shots, (name, ..)) in join_all(loads.map(Load::stop)).await.iter().zip(SOURCES) {
        let (failed, text) = shots.failures();
        findings.hold(failed == 0, format!("{name}: {text}"));
    }
    Ok(findings)
}
