//! Crowds: clients that hang up, and operations that never repeat. Nothing is left running, nothing keeps growing.

use crate::support::PATIENCE;
use crate::support::client::Http;
use crate::support::gateway::Gateway;
use crate::support::process::Process;
use crate::support::upstream::Upstream;
use futures_util::{StreamExt, future::join_all};
use serde_json::json;
use std::time::Instant;
use tokio::net::TcpStream;

const SDL: &str = "type Query { user(id: ID!): User @rest(source: \"api\", GET: \"/users/{$args.id}\") }\n\
                   type User { id: ID! name: String friend: User @rest(source: \"api\", GET: \"/users/{$this.id}/friend\") }\n";

const CROWD: usize = 200;

/// Ten thousand, a crowd at a time; each goes when its call has reached the upstream.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_that_hang_up_leave_nothing_running() {
    let upstream = Upstream::start(None).await;
    let folder = tempfile::tempdir().expect("a temporary folder");
    let config = format!(
        "sources: {{ api: {{ rest: {{ url: \"http://{}\" }}, timeout: 60s, connect_timeout: 20s, keep_alive: 1s }} }}\nserver: {{ timeout: 60s }}\n",
        upstream.address
    );
    let gateway = Gateway::start(folder.path(), SDL, &config).await.expect("a right graph");
    let address = gateway.url.trim_start_matches("http://").trim_end_matches("/graphql").to_owned();
    let mut base = None;
    for crowd in 0..50 {
        let before = upstream.count().came;
        // Every tenth crowd asks the same thing, so that its calls are one call that all of them abandon.
        let alike = crowd % 10 == 9;
        let clients = (0..CROWD).map(|n| {
            let id = if alike { crowd } else { 1_000 * crowd + n };
            ask_and_stay(&address, id)
        });
        let clients = join_all(clients).await;
        let expected = if alike { 1 } else { CROWD };
        upstream.until(|count| count.came >= before + expected).await;
        drop(clients);
        upstream.until(|count| count.in_flight == 0).await;
        if crowd == 4 {
            base = Some(settled(0).await);
        }
    }
    let base = base.expect("more than five crowds");
    let now = settled(base + 20).await;
    assert!(now <= base + 20, "{now} descriptors, {base} before");
    let cut = join_all((0..CROWD).map(|_| cut_short(&address))).await;
    assert_eq!(cut.len(), CROWD);
    assert_eq!(Http::new().ask(&gateway.url, "{ __typename }").await.status, 200);
}

/// A client that has sent its whole request and waits for the answer.
async fn ask_and_stay(address: &str, id: usize) -> TcpStream {
    let body = json!({ "query": "query ($id: ID!) { user(id: $id) { name friend { name } } }", "variables": { "id": id } }).to_string();
    let stream = TcpStream::connect(address).await.expect("the gateway listens");
    write_all(&stream, &head(address, body.len())).await;
    write_all(&stream, &body).await;
    stream
}

/// A client that goes in the middle of its own request.
async fn cut_short(address: &str) {
    let stream = TcpStream::connect(address).await.expect("the gateway listens");
    write_all(&stream, &head(address, 1_000)).await;
    write_all(&stream, "{\"query\":\"{ us").await;
}

fn head(address: &str, length: usize) -> String {
    format!(
        "POST /graphql HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n"
    )
}

async fn write_all(stream: &TcpStream, text: &str) {
    let mut rest = text.as_bytes();
    while !rest.is_empty() {
        stream.writable().await.expect("an open socket");
        match stream.try_write(rest) {
            Ok(written) => rest = &rest[written..],
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
            Err(error) => panic!("{error}"),
        }
    }
}

/// Open descriptors of this process, once they are at most `wanted` or no longer fall.
async fn settled(wanted: usize) -> usize {
    let open = || std::fs::read_dir("/proc/self/fd").expect("Linux").count();
    let started = Instant::now();
    let (mut least, mut since) = (open(), Instant::now());
    while least > wanted && since.elapsed().as_secs() < 3 && started.elapsed() < PATIENCE {
        tokio::task::yield_now().await;
        let now = open();
        if now < least {
            (least, since) = (now, Instant::now());
        }
    }
    least
}

/// Twenty thousand operations of which no two are alike; a million with `PORTCULLIS_LONG=1`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn memory_is_flat_over_distinct_operations() {
    let long = std::env::var_os("PORTCULLIS_LONG").is_some();
    let total: u64 = if long { 1_000_000 } else { 20_000 };
    let upstream = Upstream::start(Some(r#"{"id":"1","name":"Ada"}"#)).await;
    let folder = tempfile::tempdir().expect("a temporary folder");
    std::fs::write(folder.path().join("schema.graphql"), SDL).expect("a temporary file");
    let config = format!(
        "server: {{ listen: \"127.0.0.1:0\", access_log: false }}\noperation_cache: 4MiB\n\
         sources: {{ api: {{ rest: {{ url: \"http://{}\" }} }} }}\n",
        upstream.address
    );
    let file = folder.path().join("portcullis.yaml");
    std::fs::write(&file, config).expect("a temporary file");
    let process = Process::start(&["serve", "--config", file.to_str().expect("a path")]);
    let http = Http::new();
    let ask = |from: u64, to: u64| {
        let (http, url) = (http.clone(), process.url.clone());
        futures_util::stream::iter(from..to).for_each_concurrent(16, move |n| {
            let (http, url) = (http.clone(), url.clone());
            async move {
                let query =
                    format!("{{ a{n}: user(id: {n}) {{ id name friend {{ b{n}: name }} }} }}");
                let answer = http.ask(&url, &query).await.json();
                assert_eq!(
                    answer["data"][format!("a{n}")]["friend"][format!("b{n}")],
                    "Ada",
                    "{answer}"
                );
            }
        })
    };
    let quarter = total / 4;
    ask(0, quarter).await;
    let warm = process.memory();
    ask(quarter, total).await;
    let grown = process.memory().saturating_sub(warm) >> 20;
    println!("{total} operations: {} MB, then {grown} MB more", warm >> 20);
    assert!(grown < 32, "{grown} MB more after {total} distinct operations");
}
