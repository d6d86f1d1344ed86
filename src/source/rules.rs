//! Rules of a binding for replies, beside `select`: which of them are a success, and what clients see of the others.
//!
//! Rules apply to the field only. Retries, breaker and ejection use the status of a reply.

use super::{Reply, secrets};
use crate::mapping::Mapping;
use bytes::Bytes;
use serde_json::{Map, Value};

/// Rules of one binding, including those of its source.
#[derive(Debug, Clone, Default)]
pub struct ReplyRules {
    /// Evaluates to `true` for a success. `None`: the protocol's statuses decide.
    pub is_success: Option<Mapping>,
    /// Message of the field error.
    pub message: Option<Mapping>,
    /// Members that are added to `extensions` of the field error: the source's, then the binding's, which wins.
    pub extensions: Vec<Mapping>,
    /// Meaning of "not found" if `is_success` is `None`.
    pub not_found: NotFound,
    /// Problems include an excerpt of the reply.
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

    /// Returns the mappings over a reply.
    pub fn mappings(&self) -> impl Iterator<Item = &Mapping> {
        self.is_success.iter().chain(&self.message).chain(&self.extensions)
    }

    /// Returns whether the body of a refused reply is read.
    #[must_use]
    pub fn read_refusals(&self) -> bool {
        self.is_success.is_some() || self.map_errors()
    }

    /// Returns whether field errors use the content of the reply.
    #[must_use]
    pub fn map_errors(&self) -> bool {
        self.message.is_some() || !self.extensions.is_empty()
    }
}

/// Meaning of HTTP 404 and 410, and of gRPC `NOT_FOUND`, for a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum NotFound {
    /// Null if the field is nullable, otherwise an error.
    #[default]
    Null,
    Error,
}

/// Members of `extensions` that refer to the log: mappings cannot replace them.
pub const OWN_EXTENSIONS: [&str; 2] = ["errorId", "source"];

/// Maximum size of a reply from which errors are mapped, in bytes.
pub const MAX_MAPPED_ERROR: usize = 64 << 10;

/// A reply with an error status, as far as it was read.
#[derive(Debug, Clone)]
pub struct RefusedReply {
    /// The reply for `select`, if the rules call it a success.
    pub reply: Reply,
    /// JSON text that the rules read as `$`; empty: null. A gRPC status is an object.
    pub words: Bytes,
    /// The body was read to its end. Otherwise `isSuccess` is false.
    pub is_whole: bool,
    /// The body is larger than what was read, so `words` is empty.
    pub is_large: bool,
    /// Beginning of the body, for developers; empty unless they enabled it.
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
    /// Returns whether it is too large to map errors from it.
    #[must_use]
    pub fn is_too_large(&self) -> bool {
        self.is_large || self.words.len() > MAX_MAPPED_ERROR
    }
}

/// Error for clients, made from a reply by the rules of its binding.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MappedError {
    pub message: Option<String>,
    /// Members without nulls.
    pub extensions: Map<String, Value>,
}

/// Maximum number of characters of a body that developers see.
const EXCERPT: usize = 1_000;

/// Bytes after the excerpt that are searched too, so that no secret is cut in two before it is masked.
const BEYOND_EXCERPT: usize = 4 << 10;

/// Returns the beginning of a body, on one line, with secrets masked. They are masked here, because a body in a log
/// line is escaped once more than the mask expects.
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
