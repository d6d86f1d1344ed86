//! WebSockets whose client makes the gateway answer and reads nothing: memory stays where it was, and they are closed.

use crate::support::client::Http;
use crate::support::process::Process;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

const SDL: &str = "type Query { id: ID @rest(source: \"api\", GET: \"/\") }\n";

/// Nothing is called. A socket that takes nothing is closed after a second.
const CONFIG: &str = "server: { access_log: false }\nsubscriptions: { keep_alive: 500ms }\n\
    sources: { api: { rest: { url: \"http://127.0.0.1:9\" } } }\n";

/// More than the system holds for one connection, and far more than the gateway may.
const FLOOD: usize = 64 << 20;

/// A flood is closed after some seconds of its own; on a busy machine the burst before them takes its time as well.
const CLOSING: Duration = Duration::from_mins(2);

/// Bytes that a flood of one socket may cost, and here four do together.
const ALLOWED: u64 = 20 << 20;

fn open(process: &Process) -> TcpStream {
    let address = process.url.trim_start_matches("http://").trim_end_matches("/graphql");
    let mut socket = TcpStream::connect(address).expect("the gateway listens");
    let head = format!(
        "GET /graphql HTTP/1.1\r\nhost: {address}\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
         sec-websocket-version: 13\r\nsec-websocket-key: {}\r\n\
         sec-websocket-protocol: graphql-transport-ws\r\n\r\n",
        STANDARD.encode([7; 16])
    );
    socket.write_all(head.as_bytes()).expect("an open socket");
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        socket.read_exact(&mut byte).expect("an answer");
        answer.push(byte[0]);
    }
    assert!(answer.starts_with(b"HTTP/1.1 101 "), "{}", String::from_utf8_lossy(&answer));
    socket
}

/// A client's frame, masked with zeros.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first];
    let length = u16::try_from(payload.len()).expect("a short frame").to_be_bytes();
    if payload.len() < 126 {
        bytes.push(0x80 | length[1]);
    } else {
        bytes.push(0xfe);
        bytes.extend_from_slice(&length);
    }
    bytes.extend_from_slice(&[0; 4]);
    bytes.extend_from_slice(payload);
    bytes
}

/// Sends frames again and again, without reading, until the gateway closes the connection.
fn flood(mut socket: TcpStream, chunk: &[u8]) {
    socket.set_write_timeout(Some(CLOSING)).expect("a socket has timeouts");
    let (start, mut sent) = (Instant::now(), 0);
    while sent < FLOOD {
        match socket.write(chunk) {
            Ok(written) => sent += written,
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                panic!("{sent} bytes were sent, and the connection is open")
            }
            Err(_) => return,
        }
        assert!(start.elapsed() < CLOSING, "{sent} bytes were sent, and the connection is open");
    }
    panic!("all was read of a client that reads nothing");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_does_not_read_is_not_answered_without_end() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let process = Process::serve(folder.path(), SDL, CONFIG, &[]);
    let init = frame(0x81, br#"{"type":"connection_init"}"#);
    let text = |value: serde_json::Value| frame(0x81, value.to_string().as_bytes());
    let padding = "x".repeat(1_000);
    // Ten errors, each with a long name.
    let names: Vec<_> = (0..10).map(|n| format!("none{n}{padding}")).collect();
    let invalid = |id: usize| {
        let payload = json!({ "query": format!("{{ {} }}", names.join(" ")) });
        text(json!({ "type": "subscribe", "id": id.to_string(), "payload": payload }))
    };
    let ping = text(json!({ "type": "ping", "payload": { "a": padding } }));
    let before = process.memory();
    let floods = [
        (false, frame(0x89, &[b'x'; 125]).repeat(500)),
        (false, ping.repeat(60)),
        (true, frame(0x89, &[b'x'; 125]).repeat(500)),
        (true, (0..200).flat_map(invalid).collect()),
    ];
    let floods = floods.map(|(begins, chunk)| {
        let mut socket = open(&process);
        if begins {
            socket.write_all(&init).expect("an open socket");
        }
        tokio::task::spawn_blocking(move || flood(socket, &chunk))
    });
    futures_util::future::try_join_all(floods).await.expect("all are closed");
    let grown = process.memory().saturating_sub(before);
    println!("{} kB more", grown >> 10);
    assert!(grown < ALLOWED, "{} MB more", grown >> 20);
    assert_eq!(Http::new().ask(&process.url, "{ __typename }").await.status, 200);
}
