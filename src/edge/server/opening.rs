//! Reads the first bytes of a connection: the HTTP version, and the first head.
//!
//! hyper would allocate 24 KiB for an HTTP/1 connection with its first byte. So a connection that is silent, or whose
//! head arrives slowly, costs little more here than the bytes that it sent.

use bytes::{Bytes, BytesMut};
use std::io;
use std::pin::Pin;
use std::task::{Poll, ready};
use tokio::io::{AsyncRead, ReadBuf};

/// The first bytes of an HTTP/2 connection (RFC 9113 §3.4).
pub(in crate::edge) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Maximum bytes that are gathered here. hyper reads the rest of a longer head.
const LONGEST: usize = 4 << 10;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Opened {
    Http1,
    Http2,
}

/// Reads until the version is known and, for HTTP/1, the first head is complete, too long, or malformed; or until the
/// client stops sending. Returns the bytes.
pub(super) async fn read<S: AsyncRead + Unpin>(stream: &mut S) -> io::Result<(Opened, Bytes)> {
    let mut first = BytesMut::new();
    loop {
        let before = first.len();
        std::future::poll_fn(|cx| {
            let mut chunk = [0; LONGEST];
            let mut buffer = ReadBuf::new(&mut chunk);
            ready!(Pin::new(&mut *stream).poll_read(cx, &mut buffer))?;
            first.extend_from_slice(buffer.filled());
            Poll::Ready(io::Result::Ok(()))
        })
        .await?;
        if first.starts_with(PREFACE) {
            return Ok((Opened::Http2, first.freeze()));
        }
        let is_over = first.len() == before || first.len() >= LONGEST;
        let may_be_http2 = PREFACE.starts_with(&first);
        if is_over || !may_be_http2 && is_whole(&first, before) {
            return Ok((Opened::Http1, first.freeze()));
        }
    }
}

/// Returns `true` if the head is complete or malformed. Its end is not in the first `before` bytes.
fn is_whole(first: &[u8], before: usize) -> bool {
    let is_none =
        first.first().is_some_and(|byte| !byte.is_ascii_graphic() && !b"\r\n".contains(byte));
    let new = &first[before.saturating_sub(2)..];
    is_none
        || new.windows(2).any(|end| end == b"\n\n")
        || new.windows(3).any(|end| end == b"\n\r\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the result for these pieces, each of which arrives by itself.
    async fn opened(pieces: &[&[u8]]) -> (Opened, Bytes) {
        let mut stream = Pieces(pieces.iter().map(|piece| piece.to_vec()).collect());
        read(&mut stream).await.unwrap()
    }

    /// Returns one piece for each read, and then the end.
    struct Pieces(std::collections::VecDeque<Vec<u8>>);

    impl AsyncRead for Pieces {
        fn poll_read(
            mut self: Pin<&mut Self>,
            _: &mut std::task::Context<'_>,
            buffer: &mut ReadBuf<'_>,
        ) -> Poll<io::Result<()>> {
            if let Some(piece) = self.0.pop_front() {
                buffer.put_slice(&piece);
            }
            Poll::Ready(Ok(()))
        }
    }

    #[tokio::test]
    async fn a_head_is_gathered_and_what_follows_is_left() {
        let (http1, http2) = (Opened::Http1, Opened::Http2);
        let head = b"GET / HTTP/1.1\r\nhost: t\r\n\r\n";
        let bytes: Vec<&[u8]> = head.chunks(1).chain([&b"more"[..]]).collect();
        assert_eq!(opened(&bytes).await, (http1, Bytes::from_static(head)));
        assert_eq!(opened(&[b"GET /\n", b"\n", b"x"]).await.1, "GET /\n\n");
        assert_eq!(opened(&[b"P", b"OST /\r\n\r", b"\n", b"x"]).await.1, "POST /\r\n\r\n");
        let preface: Vec<&[u8]> = PREFACE.chunks(5).chain([&b"more"[..]]).collect();
        assert_eq!(opened(&preface).await, (http2, Bytes::from_static(PREFACE)));
        let broken = b"PRI * HTTP/2.0\r\n\r\nXX";
        assert_eq!(opened(&[broken, b"x"]).await, (http1, Bytes::from_static(broken)));
    }

    #[tokio::test]
    async fn what_is_no_head_or_does_not_end_is_handed_over() {
        let http1 = Opened::Http1;
        assert_eq!(
            opened(&[b"\x16\x03\x01", b"x"]).await,
            (http1, Bytes::from_static(b"\x16\x03\x01"))
        );
        assert_eq!(opened(&[b"GET"]).await, (http1, Bytes::from_static(b"GET")));
        assert_eq!(opened(&[]).await, (http1, Bytes::new()));
        let long = [b'x'; 1_000];
        assert_eq!(opened(&[&long[..]; 9]).await.1.len(), 5_000);
    }
}
