//! Clients that endlessly send bytes that belong to no request: their connection is closed, and others are served.

use super::*;

/// Bytes after which a client stops. The gateway must close the connection before.
const MOST: usize = 32 << 20;

/// Sends `first`, then another text again and again, and reads. Returns whether the connection was closed.
async fn is_closed(gateway: &Running, first: &[u8], then: &[u8]) -> bool {
    let socket = TcpStream::connect(gateway.address).await.unwrap();
    let (mut reading, mut writing) = socket.into_split();
    let reader =
        tokio::spawn(async move { tokio::io::copy(&mut reading, &mut tokio::io::sink()).await });
    writing.write_all(first).await.unwrap();
    let piece = then.repeat(1 + (16 << 10) / then.len());
    let mut sent = 0;
    while sent < MOST {
        if writing.write_all(&piece).await.is_err() {
            let _ = reader.await.unwrap();
            return true;
        }
        sent += piece.len();
    }
    reader.abort();
    false
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bytes_of_http1_that_belong_to_no_message_are_bounded() {
    let gateway = start(edge::Settings::default()).await;
    let head = "POST /graphql HTTP/1.1\r\nhost: t\r\ncontent-type: application/json\r\n\
        transfer-encoding: chunked\r\n\r\n";
    let other = head.replace("/graphql", "/nowhere");
    let twice = head.replace("host", "content-length: 5\r\nhost");
    let asked = "GET /health HTTP/1.1\r\nhost: t\r\n\r\n";
    for (what, first, then) in [
        ("zeros of a chunk's size", head.to_owned(), "0"),
        ("spaces behind a chunk's size", format!("{head}1"), " "),
        ("zeros of a later chunk's size", format!("{head}1\r\n{{\r\n"), "0"),
        ("zeros in a body that is not read", other, "0"),
        ("zeros in a body whose length is said twice", twice, "0"),
        ("padded sizes of chunks", head.to_owned(), &*format!("{}1\r\n \r\n", "0".repeat(9_000))),
        ("an extension of a chunk", format!("{head}1;"), "x"),
        ("trailers", format!("{head}0\r\n"), "x: y\r\n"),
        ("empty lines", String::new(), "\r\n"),
        ("empty lines behind a request", asked.to_owned(), "\r\n"),
        ("a head", asked.to_owned(), "x"),
    ] {
        assert!(is_closed(&gateway, first.as_bytes(), then.as_bytes()).await, "{what}");
        assert_eq!(gateway.get("/health").await.status, 200, "{what}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn frames_of_http2_that_bring_nothing_are_bounded() {
    let gateway = start(edge::Settings::default()).await;
    let begin = [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", &frame(4, 0, 0, b"")[..]].concat();
    // POST http://t/graphql, with a body to come.
    let path = [&[0x83, 0x86, 0x41, 1, b't', 0x04, 8][..], b"/graphql"].concat();
    let asked = [&begin[..], &frame(1, 4, 1, &path)].concat();
    for (what, first, then) in [
        ("SETTINGS", &begin, frame(4, 0, 0, b"")),
        ("SETTINGS of some size", &begin, frame(4, 0, 0, &[0, 4, 0, 0, 0xff, 0xff].repeat(1_000))),
        ("PING", &begin, frame(6, 0, 0, b"12345678")),
        ("PRIORITY", &begin, frame(2, 0, 3, &[0, 0, 0, 0, 16])),
        ("WINDOW_UPDATE of nothing", &begin, frame(8, 0, 5, &[0, 0, 0, 1])),
        ("WINDOW_UPDATE of a request", &asked, frame(8, 0, 1, &[0, 0, 0, 1])),
        ("unknown frames", &begin, frame(0xfa, 0, 0, b"")),
        ("large unknown frames", &begin, frame(0xfa, 0, 0, &[0; 16_000])),
        ("empty DATA", &asked, frame(0, 0, 1, b"")),
        ("DATA that is padding", &asked, frame(0, 8, 1, &[&[255][..], &[0; 255]].concat())),
    ] {
        assert!(is_closed(&gateway, first, &then).await, "{what}");
        assert_eq!(gateway.get("/health").await.status, 200, "{what}");
    }
}
