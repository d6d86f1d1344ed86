//! Persisted queries that several gateways share.

use crate::support::client::Http;
use crate::support::gateway::Gateway;
use crate::support::redis::Redis;
use ring::digest::{SHA256, digest};
use serde_json::{Value, json};

const SDL: &str = "type Query { a: Int @rest(source: \"api\", GET: \"/a\") }\n";

fn sha256(text: &str) -> String {
    digest(&SHA256, text.as_bytes()).as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

struct Two {
    gateways: [Gateway; 2],
    http: Http,
    _folder: tempfile::TempDir,
}

impl Two {
    /// Starts two gateways with one Redis. Their source is never called.
    async fn start(redis: &Redis) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = format!(
            "sources: {{ api: {{ rest: {{ url: \"http://127.0.0.1:1\" }} }} }}\n\
             persisted: {{ apq: {{ enabled: true, redis: {{ url: \"{}\" }} }} }}\n",
            redis.url()
        );
        let start = async || Gateway::start(folder.path(), SDL, &config).await.unwrap();
        Self { gateways: [start().await, start().await], http: Http::new(), _folder: folder }
    }

    /// Returns a gateway's answer to a hash, with the text if it is given.
    async fn ask(&self, gateway: usize, hash: &str, text: Option<&str>) -> Value {
        let persisted = json!({ "version": 1, "sha256Hash": hash });
        let body = json!({ "query": text, "extensions": { "persistedQuery": persisted } });
        self.http.post(&self.gateways[gateway].url, &[], body.to_string()).await.json()
    }
}

const TEXT: &str = "{ __typename }";

fn typename() -> Value {
    json!({ "data": { "__typename": "Query" } })
}

fn is_unknown(answer: &Value) -> bool {
    answer["errors"][0]["message"] == "PersistedQueryNotFound"
}

#[tokio::test]
async fn what_one_gateway_learnt_another_knows() {
    let redis = Redis::start();
    let two = Two::start(&redis).await;
    let hash = sha256(TEXT);
    assert!(is_unknown(&two.ask(0, &hash, None).await));
    assert_eq!(two.ask(0, &hash, Some(TEXT)).await, typename());
    assert_eq!(two.ask(1, &hash, None).await, typename());
    // The second gateway has cached it, and need not query Redis again.
    redis.ask(&["FLUSHALL"]);
    assert_eq!(two.ask(1, &hash, None).await, typename());
}

/// An attacker who can write to Redis cannot make a gateway run another text under a hash.
#[tokio::test]
async fn a_poisoned_redis_swaps_no_document() {
    let redis = Redis::start();
    let two = Two::start(&redis).await;
    let hash = sha256(TEXT);
    let key = format!("portcullis:document:{hash}");
    for poison in ["{ a }", "", "{ __typename } ", "\u{0}"] {
        redis.ask(&["SET", &key, poison]);
        assert!(is_unknown(&two.ask(0, &hash, None).await), "{poison}");
    }
    redis.ask(&["SET", &key, TEXT]);
    assert_eq!(two.ask(0, &hash, None).await, typename());
    // A text with the right hash that is not an operation is refused like any other, and not kept.
    let broken = "{ nothing }";
    redis.ask(&["SET", &format!("portcullis:document:{}", sha256(broken)), broken]);
    let answer = two.ask(0, &sha256(broken), None).await;
    assert_eq!(answer["errors"][0]["extensions"]["code"], "GRAPHQL_VALIDATION_FAILED");
}

#[tokio::test]
async fn a_redis_that_dies_costs_only_what_it_held() {
    let mut redis = Redis::start();
    let two = Two::start(&redis).await;
    let hash = sha256(TEXT);
    assert_eq!(two.ask(0, &hash, Some(TEXT)).await, typename());
    redis.kill();
    assert_eq!(two.ask(0, &hash, None).await, typename(), "it is in memory");
    assert!(is_unknown(&two.ask(1, &hash, None).await));
    assert_eq!(two.ask(1, &hash, Some(TEXT)).await, typename());
    assert_eq!(two.ask(1, &hash, None).await, typename());
}
