//! Replies that several gateways share in Redis, and the effect of a Redis that is gone, silent or wrong.

use crate::support::PATIENCE;
use crate::support::client::Http;
use crate::support::gateway::Gateway;
use crate::support::redis::Redis;
use crate::support::upstream::Upstream;
use std::time::{Duration, Instant};

const SDL: &str = r#"
type Query {
  a(id: Int): A @cacheControl(maxAge: 600) @rest(source: "api", GET: "/a", query: [{ name: "id", value: "{$args.id}" }])
  mine: A @cacheControl(maxAge: 600, scope: PRIVATE) @rest(source: "api", GET: "/mine")
}
type A { n: Int }
"#;

struct Pair {
    upstream: Upstream,
    one: Gateway,
    other: Gateway,
    http: Http,
    _folder: tempfile::TempDir,
}

impl Pair {
    /// Two gateways over one upstream and one Redis.
    async fn start(redis: &str) -> Self {
        let upstream = Upstream::start(Some(r#"{ "n": 1 }"#)).await;
        let folder = tempfile::tempdir().expect("a folder");
        let config = format!(
            "sources:\n  api:\n    rest: {{ url: \"http://{}\" }}\n    headers: {{ forward: [authorization] }}\n\
             cache: {{ redis: {{ url: \"{redis}\", timeout: 200ms }} }}\n",
            upstream.address
        );
        let gateway = async || Gateway::start(folder.path(), SDL, &config).await;
        let (one, other) = (gateway().await.unwrap(), gateway().await.unwrap());
        Self { upstream, one, other, http: Http::new(), _folder: folder }
    }

    /// Sends a query. Returns the answer and the number of calls.
    async fn ask(&self, gateway: &Gateway, query: &str, headers: &[(&str, &str)]) -> usize {
        let before = self.upstream.count().came;
        let body = serde_json::json!({ "query": query }).to_string();
        let answer = self.http.post(&gateway.url, headers, body).await.json();
        assert!(answer.get("errors").is_none(), "{answer}");
        self.upstream.count().came - before
    }
}

/// Waits until replies are written, which happens beside the answer.
async fn until_written(redis: &Redis, keys: usize) -> Vec<String> {
    let start = Instant::now();
    loop {
        let client = redis::Client::open(redis.url()).expect("an address");
        let mut connection = client.get_connection().expect("it runs");
        let found: Vec<String> = redis::cmd("KEYS").arg("*").query(&mut connection).expect("names");
        if found.len() == keys {
            return found;
        }
        assert!(start.elapsed() < PATIENCE, "{keys} replies are due, there are {found:?}");
        tokio::task::yield_now().await;
    }
}

const ANN: [(&str, &str); 1] = [("authorization", "Bearer ann-s3cret")];
const BOB: [(&str, &str); 1] = [("authorization", "Bearer bob-s3cret")];

#[tokio::test]
async fn a_reply_that_one_gateway_fetched_serves_the_other() {
    let redis = Redis::start();
    let pair = Pair::start(&redis.url()).await;
    assert_eq!(pair.ask(&pair.one, "{ a { n } }", &[]).await, 1);
    until_written(&redis, 1).await;
    assert_eq!(pair.ask(&pair.other, "{ a { n } }", &[]).await, 0);
    let gets = redis.calls("get");
    assert_eq!(pair.ask(&pair.other, "{ a { n } }", &[]).await, 0);
    assert_eq!(redis.calls("get"), gets, "from then on it is in memory");
    assert_eq!(pair.ask(&pair.other, "{ a(id: 2) { n } }", &[]).await, 1, "another question");
}

#[tokio::test]
async fn private_replies_stay_apart_and_no_secret_is_in_redis() {
    let redis = Redis::start();
    let pair = Pair::start(&redis.url()).await;
    for (headers, calls) in [(&ANN, 1), (&BOB, 1)] {
        assert_eq!(pair.ask(&pair.one, "{ mine { n } }", headers).await, calls);
    }
    let keys = until_written(&redis, 2).await;
    for (headers, calls) in [(&ANN[..], 0), (&BOB[..], 0), (&[], 1)] {
        assert_eq!(pair.ask(&pair.other, "{ mine { n } }", headers).await, calls);
    }
    for key in keys {
        let value = raw(&redis, &key);
        let text = String::from_utf8_lossy(&value);
        assert!(!text.contains("s3cret") && !key.contains("s3cret"), "{key}: {text}");
        assert!(!text.contains("/mine"), "{text}");
    }
}

fn raw(redis: &Redis, key: &str) -> Vec<u8> {
    let client = redis::Client::open(redis.url()).expect("an address");
    let mut connection = client.get_connection().expect("it runs");
    redis::cmd("GET").arg(key).query(&mut connection).expect("a value")
}

fn overwrite(redis: &Redis, key: &str, value: &[u8]) {
    let client = redis::Client::open(redis.url()).expect("an address");
    let mut connection = client.get_connection().expect("it runs");
    redis::cmd("SET").arg(key).arg(value).exec(&mut connection).expect("it is set");
}

#[tokio::test]
async fn a_value_that_is_not_the_answer_to_the_question_is_not_believed() {
    let redis = Redis::start();
    let pair = Pair::start(&redis.url()).await;
    for (index, poison) in ["garbage", "changed", "cut", "moved"].into_iter().enumerate() {
        redis.ask(&["FLUSHALL"]);
        let query = format!("{{ a(id: {}) {{ n }} }}", 10 * index);
        assert_eq!(pair.ask(&pair.one, &query, &[]).await, 1);
        let key = until_written(&redis, 1).await.remove(0);
        let mut value = raw(&redis, &key);
        match poison {
            "garbage" => value = b"{ \"n\": 666 }".to_vec(),
            "changed" => *value.last_mut().unwrap() ^= 1,
            "cut" => value.truncate(value.len() / 2),
            _ => {
                let another = format!("{{ a(id: {}) {{ n }} }}", 10 * index + 1);
                assert_eq!(pair.ask(&pair.one, &another, &[]).await, 1);
                let keys = until_written(&redis, 2).await;
                let moved = keys.iter().find(|other| **other != key).unwrap();
                value = raw(&redis, moved);
            }
        }
        overwrite(&redis, &key, &value);
        assert_eq!(pair.ask(&pair.other, &query, &[]).await, 1, "{poison}");
        let start = Instant::now();
        while raw(&redis, &key) == value {
            assert!(start.elapsed() < PATIENCE, "{poison}: the right one takes its place");
            tokio::task::yield_now().await;
        }
    }
}

#[tokio::test]
async fn a_redis_that_is_gone_or_silent_costs_a_moment_and_no_answer() {
    let mut redis = Redis::start();
    let pair = Pair::start(&redis.url()).await;
    assert_eq!(pair.ask(&pair.one, "{ a { n } }", &[]).await, 1);
    until_written(&redis, 1).await;
    redis.stop();
    let start = Instant::now();
    assert_eq!(pair.ask(&pair.other, "{ a { n } }", &[]).await, 1, "like a miss");
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
    assert_eq!(pair.ask(&pair.other, "{ a { n } }", &[]).await, 0, "memory serves on");
    redis.resume();
    redis.kill();
    assert_eq!(pair.ask(&pair.other, "{ a(id: 1) { n } }", &[]).await, 1);
    assert_eq!(pair.ask(&pair.one, "{ a { n } }", &[]).await, 0);
    redis.restart();
    let start = Instant::now();
    // Redis rests for a moment after it failed; each query is a new one, so each is a call.
    let mut id = 100;
    while redis.calls("set") == 0 {
        assert!(start.elapsed() < PATIENCE, "it does not come back");
        assert_eq!(pair.ask(&pair.one, &format!("{{ a(id: {id}) {{ n }} }}"), &[]).await, 1);
        id += 1;
    }
}
