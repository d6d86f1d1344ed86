//! All instances of a source become ten times slower, until more calls are wanted than may be in flight. Another source
//! is called through the same gateway and, for comparison, through one without the slow source.

use super::figures::{Findings, shown};
use super::instance::{Instance, most_in_flight};
use super::load::{Aim, End, Load, Shots};
use super::served::{Served, Source};
use super::service::Visit;
use super::{Drill, Length, Trouble, pass};
use futures_util::future::FutureExt as _;
use std::time::{Duration, Instant};

pub const DRILL: Drill = Drill {
    name: "slow",
    what: "a source takes 3 s instead of 300 ms, and is asked 100 times a second",
    must_hold: "at most 256 calls are under way, memory stays flat, p99 of another source is within 1.2 times",
    steps: |ground| run(ground.length).boxed(),
};

/// Default of `concurrency.max`.
const MOST: usize = 256;

/// Duration of a slow call.
const LATENCY: Duration = Duration::from_secs(3);

/// Time until the maximum number of calls is in flight.
const FILLING: Duration = Duration::from_secs(4);

/// Memory for waiting requests, including the clients, which are in the same process.
const MOST_GROWTH: u64 = 32 << 20;

async fn run(length: Length) -> Result<Findings, Trouble> {
    let slow = Instance::several(3, Duration::from_millis(300))?;
    let other = Instance::several(3, Duration::from_millis(200))?;
    let of_other = Source::of("b", &other);
    let served = Served::start(&[Source::of("a", &slow), of_other.clone()]).await?;
    let apart = Served::start(&[of_other]).await?;
    let aim = |gateway: &Served, source, rate, calls| {
        Load::start(Aim {
            gateways: vec![gateway.address],
            source: Some(source),
            rate,
            calls,
            is_mutation: false,
        })
    };
    let rate = length.rate(25, 40);
    let (of_slow, beside, alone) =
        (aim(&served, "a", 20, 5), aim(&served, "b", rate, 1), aim(&apart, "b", rate, 1));
    pass(Duration::from_secs(2)).await;
    for instance in &slow {
        instance.take(LATENCY);
    }
    let slowed = Instant::now();
    pass(FILLING).await;
    let before = memory();
    pass(length.seconds(6, 12)).await;
    let (after, end) = (memory(), Instant::now());
    let (beside, alone) = (beside.stop().await, alone.stop().await);
    let of_slow = of_slow.stop().await;

    let mut findings = Findings::default();
    let most = most_in_flight(&slow);
    findings.hold((MOST * 3 / 4..=MOST).contains(&most), format!("{most} calls under way at most"));
    if let (Some(before), Some(after)) = (before, after) {
        let grown = after.saturating_sub(before);
        findings.hold(grown <= MOST_GROWTH, format!("memory grew by {} MiB", grown >> 20));
    }
    let (beside, alone) = (beside.due(slowed, end), alone.due(slowed, end));
    let (p99, healthy) = (beside.within(0.99), alone.within(0.99));
    let text = format!("p99 of the other source {}, elsewhere {}", shown(p99), shown(healthy));
    findings.hold(p99 <= healthy.mul_f64(1.2), text);
    answers(&slow, &of_slow, slowed + LATENCY, end, &mut findings);
    Ok(findings)
}

/// Checks that the slow service gets as many calls as allowed, that the rest is refused, and that nothing else fails.
#[expect(clippy::cast_precision_loss, reason = "counts of calls")]
fn answers(slow: &[Instance], shots: &Shots, from: Instant, to: Instant, findings: &mut Findings) {
    let answered = |visit: &Visit| visit.left.is_some_and(|left| left >= from && left < to);
    let answered = slow.iter().flat_map(Instance::visits).filter(answered).count();
    let can = MOST as f64 * (to - from).as_secs_f64() / LATENCY.as_secs_f64();
    let text = format!("{answered} answers of {can:.0} that {MOST} calls at a time allow");
    findings.hold(answered as f64 >= can * 0.8, text);
    let fits = |end: &End| matches!(end, End::Data) || *end == End::Error("OVERLOADED".to_owned());
    let refused = shots.ended(|end| *end != End::Data).len();
    let others = shots.ended(|end| !fits(end)).len();
    let text = format!("{refused} of {} requests refused, {others} ended otherwise", shots.len());
    findings.hold(others == 0 && refused * 5 <= shots.len(), text);
}

/// Returns the memory of this process in bytes, if the system reports it.
fn memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kilobytes: u64 = line.trim().trim_end_matches(" kB").parse().ok()?;
    Some(kilobytes << 10)
}
