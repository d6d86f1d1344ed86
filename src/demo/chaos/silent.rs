//! One instance is stopped (SIGSTOP), and the connections of another go silent while new ones work, as on a path that
//! drops packets. Over REST and gRPC, each beside a source with healthy instances.

use super::figures::{Findings, shown};
use super::load::{Aim, Load};
use super::served::{Protocol, Source};
use super::{Drill, Ground, Trouble, pass};
use futures_util::future::{FutureExt as _, join_all};
use std::time::{Duration, Instant};

pub const DRILL: Drill = Drill {
    name: "silent",
    what: "an instance's connections go silent, and later another instance is stopped for 10 s",
    must_hold: "no REST query fails; from 2 s after the silence on, no query fails or is late; from 2 s after the stop on, at \
                most 5 gRPC queries fail (they may not be made twice) and at most 5 queries are late, as many as eject an \
                instance",
    steps: |ground| run(ground).boxed(),
};

const RECOVERY: Duration = Duration::from_secs(2);

/// Time after which a silent connection is detected: a call has waited that long.
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
    // A call that is in flight when the second fault begins counts for the second.
    let before = stopped.checked_sub(3 * latency).unwrap_or(stopped);
    let silent = Fault { name: "silent", from: silent, to: before, late: 0 };
    let stopped = Fault { name: "stopped", from: stopped, to: end, late: FAILURES };
    for fault in [silent, stopped] {
        let healthy = shots[2].due(fault.from + RECOVERY, fault.to).within(0.5);
        for (shots, source) in shots.iter().zip(&sources).take(2) {
            let name = format!("{}, {}", fault.name, source.name);
            let later = shots.due(fault.from + RECOVERY, fault.to);
            let late = later.times().filter(|took| *took > latency * 5).count();
            let text = format!(
                "{name}: {late} of {} late, median {}, healthy {}",
                later.len(),
                shown(later.within(0.5)),
                shown(healthy)
            );
            findings.hold(late <= fault.late, text);
            let (failed, text) = if source.name == "rest" {
                shots.due(fault.from, fault.to).failures()
            } else {
                later.failures()
            };
            let most = if source.name == "rest" { 0 } else { fault.late };
            findings.hold(failed <= most, format!("{name}: {text}"));
        }
    }
    Ok(findings)
}

/// Failures in a row that eject an instance by default.
const FAILURES: usize = 5;

struct Fault {
    name: &'static str,
    from: Instant,
    to: Instant,
    /// Number of queries that may be late, or fail, later than [`RECOVERY`].
    late: usize,
}
