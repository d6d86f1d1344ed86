//! Detects HTTP/1 requests with an ambiguous length: two lengths, or a length and chunks (RFC 9112 §6.1, §6.3).
//!
//! A proxy and a server that trust different ones see different requests in the same bytes (request smuggling). hyper
//! trusts the chunks, drops the length, and closes the connection afterwards. That is safe for itself, but hides the
//! ambiguity from the handler. So the bytes are followed here as they are read: heads by their lines, bodies by their
//! declared length. Only an incomplete line is buffered.
//!
//! This is not a validating parser: hyper refuses malformed requests. After malformed bytes it stops following.

/// Maximum bytes of a line that can declare the length of a body. Longer ones are ignored.
const LONGEST_LINE: usize = 1024;

/// Follows the bytes of one connection.
pub(in crate::edge) struct Framing {
    state: State,
    /// Beginning of a line whose rest has not arrived yet.
    piece: Vec<u8>,
    declared: Declared,
    /// Number of complete heads.
    heads: u64,
}

enum State {
    /// In a head; `true` once its first line has arrived.
    Head(bool),
    Body(u64),
    ChunkSize,
    /// In a chunk: remaining bytes, including the line end behind it.
    Chunk(u64),
    Trailers,
    Lost,
}

/// Body length that a head declares.
#[derive(Default)]
struct Declared {
    lengths: u32,
    length: Option<u64>,
    encodings: u32,
    overlong: bool,
}

impl Declared {
    fn is_ambiguous(&self) -> bool {
        self.lengths + self.encodings > 1 || self.overlong
    }
}

impl Framing {
    pub(in crate::edge) fn new() -> Self {
        Self {
            state: State::Head(false),
            piece: Vec::new(),
            declared: Declared::default(),
            heads: 0,
        }
    }

    /// Stops following: HTTP/2 has frames, which declare their length once.
    pub(in crate::edge) fn look_away(&mut self) {
        self.state = State::Lost;
    }

    /// Follows further bytes. Returns the number of the first request among them with an ambiguous length, counted from
    /// 0.
    pub(in crate::edge) fn read(&mut self, mut bytes: &[u8]) -> Option<u64> {
        while !bytes.is_empty() {
            match &mut self.state {
                State::Lost => return None,
                State::Body(left) | State::Chunk(left) => {
                    let skipped = usize::try_from(*left).unwrap_or(usize::MAX).min(bytes.len());
                    *left -= skipped as u64;
                    bytes = &bytes[skipped..];
                    if *left == 0 {
                        self.state = match self.state {
                            State::Body(_) => State::Head(false),
                            _ => State::ChunkSize,
                        };
                    }
                }
                State::Head(_) | State::ChunkSize | State::Trailers => {
                    let Some(end) = bytes.iter().position(|byte| *byte == b'\n') else {
                        self.keep(bytes);
                        return None;
                    };
                    let (line, rest) = bytes.split_at(end + 1);
                    bytes = rest;
                    if self.line_ends(line) {
                        return Some(self.heads - 1);
                    }
                }
            }
        }
        None
    }

    fn keep(&mut self, piece: &[u8]) {
        let room = LONGEST_LINE.saturating_sub(self.piece.len());
        self.piece.extend_from_slice(&piece[..piece.len().min(room)]);
    }

    /// Handles a line whose end was read. Returns `true` if it ended a head with an ambiguous length.
    fn line_ends(&mut self, end: &[u8]) -> bool {
        if self.piece.is_empty() {
            return self.line(end);
        }
        self.keep(end);
        let line = std::mem::take(&mut self.piece);
        self.line(&line)
    }

    fn line(&mut self, line: &[u8]) -> bool {
        let overlong = line.len() >= LONGEST_LINE;
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        match self.state {
            State::Head(begun) if !line.is_empty() => {
                self.state = State::Head(true);
                if begun {
                    self.declared.read(line, overlong);
                }
            }
            State::Head(true) => return self.head_ends(),
            State::ChunkSize => {
                self.state = match chunk_size(line) {
                    Some(0) => State::Trailers,
                    Some(size) => size.checked_add(2).map_or(State::Lost, State::Chunk),
                    None => State::Lost,
                };
            }
            State::Trailers if line.is_empty() => self.state = State::Head(false),
            // Empty lines before a head, and trailers.
            _ => {}
        }
        false
    }

    fn head_ends(&mut self) -> bool {
        let declared = std::mem::take(&mut self.declared);
        self.heads += 1;
        if declared.is_ambiguous() {
            self.state = State::Lost;
            return true;
        }
        self.state = match declared.length {
            _ if declared.encodings > 0 => State::ChunkSize,
            Some(length) if length > 0 => State::Body(length),
            None if declared.lengths > 0 => State::Lost,
            _ => State::Head(false),
        };
        false
    }
}

impl Declared {
    fn read(&mut self, line: &[u8], overlong: bool) {
        let named = |name: &[u8]| {
            let found = line.get(..name.len())?;
            found.eq_ignore_ascii_case(name).then(|| &line[name.len()..])
        };
        if let Some(value) = named(b"content-length:") {
            self.lengths += 1;
            self.overlong |= overlong;
            self.length = std::str::from_utf8(value).ok().and_then(|text| text.trim().parse().ok());
        } else if named(b"transfer-encoding:").is_some() {
            self.encodings += 1;
            self.overlong |= overlong;
        }
    }
}

/// Parses the hexadecimal size of a chunk, before its extensions.
fn chunk_size(line: &[u8]) -> Option<u64> {
    let digits = line.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
    u64::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: &str = "GET / HTTP/1.1\r\nhost: a\r\n\r\n";
    const LENGTH: &str = "POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\na\n\r\nb";
    const CHUNKS: &str = "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n\
        2;x=y\r\n\r\n\r\n1B\r\ncontent-length: 1\r\n content\r\n0\r\nlast: 1\r\n\r\n";
    const BOTH: &str = "POST / HTTP/1.1\r\ncontent-length: 5\r\nTransfer-Encoding: chunked\r\n\r\n";
    const TURNED: &str = "POST / HTTP/1.1\nTRANSFER-ENCODING: chunked\nContent-length: 5\n\n";
    const TWICE: &str = "POST / HTTP/1.1\r\ncontent-length: 5\r\ncontent-length: 5\r\n\r\n";

    /// Follows the text, cut into reads in every way.
    fn follow(text: &str) -> Option<u64> {
        let found: Vec<_> = [1, 2, 3, 7, 64, usize::MAX]
            .into_iter()
            .map(|size| {
                let mut framing = Framing::new();
                text.as_bytes().chunks(size.min(text.len())).find_map(|part| framing.read(part))
            })
            .collect();
        assert!(found.iter().all(|other| *other == found[0]), "{text:?}: {found:?}");
        found[0]
    }

    #[test]
    fn an_end_said_once_is_fine() {
        for text in [PLAIN, LENGTH, CHUNKS] {
            assert_eq!(follow(text), None, "{text:?}");
        }
        assert_eq!(follow(&[PLAIN, LENGTH, CHUNKS, "\r\n", PLAIN, CHUNKS, LENGTH].concat()), None);
        let elsewhere = "GET /content-length: HTTP/1.1\r\nx: content-length: 5\r\nx-content-length: 5\r\n\
            content-lengths: 5\r\ncontent-length: 0\r\n\r\n";
        assert_eq!(follow(elsewhere), None);
    }

    #[test]
    fn an_end_said_twice_is_found_wherever_it_stands() {
        for text in [BOTH, TURNED, TWICE] {
            assert_eq!(follow(text), Some(0), "{text:?}");
            let behind = [PLAIN, LENGTH, CHUNKS, text].concat();
            assert_eq!(follow(&behind), Some(3), "{text:?}");
        }
        let padded =
            format!("POST / HTTP/1.1\r\ncontent-length:{}5\r\n\r\n", " ".repeat(LONGEST_LINE));
        assert_eq!(follow(&padded), Some(0));
    }

    #[test]
    fn what_is_no_http_is_left_to_hyper() {
        let chunk = "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n";
        for odd in ["zz\r\n", "-1\r\n", "fffffffffffffffff\r\n", "ffffffffffffffff\r\n", "\r\n"] {
            assert_eq!(follow(&[chunk, odd, BOTH].concat()), None, "{odd:?}");
        }
        let endless = "x".repeat(100_000);
        let mut framing = Framing::new();
        assert_eq!(framing.read(endless.as_bytes()), None);
        assert!(framing.piece.len() <= LONGEST_LINE, "nothing is kept of it");
    }
}
