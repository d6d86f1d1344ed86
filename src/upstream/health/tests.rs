//! When an instance is ejected, for how long, and how it comes back.

#![expect(clippy::float_cmp, reason = "these values are set, not computed")]

use super::*;

const MS: Duration = Duration::from_millis(1);

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn call(health: &mut Health, verdict: Verdict, now: Instant) -> Consequence {
    attempt(health, verdict, Duration::ZERO, now)
}

fn calls(count: usize, health: &mut Health, verdict: Verdict, now: Instant) {
    for _ in 0..count {
        call(health, verdict, now);
    }
}

/// Runs an attempt that ends at `now`.
fn attempt(health: &mut Health, verdict: Verdict, took: Duration, now: Instant) -> Consequence {
    health.begin(now);
    health.end(verdict, took, &Ejection::default(), now)
}

#[test]
fn five_failures_in_a_row_are_enough_and_one_success_starts_over() {
    let now = Instant::now();
    let mut health = Health::new(false, now);
    for verdict in [Verdict::Failure, Verdict::Late] {
        (0..4).for_each(|_| {
            assert_eq!(call(&mut health, verdict, now), Consequence::Nothing);
        });
        call(&mut health, Verdict::Success, now);
    }
    calls(4, &mut health, Verdict::Failure, now);
    assert_eq!(call(&mut health, Verdict::Nothing, now), Consequence::Nothing);
    assert_eq!(call(&mut health, Verdict::Late, now), Consequence::Eject);
    let never = Ejection { failures: 0, ..Ejection::default() };
    health.begin(now);
    assert_eq!(health.end(Verdict::Failure, MS, &never, now), Consequence::Nothing, "0: never");
}

#[test]
fn one_refused_connection_takes_it_down_until_it_accepts_one() {
    let now = Instant::now();
    let mut health = Health::new(false, now);
    assert_eq!(call(&mut health, Verdict::Refused, now), Consequence::WentDown);
    assert_eq!(health.access(now + seconds(1000)), Access::Down);
    let due = health.check_due().unwrap();
    assert!(due >= now + 400 * MS && due <= now + 500 * MS, "{:?}", due - now);
    health.begin_check(seconds(1), due);
    assert!(health.check_due().unwrap() > due + seconds(1), "one check at a time");
    health.stay_down(due, due + MS);
    assert!(health.check_due().unwrap() <= due + 500 * MS);
    let back = now + seconds(2);
    assert!(health.accepts(back) && !health.accepts(back));
    assert_eq!((health.access(back), health.check_due()), (Access::Up, None));
    assert!((0.09..0.11).contains(&health.share(seconds(10), back)), "slowly");
}

#[test]
fn attempts_of_before_its_return_do_not_take_it_down_again() {
    let start = Instant::now();
    let mut health = Health::new(false, start);
    call(&mut health, Verdict::Refused, start);
    let back = start + seconds(1);
    health.accepts(back);
    let late = back + 500 * MS;
    assert_eq!(attempt(&mut health, Verdict::Refused, seconds(1), late), Consequence::Nothing);
    assert_eq!(attempt(&mut health, Verdict::Broken, seconds(1), late), Consequence::Nothing);
    assert_eq!(health.access(late), Access::Up);
    call(&mut health, Verdict::Refused, late);
    let early = late + 100 * MS;
    attempt(&mut health, Verdict::Success, seconds(1), early);
    assert_eq!(health.access(early), Access::Down, "a reply of one that is shutting down");
    attempt(&mut health, Verdict::Success, MS, early);
    assert_eq!(health.access(early), Access::Up, "it was called all the same");
}

#[test]
fn returns_that_fail_are_further_apart() {
    let mut now = Instant::now();
    let mut health = Health::new(false, now);
    let mut waits = Vec::new();
    for _ in 0..5 {
        call(&mut health, Verdict::Refused, now);
        let due = health.check_due().unwrap();
        waits.push((due - now).as_millis() / 400);
        now = due;
        health.accepts(now);
    }
    assert_eq!(waits, [1, 2, 4, 4, 4]);
    call(&mut health, Verdict::Success, now);
    call(&mut health, Verdict::Refused, now);
    assert!(health.check_due().unwrap() - now <= 500 * MS);
}

#[test]
fn broken_connections_in_a_row_are_a_process_that_is_gone() {
    let now = Instant::now();
    let mut health = Health::new(false, now);
    (0..4).for_each(|_| {
        assert_eq!(call(&mut health, Verdict::Broken, now), Consequence::Nothing);
    });
    assert_eq!(call(&mut health, Verdict::Broken, now), Consequence::WentDown);
    health.accepts(now);
    assert_eq!(
        call(&mut health, Verdict::Broken, now),
        Consequence::Eject,
        "it accepts, and breaks"
    );
}

#[test]
fn a_fast_failure_makes_it_no_faster_and_a_timeout_makes_it_slow() {
    let now = Instant::now();
    let mut health = Health::new(false, now);
    attempt(&mut health, Verdict::Success, 100 * MS, now + 100 * MS);
    let now = now + 100 * MS;
    calls(3, &mut health, Verdict::Failure, now);
    assert_eq!(health.latency(now), Some(0.1));
    let later = now + seconds(5);
    attempt(&mut health, Verdict::Late, seconds(5), later);
    assert!(health.latency(later).is_some_and(|latency| latency > 2.0), "{health:?}");
}

#[test]
fn each_ejection_is_longer_than_the_last_up_to_ten_times() {
    let mut now = Instant::now();
    let (mut health, settings) = (Health::new(false, now), Ejection::default());
    let mut times = Vec::new();
    for _ in 0..12 {
        health.eject(&settings, now);
        let until = health.ejected_until(now).unwrap();
        times.push((until - now).as_secs());
        now = until;
    }
    assert_eq!(times[..3], [30, 60, 90]);
    assert_eq!(times[9..], [300, 300, 300]);
}

#[test]
fn a_quiet_while_lets_the_next_ejection_be_shorter() {
    let mut now = Instant::now();
    let (mut health, settings) = (Health::new(false, now), Ejection::default());
    for _ in 0..3 {
        health.eject(&settings, now);
        now = health.ejected_until(now).unwrap();
    }
    now += seconds(20);
    for _ in 0..2 {
        health.take_rate(seconds(10), now);
    }
    health.eject(&settings, now);
    assert_eq!(health.ejected_until(now).map(|until| until - now), Some(seconds(60)));
}

#[test]
fn it_comes_back_slowly_and_on_probation() {
    let now = Instant::now();
    let (mut health, settings) = (Health::new(false, now), Ejection::default());
    let slow_start = seconds(10);
    assert_eq!(health.share(slow_start, now), 1.0);
    health.eject(&settings, now);
    assert_eq!(health.access(now + seconds(29)), Access::Ejected);
    let back = now + seconds(30);
    assert_eq!(health.access(back), Access::Up);
    assert!((0.09..0.11).contains(&health.share(slow_start, back)));
    assert!((0.54..0.56).contains(&health.share(slow_start, back + seconds(5))));
    assert_eq!(call(&mut health, Verdict::Failure, back), Consequence::Eject, "one is enough");
    call(&mut health, Verdict::Success, back);
    assert_eq!(call(&mut health, Verdict::Failure, back), Consequence::Nothing, "it succeeded");
    call(&mut health, Verdict::Success, back);
    assert_eq!(health.started(slow_start, back + seconds(10)), 1.0);
}

#[test]
fn one_that_succeeds_while_it_is_ejected_is_back() {
    let now = Instant::now();
    let mut health = Health::new(false, now);
    health.eject(&Ejection::default(), now);
    call(&mut health, Verdict::Success, now + seconds(1));
    assert_eq!(health.access(now + seconds(1)), Access::Up);
}

#[test]
fn one_that_joins_others_begins_slowly_and_a_first_one_does_not() {
    let now = Instant::now();
    assert!(Health::new(true, now).share(seconds(10), now) < 0.2);
    assert_eq!(Health::new(false, now).share(seconds(10), now), 1.0);
    assert_eq!(Health::new(true, now).share(Duration::ZERO, now), 1.0, "no slow start at all");
}

#[test]
fn it_is_healthy_while_less_than_half_of_its_last_twenty_calls_failed() {
    let now = Instant::now();
    let mut health = Health::new(false, now);
    calls(20, &mut health, Verdict::Success, now);
    for failures in 1..=10 {
        call(&mut health, Verdict::Failure, now);
        assert_eq!(health.is_healthy(now), failures < 10, "{failures}");
    }
    calls(10, &mut health, Verdict::Success, now);
    assert!(!health.is_healthy(now), "ten of twenty");
    call(&mut health, Verdict::Success, now);
    assert!(health.is_healthy(now));
    health.eject(&Ejection::default(), now);
    assert!(!health.is_healthy(now));
}

#[test]
fn failures_lower_its_share_for_a_while() {
    let now = Instant::now();
    let mut health = Health::new(false, now);
    calls(3, &mut health, Verdict::Failure, now);
    assert_eq!(health.share(Duration::ZERO, now), 0.125);
    assert!(health.share(Duration::ZERO, now + seconds(60)) > 0.99);
}

#[test]
fn silence_lowers_its_share_while_calls_are_in_flight() {
    let start = Instant::now();
    let mut health = Health::new(false, start);
    let share = |health: &Health, after| health.share(Duration::ZERO, start + after);
    attempt(&mut health, Verdict::Success, 10 * MS, start + 10 * MS);
    assert_eq!(share(&health, seconds(60)), 1.0, "idle is not silent");
    health.begin(start + seconds(60));
    assert_eq!(share(&health, seconds(60) + 50 * MS), 1.0);
    let silent = share(&health, seconds(60) + 500 * MS);
    assert!((0.009..0.011).contains(&silent), "{silent}");
}

#[test]
fn latency_is_what_calls_take_or_how_long_nothing_has_come_back() {
    let start = Instant::now();
    let mut health = Health::new(false, start);
    assert_eq!(health.latency(start), None);
    health.begin(start);
    assert_eq!(health.latency(start + 200 * MS), None, "nothing to compare with yet");
    assert_eq!(health.latency(start + seconds(3)), Some(3.0), "it has not answered its first call");
    assert!(health.share(Duration::ZERO, start + seconds(3)) < 0.01);
    health.end(Verdict::Success, 10 * MS, &Ejection::default(), start + 10 * MS);
    let known = health.latency(start + seconds(60)).unwrap();
    assert!(known < 0.011, "idle is not slow");
    health.begin(start + seconds(60));
    assert_eq!(health.latency(start + seconds(62)), Some(2.0));
    assert_eq!(health.in_flight(), 1);
}

#[test]
fn failures_do_not_make_it_look_fast_and_giving_up_makes_it_look_slow() {
    let start = Instant::now();
    let mut health = Health::new(false, start);
    attempt(&mut health, Verdict::Success, 100 * MS, start);
    attempt(&mut health, Verdict::Failure, MS, start);
    assert_eq!(health.latency(start), Some(0.1));
    attempt(&mut health, Verdict::Nothing, MS, start);
    assert_eq!(health.latency(start), Some(0.1), "it might have taken longer");
    let later = start + seconds(5);
    attempt(&mut health, Verdict::Nothing, seconds(1), later);
    assert!(health.latency(later).unwrap() > 0.5);
}

fn rate(calls: u32, successes: u32) -> Rate {
    Rate { calls, successes }
}

#[test]
fn an_outlier_is_far_below_the_mean_of_enough() {
    let mut rates = vec![rate(1000, 990); 9];
    rates.push(rate(1000, 700));
    assert_eq!(outliers(&rates), [9]);
    rates[9] = rate(99, 0);
    assert_eq!(outliers(&rates), [0; 0], "too few calls to judge");
    let few = [rate(1000, 990), rate(1000, 990), rate(1000, 990), rate(1000, 0)];
    assert_eq!(outliers(&few), [0; 0], "too few to compare");
    assert_eq!(outliers(&[rate(1000, 500); 8]), [0; 0], "alike");
    // Three equal ones of fourteen are 1.91 standard deviations below, of thirteen 1.83.
    let some_ill = |all| {
        let mut rates = vec![rate(1000, 990); all];
        rates[..3].fill(rate(1000, 700));
        outliers(&rates)
    };
    assert_eq!((some_ill(14), some_ill(13)), (vec![0, 1, 2], vec![]));
}

#[test]
fn at_most_half_are_ejected() {
    let settings = Ejection::default();
    let most = |all| (0..=all).take_while(|ejected| may_eject(&settings, *ejected, all)).count();
    assert_eq!([1, 2, 3, 4, 10].map(most), [0, 1, 1, 2, 5]);
}

/// The balancer's average includes failures, silence and age; the shown latency does not.
#[test]
fn latencies_for_people_are_those_of_successful_attempts() {
    let now = Instant::now();
    let mut health = Health::new(false, now);
    attempt(&mut health, Verdict::Failure, seconds(2), now);
    attempt(&mut health, Verdict::Late, seconds(5), now);
    assert_eq!(health.measured(0.5, now), None, "none was measured");
    for ms in 1..=100 {
        attempt(&mut health, Verdict::Success, ms * MS, now);
        attempt(&mut health, Verdict::Failure, seconds(5), now);
    }
    health.begin(now);
    let later = now + seconds(9);
    for (share, ms) in [(0.5, 50), (0.95, 95), (0.99, 99)] {
        let shown = health.measured(share, later).unwrap();
        assert!(shown >= ms * MS && shown <= (ms * MS).mul_f64(1.0625), "{share}: {shown:?}");
    }
    assert_eq!(health.measured(0.5, now + seconds(21)), None, "too long ago");
    attempt(&mut health, Verdict::Success, MS, now + seconds(30));
    attempt(&mut health, Verdict::Refused, MS, now + seconds(30));
    assert!(health.measured(0.5, now + seconds(30)).is_some());
    assert!(health.accepts(now + seconds(31)));
    assert_eq!(health.measured(0.5, now + seconds(31)), None, "another process");
}
