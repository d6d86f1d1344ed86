//! Server-sent events: bytes in, the data of events out (WHATWG HTML, section 9.2.6 "Interpreting an event stream").
//!
//! Parts may end anywhere, also within a line end or the byte order mark. The size of one event is limited, including
//! its comments and other fields. `event`, `id` and `retry` are ignored: every event is a reply, whatever its name. A
//! broken stream is never resumed automatically, because missed events could not be distinguished from events that were
//! never sent.

use crate::upstream::Failure;
use bytes::{Buf, Bytes};

const BOM: &[u8] = b"\xEF\xBB\xBF";

/// Parser of a stream of events.
pub(super) struct EventStream {
    /// Maximum bytes of one event, or of one line.
    limit: usize,
    /// Received bytes that are not parsed yet.
    part: Bytes,
    /// Current incomplete line.
    line: Vec<u8>,
    /// Data lines of the current incomplete event, each with a line feed after it.
    data: Vec<u8>,
    first_line: bool,
    /// A carriage return ended the last line: a line feed right after it belongs to it.
    after_return: bool,
}

impl EventStream {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            limit,
            part: Bytes::new(),
            line: Vec::new(),
            data: Vec::new(),
            first_line: true,
            after_return: false,
        }
    }

    /// Adds the next part of the stream, once [`Self::next_event`] returns nothing more.
    pub(super) fn feed(&mut self, part: Bytes) {
        self.part = part;
    }

    /// Returns the data of the next event; `None` if the rest of it has not arrived yet.
    ///
    /// # Errors
    /// The event is larger than allowed.
    pub(super) fn next_event(&mut self) -> Result<Option<Bytes>, Failure> {
        while !self.part.is_empty() {
            if std::mem::take(&mut self.after_return) && self.part[0] == b'\n' {
                self.part.advance(1);
                continue;
            }
            let end = self.part.iter().position(|byte| matches!(byte, b'\n' | b'\r'));
            let more = self.part.split_to(end.unwrap_or(self.part.len()));
            if self.data.len() + self.line.len() + more.len() > self.limit {
                return Err(Failure::TooLarge(self.limit));
            }
            self.line.extend_from_slice(&more);
            if end.is_some() {
                self.after_return = self.part[0] == b'\r';
                self.part.advance(1);
                if let Some(event) = self.end_line() {
                    return Ok(Some(event));
                }
            }
        }
        Ok(None)
    }

    fn end_line(&mut self) -> Option<Bytes> {
        let mut line = &*self.line;
        if std::mem::take(&mut self.first_line) {
            line = line.strip_prefix(BOM).unwrap_or(line);
        }
        let ends = line.is_empty();
        let colon = line.iter().position(|byte| *byte == b':');
        let (name, value) = match colon {
            Some(at) => (&line[..at], &line[at + 1..]),
            None => (line, &[][..]),
        };
        if name == b"data" {
            self.data.extend_from_slice(value.strip_prefix(b" ").unwrap_or(value));
            self.data.push(b'\n');
        }
        self.line.clear();
        // An event without a data line is not an event.
        (ends && self.data.pop().is_some()).then(|| std::mem::take(&mut self.data).into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Returns the events of a stream whose parts end at `cuts`.
    fn events(text: &[u8], cuts: &[usize], limit: usize) -> Result<Vec<Bytes>, Failure> {
        let mut ends: Vec<usize> = cuts.iter().map(|cut| cut % (text.len() + 1)).collect();
        ends.push(text.len());
        ends.sort_unstable();
        let (mut stream, mut start, mut found) = (EventStream::new(limit), 0, Vec::new());
        for end in ends {
            stream.feed(Bytes::copy_from_slice(&text[start..end]));
            while let Some(event) = stream.next_event()? {
                found.push(event);
            }
            start = end;
        }
        Ok(found)
    }

    fn texts(text: &str) -> Vec<String> {
        let events = events(text.as_bytes(), &[], 1 << 10).unwrap();
        events.iter().map(|event| String::from_utf8(event.to_vec()).unwrap()).collect()
    }

    #[test]
    fn the_standards_own_examples() {
        // WHATWG HTML, section 9.2.6.
        assert_eq!(texts("data: YHOO\ndata: +2\ndata: 10\n\n"), ["YHOO\n+2\n10"]);
        let stream = ": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n\n";
        assert_eq!(texts(stream), ["first event", "second event", " third event"]);
        assert_eq!(texts("data\n\ndata\ndata\n\ndata:"), ["", "\n"]);
        assert_eq!(texts("data:test\n\ndata: test\n\n"), ["test", "test"]);
    }

    #[test]
    fn every_end_of_line_counts_and_the_byte_order_mark_does_not() {
        assert_eq!(texts("\u{feff}data: a\r\rdata: b\r\n\r\ndata: c\n\n"), ["a", "b", "c"]);
        assert_eq!(texts("\u{feff}\u{feff}data: a\n\n"), [""; 0], "the second one is a character");
        assert_eq!(texts("data: a\n\n\u{feff}data: b\n\n"), ["a"], "only at the start");
    }

    #[test]
    fn other_fields_make_no_event_and_do_not_end_one() {
        assert_eq!(texts("event: x\nid: 1\nretry: 9\nnonsense\n: ping\n\n"), [""; 0]);
        assert_eq!(texts("data: {\nevent: x\n: ping\nid: 1\ndata: }\n\n"), ["{\n}"]);
        assert_eq!(texts("Data: a\n data: b\ndata : c\n\n"), [""; 0], "names are exact");
        assert_eq!(texts("data: a\n"), [""; 0], "what is not ended is not sent");
    }

    #[test]
    fn events_lines_and_comments_are_bounded() {
        let long = "x".repeat(40);
        for text in [
            format!("data: {long}\n\n"),
            format!(": {long}"),
            "data: 1234567\n".repeat(5),
            format!("data: 1\n{}", "data\n".repeat(60)),
        ] {
            let refused = events(text.as_bytes(), &[3, 9], 40);
            assert_eq!(refused, Err(Failure::TooLarge(40)), "{text}");
        }
        let small = "data: 1234567\n\n".repeat(100);
        assert_eq!(events(small.as_bytes(), &[3, 9], 40).map(|events| events.len()), Ok(100));
    }

    /// The standard's rules applied to a whole text, as simply as possible.
    fn reference(text: &str) -> Vec<String> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let text = text.replace("\r\n", "\n").replace('\r', "\n");
        let mut lines: Vec<&str> = text.split('\n').collect();
        lines.pop();
        let (mut events, mut data) = (Vec::new(), String::new());
        for line in lines {
            let (name, value) = line.split_once(':').unwrap_or((line, ""));
            if name == "data" {
                data += value.strip_prefix(' ').unwrap_or(value);
                data += "\n";
            }
            if line.is_empty() && data.pop().is_some() {
                events.push(std::mem::take(&mut data));
            }
        }
        events
    }

    proptest! {
        #[test]
        fn it_does_not_matter_where_parts_break(
            pieces in prop::collection::vec(
                prop::sample::select(vec![
                    "data", ":", " ", "\n", "\r", "\r\n", "{\"a\":1}", "ä", "\u{feff}", "id", "event: x",
                    "\n\n", "data: 1\n", "x",
                ]),
                0..40,
            ),
            cuts in prop::collection::vec(0_usize..400, 0..60),
        ) {
            let text = pieces.concat();
            let found = events(text.as_bytes(), &cuts, 1 << 12).unwrap();
            let found: Vec<String> =
                found.iter().map(|event| String::from_utf8(event.to_vec()).unwrap()).collect();
            prop_assert_eq!(found, reference(&text));
        }
    }
}
