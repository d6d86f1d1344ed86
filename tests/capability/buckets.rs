//! Buckets of gateways in separate processes: what a crash leaves in Redis, how settling works there, and the figures
//! in `/metrics`.

use crate::support::PATIENCE;
use crate::support::client::{Answer, Http};
use crate::support::process::Process;
use crate::support::redis::Redis;
use crate::support::upstream::Upstream;
use futures_util::future::join_all;
use serde_json::json;
use std::time::Instant;

const SDL: &str = r#"
type Query {
  users(first: Int!): [User] @listSize(slicingArguments: ["first"]) @rest(source: "s", GET: "/users?first={$args.first}")
}
type User { id: ID! }
"#;

const TWO: &str = r#"[{ "id": 1 }, { "id": 2 }]"#;

/// Starts one gateway over this upstream.
fn gateway(upstream: &Upstream, rate: &str) -> Process {
    let folder = tempfile::tempdir().unwrap();
    let config = format!(
        "server: {{ access_log: false, metrics: {{ public: true }} }}\n\
         limits: {{ cost: {{ call_weight: 0 }}, rate: {{ {rate} }} }}\n\
         sources: {{ s: {{ rest: {{ url: \"http://{}\" }}, timeout: 60s }} }}\n",
        upstream.address
    );
    Process::serve(folder.path(), SDL, &config, &[])
}

fn shared(redis: &Redis, rest: &str) -> String {
    format!("redis: {{ url: \"{}\", timeout: 20s }}, {rest}", redis.url())
}

async fn ask(url: &str, query: &str) -> Answer {
    let body = json!({ "query": query }).to_string();
    Http::new().post(url, &[], body).await
}

async fn users(url: &str, first: u32) -> Answer {
    ask(url, &format!("{{ users(first: {first}) {{ id }} }}")).await
}

/// Returns the units left according to the answer: in its header and, if it has a price, in its body.
fn told(answer: &Answer) -> u64 {
    let field = answer.headers["ratelimit"].to_str().unwrap();
    let left = field.strip_prefix("\"default\";r=").and_then(|rest| rest.split(';').next());
    let left = left.unwrap_or_else(|| panic!("nothing is told: {field}")).parse().unwrap();
    let body = answer.json();
    if let Some(status) = body["extensions"]["cost"].get("throttleStatus") {
        assert_eq!(status["currentlyAvailable"], left, "{body}");
    }
    left
}

/// Returns the units in the only bucket in Redis. Less than one is refilled during a test.
fn held(redis: &Redis) -> f64 {
    let keys = redis.keys();
    let [key] = keys.as_slice() else { panic!("not one bucket: {keys:?}") };
    let bucket = redis.ask(&["GET", key]);
    bucket.split(' ').next().unwrap().parse().unwrap()
}

/// Asserts that every key expires within the time that a bucket takes to fill from its debt.
fn assert_all_expire(redis: &Redis, hours: i64) {
    for key in redis.keys() {
        let seconds = redis.ask(&["TTL", &key]);
        let seconds = seconds.trim_start_matches("int(").trim_end_matches(')').parse::<i64>();
        assert!((1..=hours * 3600 + 1).contains(&seconds.clone().unwrap()), "{key}: {seconds:?}");
    }
}

/// Repeats the check until it holds, because settling has no completion to wait for.
async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let start = Instant::now();
    while !holds().await {
        assert!(start.elapsed() < PATIENCE, "waited in vain: {what}");
        tokio::task::yield_now().await;
    }
}

/// Kills a gateway while requests of these costs wait for its upstream.
async fn killed_amid(mut gateway: Process, upstream: &Upstream, costs: &[u32]) {
    let url = gateway.url.clone();
    let asking = join_all(costs.iter().map(|cost| users(&url, *cost)));
    let mut asking = std::pin::pin!(asking);
    tokio::select! {
        answers = &mut asking => panic!("answered: {answers:?}"),
        () = upstream.until(|count| count.in_flight == costs.len()) => {}
    }
    // Its clients are still connected when it is killed, and its calls end with it.
    gateway.kill();
    upstream.until(|count| count.in_flight == 0).await;
}

#[tokio::test]
async fn what_a_gateway_had_reserved_when_it_was_killed_stays_spent() {
    let (redis, upstream) = (Redis::start(), Upstream::held(TWO).await);
    let rate = shared(&redis, "capacity: 100, refill: 1/h");
    let (one, two) = (gateway(&upstream, &rate), gateway(&upstream, &rate));
    assert_eq!(told(&ask(&one.url, "{ __typename }").await), 99);
    killed_amid(one, &upstream, &[20, 15, 10]).await;
    assert!((held(&redis) - 54.0).abs() < 0.9, "{}", held(&redis));
    assert_all_expire(&redis, 46);
    // The others continue with the same bucket, and so does the one that replaces it.
    upstream.release();
    let refused = users(&two.url, 55).await;
    assert_eq!((refused.status, told(&refused)), (429, 54));
    assert_eq!(told(&users(&two.url, 50).await), 52);
    until("settled", async || held(&redis) > 51.0).await;
    let three = gateway(&upstream, &rate);
    assert_eq!(told(&ask(&three.url, "{ __typename }").await), 51);
    assert_eq!(told(&ask(&two.url, "{ __typename }").await), 50);
    assert!((held(&redis) - 50.0).abs() < 0.9, "{}", held(&redis));
    assert_all_expire(&redis, 50);
}

#[tokio::test]
async fn what_a_killed_gateway_had_reserved_flows_in_again_and_leaves_nothing() {
    let (redis, upstream) = (Redis::start(), Upstream::held(TWO).await);
    let rate = shared(&redis, "capacity: 100, refill: 100/s");
    killed_amid(gateway(&upstream, &rate), &upstream, &[50, 50]).await;
    until("its key expires", async || redis.keys().is_empty()).await;
    let other = gateway(&upstream, &rate);
    assert_eq!(told(&ask(&other.url, "{ __typename }").await), 99);
}

#[tokio::test]
async fn redis_holds_what_the_answer_says_whatever_it_was_estimated_at() {
    let (redis, upstream) = (Redis::start(), Upstream::start(Some(TWO)).await);
    let gateway = gateway(&upstream, &shared(&redis, "capacity: 10, refill: 1/h"));
    // Estimates above, equal to and below the actual cost: the call returns two users, whatever is requested.
    for (first, left) in [(10, 8_u32), (2, 6), (1, 4)] {
        let answer = users(&gateway.url, first).await;
        assert_eq!(told(&answer), u64::from(left), "{}", answer.text());
        let due = f64::from(left);
        until("settled", async || (held(&redis) - due).abs() < 0.9).await;
        assert_all_expire(&redis, 10 - i64::from(left));
    }
}

#[tokio::test]
async fn a_settlement_that_redis_never_gets_is_counted_and_nobody_waits_for_it() {
    let (mut redis, upstream) = (Redis::start(), Upstream::held(TWO).await);
    let gateway = gateway(&upstream, &shared(&redis, "capacity: 100, refill: 1/h"));
    let mut asking = std::pin::pin!(users(&gateway.url, 50));
    tokio::select! {
        answer = &mut asking => panic!("answered: {answer:?}"),
        () = upstream.until(|count| count.in_flight == 1) => {}
    }
    redis.kill();
    upstream.release();
    let answer = asking.await;
    assert_eq!((answer.status, told(&answer)), (200, 98));
    let lost = "portcullis_rate_settlements_lost_total";
    until("counted", async || gateway.metric(lost).await > 0).await;
    assert_eq!(figures(&gateway, &[lost]).await, [1]);
    let failures = r#"portcullis_rate_store_failures_total{kind="unreachable"}"#;
    assert_eq!(figures(&gateway, &[failures]).await, [1]);
}

async fn figures(gateway: &Process, names: &[&str]) -> Vec<u64> {
    join_all(names.iter().map(|name| gateway.metric(name))).await
}

fn outcome(of: &str) -> String {
    format!("portcullis_rate_requests_total{{policy=\"default\",outcome=\"{of}\"}}")
}

const OUTCOMES: [&str; 5] = ["admitted", "throttled", "measured", "failed_open", "failed_closed"];

/// Returns the outcomes of all requests, in the order of [`OUTCOMES`].
async fn outcomes(gateway: &Process) -> Vec<u64> {
    let names = OUTCOMES.map(outcome);
    figures(gateway, &names.each_ref().map(String::as_str)).await
}

#[tokio::test]
async fn metrics_tell_what_was_admitted_throttled_and_spent() {
    let upstream = Upstream::start(Some(TWO)).await;
    let gateway = gateway(&upstream, "capacity: 10, refill: 1/h");
    let rest = ["portcullis_rate_cost_total{policy=\"default\"}", "portcullis_rate_buckets"];
    // Two; refused for a price that no bucket holds, and for its syntax: one each.
    assert_eq!(told(&users(&gateway.url, 5).await), 8);
    assert_eq!(told(&users(&gateway.url, 11).await), 7);
    assert_eq!(told(&ask(&gateway.url, "{").await), 6);
    assert_eq!(users(&gateway.url, 7).await.status, 429);
    assert_eq!(outcomes(&gateway).await, [3, 1, 0, 0, 0]);
    assert_eq!(figures(&gateway, &rest).await, [4, 1]);
}

#[tokio::test]
async fn metrics_tell_what_was_only_measured() {
    let upstream = Upstream::start(Some(TWO)).await;
    let gateway = gateway(&upstream, "capacity: 10, refill: 1/h, mode: measure");
    for (first, left) in [(9, 8), (11, 8), (9, 8)] {
        let answer = users(&gateway.url, first).await;
        assert_eq!(answer.status, 200);
        if first < 10 {
            assert_eq!(told(&answer), left);
        }
    }
    assert_eq!(outcomes(&gateway).await, [1, 0, 2, 0, 0]);
}

#[tokio::test]
async fn metrics_tell_what_was_done_without_redis() {
    let (mut redis, upstream) = (Redis::start(), Upstream::start(Some(TWO)).await);
    redis.kill();
    for (fail, status, due) in [
        ("open", 200, [0, 0, 0, 3, 0]),
        ("closed", 429, [0, 0, 0, 0, 3]),
        ("local", 200, [3, 0, 0, 0, 0]),
    ] {
        let rate = shared(&redis, &format!("capacity: 9, refill: 1/h, fail: {fail}"));
        let gateway = gateway(&upstream, &rate);
        for _ in 0..3 {
            assert_eq!(users(&gateway.url, 2).await.status, status, "{fail}");
        }
        assert_eq!(outcomes(&gateway).await, due, "{fail}");
        let kinds = ["unreachable", "resting"]
            .map(|kind| format!("portcullis_rate_store_failures_total{{kind=\"{kind}\"}}"));
        let kinds = figures(&gateway, &kinds.each_ref().map(String::as_str)).await;
        assert!(kinds[0] >= 1 && kinds.iter().sum::<u64>() == 3, "{fail}: {kinds:?}");
    }
}
