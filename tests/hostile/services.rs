//! Services that never stop sending what is no reply: each is given up long before its call's timeout, having sent little.

use crate::support::PATIENCE;
use crate::support::client::Http;
use crate::support::gateway::Gateway;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

const SDL: &str = "type Query { a: Int @rest(source: \"api\", GET: \"/a\") }\n";

/// Bytes after which a service stops, which no gateway should take.
const MOST: usize = 32 << 20;

/// Bytes that a service without end writes at a time, or a few more.
const PIECE: usize = 16 << 10;

/// What is sent to each request: first one text, and then another again and again.
#[derive(Clone)]
struct Script {
    first: String,
    then: String,
}

struct Service {
    address: std::net::SocketAddr,
    server: JoinHandle<usize>,
}

impl Service {
    /// Serves one request.
    async fn start(script: Script) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("a bound socket has an address");
        let server = tokio::spawn(async move {
            let (stream, _) = listener.accept().await.expect("the gateway calls");
            answer(stream, &script).await
        });
        Self { address, server }
    }
}

/// The number of bytes that were taken.
async fn answer(mut stream: TcpStream, script: &Script) -> usize {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.expect("a request"));
    }
    let mut sent = 0;
    let mut next = &script.first;
    // Written in large pieces, so that the gateway's bound is reached and not this service's patience.
    let again = script.then.repeat(1 + PIECE / script.then.len().max(1));
    while sent < MOST && stream.write_all(next.as_bytes()).await.is_ok() {
        sent += next.len();
        next = &again;
        if script.then.is_empty() {
            break;
        }
    }
    sent
}

/// The answer's error code, or its data, and what the service could send.
async fn ask(first: &str, then: &str) -> (Value, usize) {
    let service = Service::start(Script { first: first.into(), then: then.into() }).await;
    let folder = tempfile::tempdir().expect("a temporary folder");
    let config = format!(
        "server: {{ timeout: 100s }}\nsources: {{ api: {{ rest: {{ url: \"http://{}\" }}, timeout: 90s, retry: {{ attempts: 1 }} }} }}\n",
        service.address
    );
    let gateway = Gateway::start(folder.path(), SDL, &config).await.expect("a right graph");
    let http = Http::new();
    let asked = tokio::time::timeout(PATIENCE, http.ask(&gateway.url, "{ a }"));
    let answer = asked.await.expect("an answer long before the timeout").json();
    let code = &answer["errors"][0]["extensions"]["code"];
    let found = if code.is_null() { &answer["data"]["a"] } else { code };
    // The connection of a call that was given up is closed, and so this ends.
    let sent = tokio::time::timeout(PATIENCE, service.server).await.expect("the call was given up");
    (found.clone(), sent.expect("a service does not panic"))
}

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn interim_replies_are_bounded() {
    let reply = format!("{OK}content-length: 1\r\n\r\n7");
    for interim in
        ["HTTP/1.1 100 Continue\r\n\r\n", "HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n"]
    {
        let (found, _) = ask(&format!("{}{reply}", interim.repeat(8)), "").await;
        assert_eq!(found, 7, "eight of them are few");
        let (found, _) = ask(&format!("{}{reply}", interim.repeat(9)), "").await;
        assert_eq!(found, "UPSTREAM_INVALID_REPLY", "nine of them are too many");
        let (found, sent) = ask("", interim).await;
        assert_eq!(found, "UPSTREAM_INVALID_REPLY");
        assert!(sent < MOST, "{sent}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn heads_and_ends_of_replies_are_bounded() {
    let chunked = format!("{OK}transfer-encoding: chunked\r\n\r\n");
    let chunk = format!("1000\r\n{}\r\n", " ".repeat(0x1000));
    let many: String = (0..101).map(|n| format!("x-{n}: 1\r\n")).collect();
    for (what, first, then) in [
        ("many headers", format!("{OK}{many}content-length: 1\r\n\r\n7"), ""),
        ("headers without end", OK.to_owned(), "x: y\r\n"),
        ("a header without end", format!("{OK}x: "), "yyyyyyyyyyyyyyyy"),
        ("a status line without end", "HTTP/1.1 200 ".to_owned(), "OKOKOKOKOKOKOKOK"),
        ("an extension of a chunk without end", format!("{chunked}1;"), "xxxxxxxxxxxxxxxx"),
        ("extensions of chunks without end", chunked.clone(), "1;xxxxxxxxxxxxxxxxxxxx\r\n \r\n"),
        ("a size of a chunk without end", chunked.clone(), "0000000000000000"),
        ("spaces behind a size of a chunk", format!("{chunked}1"), "                "),
        ("a later size of a chunk without end", format!("{chunked}1\r\n7\r\n"), "0000000000000000"),
        ("trailers without end", format!("{chunked}1\r\n7\r\n0\r\n"), "x: y\r\n"),
        ("a body without end", chunked.clone(), &*chunk),
    ] {
        println!("{what}");
        let (found, sent) = ask(&first, then).await;
        let code = found.as_str().unwrap_or_default().to_owned();
        assert!(code.starts_with("UPSTREAM_"), "{what}: {found}");
        assert!(sent < MOST, "{what}: {sent}");
    }
}
