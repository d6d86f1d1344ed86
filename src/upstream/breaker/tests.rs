//! When the breaker opens and closes, on the tests' own clock, and what it never does.

use super::*;
use proptest::prelude::*;

fn settings() -> Settings {
    Settings::default()
}

/// A breaker and the current time.
struct Bench {
    breaker: Breaker,
    now: Instant,
}

impl Bench {
    fn new() -> Self {
        let now = Instant::now();
        Self { breaker: Breaker::new(settings(), now), now }
    }

    fn later(&mut self, time: Duration) -> &mut Self {
        self.now += time;
        self
    }

    fn calls(&mut self, count: usize, well: bool) -> &mut Self {
        for _ in 0..count {
            let pass = self.breaker.admit(true, self.now).expect("it passes calls");
            self.breaker.settle(pass, well, || true, self.now);
        }
        self
    }

    fn opened() -> Self {
        let mut bench = Self::new();
        bench.calls(20, false);
        assert_eq!(bench.breaker.position(), Position::Open);
        bench
    }
}

#[test]
fn it_opens_at_half_of_twenty_calls_and_not_before() {
    let mut bench = Bench::new();
    bench.calls(10, true).calls(9, false);
    assert_eq!(bench.breaker.position(), Position::Closed);
    bench.calls(1, false);
    assert_eq!(bench.breaker.position(), Position::Open);
    assert_eq!(bench.breaker.admit(true, bench.now), Err(Duration::from_secs(2)));

    let mut few = Bench::new();
    few.calls(19, false);
    assert_eq!(few.breaker.position(), Position::Closed);

    let mut mostly_well = Bench::new();
    mostly_well.calls(1, true);
    for _ in 0..59 {
        mostly_well.calls(1, true).calls(1, false);
    }
    assert_eq!(mostly_well.breaker.position(), Position::Closed);
}

#[test]
fn twenty_failures_in_a_row_open_it_whatever_was_before() {
    let mut bench = Bench::new();
    bench.calls(1000, true).calls(19, false);
    assert_eq!(bench.breaker.position(), Position::Closed);
    bench.calls(1, true).calls(19, false);
    assert_eq!(bench.breaker.position(), Position::Closed, "one success starts anew");
    bench.calls(1, false);
    assert_eq!(bench.breaker.position(), Position::Open);

    let never = Settings { failures: 1.1, ..settings() };
    let mut never = Bench { breaker: Breaker::new(never, bench.now), now: bench.now };
    never.calls(1000, false);
    assert_eq!(never.breaker.position(), Position::Closed);
}

#[test]
fn what_is_older_than_the_window_does_not_count() {
    let mut bench = Bench::new();
    bench.calls(19, false).later(Duration::from_secs(11)).calls(19, false);
    assert_eq!(bench.breaker.position(), Position::Closed);
    bench.later(Duration::from_secs(5)).calls(1, false);
    assert_eq!(bench.breaker.position(), Position::Open);
}

#[test]
fn one_probe_passes_after_two_seconds_and_closes_it() {
    let mut bench = Bench::opened();
    bench.later(Duration::from_millis(1999));
    assert_eq!(bench.breaker.admit(true, bench.now), Err(Duration::from_millis(1)));
    bench.later(Duration::from_millis(1));
    let probe = bench.breaker.admit(true, bench.now).unwrap();
    assert!(probe.is_probe);
    assert!(bench.breaker.admit(true, bench.now).is_err(), "one at a time");
    assert_eq!(bench.breaker.settle(probe, true, || true, bench.now), Some(Position::Closed));
    bench.calls(19, false);
    assert_eq!(bench.breaker.position(), Position::Closed, "it has forgotten what was before");
}

#[test]
fn one_probe_passes_each_two_seconds_for_as_long_as_it_takes() {
    let mut bench = Bench::opened();
    for _ in 0..20 {
        let wait = bench.breaker.admit(true, bench.now).unwrap_err();
        assert_eq!(wait, Duration::from_secs(2));
        bench.later(wait).calls(1, false);
    }
}

#[test]
fn a_probe_that_hangs_does_not_keep_the_next_one_from_passing() {
    let mut bench = Bench::opened();
    for _ in 0..10 {
        bench.later(Duration::from_secs(2));
        assert!(bench.breaker.admit(true, bench.now).unwrap().is_probe);
        assert_eq!(bench.breaker.position(), Position::HalfOpen);
    }
    bench.later(Duration::from_secs(2));
    assert!(bench.breaker.admit(true, bench.now).is_err(), "ten hang");
}

#[test]
fn a_call_that_may_not_be_repeated_is_a_probe_only_where_nothing_else_comes() {
    let mut bench = Bench::opened();
    bench.later(Duration::from_secs(2));
    assert_eq!(bench.breaker.admit(false, bench.now), Err(Duration::from_secs(2)));
    assert_eq!(bench.breaker.refuses(true, bench.now), None);
    bench.later(Duration::from_secs(2));
    let probe = bench.breaker.admit(false, bench.now).unwrap();
    assert_eq!(bench.breaker.settle(probe, true, || true, bench.now), Some(Position::Closed));
}

#[test]
fn it_opens_only_where_it_may() {
    let mut bench = Bench::new();
    for _ in 0..100 {
        let pass = bench.breaker.admit(true, bench.now).unwrap();
        assert_eq!(bench.breaker.settle(pass, false, || false, bench.now), None);
    }
    bench.calls(1, false);
    assert_eq!(bench.breaker.position(), Position::Open);
}

#[test]
fn a_probe_that_is_given_up_makes_room_for_another() {
    let mut bench = Bench::opened();
    bench.later(Duration::from_secs(2));
    let probe = bench.breaker.admit(true, bench.now).unwrap();
    assert_eq!(bench.breaker.forget(probe, bench.now), Some(Position::Open));
    let probe = bench.breaker.admit(true, bench.now).unwrap();
    assert!(probe.is_probe);
}

#[test]
fn calls_of_before_have_no_say() {
    let mut bench = Bench::new();
    let early = bench.breaker.admit(true, bench.now).unwrap();
    bench.calls(20, false).later(Duration::from_secs(2));
    let probe = bench.breaker.admit(true, bench.now).unwrap();
    assert_eq!(bench.breaker.settle(early, true, || true, bench.now), None);
    assert_eq!(bench.breaker.forget(early, bench.now), None);
    assert_eq!(bench.breaker.position(), Position::HalfOpen);
    assert!(bench.breaker.admit(true, bench.now).is_err());
    bench.breaker.settle(probe, false, || true, bench.now);
    assert_eq!(bench.breaker.position(), Position::Open);
}

#[test]
fn a_hint_lets_the_next_call_through_and_changes_nothing_else() {
    let mut bench = Bench::opened();
    bench.later(Duration::from_secs(1));
    bench.breaker.hint(bench.now);
    let probe = bench.breaker.admit(true, bench.now).unwrap();
    assert!(probe.is_probe);
    bench.breaker.hint(bench.now);
    assert!(bench.breaker.admit(true, bench.now).is_err());
    bench.breaker.settle(probe, false, || true, bench.now);
    assert_eq!(bench.breaker.admit(true, bench.now), Err(Duration::from_secs(2)));
}

#[test]
fn more_than_all_is_never_reached() {
    let now = Instant::now();
    let never = Settings { failures: f64::INFINITY, ..settings() };
    let mut breaker = Breaker::new(never, now);
    for _ in 0..1000 {
        let pass = breaker.admit(true, now).unwrap();
        breaker.settle(pass, false, || true, now);
    }
    assert_eq!(breaker.position(), Position::Closed);
}

/// Events that can happen to a breaker.
#[derive(Debug, Clone)]
enum Event {
    Wait(u64),
    Admit,
    /// The call in flight at this index ends with this outcome.
    End(usize, Option<bool>),
    Hint,
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let event = prop_oneof![
        1 => (0..20_000_u64).prop_map(Event::Wait),
        4 => Just(Event::Admit),
        4 => (any::<usize>(), proptest::option::weighted(0.9, proptest::bool::weighted(0.3)))
            .prop_map(|(which, how)| Event::End(which, how)),
        1 => Just(Event::Hint),
    ];
    proptest::collection::vec(event, 0..400)
}

proptest! {
    /// For any order of calls and outcomes: while the breaker is open, at most ten probes are in flight, and none
    /// passes before its time.
    #[test]
    fn never_a_crowd_of_probes(events in events()) {
        let mut now = Instant::now();
        let few = Settings { calls: 3, ..settings() };
        let mut breaker = Breaker::new(few, now);
        let mut in_flight: Vec<Pass> = Vec::new();
        for event in events {
            match event {
                Event::Wait(ms) => now += Duration::from_millis(ms),
                Event::Hint => breaker.hint(now),
                Event::Admit => {
                    let refused = breaker.refuses(true, now);
                    let admitted = breaker.admit(true, now);
                    prop_assert_eq!(admitted.err(), refused);
                    in_flight.extend(admitted);
                }
                Event::End(..) if in_flight.is_empty() => {}
                Event::End(which, how) => {
                    let pass = in_flight.swap_remove(which % in_flight.len());
                    match how {
                        Some(success) => drop(breaker.settle(pass, success, || true, now)),
                        None => drop(breaker.forget(pass, now)),
                    }
                }
            }
            let probes = in_flight.iter().filter(|p| p.is_probe && p.turn == breaker.turn).count();
            prop_assert!(probes <= 10, "{} probes at once", probes);
            prop_assert_eq!(breaker.position() == Position::HalfOpen, probes > 0);
        }
    }
}
