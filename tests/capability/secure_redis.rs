//! Redis over TLS: only a trusted server is used.

use crate::support::client::Http;
use crate::support::process::Process;
use crate::support::redis::Redis;
use crate::support::tls::{self, Pair};

const SDL: &str =
    "type Query { name: String @rest(source: \"s\", GET: \"/name\", select: \"$.name\") }";

/// A gateway that trusts only this certificate, and refuses everything while Redis does not answer.
struct Gateway {
    process: Process,
    /// Certificates are read when the first connection is made.
    _folder: tempfile::TempDir,
}

impl Gateway {
    fn start(url: &str, trusted: &Pair) -> Self {
        let folder = tempfile::tempdir().unwrap();
        tls::write(folder.path(), trusted);
        let config = format!(
            "server: {{ access_log: false, metrics: {{ public: true }} }}\n\
             limits: {{ rate: {{ capacity: 100, refill: 1/h, fail: closed, redis: {{ url: \"{url}\", timeout: 20s }} }} }}\n\
             sources: {{ s: {{ rest: {{ url: http://127.0.0.1:1 }} }} }}\n",
        );
        let file = folder.path().join("cert.pem");
        let roots = [("SSL_CERT_FILE", file.to_str().unwrap())];
        let process = Process::serve(folder.path(), SDL, &config, &roots);
        Self { process, _folder: folder }
    }

    /// Returns the answer's status, and its figure of the bucket.
    async fn ask(&self) -> (u16, Option<String>) {
        let answer = Http::new().ask(&self.process.url, "{ __typename }").await;
        let field = answer.headers.get("ratelimit");
        (answer.status, field.map(|field| field.to_str().unwrap().to_owned()))
    }
}

#[tokio::test]
async fn gateways_share_a_bucket_over_tls() {
    let pair = tls::pair("127.0.0.1");
    let redis = Redis::secured(&pair);
    let gateways = [(); 2].map(|()| Gateway::start(&redis.url(), &pair));
    for (number, left) in [(0, 99), (1, 98), (0, 97)] {
        let (status, field) = gateways[number].ask().await;
        let field = field.expect("Redis answers");
        assert_eq!(status, 200);
        assert!(field.starts_with(&format!("\"default\";r={left};")), "{field}");
    }
    assert_eq!(redis.keys().len(), 1);
}

#[tokio::test]
async fn nobody_else_is_spoken_to() {
    let (pair, other, misnamed) =
        (tls::pair("127.0.0.1"), tls::pair("127.0.0.1"), tls::pair("redis.example"));
    let secured = Redis::secured(&pair);
    let named_otherwise = Redis::secured(&misnamed);
    for (what, url, trusted) in [
        ("another certificate", secured.url(), &other),
        ("another name", named_otherwise.url(), &misnamed),
        ("no TLS where it is due", secured.url().replace("rediss", "redis"), &pair),
    ] {
        let gateway = Gateway::start(&url, trusted);
        assert_eq!(gateway.ask().await, (429, None), "{what}");
        let failures = r#"portcullis_rate_store_failures_total{kind="unreachable"}"#;
        assert!(gateway.process.metric(failures).await >= 1, "{what}");
    }
    assert_eq!(secured.keys(), Vec::<String>::new());
}
