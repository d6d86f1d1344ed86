#![allow(
    clippy::float_cmp,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "small figures, which are exact"
)]

mod outcomes;

use super::key::{Key, Policies};
use super::level::{Flow, Level};
use super::memory::Memory;
use super::*;
use crate::engine::settings::Mode;
use crate::graphql::ErrorCode;
use crate::mapping::Mapping;
use crate::source::Caller;
use http::{HeaderName, HeaderValue};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::collections::HashSet;
use std::time::{Duration, Instant};

const FLOW: Flow = Flow { capacity: 10.0, refill: 2.0 };

fn at(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

fn rate(key: &[&str]) -> Rate {
    Rate {
        mode: Mode::Enforce,
        key: key.iter().map(|text| Mapping::parse(text).unwrap()).collect(),
        allowance: allowance(10, 2),
        tiers: Vec::new(),
        store: Store::Memory,
    }
}

fn allowance(capacity: u32, amount: u32) -> Allowance {
    Allowance { capacity, refill: Refill { amount, per: Duration::from_hours(1) } }
}

fn caller(claims: Value, headers: &[(&str, &str)], ip: &str) -> Caller {
    let mut caller = Caller { claims, ip: ip.parse().ok(), ..Caller::default() };
    for (name, value) in headers {
        let name: HeaderName = name.parse().unwrap();
        caller.headers.append(name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
    }
    caller
}

#[test]
fn a_bucket_is_full_at_first_and_flows_in_up_to_its_capacity() {
    let mut level = Level::full(FLOW, at(0));
    assert_eq!(level.take(FLOW, at(0), 10.0), Ok(0.0));
    assert_eq!(level.take(FLOW, at(400), 1.0), Err(0.8));
    assert_eq!(level.take(FLOW, at(500), 1.0), Ok(0.0));
    assert_eq!(level.tokens(FLOW, at(3_600_000)), 10.0);
}

#[test]
fn what_is_waited_for_is_there_then() {
    for refill in [0.001, 0.3, 1.0, 7.0, 3333.3] {
        let flow = Flow { capacity: 5000.0, refill };
        let mut level = Level::full(flow, at(0));
        level.take(flow, at(0), 5000.0).unwrap();
        for cost in [1.0, 3.0, 1234.0, 5000.0] {
            let seconds = flow.seconds_until(0.0, cost);
            assert!(level.tokens(flow, Duration::from_secs(seconds - 1)) < cost);
            let mut later = level;
            later.take(flow, Duration::from_secs(seconds), cost).expect("it was waited for");
        }
    }
}

#[test]
fn settling_gives_back_or_takes_and_owes_one_bucket_at_most() {
    let mut level = Level::full(FLOW, at(0));
    level.take(FLOW, at(0), 8.0).unwrap();
    assert_eq!(level.give_back(FLOW, at(0), 5.0), 7.0);
    assert_eq!(level.give_back(FLOW, at(0), 100.0), 10.0);
    assert_eq!(level.give_back(FLOW, at(0), -13.0), -3.0);
    assert_eq!(level.take(FLOW, at(1500), 1.0), Err(0.0));
    assert_eq!(level.give_back(FLOW, at(1500), -1e9), -10.0);
    assert_eq!(level.full_at(FLOW), at(11_500));
}

#[test]
fn a_clock_that_goes_back_fills_nothing() {
    let mut level = Level::full(FLOW, at(1000));
    level.take(FLOW, at(1000), 10.0).unwrap();
    assert_eq!(level.take(FLOW, at(0), 1.0), Err(0.0));
    level.give_back(FLOW, at(0), 1.0);
    assert_eq!(level.tokens(FLOW, at(1000)), 1.0, "the time in between is not counted twice");
}

proptest! {
    /// Whatever is requested and settled, no more is admitted than the capacity and the refill. Greedy callers get all
    /// of that, within one operation.
    #[test]
    fn no_more_is_admitted_than_flows_in(
        capacity in 1_u32..1000,
        refill in 1_u32..500,
        steps in prop::collection::vec((0_u64..2000, 1_u32..50, 0_u32..50), 1..200),
    ) {
        let flow = Flow { capacity: f64::from(capacity), refill: f64::from(refill) };
        let mut level = Level::full(flow, at(0));
        let (mut now, mut spent, mut lost) = (0, 0.0, 0.0);
        for (pause, cost, actual) in steps {
            now += pause;
            let full = level.tokens(flow, at(now));
            let cost = f64::from(cost.min(capacity));
            let actual = f64::from(actual).min(cost);
            match level.take(flow, at(now), cost) {
                Ok(_) => {
                    level.give_back(flow, at(now), cost - actual);
                    spent += actual;
                }
                Err(held) => prop_assert!(held < cost),
            }
            lost += f64::from(u32::from(full >= flow.capacity));
            let flowed = flow.capacity + now as f64 / 1000.0 * flow.refill;
            prop_assert!(spent <= flowed + 1e-3, "{spent} of {flowed}, {lost}");
        }
    }
}

#[test]
fn sixty_seconds_of_greed_admit_the_rate_to_a_hundredth() {
    let flow = Flow { capacity: 50.0, refill: 500.0 };
    let (memory, key) = (Memory::new(1000), some_key(1));
    let mut admitted = 0.0;
    // Three callers, each far faster than the refill, at their own rates.
    for microseconds in 0..60_000_000_u64 / 100 {
        for (asker, cost) in [(3, 1.0), (7, 2.0), (11, 5.0)] {
            let now = Duration::from_micros(microseconds * 100);
            if microseconds % asker == 0 && memory.take(&key, flow, now, cost).is_ok() {
                admitted += cost;
            }
        }
    }
    let due = 50.0 + 60.0 * 500.0;
    assert!((admitted / due - 1.0_f64).abs() < 0.01, "{admitted} of {due}");
}

fn some_key(number: u32) -> Key {
    let policies = Policies::new(&rate(&["$claims.sub"]));
    policies.find(&caller(json!({ "sub": number }), &[], "")).0
}

#[test]
fn buckets_that_are_full_again_are_forgotten() {
    let memory = Memory::new(100_000);
    for number in 0..1000 {
        memory.take(&some_key(number), FLOW, at(0), 1.0).unwrap();
    }
    assert_eq!(memory.len(), 1000);
    for number in 1000..3000 {
        memory.take(&some_key(number), FLOW, at(60_000), 1.0).unwrap();
    }
    assert!(memory.len() <= 2000, "{}", memory.len());
}

#[test]
fn the_number_of_buckets_is_bounded_and_an_empty_one_stays() {
    let memory = Memory::new(640);
    let greedy = some_key(u32::MAX);
    memory.take(&greedy, FLOW, at(0), 10.0).unwrap();
    for number in 0..20_000 {
        memory.take(&some_key(number), FLOW, at(0), 1.0).unwrap();
    }
    assert!(memory.len() <= 640, "{}", memory.len());
    assert_eq!(memory.take(&greedy, FLOW, at(0), 1.0), Err(0.0), "made-up keys do not fill it");
}

#[test]
fn settling_a_bucket_that_was_forgotten_makes_none() {
    let memory = Memory::new(640);
    memory.give_back(&some_key(1), FLOW, at(0), 5.0);
    assert_eq!(memory.len(), 0);
    memory.give_back(&some_key(1), FLOW, at(0), -5.0);
    assert_eq!(memory.take(&some_key(1), FLOW, at(0), 6.0), Err(5.0));
}

#[test]
fn the_first_name_that_is_there_counts() {
    let rate = rate(&["$claims.sub", r#"$request.headers."x-api-key""#, "$request.ip"]);
    let policies = Policies::new(&rate);
    let key =
        |claims: Value, headers: &[(&str, &str)], ip| policies.find(&caller(claims, headers, ip)).0;
    let ann = json!({ "sub": "ann" });
    let api = ("x-api-key", "k");
    let (subject, header) =
        (key(ann.clone(), &[api], "192.0.2.1"), key(Value::Null, &[api], "192.0.2.1"));
    let address = key(Value::Null, &[], "192.0.2.1");
    assert_eq!(HashSet::from([subject, header, address]).len(), 3);
    assert_eq!(subject, key(ann, &[], "198.51.100.1"), "a subject is itself from everywhere");
    assert_eq!(header, key(json!({ "sub": "" }), &[api], "198.51.100.1"), "an empty name is none");
    assert_eq!(address, key(json!({ "sub": null }), &[("x-api-key", "")], "::ffff:192.0.2.1"));
    assert_ne!(address, key(Value::Null, &[], "192.0.2.2"));
    let spoofed = key(Value::Null, &[("x-api-key", "ann")], "192.0.2.1");
    assert_ne!(spoofed, subject, "a header that says `ann` is not the subject `ann`");
}

#[test]
fn an_address_of_ipv6_is_its_network() {
    let policies = Policies::new(&rate(&["$request.ip"]));
    let key = |ip| policies.find(&caller(Value::Null, &[], ip)).0;
    assert_eq!(key("2001:db8:1:2::1"), key("2001:db8:1:2:ffff::9"));
    assert_ne!(key("2001:db8:1:2::1"), key("2001:db8:1:3::1"));
}

#[test]
fn callers_without_a_name_share_one_bucket() {
    let policies = Policies::new(&rate(&["$claims.sub"]));
    let key = |ip| policies.find(&caller(Value::Null, &[], ip)).0;
    assert_eq!(key("192.0.2.1"), key("198.51.100.7"));
}

#[test]
fn a_name_stands_nowhere_in_the_clear() {
    let policies = Policies::new(&rate(&[r#"$request.headers."x-api-key""#]));
    let long = "s3cret".repeat(1000);
    let (key, _) = policies.find(&caller(Value::Null, &[("x-api-key", &long)], ""));
    assert_eq!(key.name().len(), 48);
    assert!(!format!("{key:?} {}", key.name()).contains("s3cret"));
}

#[test]
fn the_first_tier_whose_rule_is_true_counts() {
    let tier = |when: &str, capacity| Tier {
        name: None,
        when: Mapping::parse(when).unwrap(),
        allowance: allowance(capacity, 1),
    };
    let tiers = vec![
        Tier {
            name: Some("gold".to_owned()),
            ..tier(r#"$claims.plan->match(["gold", true])"#, 1000)
        },
        tier(r#"$request.headers."x-internal"->match(["yes", true])"#, 5000),
        tier("$claims.staff", 2000),
    ];
    let policies = Policies::new(&Rate { tiers, ..rate(&["$claims.sub"]) });
    let named = |claims: Value, headers: &[(&str, &str)]| {
        let caller = caller(claims, headers, "");
        let (_, policy) = policies.find(&caller);
        (policy.name.to_string(), policy.flow.capacity as u32)
    };
    assert_eq!(
        named(json!({ "sub": "a", "plan": "gold", "staff": true }), &[]),
        ("gold".into(), 1000)
    );
    assert_eq!(named(Value::Null, &[("x-internal", "yes")]), ("tier-2".into(), 5000));
    assert_eq!(named(json!({ "staff": true }), &[]), ("tier-3".into(), 2000));
    for claims in
        [json!({ "staff": "true" }), json!({ "staff": 1 }), json!({ "plan": {} }), Value::Null]
    {
        assert_eq!(named(claims, &[("x-internal", "no")]), ("default".into(), 10));
    }
}

/// Returns the remaining tokens of a bucket of 10 after a request.
async fn left(buckets: &Buckets, caller: &Caller) -> u64 {
    let mut debit = Debit::new(Some(buckets), caller);
    debit.admit(1, String::new).await.expect("there is one");
    debit.throttle().expect("it was asked").available + 1
}

#[tokio::test]
async fn a_debit_is_settled_once_with_what_was_spent() {
    let (buckets, caller) =
        (Buckets::new(&rate(&["$request.ip"])).unwrap(), caller(Value::Null, &[], "192.0.2.1"));
    let mut debit = Debit::new(Some(&buckets), &caller);
    debit.admit(8, String::new).await.unwrap();
    assert_eq!(debit.throttle().map(|throttle| throttle.available), Some(2));
    debit.settle(3);
    debit.settle(0);
    assert_eq!(debit.throttle().map(|throttle| throttle.available), Some(7));
    drop(debit);
    assert_eq!(left(&buckets, &caller).await, 7);
}

#[tokio::test]
async fn a_debit_that_is_dropped_has_spent_its_estimate() {
    let (buckets, caller) =
        (Buckets::new(&rate(&["$request.ip"])).unwrap(), caller(Value::Null, &[], "192.0.2.1"));
    let mut debit = Debit::new(Some(&buckets), &caller);
    debit.admit(8, String::new).await.unwrap();
    drop(debit);
    assert_eq!(left(&buckets, &caller).await, 2);
}

#[tokio::test]
async fn what_lacks_is_throttled_and_takes_nothing() {
    let (buckets, caller) =
        (Buckets::new(&rate(&["$request.ip"])).unwrap(), caller(Value::Null, &[], "192.0.2.1"));
    let mut debit = Debit::new(Some(&buckets), &caller);
    debit.admit(8, String::new).await.unwrap();
    let mut second = Debit::new(Some(&buckets), &caller);
    let error = second.admit(4, String::new).await.unwrap_err();
    assert_eq!(error.code, ErrorCode::Throttled);
    // Two units an hour are refilled, and two are missing.
    let throttle = second.throttle().unwrap();
    assert_eq!((throttle.available, throttle.retry_after), (2, Some(3600)));
    let errors = vec![error];
    assert_eq!(second.charge_refusal(errors.clone()).await, errors, "it is not charged for that");
    assert_eq!(left(&buckets, &caller).await, 2);
}

#[tokio::test]
async fn what_no_bucket_could_hold_costs_the_floor() {
    let (buckets, caller) =
        (Buckets::new(&rate(&["$request.ip"])).unwrap(), caller(Value::Null, &[], "192.0.2.1"));
    for expected in [9, 8, 7] {
        let mut debit = Debit::new(Some(&buckets), &caller);
        let error = debit.admit(11, String::new).await.unwrap_err();
        let errors = debit.charge_refusal(vec![error]).await;
        assert_eq!(errors[0].code, ErrorCode::CostLimitExceeded);
        assert_eq!(debit.throttle().unwrap().available, expected);
    }
    let mut debit = Debit::new(Some(&buckets), &caller);
    debit.admit(7, String::new).await.unwrap();
    let refused = vec![crate::graphql::Error::new(ErrorCode::ParseFailed, "no")];
    let errors = Debit::new(Some(&buckets), &caller).charge_refusal(refused).await;
    assert_eq!(errors[0].code, ErrorCode::Throttled, "not even the floor is left");
}

#[tokio::test]
async fn measuring_refuses_nothing() {
    let rate = Rate { mode: Mode::Measure, ..rate(&["$request.ip"]) };
    let (buckets, caller) = (Buckets::new(&rate).unwrap(), caller(Value::Null, &[], "192.0.2.1"));
    for _ in 0..3 {
        let mut debit = Debit::new(Some(&buckets), &caller);
        debit.admit(9, String::new).await.unwrap();
        debit.settle(9);
        assert_eq!(debit.throttle().unwrap().available, 1);
        let mut debit = Debit::new(Some(&buckets), &caller);
        debit.admit(11, String::new).await.unwrap();
        debit.settle(11);
    }
}

/// Takes the fastest of many rounds, because other load on the machine slows down the others.
#[test]
fn a_check_in_memory_takes_less_than_a_microsecond() {
    let flow = Flow { capacity: 1e9, refill: 1.0 };
    let policies = Policies::new(&rate(&["$claims.sub", "$request.ip"]));
    let memory = Memory::new(1 << 17);
    let callers: Vec<Caller> = (0..1000)
        .map(|number| caller(Value::Null, &[], &format!("10.1.{}.{}", number / 256, number % 256)))
        .collect();
    let start = Instant::now();
    let mut least = Duration::MAX;
    for _ in 0..100 {
        let round = Instant::now();
        for caller in &callers {
            let (key, _) = policies.find(caller);
            memory.take(&key, flow, start.elapsed(), 1.0).unwrap();
        }
        least = least.min(round.elapsed() / 1000);
    }
    // Without optimisation, only the order of magnitude is checked.
    let most = Duration::from_nanos(if cfg!(debug_assertions) { 10_000 } else { 1_000 });
    assert!(least < most, "{least:?}");
}
