//! An instance is stopped (SIGSTOP), and the connections of another go silent while new ones work, as behind a path that
//! drops packets. Over REST and gRPC, each beside a source whose instances are well.

use super::figures::{Findings, shown};
use super::load::{Aim, Load};
use super::served::{Protocol, Source};
use super::{Drill, Ground, Trouble, pass};
use futures_util::future::{FutureExt as _, join_all};
use std::time::{Duration, Instant};

pub const DRILL: Drill = Drill {
    name: "silent",
    what: "an instance's connections go silent, and later another instance is stopped for 10 s",
    must_hold: "no REST query fails; no gRPC query, which may not be made twice, fails from 2 s after each fault on; \
                from then on p99 is that of a healthy source",
    steps: |ground| run(ground).boxed(),
};

const RECOVERY: Duration = Duration::from_secs(2);

/// A connection is known to be silent once a call has waited for so long.
const TIMEOUT: &str = "timeout: 1s";

async fn run(ground: Ground) -> Result<Findings, Trouble> {
    let length = ground.length;
    let latency = Duration::from_millis(100);
    let ill = ground.instances(3, latency, None)?;
    let well = ground.instances(3, latency, None)?;
    let sources = [
        Source::over(Protocol::Rest, "rest", &ill).with(TIMEOUT),
        Source::over(Protocol::Grpc, "grpc", &ill).with(TIMEOUT),
        Source::over(Protocol::Grpc, "healthy", &well),
    ];
    let served = ground.serve(&sources).await?;
    let rate = length.rate(30, 100);
    let loads =
        sources.each_ref().map(|source| Load::start(Aim::at(served.address, source.name, rate)));
    pass(length.seconds(3, 10)).await;
    let silent = Instant::now();
    ill[0].silence();
    pass(RECOVERY + length.seconds(3, 10)).await;
    let stopped = Instant::now();
    ill[1].suspend(true);
    pass(RECOVERY + length.seconds(3, 8)).await;
    let end = Instant::now();
    ill[1].suspend(false);
    let shots = join_all(loads.map(Load::stop)).await;

    let mut findings = Findings::default();
    for (from, to, fault) in [(silent, stopped, "silent"), (stopped, end, "stopped")] {
        let healthy = shots[2].due(from + RECOVERY, to).within(0.99);
        for (shots, source) in shots.iter().zip(&sources).take(2) {
            let name = source.name;
            let p99 = shots.due(from + RECOVERY, to).within(0.99);
            let text = format!("{fault}, {name}: p99 {}, healthy {}", shown(p99), shown(healthy));
            findings.hold(p99 <= healthy.mul_f64(1.2), text);
            let since = if name == "rest" { from } else { from + RECOVERY };
            let (failed, text) = shots.due(since, to).failures();
            findings.hold(failed == 0, format!("{fault}, {name}: {text}"));
        }
    }
    Ok(findings)
}
