//! Inputs of a call, and the rendered request.

use super::Trace;
use crate::mapping::{Variable, Variables};
use crate::memory::Account;
use bytes::Bytes;
use serde_json::Value;
use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::SystemTime;

/// The client of a request: everything of it that calls may use or forward.
#[derive(Debug, Clone, Default)]
pub struct Caller {
    /// Headers of the client's request.
    pub headers: http::HeaderMap,
    /// Address of the client, as forwarded by trusted proxies; `None` if it is unknown.
    pub ip: Option<IpAddr>,
    /// The claims of a verified token; null for an anonymous caller.
    pub claims: Value,
    /// Claim that holds the token's scopes, or the path to it, if its issuer configures one.
    pub scopes_claim: Option<Arc<str>>,
    /// Time from which that token is no longer valid: its `exp` plus the leeway for clocks.
    pub expires: Option<SystemTime>,
    /// Position of the request in a distributed trace.
    pub trace: Trace,
    /// Account for the bytes of its replies and answers.
    pub account: Account,
}

/// Values from which a call is rendered.
#[derive(Debug, Clone, Copy)]
pub struct Inputs<'a> {
    /// Arguments of the field after coercion and defaults, including `@require`d ones: an object.
    pub args: &'a Value,
    /// Fields of the parent object that the call names; null without a parent.
    pub this: &'a Value,
    /// Distinct parent objects of a batch: a list of objects; null without a batch.
    pub batch: &'a Value,
    pub caller: &'a Caller,
    /// Values of the environment variables that the SDL names: an object.
    pub env: &'a Value,
    /// `config` of the source from the YAML; if it is null, the connector fills it in.
    pub config: &'a Value,
}

/// A rendered call. Two equal requests ask for the same by the same caller: everything that is sent is part of it,
/// forwarded headers included. So it is the key of reuse, compared in full.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Request {
    /// Name of the source: two sources never share a call.
    pub source: crate::graphql::Name,
    /// HTTP method, or a protocol's own verb such as `grpc`.
    pub verb: &'static str,
    /// Path and query, or `/package.Service/Method`; without scheme and authority, which the upstream layer chooses.
    pub target: String,
    /// Lower-case names, in the order sent.
    pub headers: Vec<(http::HeaderName, http::HeaderValue)>,
    pub body: Bytes,
    /// Number of the way in which the connector reads the reply. Bindings with different numbers share no call, because
    /// the reply depends on it: an error body, for example, may not be read.
    pub reading: u32,
    /// Sent with the request, but ignored in comparisons.
    pub trace: Trace,
}

impl Variables for Inputs<'_> {
    fn value(&self, variable: Variable) -> Cow<'_, Value> {
        match variable {
            Variable::Args => Cow::Borrowed(self.args),
            Variable::This => Cow::Borrowed(self.this),
            Variable::Batch => Cow::Borrowed(self.batch),
            Variable::Claims => Cow::Borrowed(&self.caller.claims),
            Variable::Config => Cow::Borrowed(self.config),
            Variable::Env => Cow::Borrowed(self.env),
            Variable::RequestHeaders => Cow::Owned(headers_to_value(&self.caller.headers)),
            Variable::RequestIp => {
                Cow::Owned(self.caller.ip.map_or(Value::Null, |ip| Value::String(ip.to_string())))
            }
            Variable::ResponseHeaders | Variable::Status => Cow::Owned(Value::Null),
        }
    }
}

/// Converts headers to an object from lower-case name to value. Repeated headers are joined with `, ` (RFC 9110 §5.3),
/// and values that are not visible ASCII are left out.
#[must_use]
pub fn headers_to_value(headers: &http::HeaderMap) -> Value {
    let mut object = serde_json::Map::new();
    for (name, value) in headers {
        let Ok(text) = value.to_str() else { continue };
        match object.get_mut(name.as_str()) {
            Some(Value::String(joined)) => {
                joined.push_str(", ");
                joined.push_str(text);
            }
            _ => {
                object.insert(name.as_str().to_owned(), Value::String(text.to_owned()));
            }
        }
    }
    Value::Object(object)
}
