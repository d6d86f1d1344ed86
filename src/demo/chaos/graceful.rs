//! A graceful rolling restart over gRPC: one instance after another sends GOAWAY, answers the calls it has, ends, and
//! starts again. Queries and mutations.

use super::figures::Findings;
use super::load::{Aim, Load};
use super::served::{Protocol, Source};
use super::{Drill, Ground, Trouble, pass};
use futures_util::future::{FutureExt as _, join_all};
use std::time::Duration;

pub const DRILL: Drill = Drill {
    name: "graceful",
    what: "three gRPC instances are stopped with grace and start again, one after another",
    must_hold: "no query and no mutation fails",
    steps: |ground| run(ground).boxed(),
};

const DOWN: Duration = Duration::from_millis(500);

async fn run(ground: Ground) -> Result<Findings, Trouble> {
    let length = ground.length;
    let mut instances = ground.instances(3, Duration::from_millis(20), None)?;
    let source = Source::over(Protocol::Grpc, "a", &instances);
    let served = ground.serve(&[source]).await?;
    let queries = Aim::at(served.address, "a", length.rate(60, 200));
    let rate = length.rate(30, 100);
    let mutations = Aim { is_mutation: true, rate, ..queries.clone() };
    let loads = [queries, mutations].map(Load::start);
    pass(length.seconds(2, 5)).await;
    for _ in 0..length.rate(1, 2) {
        for instance in &mut instances {
            instance.stop().await?;
            pass(DOWN).await;
            instance.listen()?;
            pass(length.seconds(2, 3)).await;
        }
    }

    let mut findings = Findings::default();
    let whats = ["queries", "mutations"];
    for (shots, what) in join_all(loads.map(Load::stop)).await.iter().zip(whats) {
        let (failed, text) = shots.failures();
        findings.hold(failed == 0, format!("{what}: {text}"));
    }
    Ok(findings)
}
