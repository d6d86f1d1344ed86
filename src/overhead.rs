//! Bytes that a peer sends around its messages, such as sizes of chunks, empty lines, and frames of HTTP/2 that carry
//! nothing. The libraries read them and deliver nothing. A peer that never stops sending them occupies a thread, so
//! each connection may bring only so many, and is then closed.
//!
//! The unit is a byte. Delivered bytes earn some back, and so does time, since long-lived connections need frames of
//! their own, such as pings.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Instant;

/// Maximum overhead of a connection. The libraries read less than this ahead.
const MOST: u64 = 1 << 20;

/// Cost of an HTTP/2 frame beside its payload: ten thousand frames are about `MOST`.
const FRAME: u64 = 100;

/// Forgiven in each second.
const EACH_SECOND: u64 = 200 * FRAME;

/// Earned by a request or a reply of HTTP/2.
const MESSAGE: u64 = 80 * FRAME;

/// The bytes of one connection that brought nothing. The orderings are relaxed: they decide when, and not what.
#[derive(Debug)]
pub struct Overhead {
    spent: AtomicU64,
    opened: Instant,
    /// The time that is accounted for, in milliseconds after `opened`.
    forgiven: AtomicU64,
}

impl Overhead {
    pub fn new() -> Arc<Self> {
        Arc::new(Self {
            spent: AtomicU64::new(0),
            opened: Instant::now(),
            forgiven: AtomicU64::new(0),
        })
    }

    /// Counts bytes that were read.
    ///
    /// # Errors
    /// There are too many, and the connection must be closed.
    pub fn read(&self, bytes: u64) -> io::Result<()> {
        let spent = self.spent.fetch_add(bytes, Relaxed).saturating_add(bytes);
        if spent > MOST && !self.forgive(spent) {
            return Err(io::Error::other("too many bytes that belong to no message"));
        }
        Ok(())
    }

    /// Forgives bytes for the time that has passed. Returns whether that is enough.
    fn forgive(&self, spent: u64) -> bool {
        let now = u64::try_from(self.opened.elapsed().as_millis()).unwrap_or(u64::MAX);
        let since = now.saturating_sub(self.forgiven.swap(now, Relaxed));
        let forgiven = since.saturating_mul(EACH_SECOND) / 1000;
        self.earn(forgiven);
        spent.saturating_sub(forgiven) <= MOST
    }

    /// Starts again at zero, because a message of HTTP/1.1 begins. There is one at a time.
    pub fn restart(&self) {
        self.spent.store(0, Relaxed);
    }

    /// Counts a message of HTTP/2 that was sent or received.
    pub fn message(&self) {
        self.earn(MESSAGE);
    }

    /// Counts bytes of a body that were delivered.
    pub fn delivered(&self, bytes: usize) {
        if bytes > 0 {
            self.earn(2 * FRAME + 16 * bytes as u64);
        }
    }

    /// Counts bytes of a body that are sent to the peer, which answers them with frames over HTTP/2.
    pub fn sent(&self, bytes: usize) {
        self.earn(8 * FRAME + bytes as u64 / 8);
    }

    fn earn(&self, bytes: u64) {
        let less = |spent: u64| Some(spent.saturating_sub(bytes));
        let _ = self.spent.fetch_update(Relaxed, Relaxed, less);
    }
}

const HEAD: usize = 9;
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const CONTINUATION: u8 = 9;

/// Finds the frames of HTTP/2 in a stream of bytes (RFC 9113, section 4.1), and keeps none.
#[derive(Debug)]
pub struct Frames {
    /// Bytes to skip before the next frame.
    skip: usize,
    head: [u8; HEAD],
    /// Bytes of `head` that have come.
    came: usize,
}

impl Frames {
    /// `before`: bytes that come before the first frame.
    pub fn after(before: usize) -> Self {
        Self { skip: before, head: [0; HEAD], came: 0 }
    }

    /// Returns the overhead of further bytes. A frame is charged when its head has arrived. The payload of a data
    /// frame is bounded by the windows, and that of a header frame by the header list.
    pub fn overhead(&mut self, mut bytes: &[u8]) -> u64 {
        let mut overhead = 0;
        loop {
            let skipped = self.skip.min(bytes.len());
            self.skip -= skipped;
            bytes = &bytes[skipped..];
            if bytes.is_empty() {
                return overhead;
            }
            let (part, rest) = bytes.split_at(bytes.len().min(HEAD - self.came));
            self.head[self.came..self.came + part.len()].copy_from_slice(part);
            self.came += part.len();
            bytes = rest;
            if self.came < HEAD {
                return overhead;
            }
            self.came = 0;
            let [high, middle, low, kind, ..] = self.head;
            self.skip = usize::from(high) << 16 | usize::from(middle) << 8 | usize::from(low);
            overhead += match kind {
                DATA => FRAME,
                HEADERS | CONTINUATION => FRAME + self.skip as u64 / 16,
                _ => FRAME + self.skip as u64,
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_brings_nothing_is_bounded_and_what_is_delivered_pays_for_it() {
        let overhead = Overhead::new();
        assert!(overhead.read(MOST).is_ok());
        assert!(overhead.read(MOST).is_err());
        overhead.restart();
        for _ in 0..100 {
            assert!(overhead.read(MOST).is_ok());
            overhead.delivered(MOST as usize);
        }
        for _ in 0..100_000 {
            assert!(overhead.read(80 * FRAME).is_ok(), "a message has some frames");
            overhead.message();
        }
        let padded = (0..).take_while(|_| {
            overhead.delivered(1);
            overhead.read(64 << 10).is_ok()
        });
        assert!(padded.count() < 20, "a byte of a body earns little");
    }

    #[test]
    fn time_forgives_frames() {
        let overhead = Overhead::new();
        let Some(opened) = Instant::now().checked_sub(std::time::Duration::from_hours(1)) else {
            return;
        };
        let overhead = Overhead { opened, ..Arc::into_inner(overhead).unwrap() };
        assert!(overhead.read(MOST).is_ok());
        assert!(overhead.read(MOST).is_ok(), "an hour of pings");
        assert!(overhead.read(2 * MOST).is_err());
    }

    fn frame(kind: u8, payload: usize) -> Vec<u8> {
        let [_, high, middle, low] = u32::try_from(payload).unwrap().to_be_bytes();
        let mut frame = vec![high, middle, low, kind, 0, 0, 0, 0, 1];
        frame.resize(HEAD + payload, 0xff);
        frame
    }

    #[test]
    fn frames_are_charged_however_they_are_cut_into_reads() {
        let before = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
        let frames = [frame(DATA, 70_000), frame(4, 0), frame(HEADERS, 160), frame(8, 4)].concat();
        let bytes = [&before[..], &frames].concat();
        for size in [1, 2, 5, 9, 10, 4096, bytes.len()] {
            let mut follower = Frames::after(before.len());
            let overhead: u64 = bytes.chunks(size).map(|part| follower.overhead(part)).sum();
            assert_eq!(overhead, 4 * FRAME + 10 + 4, "{size}");
        }
    }
}
