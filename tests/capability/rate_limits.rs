//! Rate limits, as seen by clients: which requests are admitted, the content of refusals, and the effect of Redis.

use crate::support::PATIENCE;
use crate::support::client::Http;
use crate::support::gateway::Gateway;
use crate::support::redis::Redis;
use crate::support::upstream::Upstream;
use http::HeaderMap;
use portcullis::config::Config;
use portcullis::connector::grpc::Reflected;
use portcullis::engine::{self, Engine};
use portcullis::gateway::assemble_from;
use portcullis::graph::Sdl;
use portcullis::graphql::ErrorCode;
use portcullis::problem::SourceFile;
use portcullis::source::Caller;
use serde_json::{Value, json};
use std::cell::Cell;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

const SDL: &str =
    "type Query { name: String @rest(source: \"s\", GET: \"/name\", select: \"$.name\") }";

/// Configuration of a gateway whose source does not exist; the queries need none.
fn config(rate: &str, server: &str) -> String {
    format!(
        "server: {{ {server} }}\nlimits: {{ cost: {{ call_weight: 0 }}, rate: {rate} }}\nsources: {{ s: {{ rest: {{ url: http://127.0.0.1:1 }} }} }}\n"
    )
}

struct Served {
    gateway: Gateway,
    _folder: tempfile::TempDir,
}

impl Served {
    async fn start(rate: &str, server: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let gateway = Gateway::start(folder.path(), SDL, &config(rate, server)).await;
        Self { gateway: gateway.unwrap_or_else(|problems| panic!("{problems}")), _folder: folder }
    }

    async fn ask(&self, query: &str, headers: &[(&str, &str)]) -> (u16, HeaderMap, Value) {
        let body = json!({ "query": query }).to_string();
        let answer = Http::new().post(&self.gateway.url, headers, body).await;
        (answer.status, answer.headers.clone(), answer.json())
    }
}

fn field<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers.get(name).map_or("", |value| value.to_str().unwrap())
}

#[tokio::test]
async fn a_bucket_is_emptied_and_told() {
    let served = Served::start("{ capacity: 3, refill: 6/m }", "").await;
    for left in [2, 1, 0] {
        let (status, headers, body) = served.ask("{ __typename }", &[]).await;
        assert_eq!((status, body["data"]["__typename"].as_str()), (200, Some("Query")));
        assert_eq!(field(&headers, "ratelimit-policy"), "\"default\";q=3;w=30;qu=\"cost\"");
        let due = format!("\"default\";r={left};t=");
        assert!(field(&headers, "ratelimit").starts_with(&due), "{headers:?}");
        assert!(!headers.contains_key("retry-after"));
    }
    let (status, headers, body) = served.ask("{ __typename }", &[]).await;
    assert_eq!(
        (status, body["errors"][0]["extensions"]["code"].as_str()),
        (429, Some("THROTTLED"))
    );
    let seconds = field(&headers, "retry-after");
    assert!(["9", "10"].contains(&seconds), "{seconds}");
    assert_eq!(field(&headers, "ratelimit"), format!("\"default\";r=0;t={seconds}"));
    assert_eq!(body["errors"][0]["extensions"]["retryAfter"].to_string(), seconds);
    assert!(body.get("data").is_none());
}

#[tokio::test]
async fn what_tells_of_a_bucket_is_for_its_caller() {
    const PUBLIC: &str = "type Query { n: Int @cacheControl(maxAge: 600, scope: PUBLIC) @rest(source: \"s\", GET: \"/n\", select: \"$.n\") }";
    let upstream = Upstream::start(Some(r#"{ "n": 1 }"#)).await;
    let folder = tempfile::tempdir().unwrap();
    for (rate, scope) in [
        ("", "public"),
        ("limits: { cost: { call_weight: 0 }, rate: { capacity: 9, refill: 6/m } }", "private"),
    ] {
        let address = upstream.address;
        let config =
            format!("sources: {{ s: {{ rest: {{ url: \"http://{address}\" }} }} }}\n{rate}\n");
        let gateway = Gateway::start(folder.path(), PUBLIC, &config).await;
        let gateway = gateway.unwrap_or_else(|problems| panic!("{problems}"));
        let body = json!({ "query": "{ n }" }).to_string();
        let answer = Http::new().post(&gateway.url, &[], body).await;
        let cache = field(&answer.headers, "cache-control");
        assert!(cache.contains(scope) && cache.contains("max-age="), "{cache}");
    }
}

#[tokio::test]
async fn what_is_refused_costs_the_floor_and_is_told_too() {
    let served = Served::start("{ capacity: 4, refill: 1/h }", "").await;
    for (left, query) in [
        (3, "{"),
        (2, "{ nothing }"),
        (1, "{ __schema { queryType { name } } }"),
        (0, "query A { __typename } query B { __typename }"),
    ] {
        let (_, headers, body) = served.ask(query, &[]).await;
        assert!(body["errors"].is_array(), "{body}");
        assert!(
            field(&headers, "ratelimit").starts_with(&format!("\"default\";r={left};")),
            "{query} {headers:?}"
        );
    }
    let (status, _, body) = served.ask("{", &[]).await;
    assert_eq!(
        (status, body["errors"][0]["extensions"]["code"].as_str()),
        (429, Some("THROTTLED"))
    );
}

#[tokio::test]
async fn tiers_and_keys_come_from_headers() {
    let rate = r#"{ capacity: 1, refill: 1/h, key: ['$request.headers."x-api-key"'],
        tiers: [{ name: gold, when: '$request.headers."x-plan"->match(["gold", true])', capacity: 50, refill: 1/h }] }"#;
    let served = Served::start(rate, "").await;
    let status = async |headers: &[(&str, &str)]| served.ask("{ __typename }", headers).await.0;
    assert_eq!(status(&[("x-api-key", "a")]).await, 200);
    assert_eq!(status(&[("x-api-key", "a")]).await, 429);
    assert_eq!(status(&[("x-api-key", "b")]).await, 200);
    let (_, headers, _) =
        served.ask("{ __typename }", &[("x-api-key", "a"), ("x-plan", "gold")]).await;
    assert_eq!(field(&headers, "ratelimit-policy"), "\"gold\";q=50;w=180000;qu=\"cost\"");
    // Callers have no names here, and share a bucket.
    assert_eq!(status(&[]).await, 200);
    assert_eq!(status(&[]).await, 429);
}

#[tokio::test]
async fn a_bucket_that_nobody_knows_is_asked_for_again_soon() {
    let mut redis = Redis::start();
    redis.kill();
    let url = redis.url();
    let rate = format!("{{ capacity: 9, refill: 6/m, fail: closed, redis: {{ url: \"{url}\" }} }}");
    let (status, headers, body) = Served::start(&rate, "").await.ask("{ __typename }", &[]).await;
    assert_eq!((status, field(&headers, "retry-after")), (429, "1"));
    assert_eq!(body["errors"][0]["extensions"]["retryAfter"], 1);
    assert!(!headers.contains_key("ratelimit"));
}

#[tokio::test]
async fn a_request_id_is_believed_only_of_a_trusted_proxy() {
    let ids = async |server: &str, id: &str| {
        let served = Served::start("{ capacity: 9, refill: 6/m }", server).await;
        let (_, headers, _) = served.ask("{ __typename }", &[("x-request-id", id)]).await;
        field(&headers, "x-request-id").to_owned()
    };
    let trusting = "trusted_proxies: [127.0.0.0/8]";
    assert_eq!(ids(trusting, "proxy-17").await, "proxy-17");
    assert_ne!(ids("", "proxy-17").await, "proxy-17");
    assert_ne!(ids("trusted_proxies: [10.0.0.0/8]", "proxy-17").await, "proxy-17");
    assert_ne!(ids(trusting, "not <sane>").await, "not <sane>");
}

#[tokio::test]
async fn an_address_is_believed_only_of_a_trusted_proxy() {
    let rate = "{ capacity: 1, refill: 1/h, key: [$request.ip] }";
    let strict = Served::start(rate, "").await;
    assert_eq!(strict.ask("{ __typename }", &[("x-forwarded-for", "192.0.2.1")]).await.0, 200);
    assert_eq!(strict.ask("{ __typename }", &[("x-forwarded-for", "192.0.2.2")]).await.0, 429);
    let trusting = Served::start(rate, "trusted_proxies: [127.0.0.0/8]").await;
    let status = async |headers: &[(&str, &str)]| trusting.ask("{ __typename }", headers).await.0;
    assert_eq!(status(&[("x-forwarded-for", "192.0.2.1")]).await, 200);
    assert_eq!(
        status(&[("x-forwarded-for", "9.9.9.9, 192.0.2.1")]).await,
        429,
        "the left is a client's own"
    );
    assert_eq!(
        status(&[("x-forwarded-for", "9.9.9.9"), ("x-forwarded-for", "192.0.2.1")]).await,
        429
    );
    let long = format!("{}, 192.0.2.1", "9.9.9.9, ".repeat(1100));
    assert_eq!(status(&[("x-forwarded-for", &long)]).await, 429);
    assert_eq!(status(&[("x-forwarded-for", "192.0.2.2")]).await, 200);
    assert_eq!(
        status(&[("forwarded", "for=192.0.2.3"), ("x-forwarded-for", "192.0.2.2")]).await,
        429
    );
}

/// Creates an engine like that of one of several gateways.
fn engine(rate: &str) -> Engine {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("schema.graphql"), SDL).unwrap();
    let file = SourceFile { name: "portcullis.yaml".into(), text: config(rate, "") };
    let config = Config::parse(&Arc::new(file), folder.path(), &|_| None).unwrap();
    let sdl = Sdl::read(folder.path(), &config.schema, &[]);
    assemble_from(&config, sdl, &|_| None, &Reflected::default()).unwrap().0.engine
}

/// Creates the engine of a gateway that shares its buckets.
fn shared(redis: &Redis, timeout: &str, rest: &str) -> Engine {
    let url = redis.url();
    engine(&format!("{{ redis: {{ url: \"{url}\", timeout: {timeout} }}, {rest} }}"))
}

async fn ask_of(engine: &Engine, ip: &str) -> engine::Response {
    let caller = Caller { ip: ip.parse::<IpAddr>().ok(), ..Caller::default() };
    let request = engine::Request {
        document: "{ __typename }".into(),
        operation_name: None,
        variables: serde_json::Map::new(),
        caller: Arc::new(caller),
        queries_only: false,
        deadline: Instant::now() + PATIENCE,
    };
    engine.execute(request).await
}

/// Returns the units left after a request that costs 1; `None` if that is unknown.
async fn left(engine: &Engine) -> Option<u64> {
    let response = ask_of(engine, "192.0.2.1").await;
    assert_eq!(response.refusal, None);
    response.throttle.map(|throttle| throttle.available)
}

/// Sends requests until Redis answers again, as `left` shows.
async fn until_shared(engine: &Engine, shared: impl Fn(Option<u64>) -> bool) {
    let start = Instant::now();
    while !shared(ask_of(engine, "198.51.100.1").await.throttle.map(|throttle| throttle.available))
    {
        assert!(start.elapsed() < PATIENCE, "it does not come back");
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn gateways_share_a_bucket_in_redis_at_one_round_trip_each() {
    let redis = Redis::start();
    let rate = "capacity: 100, refill: 1/h";
    let (one, two) = (shared(&redis, "20s", rate), shared(&redis, "20s", rate));
    for round in 0..10 {
        assert_eq!(left(&one).await, Some(99 - 2 * round));
        assert_eq!(left(&two).await, Some(98 - 2 * round));
    }
    // The very first one had to send the script.
    assert_eq!((redis.calls("evalsha"), redis.calls("eval"), redis.calls("multi")), (21, 0, 0));
    let names = redis.ask(&["KEYS", "*"]);
    assert!(names.contains("portcullis:rate:") && !names.contains("192.0.2.1"), "{names}");
    assert_eq!(redis.ask(&["DBSIZE"]), "int(1)");
    let name = names.split('"').find(|part| part.starts_with("portcullis:")).or_else(|| {
        names.split_once('\'').and_then(|(_, rest)| rest.split_once('\'')).map(|(name, _)| name)
    });
    // Twenty units are refilled within twenty hours, and a second.
    let expiry = redis.ask(&["TTL", name.expect("a key")]);
    assert!(["int(72000)", "int(72001)"].contains(&expiry.as_str()), "{expiry}");
}

#[tokio::test]
async fn without_redis_each_gateway_has_its_part() {
    let mut redis = Redis::start();
    let rate = "capacity: 100, refill: 1/h, replicas: 4";
    let (one, two) = (shared(&redis, "500ms", rate), shared(&redis, "500ms", rate));
    assert_eq!(left(&one).await, Some(99));
    redis.kill();
    assert_eq!(left(&one).await, Some(23), "a quarter of 99, less one");
    assert_eq!(left(&two).await, Some(24), "a quarter of the whole: it has not seen the caller");
    assert_eq!(left(&one).await, Some(22));
    // Back, and empty: full buckets for all.
    redis.restart();
    until_shared(&one, |left| left > Some(25)).await;
    until_shared(&two, |left| left > Some(25)).await;
    assert_eq!(left(&one).await, Some(99));
    assert_eq!(left(&two).await, Some(98));
}

#[tokio::test]
async fn a_redis_that_goes_away_gives_nobody_a_full_bucket() {
    let mut redis = Redis::start();
    let rate = "capacity: 40, refill: 1/h, replicas: 2";
    let engine = shared(&redis, "500ms", rate);
    for due in (4..40).rev() {
        assert_eq!(left(&engine).await, Some(due));
    }
    redis.kill();
    assert_eq!(left(&engine).await, Some(1), "half of what was left");
    assert_eq!(left(&engine).await, Some(0));
    let refused = ask_of(&engine, "192.0.2.1").await;
    assert_eq!(refused.refusal, Some(ErrorCode::Throttled));
}

#[tokio::test]
async fn without_redis_the_part_is_a_bucket_too() {
    let redis = Redis::start();
    redis.stop();
    let engine = shared(&redis, "50ms", "capacity: 9, refill: 1/h, replicas: 3");
    for _ in 0..3 {
        assert_eq!(ask_of(&engine, "192.0.2.1").await.refusal, None);
    }
    let refused = ask_of(&engine, "192.0.2.1").await;
    assert_eq!(refused.refusal, Some(ErrorCode::Throttled));
    let throttle = refused.throttle.expect("a bucket said no");
    assert!(throttle.capacity == 3 && throttle.retry_after > Some(10_000), "{throttle:?}");
}

#[tokio::test]
async fn fail_open_runs_everything_uncounted() {
    let mut redis = Redis::start();
    let engine = shared(&redis, "500ms", "capacity: 2, refill: 1/h, fail: open");
    assert_eq!(left(&engine).await, Some(1));
    redis.kill();
    for _ in 0..5 {
        assert_eq!(left(&engine).await, None);
    }
    redis.restart();
    until_shared(&engine, |left| left.is_some()).await;
    assert_eq!(left(&engine).await, Some(1));
}

#[tokio::test]
async fn fail_closed_refuses_everything_for_as_long() {
    let mut redis = Redis::start();
    let engine = shared(&redis, "500ms", "capacity: 2, refill: 1/h, fail: closed");
    assert_eq!(left(&engine).await, Some(1));
    redis.kill();
    for _ in 0..5 {
        let response = ask_of(&engine, "192.0.2.1").await;
        assert_eq!(response.refusal, Some(ErrorCode::Throttled));
        assert!(String::from_utf8_lossy(&response.body).contains("\"retryAfter\":1"));
    }
    redis.restart();
    until_shared(&engine, |left| left.is_some()).await;
    assert_eq!(left(&engine).await, Some(1));
}

#[tokio::test]
async fn a_redis_that_hangs_delays_one_request_and_no_more_than_its_timeout() {
    let redis = Redis::start();
    for fail in ["open", "closed", "local"] {
        let rate = format!("capacity: 50, refill: 1/h, fail: {fail}");
        let engine = shared(&redis, "100ms", &rate);
        ask_of(&engine, "192.0.2.1").await;
        redis.stop();
        let start = Instant::now();
        ask_of(&engine, "192.0.2.1").await;
        let first = start.elapsed();
        let start = Instant::now();
        for _ in 0..30 {
            ask_of(&engine, "192.0.2.1").await;
        }
        let rest = start.elapsed();
        redis.resume();
        assert!(first >= Duration::from_millis(100), "{fail}: {first:?}");
        // Each of them would have taken as long as the first.
        assert!(first < SOON && rest < SOON, "{fail}: {first:?}, {rest:?}");
    }
}

/// Less than the duration to exclude, and more than a busy machine needs.
const SOON: Duration = Duration::from_millis(2500);

#[tokio::test]
async fn a_redis_that_is_slow_is_waited_for_within_the_timeout() {
    let redis = Redis::start();
    let rate = "capacity: 50, refill: 1/h, replicas: 5";
    let (patient, hurried) = (shared(&redis, "20s", rate), shared(&redis, "50ms", rate));
    let before = left(&patient).await;
    redis.slow(Duration::from_millis(500));
    assert_eq!(left(&hurried).await, Some(9), "its own part");
    assert!(left(&patient).await < before);
}

#[tokio::test]
async fn after_a_failover_the_new_server_counts() {
    let mut redis = Redis::start();
    let engine = shared(&redis, "500ms", "capacity: 50, refill: 1/h, replicas: 5");
    assert_eq!(left(&engine).await, Some(49));
    redis.ask(&["REPLICAOF", "127.0.0.1", "1"]);
    assert_eq!(left(&engine).await, Some(8), "a replica takes no writes: a fifth of 49, less one");
    redis.restart();
    until_shared(&engine, |left| left > Some(10)).await;
    assert_eq!(left(&engine).await, Some(49));
}

#[tokio::test]
async fn what_a_gateway_reserved_when_it_died_is_spent_and_flows_in_again() {
    let redis = Redis::start();
    let slowly = "capacity: 10, refill: 1/h";
    // Dropped between its reservation and its settlement, with its state.
    let engine = shared(&redis, "20s", slowly);
    assert_eq!(left(&engine).await, Some(9));
    drop(engine);
    assert_eq!(left(&shared(&redis, "20s", slowly)).await, Some(8), "it is spent");
    redis.ask(&["FLUSHALL"]);
    let fast = "capacity: 10, refill: 100/s";
    let engine = shared(&redis, "20s", fast);
    assert_eq!(left(&engine).await, Some(9));
    drop(engine);
    // A full bucket is not stored.
    let start = Instant::now();
    while redis.ask(&["DBSIZE"]) != "int(0)" {
        assert!(start.elapsed() < PATIENCE, "it does not flow in");
    }
    assert_eq!(left(&shared(&redis, "20s", fast)).await, Some(9));
}

/// Runs three gateways, each with many concurrent requests, on one Redis. Returns the admitted units, and the units
/// that its bucket held and took in from the first request to the last admitted one.
async fn admitted_under_contention(time: Duration) -> (f64, f64) {
    const CAPACITY: f64 = 300.0;
    const REFILL: f64 = 300.0;
    let redis = Redis::start();
    let rate = format!("capacity: {CAPACITY}, refill: {REFILL}/s, fail: closed");
    let gateways = [(); 3].map(|()| shared(&redis, "20s", &rate));
    for gateway in &gateways {
        // Connected and prepared, with another caller's bucket.
        assert_eq!(ask_of(gateway, "198.51.100.1").await.refusal, None);
    }
    let start = Instant::now();
    let last = Cell::new(start);
    let askers = gateways.iter().flat_map(|gateway| [gateway; 4]).map(|gateway| async {
        let mut admitted = 0_u32;
        while start.elapsed() < time {
            if ask_of(gateway, "192.0.2.1").await.refusal.is_none() {
                admitted += 1;
                last.set(Instant::now());
            }
        }
        admitted
    });
    let admitted: u32 = futures_util::future::join_all(askers).await.into_iter().sum();
    (admitted.into(), CAPACITY + REFILL * (last.get() - start).as_secs_f64())
}

#[tokio::test]
async fn three_gateways_admit_the_rate_to_a_hundredth() {
    // A longer run, if requested.
    let seconds = std::env::var("RATE_SECONDS").ok().and_then(|text| text.parse().ok());
    let time = Duration::from_secs(seconds.unwrap_or(6));
    let (admitted, due) = admitted_under_contention(time).await;
    println!("{admitted} admitted, {due:.1} due");
    assert!((admitted / due - 1.0).abs() < 0.01, "{admitted} admitted, {due} due");
}
