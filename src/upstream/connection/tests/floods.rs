//! Services that endlessly send frames that belong to no reply: the connection is closed, with or without a call.

use super::*;
use tokio::io::AsyncRead;

/// Bytes after which the service stops. The gateway must close the connection before.
const MOST: usize = 32 << 20;

/// Writes type, flags, stream and payload of a frame (RFC 9113, section 4.1).
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("a short one").to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// Reads the preface, and frames up to the head of a request, so that its stream exists before it is answered.
async fn until_asked(reading: &mut (impl AsyncRead + Unpin)) {
    let mut skipped = vec![0; 24];
    let mut head = [0; 9];
    while head[3] != 1 {
        reading.read_exact(&mut skipped).await.expect("a client");
        reading.read_exact(&mut head).await.expect("a frame");
        let [high, middle, low, ..] = head;
        skipped.resize(u32::from_be_bytes([0, high, middle, low]) as usize, 0);
    }
}

/// Answers the first connection with `then` again and again. Returns whether the connection was closed, and the outcome
/// of a call.
async fn flooded(then: Vec<u8>) -> (bool, Result<String, Failure>) {
    let (listener, address) = listen().await;
    let service = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.expect("a connection");
        let (mut reading, mut writing) = stream.into_split();
        writing.write_all(&frame(4, 0, 0, b"")).await.expect("settings");
        until_asked(&mut reading).await;
        tokio::spawn(async move { tokio::io::copy(&mut reading, &mut tokio::io::sink()).await });
        let piece = then.repeat(1 + (16 << 10) / then.len());
        let mut sent = 0;
        while sent < MOST && writing.write_all(&piece).await.is_ok() {
            sent += piece.len();
        }
        sent < MOST
    });
    let connections = connections(address, Versions::Http2, &Settings::default());
    let outcome = text(connections.send(request(address, "/"), false).await).await;
    (service.await.expect("a service does not panic"), outcome)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn frames_that_bring_nothing_are_bounded() {
    for (what, then) in [
        // `:status` 103, as a literal.
        ("interim replies", frame(1, 4, 1, &[0x08, 3, b'1', b'0', b'3'])),
        ("SETTINGS", frame(4, 0, 0, b"")),
        ("PING", frame(6, 0, 0, b"12345678")),
        ("PRIORITY", frame(2, 0, 3, &[0, 0, 0, 0, 16])),
        ("WINDOW_UPDATE", frame(8, 0, 1, &[0, 0, 0, 1])),
        ("unknown frames", frame(0xfa, 0, 0, b"")),
    ] {
        let (is_closed, outcome) = flooded(then).await;
        assert!(is_closed, "{what}");
        assert!(outcome.is_err(), "{what}: {outcome:?}");
    }
}
