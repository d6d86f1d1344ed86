//! Parses a client's frames (RFC 6455): assembles messages within a limit, and checks each rule.
//!
//! `tungstenite` parses the headers. Its own loop is not used: it queues the answers to pings without a bound while a
//! client does not read, and does not report the frames of an unfinished message. Here each frame is reported, so that
//! the caller can answer it, or pause, before the next one is parsed.

use super::closing::Closing;
use bytes::{Buf as _, Bytes, BytesMut};
use std::io::Cursor;
use tungstenite::protocol::frame::FrameHeader;
use tungstenite::protocol::frame::coding::{CloseCode, Control, Data, OpCode};

/// Maximum payload bytes of a control frame (RFC 6455 §5.5).
const CONTROL: u64 = 125;

/// Maximum bytes of a frame's header.
const HEADER: usize = 14;

/// One frame of the client, or the message that it completes.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Incoming {
    Text(String),
    Binary(Bytes),
    /// A part of an unfinished message.
    Part,
    Ping(Bytes),
    Pong,
    /// A close frame, with the client's code if it has one.
    Close(Option<u16>),
}

/// Received bytes, and the message in progress.
pub(super) struct Frames {
    received: BytesMut,
    /// Header of the frame whose payload is incomplete, and the payload's length.
    header: Option<(FrameHeader, usize)>,
    /// Payload of the message in progress, and whether it is text.
    message: Option<(BytesMut, bool)>,
    /// Maximum payload bytes of one message.
    limit: usize,
}

impl Frames {
    pub(super) fn new(limit: usize) -> Self {
        Self { received: BytesMut::new(), header: None, message: None, limit }
    }

    /// Sets the maximum payload bytes of later messages.
    pub(super) fn allow(&mut self, limit: usize) {
        self.limit = limit;
    }

    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.received.extend_from_slice(bytes);
    }

    /// Returns the next complete frame; `None` if more bytes are needed.
    pub(super) fn next(&mut self) -> Result<Option<Incoming>, Closing> {
        if self.header.is_none() {
            self.header = self.head()?;
        }
        let Some((header, length)) =
            self.header.take_if(|(_, length)| *length <= self.received.len())
        else {
            return Ok(None);
        };
        let mut payload = self.received.split_to(length);
        if self.received.is_empty() {
            // The client may be silent from here on, so no buffer is kept.
            self.received = BytesMut::new();
        }
        for (byte, mask) in payload.iter_mut().zip(header.mask.unwrap_or_default().iter().cycle()) {
            *byte ^= mask;
        }
        match header.opcode {
            OpCode::Control(Control::Ping) => Ok(Some(Incoming::Ping(payload.freeze()))),
            OpCode::Control(Control::Close) => close(&payload).map(Some),
            OpCode::Control(_) => Ok(Some(Incoming::Pong)),
            OpCode::Data(kind) => self.data(kind, header.is_final, payload).map(Some),
        }
    }

    /// Takes a complete header off the bytes, and checks it before its payload arrives.
    fn head(&mut self) -> Result<Option<(FrameHeader, usize)>, Closing> {
        let mut cursor = Cursor::new(&self.received[..self.received.len().min(HEADER)]);
        let parsed = FrameHeader::parse(&mut cursor).map_err(|_| broken("unknown opcode"))?;
        let Some((header, length)) = parsed else { return Ok(None) };
        let size = cursor.position() as usize;
        if header.rsv1 || header.rsv2 || header.rsv3 {
            return Err(broken("reserved bits are set"));
        }
        if header.mask.is_none() {
            return Err(broken("a client's frame must be masked"));
        }
        if length > i64::MAX as u64 {
            return Err(broken("the highest bit of a length is set"));
        }
        match header.opcode {
            OpCode::Control(_) if !header.is_final => {
                return Err(broken("a control frame must not be fragmented"));
            }
            OpCode::Control(_) if length > CONTROL => {
                return Err(broken("a control frame is longer than 125 bytes"));
            }
            OpCode::Control(_) => {}
            OpCode::Data(kind) => match (&self.message, kind) {
                (None, Data::Continue) => return Err(broken("there is no message to continue")),
                (Some(_), Data::Text | Data::Binary) => {
                    return Err(broken("a message begins within another one"));
                }
                (message, _) => {
                    let before = message.as_ref().map_or(0, |(parts, _)| parts.len());
                    if length > (self.limit - before.min(self.limit)) as u64 {
                        let reason = format!("a message is larger than {} bytes", self.limit);
                        return Err(Closing::new(1009, &reason));
                    }
                }
            },
        }
        self.received.advance(size);
        Ok(Some((header, length as usize)))
    }

    fn data(&mut self, kind: Data, is_final: bool, payload: BytesMut) -> Result<Incoming, Closing> {
        let (whole, is_text) = match self.message.take() {
            None => (payload, kind == Data::Text),
            Some((mut parts, is_text)) => {
                parts.extend_from_slice(&payload);
                (parts, is_text)
            }
        };
        if !is_final {
            self.message = Some((whole, is_text));
            return Ok(Incoming::Part);
        }
        if !is_text {
            return Ok(Incoming::Binary(whole.freeze()));
        }
        String::from_utf8(whole.into()).map(Incoming::Text).map_err(|_| not_utf8())
    }
}

fn close(payload: &[u8]) -> Result<Incoming, Closing> {
    let Some((code, reason)) = payload.split_first_chunk::<2>() else {
        return match payload {
            [] => Ok(Incoming::Close(None)),
            _ => Err(broken("a close frame has half a code")),
        };
    };
    let code = u16::from_be_bytes(*code);
    if !CloseCode::from(code).is_allowed() {
        return Err(broken("a close frame has a code that must not be sent"));
    }
    std::str::from_utf8(reason).map_err(|_| not_utf8())?;
    Ok(Incoming::Close(Some(code)))
}

fn broken(reason: &str) -> Closing {
    Closing::new(1002, reason)
}

fn not_utf8() -> Closing {
    Closing::new(1007, "a text is not valid UTF-8")
}

/// Returns the header of an unfragmented frame of the gateway.
pub(super) fn header(opcode: OpCode, length: usize) -> Vec<u8> {
    let header = FrameHeader { opcode, ..FrameHeader::default() };
    let mut bytes = Vec::with_capacity(HEADER);
    header.format(length as u64, &mut bytes).expect("a vector takes everything");
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    const MASK: [u8; 4] = [1, 2, 3, 4];

    /// Returns a frame of a client; `first` is the byte with the final bit and the opcode.
    fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
        let mut bytes = vec![first];
        match payload.len() {
            short @ 0..126 => bytes.push(0x80 | short as u8),
            long => {
                bytes.push(0xfe);
                bytes.extend_from_slice(&(long as u16).to_be_bytes());
            }
        }
        bytes.extend_from_slice(&MASK);
        bytes.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
        bytes
    }

    /// Returns all frames in the bytes, fed `at_once` at a time.
    fn read(bytes: &[u8], at_once: usize) -> Result<Vec<Incoming>, u16> {
        let mut frames = Frames::new(1000);
        let mut all = Vec::new();
        for chunk in bytes.chunks(at_once) {
            frames.push(chunk);
            while let Some(incoming) = frames.next().map_err(|closing| closing.code)? {
                all.push(incoming);
            }
        }
        Ok(all)
    }

    #[test]
    fn messages_come_whole_however_they_are_cut() {
        let long = "ä".repeat(200);
        let (first, second) = long.as_bytes().split_at(33);
        let bytes = [
            frame(0x81, b"{}"),
            frame(0x01, first),
            frame(0x89, b"still here?"),
            frame(0x00, b""),
            frame(0x80, second),
            frame(0x82, b"\xff"),
            frame(0x8a, b""),
            frame(0x88, b"\x03\xe8bye"),
        ]
        .concat();
        let expected = || {
            vec![
                Incoming::Text("{}".into()),
                Incoming::Part,
                Incoming::Ping(Bytes::from_static(b"still here?")),
                Incoming::Part,
                Incoming::Text(long.clone()),
                Incoming::Binary(Bytes::from_static(b"\xff")),
                Incoming::Pong,
                Incoming::Close(Some(1000)),
            ]
        };
        for at_once in [1, 2, 7, bytes.len()] {
            assert_eq!(read(&bytes, at_once), Ok(expected()), "{at_once}");
        }
        assert_eq!(read(&frame(0x88, b""), 9), Ok(vec![Incoming::Close(None)]));
    }

    #[test]
    fn rules_that_are_broken_have_their_codes() {
        let unmasked = vec![0x81, 0];
        for (bytes, code) in [
            (unmasked, 1002),
            (frame(0xc1, b""), 1002),
            (frame(0x83, b""), 1002),
            (frame(0x8b, b""), 1002),
            (frame(0x09, b""), 1002),
            (frame(0x89, &[0; 126]), 1002),
            (frame(0x80, b"a"), 1002),
            ([frame(0x01, b"a"), frame(0x81, b"b")].concat(), 1002),
            (frame(0x88, b"\x03"), 1002),
            (frame(0x88, b"\x03\xed"), 1002),
            (frame(0x88, b"\x00\x00"), 1002),
            (frame(0x88, b"\x03\xe8\xff"), 1007),
            (frame(0x81, b"\xff"), 1007),
            (frame(0x81, b"\xed\xa0\x80"), 1007),
            ([frame(0x01, "ä".as_bytes()), frame(0x80, b"\xc3")].concat(), 1007),
            (frame(0x81, &[b'a'; 1001]), 1009),
            ([frame(0x01, &[b'a'; 1000]), frame(0x80, b"a")].concat(), 1009),
        ] {
            let result = read(&bytes, 1000);
            assert_eq!(result.as_ref().err(), Some(&code), "{bytes:?}: {result:?}");
        }
        assert!(read(&frame(0x81, &[b'a'; 1000]), 99).is_ok());
    }

    #[test]
    fn a_large_message_is_refused_by_its_header() {
        let mut frames = Frames::new(1000);
        frames.push(&[0x82, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0]);
        assert_eq!(frames.next().map_err(|closing| closing.code), Err(1009));
        frames = Frames::new(1000);
        frames.push(&[0x82, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0]);
        assert_eq!(
            frames.next().map_err(|closing| closing.code),
            Err(1002),
            "no length has that bit"
        );
        frames = Frames::new(1000);
        frames.push(&[0x82, 0xff, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(frames.next().map_err(|closing| closing.code), Err(1009));
    }

    #[test]
    fn nothing_is_held_between_messages() {
        let mut frames = Frames::new(1000);
        frames.push(&frame(0x81, &[b'a'; 900]));
        assert!(matches!(frames.next(), Ok(Some(Incoming::Text(_)))));
        assert_eq!(frames.received.capacity(), 0);
    }
}
