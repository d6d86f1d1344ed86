//! One scripted exchange: the expected call, and the upstream's answer.

use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Map, Value};

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exchange {
    /// `GET /users?ids=1,2`, or `grpc package.Service/Method`.
    pub request: String,
    /// Any, if absent.
    pub body: Option<Value>,
    /// Headers that the call must have; null: must not have.
    #[serde(default)]
    pub headers: Map<String, Value>,
    pub reply: Answer,
}

/// Answer of the upstream.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Answer {
    pub status: Option<u16>,
    /// JSON.
    pub body: Option<Value>,
    /// Text of a body that is not JSON.
    pub raw: Option<String>,
    /// Number of spaces after the body.
    pub spaces: usize,
    pub headers: Map<String, Value>,
    /// A gRPC status code other than OK.
    pub grpc: Option<u16>,
    /// Message of the gRPC status.
    pub message: Option<String>,
    /// Details of its `google.rpc.Status`: JSON of messages that the file defines, each with its name as `@type`.
    pub details: Vec<Value>,
    /// Never answers.
    pub hang: bool,
    /// Closes the connection without an answer.
    pub close: bool,
    /// Announces ten bytes more than it sends, and closes the connection.
    pub cut: bool,
}

impl Exchange {
    /// Returns whether this is the exchange for the call.
    pub fn answers(&self, call: &Call) -> bool {
        self.request == call.line
            && self.body.as_ref().is_none_or(|body| Some(body) == call.body.as_ref())
            && self.headers.iter().all(|(name, value)| {
                call.headers.get(name).map(|header| header.to_str().unwrap_or("not text"))
                    == value.as_str()
            })
    }
}

impl Answer {
    pub fn bytes(&self) -> Bytes {
        let mut text = match (&self.raw, &self.body) {
            (Some(raw), _) => raw.clone(),
            (None, Some(body)) => body.to_string(),
            (None, None) => String::new(),
        };
        text.extend(std::iter::repeat_n(' ', self.spaces));
        text.into()
    }
}

/// A call that an upstream received.
#[derive(Debug, Clone)]
pub struct Call {
    /// Method and target, with commas unescaped.
    pub line: String,
    pub headers: http::HeaderMap,
    pub body: Option<Value>,
}

impl Call {
    /// Returns the call in one line, as in a `calls` block.
    pub fn text(&self) -> String {
        match &self.body {
            None => self.line.clone(),
            Some(body) => format!("{} {body}", self.line),
        }
    }
}
