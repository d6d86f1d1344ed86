//! One client's socket: frames are read one at a time, and each frame is written before the call returns.
//!
//! The gateway holds at most one message from the client and one for it. Nothing is queued for a client that does not
//! read, and what it sends meanwhile waits in the system's buffers. A silent socket holds no buffer.

use super::closing::Closing;
use super::frames::{Frames, Incoming, header};
use bytes::{Buf, Bytes};
use std::io;
use std::pin::Pin;
use std::task::{Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio::time::{Instant, timeout};
use tungstenite::protocol::frame::coding::{Control, Data, OpCode};

/// Bytes read at once, into a buffer on the stack.
const CHUNK: usize = 4 << 10;

/// Bytes that a client must read within the time of one write.
const PIECE: usize = 64 << 10;

/// Timeout for the client to close the connection after a close frame.
const FAREWELL: Duration = Duration::from_secs(1);

/// Maximum bytes that are read and discarded in that time.
const DRAIN: usize = 16 << 20;

/// Reason why no further frame is read.
#[derive(Debug)]
pub(super) enum Unreadable {
    /// The client broke a rule; it is sent this close frame.
    Broken(Closing),
    /// The connection is gone.
    Gone,
}

/// The client does not read, or is gone.
#[derive(Debug)]
pub(super) struct Stuck;

pub(super) struct Socket<S> {
    stream: S,
    frames: Frames,
    /// Timeout for one piece of a write.
    patience: Duration,
    /// Time of the client's last sign of life: a frame, or a piece of an answer that it read.
    seen: Instant,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Socket<S> {
    pub(super) fn new(stream: S, limit: usize, patience: Duration) -> Self {
        Self { stream, frames: Frames::new(limit), patience, seen: Instant::now() }
    }

    /// Returns `true` if the client has sent no frame, and read no piece of an answer, for longer than `time`.
    pub(super) fn is_silent(&self, time: Duration) -> bool {
        self.seen.elapsed() > time
    }

    /// Sets the maximum payload bytes of later messages.
    pub(super) fn allow(&mut self, limit: usize) {
        self.frames.allow(limit);
    }

    /// Returns the next frame. Cancel safe.
    pub(super) async fn next(&mut self) -> Result<Incoming, Unreadable> {
        loop {
            if let Some(incoming) = self.frames.next().map_err(Unreadable::Broken)? {
                self.seen = Instant::now();
                return Ok(incoming);
            }
            match self.read().await {
                Ok(0) | Err(_) => return Err(Unreadable::Gone),
                Ok(_) => {}
            }
        }
    }

    async fn read(&mut self) -> io::Result<usize> {
        std::future::poll_fn(|cx| {
            let mut chunk = [0; CHUNK];
            let mut buffer = ReadBuf::new(&mut chunk);
            ready!(Pin::new(&mut self.stream).poll_read(cx, &mut buffer))?;
            self.frames.push(buffer.filled());
            Poll::Ready(Ok(buffer.filled().len()))
        })
        .await
    }

    pub(super) async fn text(&mut self, text: Vec<u8>) -> Result<(), Stuck> {
        self.send(OpCode::Data(Data::Text), text.into()).await
    }

    pub(super) async fn ping(&mut self) -> Result<(), Stuck> {
        self.send(OpCode::Control(Control::Ping), Bytes::new()).await
    }

    pub(super) async fn pong(&mut self, payload: Bytes) -> Result<(), Stuck> {
        self.send(OpCode::Control(Control::Pong), payload).await
    }

    /// Sends a frame. Returns once the system has taken all of it.
    async fn send(&mut self, opcode: OpCode, payload: Bytes) -> Result<(), Stuck> {
        let mut frame = Bytes::from(header(opcode, payload.len())).chain(payload);
        let mut is_first = true;
        while frame.has_remaining() {
            let mut piece = (&mut frame).take(PIECE);
            let written = timeout(self.patience, self.stream.write_all_buf(&mut piece)).await;
            written.map_err(|_| Stuck)?.map_err(|_| Stuck)?;
            if !std::mem::take(&mut is_first) {
                self.seen = Instant::now();
            }
        }
        let flushed = timeout(self.patience, self.stream.flush()).await;
        flushed.map_err(|_| Stuck)?.map_err(|_| Stuck)
    }

    /// Answers a client's close frame with its own code (RFC 6455 §5.5.1), and ends the connection.
    pub(super) async fn confirm(self, code: Option<u16>) {
        self.end(code.map(|code| code.to_be_bytes().to_vec()).unwrap_or_default()).await;
    }

    /// Closes the socket.
    pub(super) async fn close(self, closing: &Closing) {
        self.end(closing.payload()).await;
    }

    /// Reads and discards for a moment: a connection that is closed with unread bytes is reset, and the client would
    /// not get the close frame.
    async fn end(mut self, payload: Vec<u8>) {
        self.patience = self.patience.min(FAREWELL);
        if self.send(OpCode::Control(Control::Close), payload.into()).await.is_err() {
            return;
        }
        let rest = async {
            self.stream.shutdown().await?;
            let (mut chunk, mut drained) = ([0; CHUNK], 0);
            while drained < DRAIN {
                let mut buffer = ReadBuf::new(&mut chunk);
                std::future::poll_fn(|cx| Pin::new(&mut self.stream).poll_read(cx, &mut buffer))
                    .await?;
                if buffer.filled().is_empty() {
                    break;
                }
                drained += buffer.filled().len();
            }
            io::Result::Ok(())
        };
        let _ = timeout(FAREWELL, rest).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncReadExt as _;
    use tokio::time::sleep;

    #[tokio::test(start_paused = true)]
    async fn a_client_that_takes_a_large_answer_slowly_is_not_silent() {
        const PATIENCE: Duration = Duration::from_secs(2);
        let (gateway, mut client) = tokio::io::duplex(PIECE);
        let mut socket = Socket::new(gateway, 1 << 20, PATIENCE);
        let sending = tokio::spawn(async move {
            socket.text(vec![b'x'; 10 * PIECE]).await.expect("it is taken");
            (socket.is_silent(PATIENCE), socket)
        });
        let mut piece = vec![0; PIECE];
        for _ in 0..10 {
            sleep(PATIENCE / 2).await;
            client.read_exact(&mut piece).await.unwrap();
        }
        let (is_silent, mut socket) = sending.await.unwrap();
        assert!(!is_silent, "it took a piece a moment ago");
        sleep(PATIENCE * 2).await;
        assert!(socket.is_silent(PATIENCE));
        // A pong, masked with zeros.
        client.write_all(&[0x8a, 0x80, 0, 0, 0, 0]).await.unwrap();
        assert!(matches!(socket.next().await, Ok(Incoming::Pong)));
        assert!(!socket.is_silent(PATIENCE));
    }
}
