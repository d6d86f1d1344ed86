//! What a binding says of replies beside `select`: which of them are a success, and what clients read of the others.
//!
//! Rules decide about the field alone. Retries, breaker and ejection go by a reply's status.

use super::{Reply, secrets};
use crate::mapping::Mapping;
use bytes::Bytes;
use serde_json::{Map, Value};

/// The rules of one binding, those of its source included.
#[derive(Debug, Clone, Default)]
pub struct ReplyRules {
    /// Yields `true` for a success. `None`: the protocol's statuses decide.
    pub is_success: Option<Mapping>,
    /// The message of the field error.
    pub message: Option<Mapping>,
    /// What is added to `extensions` of the field error: the source's, then the binding's, which wins.
    pub extensions: Vec<Mapping>,
    /// What "not found" is, where `is_success` is `None`.
    pub not_found: NotFound,
    /// Problems hold a part of the reply.
    pub shows_replies: bool,
}

impl ReplyRules {
    /// No rules: of every read.
    pub const NONE: &'static Self = &Self {
        is_success: None,
        message: None,
        extensions: Vec::new(),
        not_found: NotFound::Null,
        shows_replies: false,
    };

    /// The mappings over a reply.
    pub fn mappings(&self) -> impl Iterator<Item = &Mapping> {
        self.is_success.iter().chain(&self.message).chain(&self.extensions)
    }

    /// A reply that is refused is looked into.
    #[must_use]
    pub fn read_refusals(&self) -> bool {
        self.is_success.is_some() || self.map_errors()
    }

    /// Field errors are written with what the reply says.
    #[must_use]
    pub fn map_errors(&self) -> bool {
        self.message.is_some() || !self.extensions.is_empty()
    }
}

/// What HTTP 404 and 410, and gRPC `NOT_FOUND`, are for a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum NotFound {
    /// Null where the field may be null, otherwise an error.
    #[default]
    Null,
    Error,
}

/// Members of `extensions` that lead to the log: no mapping replaces them.
pub const OWN_EXTENSIONS: [&str; 2] = ["errorId", "source"];

/// The largest reply that errors are mapped from.
pub const MAX_MAPPED_ERROR: usize = 64 << 10;

/// A reply whose status says no, as far as it was read.
#[derive(Debug, Clone)]
pub struct RefusedReply {
    /// What `select` reads, if the rules call it a success.
    pub reply: Reply,
    /// JSON text that the rules read as `$`; empty: null. A gRPC status is an object.
    pub words: Bytes,
    /// The body was read to its end. Of any other, `isSuccess` cannot hold.
    pub is_whole: bool,
    /// The body is larger than what was read, so there are no words.
    pub is_large: bool,
    /// The beginning of the body, for developers; empty unless they want to see it.
    pub excerpt: String,
}

impl PartialEq for RefusedReply {
    fn eq(&self, other: &Self) -> bool {
        let Self { reply, words, is_whole, is_large, excerpt } = self;
        let same_head = reply.status == other.reply.status && reply.headers == other.reply.headers;
        same_head
            && *words == other.words
            && *is_whole == other.is_whole
            && *is_large == other.is_large
            && *excerpt == other.excerpt
    }
}

impl Eq for RefusedReply {}

impl RefusedReply {
    /// No error is mapped from it.
    #[must_use]
    pub fn is_too_large(&self) -> bool {
        self.is_large || self.words.len() > MAX_MAPPED_ERROR
    }
}

/// What a reply says to clients, by the rules of its binding.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MappedError {
    pub message: Option<String>,
    /// Without nulls.
    pub extensions: Map<String, Value>,
}

/// Characters of a body that a developer is shown.
const EXCERPT: usize = 1_000;

/// Bytes behind it that are looked at, so that no secret is cut in two before it is masked.
const BEYOND_EXCERPT: usize = 4 << 10;

/// The beginning of a body, on one line, without the values that the process never prints. They are masked here, since a
/// body in a line of the log is escaped once more than the mask knows.
#[must_use]
pub fn excerpt(body: &[u8]) -> String {
    // A character has at most four bytes.
    let text = String::from_utf8_lossy(&body[..body.len().min(4 * EXCERPT + BEYOND_EXCERPT)]);
    let text = secrets::mask(text.trim_end());
    let mut letters = text.chars();
    let of_line = |letter: char| if letter.is_control() { ' ' } else { letter };
    let mut shown: String = letters.by_ref().take(EXCERPT).map(of_line).collect();
    if letters.next().is_some() {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_excerpt_is_one_short_line() {
        assert_eq!(excerpt(b"{\n  \"a\": 1\r\n}\n"), "{   \"a\": 1  }");
        assert_eq!(excerpt(b""), "");
        assert_eq!(excerpt(b"\xff\xfe"), "\u{fffd}\u{fffd}");
        let whole = "\u{1f600}".repeat(EXCERPT);
        assert_eq!(excerpt(whole.as_bytes()), whole);
        assert_eq!(excerpt(format!("{whole}x").as_bytes()), format!("{whole}…"));
    }

    #[test]
    fn no_excerpt_holds_a_secret() {
        let secret = "hunter2-\"excerpt\"";
        secrets::keep([secret.to_owned()]);
        let quoted = serde_json::Value::from(secret).to_string();
        let twice = serde_json::Value::from(quoted.as_str()).to_string();
        for text in [secret, &quoted, &twice] {
            let cut = format!("{}{text}", "x".repeat(EXCERPT - 4));
            for body in [text, &cut] {
                assert!(!excerpt(body.as_bytes()).contains("hunt"), "{body}");
            }
        }
    }
}
