//! When an instance is ejected, for how long, and how it comes back.

#![expect(clippy::float_cmp, reason = "these values are set, not computed")]

use super::*;

const MS: Duration = Duration::from_millis(1);

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn call(health: &mut Health, verdict: Verdict, now: Instant) {
    health.begin(now);
    health.end(verdict, MS, now);
}

#[test]
fn five_failures_in_a_row_are_enough_and_one_success_starts_anew() {
    let now = Instant::now();
    let (mut health, settings) = (Health::new(false, now), Ejection::default());
    (0..4).for_each(|_| call(&mut health, Verdict::Failure, now));
    assert!(!health.is_failing(&settings));
    call(&mut health, Verdict::Success, now);
    (0..4).for_each(|_| call(&mut health, Verdict::Failure, now));
    call(&mut health, Verdict::Nothing, now);
    assert!(!health.is_failing(&settings));
    call(&mut health, Verdict::Failure, now);
    assert!(health.is_failing(&settings));
    assert!(!health.is_failing(&Ejection { failures: 0, ..settings }), "0: never");
}

#[test]
fn a_fast_failure_makes_it_no_faster_and_a_timeout_makes_it_slow() {
    let now = Instant::now();
    let mut health = Health::new(false, now);
    health.begin(now);
    health.end(Verdict::Success, 100 * MS, now);
    (0..3).for_each(|_| call(&mut health, Verdict::Failure, now));
    assert_eq!(health.latency(now), Some(0.1));
    let later = now + seconds(5);
    health.begin(now);
    health.end(Verdict::Failure, seconds(5), later);
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
    health.share(seconds(10), now);
    for _ in 0..2 {
        health.take_rate(now);
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
    assert_eq!(health.share(slow_start, now + seconds(29)), 0.0);
    let back = now + seconds(30);
    assert!((0.09..0.11).contains(&health.share(slow_start, back)));
    assert!((0.54..0.56).contains(&health.share(slow_start, back + seconds(5))));
    call(&mut health, Verdict::Failure, back);
    assert!(health.is_failing(&settings), "one failure is enough");
    call(&mut health, Verdict::Success, back);
    call(&mut health, Verdict::Failure, back);
    assert!(!health.is_failing(&settings), "it was seen to be well");
    assert_eq!(health.share(slow_start, back + seconds(10)), 1.0);
}

#[test]
fn one_that_joins_others_begins_slowly_and_a_first_one_does_not() {
    let now = Instant::now();
    assert!(Health::new(true, now).share(seconds(10), now) < 0.2);
    assert_eq!(Health::new(false, now).share(seconds(10), now), 1.0);
    assert_eq!(Health::new(true, now).share(Duration::ZERO, now), 1.0, "no slow start at all");
}

#[test]
fn latency_is_what_calls_take_or_how_long_nothing_has_come_back() {
    let start = Instant::now();
    let mut health = Health::new(false, start);
    assert_eq!(health.latency(start), None);
    health.begin(start);
    assert_eq!(health.latency(start + seconds(3)), None, "nothing to compare with yet");
    health.end(Verdict::Success, 10 * MS, start + 10 * MS);
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
    health.begin(start);
    health.end(Verdict::Success, 100 * MS, start);
    health.begin(start);
    health.end(Verdict::Failure, MS, start);
    assert_eq!(health.latency(start), Some(0.1));
    health.begin(start);
    health.end(Verdict::Nothing, MS, start);
    assert_eq!(health.latency(start), Some(0.1), "it might have taken longer");
    let later = start + seconds(5);
    health.begin(later);
    health.end(Verdict::Nothing, seconds(1), later);
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
    // Three alike of fourteen are 1.91 standard deviations below, and of thirteen 1.83.
    let some_ill = |all| {
        let mut rates = vec![rate(1000, 990); all];
        rates[..3].fill(rate(1000, 700));
        outliers(&rates)
    };
    assert_eq!((some_ill(14), some_ill(13)), (vec![0, 1, 2], vec![]));
}

#[test]
fn at_most_half_are_ejected_and_below_half_well_nobody_counts_as_ejected() {
    let settings = Ejection::default();
    let most = |all| (0..=all).take_while(|ejected| may_eject(&settings, *ejected, all)).count();
    assert_eq!([1, 2, 3, 4, 10].map(most), [0, 1, 1, 2, 5]);
    assert!(trusts(1, 2) && trusts(2, 3) && trusts(1, 1));
    assert!(!trusts(1, 3) && !trusts(0, 2) && !trusts(0, 0));
}
