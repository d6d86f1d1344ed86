//! A GraphQL error of a response (GraphQL spec, section "Errors").

use super::ErrorCode;
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::{Map, Value};
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};

/// One step of a response path: a response key or a list index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PathSegment {
    Key(Arc<str>),
    Index(usize),
}

/// A location in the operation's text; line and column count from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct Location {
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
}

/// An error for clients: its message never holds an upstream's words, addresses or secrets.
#[derive(Debug, Clone, PartialEq)]
pub struct Error {
    pub message: String,
    pub code: ErrorCode,
    pub locations: Vec<Location>,
    pub path: Vec<PathSegment>,
    /// The message is a service's own, passed on because its binding maps it. It contains no names of the schema.
    pub is_verbatim: bool,
    /// Further members of `extensions`, such as `source` and `errorId`.
    pub extensions: Map<String, Value>,
}

impl Error {
    #[must_use]
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            code,
            locations: Vec::new(),
            path: Vec::new(),
            is_verbatim: false,
            extensions: Map::new(),
        }
    }

    /// Returns an internal error: the client gets an id, and the reason is logged under the same id.
    #[must_use]
    pub fn internal(reason: impl std::fmt::Display) -> Self {
        let id = error_id();
        tracing::error!(error_id = id, "the gateway failed on a request: {reason}");
        let mut error = Self::new(ErrorCode::Internal, "the gateway failed on this request");
        error.extensions.insert("errorId".to_owned(), id.into());
        error
    }
}

impl Serialize for PathSegment {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Key(key) => serializer.serialize_str(key),
            Self::Index(index) => serializer.serialize_u64(*index as u64),
        }
    }
}

impl Serialize for Error {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut extensions = Map::with_capacity(self.extensions.len() + 1);
        extensions.insert("code".into(), self.code.as_str().into());
        extensions.extend(self.extensions.iter().map(|(key, value)| (key.clone(), value.clone())));
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("message", &self.message)?;
        if !self.locations.is_empty() {
            map.serialize_entry("locations", &self.locations)?;
        }
        if !self.path.is_empty() {
            map.serialize_entry("path", &self.path)?;
        }
        map.serialize_entry("extensions", &extensions)?;
        map.end()
    }
}

/// Returns an id that a client can quote and that is in the log: differs between requests and between processes.
#[must_use]
pub fn error_id() -> String {
    static PROCESS: LazyLock<u64> = LazyLock::new(|| RandomState::new().hash_one(0));
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    format!("{:016x}", PROCESS.wrapping_add(number.wrapping_mul(0x9e37_79b9_7f4a_7c15)))
}
