//! After which failures a call is retried, how long the wait is, and what the budget allows.

use super::budget::Budget;
use super::*;
use crate::upstream::failure::Fault;
use proptest::prelude::*;
use std::time::Instant;

const AN_HOUR: Duration = Duration::from_hours(1);

fn wait_after(failure: &Failure, number: u32, repeat: Repeat, left: Duration) -> Option<Duration> {
    let tried = Tried { failure, number, repeat, left, p50: Some(Duration::from_millis(20)) };
    wait(&Retry::default(), &tried, 1.0)
}

fn status(fault: Fault) -> Failure {
    Failure::status(0, "", fault)
}

#[test]
fn what_a_call_must_allow_depends_on_what_went_wrong() {
    let unreached = Failure::Unreached(String::new());
    let broken = Failure::Unavailable(String::new());
    let timeout = Failure::Timeout(AN_HOUR);
    for (failure, least) in [
        (&unreached, Some(Repeat::IfNotSent)),
        (&Failure::Unprocessed(String::new()), Some(Repeat::IfNotSent)),
        (&broken, Some(Repeat::IfAway)),
        (&Failure::Reset(String::new()), Some(Repeat::IfAway)),
        (&status(Fault::Away), Some(Repeat::IfAway)),
        (&status(Fault::Broken), Some(Repeat::Always)),
        (&timeout, Some(Repeat::Always)),
        (&status(Fault::Load), None),
        (&status(Fault::Call), None),
        (&Failure::TooLarge(1), None),
        (&Failure::Invalid(String::new()), Some(Repeat::Always)),
        (&Failure::NotSent(String::new()), None),
        (&Failure::Overloaded(""), None),
    ] {
        for repeat in [Repeat::IfNotSent, Repeat::IfAway, Repeat::Always] {
            let again = wait_after(failure, 1, repeat, AN_HOUR).is_some();
            assert_eq!(again, least.is_some_and(|least| repeat >= least), "{failure} {repeat:?}");
        }
    }
}

#[test]
fn a_service_may_ask_to_be_left_alone_for_ever() {
    for seconds in [u64::MAX, u64::MAX / 2, 3_601] {
        let retry_after = Some(Duration::from_secs(seconds));
        let (number, reason, fault) = (503, String::new(), Fault::Away);
        let failure = Failure::Status { number, reason, fault, retry_after };
        assert_eq!(wait_after(&failure, 1, Repeat::Always, AN_HOUR), None, "{seconds} s");
    }
}

#[test]
fn the_longest_wait_doubles_from_25_ms_to_a_second() {
    let failure = Failure::Unreached(String::new());
    let many = Retry { attempts: 100, ..Retry::default() };
    let longest = |number| {
        let (repeat, left) = (Repeat::Always, AN_HOUR);
        let tried = Tried { failure: &failure, number, repeat, left, p50: None };
        wait(&many, &tried, 1.0).unwrap().as_millis()
    };
    let waits: Vec<_> = [1, 2, 3, 6, 7, 99].map(longest).into();
    assert_eq!(waits, [25, 50, 100, 800, 1000, 1000]);
}

#[test]
fn the_wait_is_drawn_from_nothing_to_the_longest() {
    let failure = Failure::Unreached(String::new());
    let tried =
        Tried { failure: &failure, number: 2, repeat: Repeat::Always, left: AN_HOUR, p50: None };
    let drawn = [0.0, 0.5, 1.0].map(|dice| wait(&Retry::default(), &tried, dice).unwrap());
    assert_eq!(drawn.map(|wait| wait.as_millis()), [0, 25, 50]);
}

#[test]
fn there_are_three_tries() {
    let failure = Failure::Unreached(String::new());
    let again = |tries| wait_after(&failure, tries, Repeat::Always, AN_HOUR).is_some();
    assert_eq!([1, 2, 3].map(again), [true, true, false]);
}

#[test]
fn what_could_not_be_done_in_time_is_not_begun() {
    let failure = Failure::Unreached(String::new());
    let again =
        |left| wait_after(&failure, 1, Repeat::Always, Duration::from_millis(left)).is_some();
    assert!(!again(45), "25 ms of wait, 20 for the call");
    assert!(again(46));
}

#[test]
fn an_upstream_says_itself_when_it_wants_to_be_asked() {
    let busy = |seconds| Failure::Status {
        number: 429,
        reason: String::new(),
        fault: Fault::Load,
        retry_after: Some(Duration::from_secs(seconds)),
    };
    let left = Duration::from_secs(10);
    assert_eq!(wait_after(&busy(2), 1, Repeat::Always, left), Some(Duration::from_secs(2)));
    assert_eq!(wait_after(&busy(10), 1, Repeat::Always, left), None, "later than the deadline");
    assert_eq!(wait_after(&busy(2), 1, Repeat::IfNotSent, left), None);
}

#[test]
fn the_budget_is_a_tenth_and_three_a_second_and_ten_once_for_a_fault() {
    let now = Instant::now();
    let mut budget = Budget::new(&Retry::default(), now);
    let mut spend = |calls: usize, at: u64| {
        let at = now + Duration::from_millis(at);
        (0..calls).for_each(|_| budget.count(at));
        (0..10_000).filter(|_| budget.spend(at)).count()
    };
    assert_eq!(spend(0, 0), 3 + 10);
    assert_eq!(spend(100, 100), 10);
    assert_eq!(spend(0, 1_000), 0, "what was spent counts for a second");
    assert_eq!(spend(100, 2_500), 13);
    assert_eq!(spend(0, 10_000), 3, "the same fault");
    assert_eq!(spend(0, 20_100), 13, "another one");
}

proptest! {
    /// For any sequence: if a retry is allowed, the retries of the last second are at most a tenth of that second's
    /// calls, plus three, plus ten once, as the fault never ends.
    #[test]
    fn never_more_than_its_share(steps in proptest::collection::vec((0..100_u64, 0..40_u32, 1..40_u32), 1..400)) {
        let start = Instant::now();
        let mut budget = Budget::new(&Retry::default(), start);
        let (mut time, mut beyond) = (0, 0.0);
        // Time, calls, retries.
        let mut seen: Vec<(u64, u32, u32)> = Vec::new();
        for (pass, calls, wanted) in steps {
            time += pass;
            let now = start + Duration::from_millis(time);
            (0..calls).for_each(|_| budget.count(now));
            let spent = (0..wanted).filter(|_| budget.spend(now)).count() as u32;
            seen.push((time, calls, spent));
            if spent == 0 {
                continue;
            }
            let within = |span: u64| seen.iter().filter(move |(at, ..)| at + span > time);
            let calls: u32 = within(1_000).map(|(_, calls, _)| calls).sum();
            let spent: u32 = within(1_000).map(|(.., spent)| spent).sum();
            beyond = f64::max(beyond, f64::from(spent) - f64::from(calls) * 0.1 - 3.0);
            prop_assert!(beyond <= 10.0, "{spent} of {calls}");
        }
    }
}
