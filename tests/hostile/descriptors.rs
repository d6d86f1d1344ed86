//! A gateway without descriptors: its own trouble, which no service is blamed for.

use crate::support::PATIENCE;
use crate::support::gateway::Shop;
use crate::support::process::Process;
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const FILES: usize = 64;

/// Several times the pause after which a gateway without descriptors accepts again.
const ACCEPT_PAUSES: Duration = Duration::from_millis(250);

/// More than the failures that eject an instance, and than the calls that open a breaker.
const QUERIES: usize = 40;

/// One call to a REST service, and one to a gRPC service.
const QUERY: &str = r#"{ user(id: 1) { name } product(id: "P-0001") { name } }"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateway_out_of_descriptors_blames_no_service() {
    let shop = Shop::start().await;
    let config = concat!(env!("CARGO_MANIFEST_DIR"), "/schema/portcullis.yaml");
    let arguments = ["serve", "--listen", "127.0.0.1:0", "--config", config];
    let process = Process::start_within(FILES, &arguments, &shop.variables());
    let address = process.url.trim_start_matches("http://").trim_end_matches("/graphql");
    // One connection for all of it: no other could be accepted.
    let mut client = TcpStream::connect(address).await.expect("the gateway listens");
    assert_eq!(ask(&mut client, "{ __typename }").await["data"]["__typename"], "Query");
    // More than fit, so that a descriptor that becomes free is taken by the next of them.
    let mut silent = Vec::new();
    for _ in 0..2 * FILES {
        silent.push(TcpStream::connect(address).await.expect("the system accepts for it"));
    }
    let begun = Instant::now();
    let mut full_since = None;
    while full_since.is_none_or(|since: Instant| since.elapsed() < ACCEPT_PAUSES) {
        assert!(begun.elapsed() < PATIENCE, "{} files are open", process.files());
        full_since = full_since.filter(|_| process.files() >= FILES);
        full_since = full_since.or_else(|| (process.files() >= FILES).then(Instant::now));
        tokio::task::yield_now().await;
    }
    for _ in 0..QUERIES {
        let answer = ask(&mut client, QUERY).await;
        let errors = answer["errors"].as_array().expect("neither service can be called");
        let codes: Vec<&Value> = errors.iter().map(|error| &error["extensions"]["code"]).collect();
        assert_eq!(codes, ["OVERLOADED", "OVERLOADED"], "{answer:#}");
    }
    drop(silent);
    while process.files() > FILES / 2 {
        assert!(begun.elapsed() < 2 * PATIENCE, "{} files are open", process.files());
        tokio::task::yield_now().await;
    }
    let answer = ask(&mut client, QUERY).await;
    assert!(answer.get("errors").is_none(), "services are called again at once: {answer:#}");
}

/// Asks over this connection, which stays open.
async fn ask(client: &mut TcpStream, query: &str) -> Value {
    let body = json!({ "query": query }).to_string();
    let length = body.len();
    let head = format!(
        "POST /graphql HTTP/1.1\r\nhost: gateway\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n"
    );
    client.write_all((head + &body).as_bytes()).await.expect("an open connection");
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(client.read_u8().await.expect("an answer"));
    }
    let head = String::from_utf8_lossy(&head).to_ascii_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    let length = length.and_then(|text| text.trim().parse().ok()).expect("the body's length");
    let mut body = vec![0; length];
    client.read_exact(&mut body).await.expect("a whole body");
    serde_json::from_slice(&body).expect("JSON")
}
