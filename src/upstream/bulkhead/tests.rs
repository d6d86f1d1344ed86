//! A bulkhead in front of simulated services, on a paused clock.

use super::Bulkhead;
use crate::upstream::failure::Failure;
use crate::upstream::metrics::OfSource;
use crate::upstream::now;
use crate::upstream::settings::Concurrency;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::sync::{Notify, Semaphore};
use tokio::task::JoinSet;

const MS: Duration = Duration::from_millis(1);

/// Timeout of a call.
const TIMEOUT: Duration = Duration::from_secs(5);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Answered,
    /// Refused on arrival.
    Refused,
    /// Removed from the queue.
    Dropped,
}

#[derive(Debug, Clone, Copy)]
struct Shot {
    due: Duration,
    took: Duration,
    end: End,
}

/// A service with a fixed number of slots. A call takes what `latency` returns for that time.
struct World {
    bulkhead: Bulkhead,
    slots: Semaphore,
    latency: Box<dyn Fn(Duration) -> Duration + Send + Sync>,
    /// Work before that, which calls do one after another.
    work: Option<(Semaphore, Duration)>,
    began: Instant,
    most: AtomicUsize,
    shots: Mutex<Vec<Shot>>,
}

const NO_LIMIT: usize = Semaphore::MAX_PERMITS;

impl World {
    fn new(
        slots: usize,
        latency: impl Fn(Duration) -> Duration + Send + Sync + 'static,
    ) -> Arc<Self> {
        let metrics = OfSource::new(&Arc::from("simulated"));
        Arc::new(Self {
            bulkhead: Bulkhead::new(Concurrency::default(), &metrics, now()),
            slots: Semaphore::new(slots),
            latency: Box::new(latency),
            work: None,
            began: now(),
            most: AtomicUsize::new(0),
            shots: Mutex::new(Vec::new()),
        })
    }

    fn time(&self) -> Duration {
        now() - self.began
    }

    /// Runs a call of the operation with this deadline.
    async fn call(self: Arc<Self>, deadline: Instant) {
        let due = self.time();
        let end = match self.bulkhead.enter(deadline, TIMEOUT, now()).await {
            Ok(mut place) => {
                self.most.fetch_max(self.bulkhead.in_flight(), Ordering::Relaxed);
                if let Some((worker, work)) = &self.work {
                    let _busy = worker.acquire().await.unwrap();
                    tokio::time::sleep(*work).await;
                }
                let slot = self.slots.acquire().await.unwrap();
                tokio::time::sleep((self.latency)(self.time())).await;
                drop(slot);
                place.answered(now());
                End::Answered
            }
            Err(Failure::Overloaded(why)) if why.starts_with("too many") => End::Refused,
            Err(_) => End::Dropped,
        };
        let took = self.time().checked_sub(due).unwrap();
        self.shots.lock().unwrap().push(Shot { due, took, end });
    }

    /// Runs an operation of `calls` calls, which are made within `millis` milliseconds.
    async fn operation(self: &Arc<Self>, calls: usize, millis: u32) {
        let (mut all, deadline) = (JoinSet::new(), later());
        for _ in 0..calls {
            drop(all.spawn(Arc::clone(self).call(deadline)));
            tokio::time::sleep(millis * MS / calls as u32).await;
        }
        all.join_all().await;
    }

    /// Makes `rate` calls per second, in bursts.
    async fn load(self: &Arc<Self>, rate: u32, seconds: u32, burst: u32) {
        let (mut calls, begun) = (JoinSet::new(), now());
        for number in 0..rate * seconds / burst {
            let due = begun + Duration::from_secs(1) * (number * burst) / rate;
            tokio::time::sleep_until(due.into()).await;
            // Each is an operation of its own.
            let deadline = |number| later() + Duration::from_nanos(u64::from(number));
            (0..burst).for_each(|one| drop(calls.spawn(Arc::clone(self).call(deadline(one)))));
        }
        calls.join_all().await;
    }

    /// Returns the sorted durations of the calls since then that ended this way.
    fn took(&self, since: Duration, end: End) -> Vec<Duration> {
        let shots = self.shots.lock().unwrap();
        let those = shots.iter().filter(|shot| shot.due >= since && shot.end == end);
        let mut took: Vec<_> = those.map(|shot| shot.took).collect();
        took.sort_unstable();
        took
    }

    /// Returns the number of answers, and of calls.
    fn answers(&self, since: Duration) -> (usize, usize) {
        let all = self.shots.lock().unwrap().iter().filter(|shot| shot.due >= since).count();
        (self.took(since, End::Answered).len(), all)
    }
}

/// Returns a deadline that no call reaches.
fn later() -> Instant {
    now() + Duration::from_secs(15)
}

fn quantile(sorted: &[Duration], share: f64) -> Duration {
    let place = (sorted.len() as f64 * share).ceil() as usize;
    sorted.get(place.saturating_sub(1)).copied().unwrap_or_default()
}

/// Exponentially distributed latencies, the same in each run.
fn spread(mean: Duration) -> impl Fn(Duration) -> Duration + Send + Sync {
    let random = Mutex::new(fastrand::Rng::with_seed(7));
    move |_| mean.mul_f64(-(1.0 - random.lock().unwrap().f64()).ln())
}

const SECONDS: u32 = 10;

/// Sixteen slots of 50 ms answer 320 calls per second.
fn sixteen() -> Arc<World> {
    World::new(16, |_| 50 * MS)
}

#[track_caller]
fn holds_overload(world: &World, since: Duration, capacity: u32) {
    let answered = world.took(since, End::Answered);
    let least = (capacity * SECONDS) as usize * 9 / 10;
    assert!(answered.len() >= least, "{} answers", answered.len());
    let p99 = quantile(&answered, 0.99);
    assert!(p99 <= 100 * MS, "p99 {p99:?}");
    let door = quantile(&world.took(since, End::Refused), 0.5);
    assert!(door < MS, "refused after {door:?}");
    let dropped = world.took(since, End::Dropped);
    assert!(quantile(&dropped, 1.0) <= 100 * MS, "{:?}", dropped.last());
}

/// More calls arrive than leave. A waiting call notices it when a place is given away, even if no other call arrives
/// afterwards.
#[tokio::test(start_paused = true)]
async fn calls_that_wait_learn_of_an_overload_from_one_that_goes() {
    let settings = Concurrency { max: 2, ..Concurrency::default() };
    let metrics = OfSource::new(&Arc::from("simulated"));
    let bulkhead = Arc::new(Bulkhead::new(settings, &metrics, now()));
    let deadline = now() + Duration::from_secs(15);
    let mut first = bulkhead.enter(deadline, TIMEOUT, now()).await.expect("a place");
    tokio::time::sleep(10 * MS).await;
    first.answered(now());
    drop(first);
    let leave = Arc::new(Notify::new());
    let mut calls = JoinSet::new();
    let mut come = |count| {
        for one in 0..count {
            let (bulkhead, leave) = (Arc::clone(&bulkhead), Arc::clone(&leave));
            let deadline = later() + Duration::from_nanos(one);
            calls.spawn(async move {
                let _place = bulkhead.enter(deadline, TIMEOUT, now()).await;
                leave.notified().await;
            });
        }
    };
    // In each of the two parts of 25 ms after the burst, five arrive and one leaves.
    come(20);
    tokio::time::sleep(27 * MS).await;
    come(5);
    tokio::time::sleep(3 * MS).await;
    leave.notify_one();
    tokio::time::sleep(25 * MS).await;
    come(5);
    tokio::time::sleep(5 * MS).await;
    leave.notify_one();
    tokio::time::sleep(22 * MS).await;
    assert_eq!(bulkhead.waiting(), 26);
    leave.notify_one();
    tokio::time::sleep(MS).await;
    assert_eq!(bulkhead.waiting(), 0, "they have waited for long enough");
}

#[tokio::test(start_paused = true)]
async fn at_three_times_its_load_a_service_does_what_it_can_and_as_fast_as_ever() {
    let world = sixteen();
    world.load(100, 5, 1).await;
    let overload = world.time();
    world.load(960, SECONDS, 1).await;
    holds_overload(&world, overload, 320);
}

#[tokio::test(start_paused = true)]
async fn an_overload_from_the_first_call_on_is_no_different() {
    let world = sixteen();
    world.load(960, SECONDS, 1).await;
    holds_overload(&world, Duration::ZERO, 320);
    let later = world.took(Duration::from_secs(1), End::Answered);
    assert!(quantile(&later, 0.99) <= 100 * MS);
}

#[tokio::test(start_paused = true)]
async fn what_a_service_can_do_is_not_refused() {
    for rate in [160, 310] {
        let world = sixteen();
        world.load(rate, SECONDS, 1).await;
        let (answers, calls) = world.answers(Duration::ZERO);
        assert_eq!(answers, calls, "at {rate} a second");
    }
}

#[tokio::test(start_paused = true)]
async fn after_an_overload_nothing_is_refused_and_a_larger_service_is_used() {
    let world = sixteen();
    world.load(960, 5, 1).await;
    let over = world.time();
    world.load(300, 5, 1).await;
    let (answers, calls) = world.answers(over);
    assert!(calls - answers <= 8, "{answers} of {calls}");
    world.slots.add_permits(48);
    let larger = world.time();
    world.load(1200, SECONDS, 1).await;
    let (answers, calls) = world.answers(larger);
    assert!(answers * 100 >= calls * 90, "{answers} of {calls}");
    let (answers, calls) = world.answers(larger + Duration::from_secs(3));
    assert_eq!(answers, calls, "after three seconds");
}

#[tokio::test(start_paused = true)]
async fn a_smaller_service_gets_less() {
    let world = World::new(64, |_| 50 * MS);
    world.load(1200, 5, 1).await;
    world.slots.acquire_many(48).await.unwrap().forget();
    let smaller = world.time();
    world.load(1200, 2 * SECONDS, 1).await;
    let answered = world.took(smaller + Duration::from_secs(10), End::Answered);
    assert!(answered.len() >= 2880, "{} answers", answered.len());
    // The limit is measured again now and then.
    let p99 = quantile(&answered, 0.99);
    assert!(p99 <= 150 * MS, "p99 {p99:?}");
}

#[tokio::test(start_paused = true)]
async fn a_service_without_a_limit_is_not_limited() {
    let world = World::new(NO_LIMIT, |_| 50 * MS);
    world.load(4800, SECONDS, 1).await;
    let (answers, calls) = world.answers(Duration::from_secs(1));
    assert_eq!(answers, calls);
    let (answers, calls) = world.answers(Duration::ZERO);
    assert!(answers * 100 >= calls * 95, "{answers} of {calls}");
    assert!(world.most.load(Ordering::Relaxed) <= 256);
}

#[tokio::test(start_paused = true)]
async fn latencies_that_differ_are_no_overload() {
    let world = World::new(NO_LIMIT, spread(50 * MS));
    world.load(4000, SECONDS, 1).await;
    let (answers, calls) = world.answers(Duration::from_secs(2));
    assert!(answers * 1000 >= calls * 999, "{answers} of {calls}");

    let kinds = Mutex::new(fastrand::Rng::with_seed(7));
    let world =
        World::new(NO_LIMIT, move |_| if kinds.lock().unwrap().bool() { 5 * MS } else { 200 * MS });
    world.load(1900, SECONDS, 1).await;
    let (answers, calls) = world.answers(Duration::from_secs(2));
    assert!(answers * 1000 >= calls * 999, "{answers} of {calls}");
}

#[tokio::test(start_paused = true)]
async fn a_dashboard_of_a_thousand_calls_is_answered() {
    for latency in [1, 5, 20, 50, 200] {
        let world = World::new(NO_LIMIT, move |_| latency * MS);
        world.load(1000, 1, 1000).await;
        assert_eq!(world.answers(Duration::ZERO), (1000, 1000), "{latency} ms each");
        let again = world.time();
        world.load(1000, 1, 1000).await;
        let took = world.took(again, End::Answered);
        assert_eq!(took.len(), 1000);
        assert!(quantile(&took, 1.0) <= latency * 5 * MS, "{:?}", took.last());
    }
}

#[tokio::test(start_paused = true)]
async fn a_service_that_is_slow_by_itself_is_called_as_often() {
    let slow = Duration::from_secs(4);
    for (before, after, rate) in [(40, 400, 200), (40, 56, 2000)] {
        let latency = move |time| if time < slow { before * MS } else { after * MS };
        let world = World::new(NO_LIMIT, latency);
        world.load(rate, 12, 5).await;
        let (answers, calls) = world.answers(Duration::from_secs(2));
        assert_eq!(answers, calls, "{before} ms, then {after}");
    }
    // At this rate, more calls would be in flight than are ever allowed.
    let latency = move |time| if time < slow { 300 * MS } else { 3000 * MS };
    let world = World::new(NO_LIMIT, latency);
    world.load(100, 14, 5).await;
    let (answers, calls) = world.answers(Duration::ZERO);
    assert!(answers * 100 >= calls * 98, "{answers} of {calls}");
    assert_eq!(world.most.load(Ordering::Relaxed), 256);
}

#[tokio::test(start_paused = true)]
async fn a_pause_under_overload_is_over_when_it_is_over() {
    let pause = Duration::from_secs(5)..Duration::from_millis(5400);
    let latency = move |time| if pause.contains(&time) { 450 * MS } else { 50 * MS };
    let world = World::new(16, latency);
    world.load(640, 2 * SECONDS, 1).await;
    holds_overload(&world, Duration::from_secs(10), 320);
}

#[tokio::test(start_paused = true)]
async fn those_that_stop_waiting_and_those_that_are_cancelled_leave_no_trace() {
    let world = World::new(NO_LIMIT, |_| Duration::from_hours(1));
    let mut calls = JoinSet::new();
    (0..300).for_each(|_| drop(calls.spawn(Arc::clone(&world).call(later()))));
    while world.bulkhead.waiting() < 280 {
        tokio::task::yield_now().await;
    }
    calls.shutdown().await;
    assert_eq!((world.bulkhead.in_flight(), world.bulkhead.waiting()), (0, 0));
    assert!(world.bulkhead.limit() >= 20);
    assert_eq!(world.bulkhead.places.available_permits(), world.bulkhead.limit());
}

#[tokio::test(start_paused = true)]
async fn a_limit_that_does_not_adapt_and_an_age_that_is_set() {
    let metrics = OfSource::new(&Arc::from("fixed"));
    let settings = Concurrency { max: 3, waiting: 9, age: Some(200 * MS), adapt: false };
    let bulkhead = Bulkhead::new(settings, &metrics, now());
    let far = now() + Duration::from_secs(15);
    let mut places = Vec::new();
    for _ in 0..3 {
        places.push(bulkhead.enter(far, TIMEOUT, now()).await.unwrap());
    }
    let asked = now();
    assert!(matches!(bulkhead.enter(far, TIMEOUT, now()).await, Err(Failure::Overloaded(_))));
    assert_eq!(now() - asked, 200 * MS);
    drop(places.pop());
    assert!(bulkhead.enter(far, TIMEOUT, now()).await.is_ok());
    assert_eq!(bulkhead.limit(), 3);
}

/// The limit of calls in flight is reached, and none is answered.
#[tokio::test(start_paused = true)]
async fn a_call_waits_one_timeout_for_a_service_that_hangs() {
    for adapt in [true, false] {
        let metrics = OfSource::new(&Arc::from("hung"));
        let settings = Concurrency { max: 3, waiting: 9, age: None, adapt };
        let bulkhead = Bulkhead::new(settings, &metrics, now());
        let far = now() + Duration::from_mins(1);
        let asked = now();
        let mut places = Vec::new();
        for _ in 0..3 {
            places.push(bulkhead.enter(far, TIMEOUT, asked).await.unwrap());
        }
        tokio::time::sleep(1000 * MS).await;
        let came = now();
        let next = bulkhead.enter(far, TIMEOUT, came);
        let leaves = async {
            tokio::time::sleep(2000 * MS).await;
            drop(places.pop());
        };
        let (next, ()) = tokio::join!(next, leaves);
        let mut next = next.unwrap();
        assert_eq!(next.counts_from(), came, "its wait counts");

        let refused = bulkhead.enter(far, TIMEOUT, now()).await;
        assert!(matches!(refused, Err(Failure::Overloaded(_))), "no answer in one timeout");
        assert_eq!(now() - came, 2000 * MS + TIMEOUT);

        let came = now();
        let last = bulkhead.enter(far, TIMEOUT, came);
        let answers = async {
            tokio::time::sleep(2000 * MS).await;
            next.answered(now());
            drop(next);
        };
        let (last, ()) = tokio::join!(last, answers);
        assert_eq!(last.unwrap().counts_from(), came + 2000 * MS, "the service answers");
    }
}

/// A service whose calls take `latency` and, one after another, `work`.
fn worker(work: Duration, latency: Duration) -> Arc<World> {
    let mut world = World::new(NO_LIMIT, move |_| latency);
    Arc::get_mut(&mut world).unwrap().work = Some((Semaphore::new(1), work));
    world
}

#[tokio::test(start_paused = true)]
async fn the_calls_of_an_operation_are_a_burst_however_many_they_are() {
    for (calls, latency, within) in [(400, 5, 50), (400, 20, 250), (800, 20, 700), (400, 100, 0)] {
        let world = worker(2 * MS, latency * MS);
        for round in 0..6 {
            let begun = world.time();
            world.operation(calls, within).await;
            let (answers, all) = world.answers(begun);
            assert_eq!((answers, all), (calls, calls), "{latency} ms, round {round}");
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_service_that_is_slower_by_itself_at_little_load_is_not_refused() {
    for (after, rate) in [(200, 50), (900, 50), (2000, 50), (200, 20), (400, 100)] {
        let slow = Duration::from_secs(4);
        let latency = move |time| if time < slow { 20 * MS } else { after * MS };
        let world = World::new(NO_LIMIT, latency);
        world.load(rate, 12, 1).await;
        let (answers, calls) = world.answers(Duration::ZERO);
        assert_eq!(answers, calls, "20 ms, then {after} ms, at {rate} a second");
    }
}

#[tokio::test(start_paused = true)]
async fn services_of_every_size_are_as_fast_as_ever_under_overload() {
    for (slots, latency) in [(1, 50), (2, 100), (4, 200), (16, 800), (64, 20)] {
        for warm in [0, 6] {
            let world = World::new(slots, move |_| latency * MS);
            let capacity = (slots as u32 * 1000) / latency;
            let name = format!("{slots} of {latency} ms, warm for {warm} s");
            if warm > 0 {
                world.load((capacity / 4).max(1), warm, 1).await;
            }
            let begun = world.time();
            world.load(3 * capacity, 30, 1).await;
            let settled = begun + Duration::from_secs(8);
            let answered = world.took(settled, End::Answered);
            let can = capacity as usize * 22;
            assert!(answered.len() * 10 >= can * 9, "{name}: {} answers of {can}", answered.len());
            let p99 = quantile(&answered, 0.99);
            let p50 = quantile(&answered, 0.5);
            // One call more is tried now and then; no caller notices a wait of 25 ms.
            let most = 2 * latency * MS + latency * MS / slots as u32 + 25 * MS;
            assert!(p99 <= most, "{name}: p50 {p50:?} p99 {p99:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn clients_that_wait_for_their_answers_are_no_overload() {
    for (clients, slots, latency) in [(64, 16, 50), (64, 4, 20), (200, 16, 20), (30, 1, 5)] {
        let world = World::new(slots, move |_| latency * MS);
        let mut all = JoinSet::new();
        for client in 0..clients {
            let world = Arc::clone(&world);
            all.spawn(async move {
                // Spread over time, and each an operation of its own.
                tokio::time::sleep(Duration::from_micros(client * 137)).await;
                while world.time() < Duration::from_secs(10) {
                    let deadline = later() + Duration::from_nanos(client);
                    Arc::clone(&world).call(deadline).await;
                    tokio::time::sleep(Duration::from_micros(100)).await;
                }
            });
        }
        all.join_all().await;
        let (answers, calls) = world.answers(Duration::ZERO);
        assert_eq!(answers, calls, "{clients} clients, {slots} slots of {latency} ms");
    }
}

#[tokio::test(start_paused = true)]
async fn calls_that_wait_for_a_service_that_says_nothing_are_let_through() {
    let world = World::new(NO_LIMIT, |_| Duration::from_hours(1));
    let mut calls = JoinSet::new();
    (0..200).for_each(|_| drop(calls.spawn(Arc::clone(&world).call(later()))));
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    assert_eq!((world.bulkhead.in_flight(), world.bulkhead.waiting()), (200, 0));
}
