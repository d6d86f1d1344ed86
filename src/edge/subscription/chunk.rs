//! Encoding of a stream of answers: as server-sent events (the GraphQL over SSE protocol, "distinct connections mode"),
//! or as parts of a multipart body (Apollo's "HTTP callback and multipart subscription protocol", version 1.0).

use crate::edge::negotiate::Streaming;
use bytes::{BufMut, Bytes, BytesMut};

/// Encodes one stream.
#[derive(Debug, Clone, Copy)]
pub(super) struct Chunks(Streaming);

impl Chunks {
    pub(super) fn new(streaming: Streaming) -> Self {
        Self(streaming)
    }

    /// Returns the bytes before the first answer.
    pub(super) fn begin(self) -> Bytes {
        Bytes::from_static(match self.0 {
            Streaming::Events => b":\n\n",
            Streaming::Multipart => b"\r\n--graphql",
        })
    }

    /// Encodes one answer. A part ends with the boundary of the next one, so that a reader need not wait for it.
    pub(super) fn answer(self, json: &[u8]) -> Bytes {
        let (before, after): (&[u8], &[u8]) = match self.0 {
            Streaming::Events => (b"event: next\ndata: ", b"\n\n"),
            Streaming::Multipart => {
                (b"\r\ncontent-type: application/json\r\n\r\n{\"payload\":", b"}\r\n--graphql")
            }
        };
        let mut chunk = BytesMut::with_capacity(before.len() + json.len() + after.len());
        chunk.put(before);
        chunk.put(json);
        if self.0 == Streaming::Events {
            // A line break would end the event's data. In JSON it can only be space between two values, as a service
            // may have put it into a custom scalar.
            for byte in &mut chunk[before.len()..] {
                if matches!(byte, b'\n' | b'\r') {
                    *byte = b' ';
                }
            }
        }
        chunk.put(after);
        chunk.freeze()
    }

    /// Returns a keep-alive, which carries no answer.
    pub(super) fn sign_of_life(self) -> Bytes {
        Bytes::from_static(match self.0 {
            Streaming::Events => b":\n\n",
            Streaming::Multipart => b"\r\ncontent-type: application/json\r\n\r\n{}\r\n--graphql",
        })
    }

    /// Returns the bytes after the last answer.
    pub(super) fn end(self) -> Bytes {
        Bytes::from_static(match self.0 {
            // Without a line of data, browsers would not dispatch the event.
            Streaming::Events => b"event: complete\ndata:\n\n",
            Streaming::Multipart => b"--\r\n",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(streaming: Streaming, answers: &[&str]) -> String {
        let chunks = Chunks::new(streaming);
        let mut text = chunks.begin().to_vec();
        for answer in answers {
            text.extend_from_slice(&chunks.answer(answer.as_bytes()));
            text.extend_from_slice(&chunks.sign_of_life());
        }
        text.extend_from_slice(&chunks.end());
        String::from_utf8(text).unwrap()
    }

    #[test]
    fn events() {
        assert_eq!(
            whole(Streaming::Events, &["{\"data\":\n{\r\n\"a\":\"\\n\"}}"]),
            ":\n\nevent: next\ndata: {\"data\": {  \"a\":\"\\n\"}}\n\n:\n\nevent: complete\ndata:\n\n"
        );
    }

    #[test]
    fn parts() {
        let head = "content-type: application/json\r\n\r\n";
        assert_eq!(
            whole(Streaming::Multipart, &["{\"data\":\n1}"]),
            format!(
                "\r\n--graphql\r\n{head}{{\"payload\":{{\"data\":\n1}}}}\r\n--graphql\r\n{head}{{}}\r\n--graphql--\r\n"
            )
        );
        assert_eq!(whole(Streaming::Multipart, &[]), "\r\n--graphql--\r\n");
    }
}
