//! Runs every folder of `examples/`: its services answer as `exchanges.json` says, its query (or `request.json`) must get `answer.json`, and
//! each exchange must happen exactly once. A subscription's answers are `events.json`.

use crate::support::PATIENCE;
use crate::support::answer::differences;
use crate::support::client::Http;
use crate::support::exchange::{Call, Exchange};
use crate::support::gateway::Gateway;
use crate::support::grpc;
use crate::support::listener::Listener;
use crate::support::mock::{Mock, Script};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// Each folder, and how many of its exchanges happen at once, round by round.
const EXAMPLES: [(&str, &[usize]); 12] = [
    ("rest-basics", &[4]),
    ("mapping", &[1]),
    ("batching", &[1, 5]),
    ("joins", &[3, 2]),
    ("cost", &[1]),
    ("grpc", &[2, 1]),
    ("tokens", &[2]),
    ("guards", &[1, 1]),
    ("subscriptions", &[1, 1, 1]),
    ("trusted-documents", &[1]),
    ("caching", &[2, 1]),
    ("rate-limits", &[1]),
];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples")
}

#[test]
fn every_example_is_run() {
    let mut there: Vec<String> = std::fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_dir())
        .map(|path| path.file_name().unwrap().to_str().unwrap().to_owned())
        .collect();
    let mut run = EXAMPLES.map(|(name, _)| name.to_owned());
    there.sort_unstable();
    run.sort_unstable();
    assert_eq!(there, run);
    let list = std::fs::read_to_string(folder().join("README.md")).unwrap();
    assert!(run.iter().all(|name| list.contains(&format!("]({name}/README.md)"))));
}

#[tokio::test]
async fn every_example_gives_its_answer() {
    let mut failures = Vec::new();
    for (name, rounds) in EXAMPLES {
        let found = tokio::time::timeout(PATIENCE, run(&folder().join(name), rounds)).await;
        let found = found.unwrap_or_else(|_| vec![format!("no answer within {PATIENCE:?}")]);
        failures.extend(found.into_iter().map(|failure| format!("{name}: {failure}")));
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

async fn run(example: &Path, rounds: &[usize]) -> Vec<String> {
    let read = |name: &str| std::fs::read_to_string(example.join(name)).unwrap();
    let exchanges: Vec<Exchange> = serde_json::from_str(&read("exchanges.json")).unwrap();
    assert_eq!(rounds.iter().sum::<usize>(), exchanges.len(), "every exchange is in a round");
    // The gateway's support writes the schema beside the configuration, so it gets a folder of its own.
    let copy = tempfile::tempdir().unwrap();
    let mut pool = None;
    if example.join("library.proto").exists() {
        std::fs::write(copy.path().join("library.proto"), read("library.proto")).unwrap();
        pool = Some(grpc::compile(&example.join("library.proto")));
    }
    let mut headers = Vec::new();
    if example.join("jwks.json").exists() {
        std::fs::write(copy.path().join("jwks.json"), read("jwks.json")).unwrap();
        headers.push(("authorization", format!("Bearer {}", read("token.txt").trim())));
    }
    let manifest = example.join("manifest.json");
    if manifest.exists() {
        std::fs::copy(manifest, copy.path().join("manifest.json")).unwrap();
    }
    let mut lines = exchanges.iter().map(line);
    let rounds = rounds.iter().map(|count| lines.by_ref().take(*count).collect()).collect();
    let mock = Mock::start(Script { exchanges: exchanges.clone(), rounds, pool }).await;
    let address = format!("http://{}", mock.address);
    let config = read("portcullis.yaml").replace("${API:-http://127.0.0.1:4199}", &address);
    let gateway = match Gateway::start(copy.path(), &read("schema.graphql"), &config).await {
        Ok(gateway) => gateway,
        Err(problems) => return vec![format!("the graph does not load:\n{problems}")],
    };
    let body = if example.join("request.json").exists() {
        read("request.json")
    } else {
        json!({ "query": read("query.graphql") }).to_string()
    };
    let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let http = Http::new();
    let mut found = Vec::new();
    // Some are about what happens when the same is asked again.
    for expected in ["answer.json", "again.json"].iter().filter(|name| example.join(name).exists())
    {
        let answer = http.post(&gateway.url, &headers, body.clone()).await.json();
        found.extend(differences(&serde_json::from_str(&read(expected)).unwrap(), &answer));
    }
    if example.join("events.json").exists() {
        let expected = serde_json::from_str(&read("events.json")).unwrap();
        found.extend(listen(&gateway.url, &read("query.graphql"), expected).await);
    }
    found.splice(..0, mock.complaints());
    found
}

/// What differs between the expected events and those that come.
async fn listen(url: &str, query: &str, expected: Vec<Value>) -> Vec<String> {
    let mut events = Listener::events(url, query).await;
    let mut found = Vec::new();
    for expected in expected {
        let answer = events.answer().await.unwrap_or_default();
        found.extend(differences(&expected, &answer));
    }
    found.extend(events.answer().await.map(|more| format!("one more event: {more}")));
    found
}

fn line(exchange: &Exchange) -> String {
    let (line, body) = (exchange.request.clone(), exchange.body.clone());
    Call { line, body, headers: http::HeaderMap::new() }.text()
}
