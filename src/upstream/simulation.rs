//! Faults of instances under steady load, on a paused clock: the real upstream layer over simulated instances, so that
//! each second is exact and takes no time.
//!
//! Three instances answer in 20 ms, three hundred calls per second are made with the default settings, and after ten
//! seconds something breaks. What clients get is counted from then on, the recovery included.

use super::*;
use crate::upstream::discovery::Address;
use futures_util::FutureExt as _;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use tokio::task::JoinSet;

const RATE: u32 = 300;
const LATENCY: Duration = Duration::from_millis(20);
const MS: Duration = Duration::from_millis(1);

/// Behavior of an instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Behaviour {
    Well,
    /// It refuses connections, and calls in flight break.
    Killed,
    /// It answers 503.
    Failing,
    /// It accepts connections and answers nothing.
    Hanging,
    /// It closes its connections before it takes a request.
    Leaving,
}

struct SimulatedInstances {
    modes: Vec<watched::Sender<Behaviour>>,
    /// Calls that reached each instance.
    visits: Vec<AtomicUsize>,
    /// For each second since the start: calls, and attempts that reached an instance after an earlier one had.
    seconds: Mutex<Vec<(u32, u32)>>,
    start: Instant,
}

/// One call.
#[derive(Debug, Clone)]
struct SimulatedCall {
    at: Duration,
    took: Duration,
    failure: Option<Failure>,
}

struct FaultDrill {
    upstream: Arc<Upstream<usize>>,
    instances: Arc<SimulatedInstances>,
    shots: JoinSet<SimulatedCall>,
    repeat: Repeat,
    _following: tokio::task::JoinHandle<()>,
}

impl SimulatedInstances {
    fn set(&self, which: &[usize], mode: Behaviour) {
        for instance in which {
            self.modes[*instance].send_replace(mode);
        }
    }

    fn second(&self) -> usize {
        (now() - self.start).as_secs() as usize
    }

    fn note(&self, calls: u32, retries: u32) {
        let mut seconds = self.seconds.lock().unwrap();
        let second = self.second();
        if seconds.len() <= second {
            seconds.resize(second + 1, (0, 0));
        }
        seconds[second].0 += calls;
        seconds[second].1 += retries;
    }

    async fn answer(&self, place: usize, sent: &AtomicU64) -> Result<(), Failure> {
        let mut mode = self.modes[place].subscribe();
        match *mode.borrow_and_update() {
            Behaviour::Killed => return Err(Failure::Unreached("connection refused".to_owned())),
            Behaviour::Leaving => return Err(Failure::Unprocessed("GOAWAY".to_owned())),
            _ => {}
        }
        self.visits[place].fetch_add(1, Ordering::Relaxed);
        if sent.fetch_add(1, Ordering::Relaxed) > 0 {
            self.note(0, 1);
        }
        let answer = async {
            tokio::time::sleep(LATENCY.mul_f64(0.9 + 0.2 * fastrand::f64())).await;
            loop {
                match *mode.borrow_and_update() {
                    Behaviour::Failing => return Err(Failure::status(503, "", Fault::Away)),
                    Behaviour::Hanging => {}
                    _ => return Ok(()),
                }
                // The sender lives as long as this.
                let _ = mode.changed().await;
            }
        };
        let mut killed = self.modes[place].subscribe();
        let killed = killed.wait_for(|mode| *mode == Behaviour::Killed);
        tokio::select! {
            answer = answer => answer,
            _ = killed => Err(Failure::Unavailable("reset".to_owned())),
        }
    }
}

impl FaultDrill {
    fn new(count: usize, repeat: Repeat, change: impl FnOnce(&mut Settings)) -> Self {
        fastrand::seed(7);
        let mut settings = Settings::default();
        change(&mut settings);
        let addresses = (0..count).map(|port| Address::new("h", port as u16 + 1).unwrap());
        let fixed = super::Instances::Fixed(addresses.collect());
        let site = Site { https: false, name: None, prefix: String::new(), instances: fixed };
        let connect = |uri: &::http::Uri, _| Ok(usize::from(uri.port_u16().unwrap_or(80)) - 1);
        let mut upstream = Upstream::new("simulated", settings, site, connect);
        let instances = Arc::new(SimulatedInstances {
            modes: (0..count).map(|_| watched::Sender::new(Behaviour::Well)).collect(),
            visits: (0..count).map(|_| AtomicUsize::new(0)).collect(),
            seconds: Mutex::default(),
            start: now(),
        });
        let seen = Arc::clone(&instances);
        upstream.reach = Box::new(move |address, _| {
            let mode = *seen.modes[usize::from(address.port) - 1].borrow();
            futures_util::future::ready(mode != Behaviour::Killed).boxed()
        });
        let upstream = Arc::new(upstream);
        let following = tokio::spawn(Arc::clone(&upstream).follow());
        Self { upstream, instances, shots: JoinSet::new(), repeat, _following: following }
    }

    /// Three instances with the default settings.
    fn of_three(change: impl FnOnce(&mut Settings)) -> Self {
        Self::new(3, Repeat::Always, change)
    }

    /// Makes calls for this time.
    async fn pass(&mut self, time: Duration) {
        let begin = now();
        for number in 0_u32.. {
            let due = begin + Duration::from_secs(1) * number / RATE;
            if due >= begin + time {
                break;
            }
            tokio::time::sleep_until(due.into()).await;
            self.instances.note(1, 0);
            let (upstream, instances) = (Arc::clone(&self.upstream), Arc::clone(&self.instances));
            let repeat = self.repeat;
            self.shots.spawn(async move {
                let called = now();
                let terms = Terms { deadline: called + Duration::from_secs(15), repeat };
                let sent = Arc::new(AtomicU64::new(0));
                let reply = upstream.call(terms, |attempt| {
                    let (instances, sent) = (Arc::clone(&instances), Arc::clone(&sent));
                    async move { instances.answer(attempt.instance.connection, &sent).await }
                });
                let failure = reply.await.err();
                SimulatedCall { at: called - instances.start, took: now() - called, failure }
            });
        }
    }

    fn visits(&self) -> Vec<usize> {
        self.instances.visits.iter().map(|count| count.load(Ordering::Relaxed)).collect()
    }

    /// Returns each instance's share of the calls made in this time, in percent.
    async fn shares(&mut self, time: Duration) -> Vec<f64> {
        let before = self.visits();
        self.pass(time).await;
        let counts: Vec<_> =
            self.visits().iter().zip(before).map(|(after, before)| after - before).collect();
        let all: usize = counts.iter().sum();
        counts.iter().map(|count| 100.0 * *count as f64 / all as f64).collect()
    }

    /// Returns the failed calls by the time they were made.
    async fn ends(mut self) -> Ends {
        let mut shots = Vec::new();
        while let Some(shot) = self.shots.join_next().await {
            shots.push(shot.unwrap());
        }
        let seconds = self.instances.seconds.lock().unwrap().clone();
        Ends { shots, seconds }
    }
}

struct Ends {
    shots: Vec<SimulatedCall>,
    seconds: Vec<(u32, u32)>,
}

impl Ends {
    /// Counts the failed calls made between two seconds.
    fn failed(&self, from: f64, to: f64) -> usize {
        let within = |shot: &&SimulatedCall| (from..to).contains(&shot.at.as_secs_f64());
        self.shots.iter().filter(within).filter(|shot| shot.failure.is_some()).count()
    }

    fn first_success_after(&self, from: f64) -> f64 {
        let good = self.shots.iter().filter(|shot| shot.failure.is_none());
        let ends =
            good.filter(|shot| shot.at.as_secs_f64() >= from).map(|shot| shot.at + shot.took);
        ends.min().map_or(f64::INFINITY, |at| at.as_secs_f64() - from)
    }

    /// Asserts that no second had more retries than a tenth and three, except for ten once.
    fn retries_are_bounded(&self) {
        let beyond = |(calls, retries): &(u32, u32)| {
            (f64::from(*retries) - 0.1 * f64::from(*calls) - 3.0).max(0.0)
        };
        let beyond: f64 = self.seconds.iter().filter(|second| second.0 >= 200).map(beyond).sum();
        assert!(beyond <= 10.0, "{beyond} beyond the budget: {:?}", self.seconds);
    }
}

const ALL: [Balance; 3] = [Balance::P2c, Balance::RoundRobin, Balance::LeastInFlight];

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[tokio::test(start_paused = true)]
async fn two_of_three_are_killed_and_come_back() {
    let (p2c, turns, least) = (Balance::P2c, Balance::RoundRobin, Balance::LeastInFlight);
    for (balance, count) in [(p2c, 3), (p2c, 5), (turns, 3), (least, 3)] {
        let mut drill = FaultDrill::new(count, Repeat::Always, |it| it.balance = balance);
        drill.pass(seconds(10)).await;
        let killed: Vec<usize> = (0..count).filter(|place| place % 2 == 0).collect();
        drill.instances.set(&killed, Behaviour::Killed);
        drill.pass(seconds(6)).await;
        let before = drill.visits();
        drill.instances.set(&killed, Behaviour::Well);
        drill.pass(seconds(2)).await;
        let back = drill.visits();
        assert!(killed.iter().all(|it| back[*it] > before[*it]), "{before:?} {back:?}");
        drill.pass(seconds(9)).await;
        for (place, share) in drill.shares(seconds(7)).await.iter().enumerate() {
            let full = 100.0 / count as f64;
            assert!((share - full).abs() < 5.0, "{balance:?}: {place} has {share}");
        }
        let ends = drill.ends().await;
        let (at_first, later) = (ends.failed(10.0, 11.0), ends.failed(11.0, 60.0));
        assert!(at_first <= 20 && later == 0, "{balance:?} {count}: {at_first}, then {later}");
        ends.retries_are_bounded();
    }
}

#[tokio::test(start_paused = true)]
async fn a_rolling_restart_fails_no_query() {
    for balance in ALL {
        let mut drill = FaultDrill::of_three(|it| it.balance = balance);
        drill.pass(seconds(10)).await;
        for place in [0, 1, 2] {
            drill.instances.set(&[place], Behaviour::Killed);
            drill.pass(1_500 * MS).await;
            drill.instances.set(&[place], Behaviour::Well);
            drill.pass(4_500 * MS).await;
        }
        let ends = drill.ends().await;
        assert_eq!(ends.failed(0.0, 100.0), 0, "{balance:?}");
        ends.retries_are_bounded();
    }
}

/// Connections are closed before a request is taken, and then the instance is unavailable: no call is lost, mutations
/// included.
#[tokio::test(start_paused = true)]
async fn a_graceful_rolling_restart_fails_no_mutation() {
    for repeat in [Repeat::IfNotSent, Repeat::IfAway] {
        let mut drill = FaultDrill::new(3, repeat, |_| {});
        drill.pass(seconds(10)).await;
        for place in [0, 1, 2] {
            drill.instances.set(&[place], Behaviour::Leaving);
            drill.pass(100 * MS).await;
            drill.instances.set(&[place], Behaviour::Killed);
            drill.pass(1_400 * MS).await;
            drill.instances.set(&[place], Behaviour::Well);
            drill.pass(4_500 * MS).await;
        }
        let ends = drill.ends().await;
        assert_eq!(ends.failed(0.0, 100.0), 0, "{repeat:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn two_of_three_answer_503() {
    let (p2c, turns, least) = (Balance::P2c, Balance::RoundRobin, Balance::LeastInFlight);
    for (balance, count) in [(p2c, 3), (p2c, 5), (turns, 3), (least, 3)] {
        let mut drill = FaultDrill::new(count, Repeat::Always, |it| it.balance = balance);
        drill.pass(seconds(10)).await;
        let failing: Vec<usize> = (1..count).collect();
        drill.instances.set(&failing, Behaviour::Failing);
        drill.pass(seconds(12)).await;
        drill.instances.set(&failing, Behaviour::Well);
        drill.pass(seconds(30)).await;
        let shares = drill.shares(seconds(5)).await;
        let ends = drill.ends().await;
        let (at_first, later) = (ends.failed(10.0, 11.0), ends.failed(11.0, 200.0));
        assert!(at_first <= 40 && later == 0, "{balance:?} {count}: {at_first}, then {later}");
        assert!(shares.iter().all(|share| *share > 5.0), "all are back: {shares:?}");
        ends.retries_are_bounded();
    }
}

#[tokio::test(start_paused = true)]
async fn two_of_three_hang() {
    for balance in ALL {
        let mut drill = FaultDrill::of_three(|it| it.balance = balance);
        drill.pass(seconds(10)).await;
        drill.instances.set(&[0, 1], Behaviour::Hanging);
        drill.pass(seconds(20)).await;
        let ends = drill.ends().await;
        let (at_first, later) = (ends.failed(10.0, 11.0), ends.failed(11.0, 100.0));
        let late = ends.shots.iter().filter(|shot| shot.took > seconds(1)).count();
        assert!(at_first <= 20 && later == 0, "{balance:?}: {at_first}, then {later}");
        assert!(late < 80, "{balance:?}: {late} of 6,000 waited for a timeout");
        ends.retries_are_bounded();
    }
}

#[tokio::test(start_paused = true)]
async fn all_hang_and_nothing_waits_for_two_timeouts() {
    let mut drill = FaultDrill::of_three(|it| it.timeout = seconds(1));
    drill.pass(seconds(10)).await;
    drill.instances.set(&[0, 1, 2], Behaviour::Hanging);
    drill.pass(seconds(10)).await;
    drill.instances.set(&[0, 1, 2], Behaviour::Well);
    drill.pass(seconds(10)).await;
    let ends = drill.ends().await;
    let mut took: Vec<_> = ends.shots.iter().filter(|shot| shot.at >= seconds(10)).collect();
    took.sort_by_key(|shot| shot.took);
    let p99 = took[took.len() * 99 / 100].took;
    assert!(p99 <= 1_050 * MS, "{p99:?}");
    assert!(ends.first_success_after(20.0) <= 5.0);
    assert_eq!(ends.failed(25.0, 100.0), 0);
    ends.retries_are_bounded();
}

/// Whatever was wrong with all instances, they are used again within five seconds.
#[tokio::test(start_paused = true)]
async fn a_source_is_back_within_five_seconds_of_any_fault() {
    for (mode, count, repeat, within) in [
        (Behaviour::Failing, 3, Repeat::Always, 2.1),
        (Behaviour::Failing, 1, Repeat::Always, 2.1),
        (Behaviour::Failing, 3, Repeat::IfNotSent, 4.1),
        (Behaviour::Hanging, 3, Repeat::Always, 2.1),
        (Behaviour::Hanging, 1, Repeat::IfNotSent, 4.1),
        (Behaviour::Killed, 3, Repeat::Always, 0.6),
        (Behaviour::Killed, 1, Repeat::IfNotSent, 4.1),
    ] {
        let mut drill = FaultDrill::new(count, repeat, |it| it.timeout = seconds(2));
        drill.pass(seconds(5)).await;
        let all: Vec<usize> = (0..count).collect();
        drill.instances.set(&all, mode);
        drill.pass(seconds(12)).await;
        drill.instances.set(&all, Behaviour::Well);
        drill.pass(seconds(8)).await;
        let ends = drill.ends().await;
        let back = ends.first_success_after(17.0);
        assert!(back <= within, "{mode:?} {count} {repeat:?}: {back}");
        assert_eq!(ends.failed(22.0, 100.0), 0, "{mode:?} {count} {repeat:?}");
        ends.retries_are_bounded();
    }
}

/// One of three killed instances returns: it serves all calls, half a second later.
#[tokio::test(start_paused = true)]
async fn the_first_of_all_that_returns_is_used_at_once() {
    let mut drill = FaultDrill::of_three(|_| {});
    drill.pass(seconds(10)).await;
    drill.instances.set(&[0, 1, 2], Behaviour::Killed);
    drill.pass(seconds(20)).await;
    drill.instances.set(&[1], Behaviour::Well);
    drill.pass(seconds(10)).await;
    let ends = drill.ends().await;
    assert!(ends.first_success_after(30.0) <= 0.55, "{}", ends.first_success_after(30.0));
    assert_eq!(ends.failed(30.6, 100.0), 0);
}
