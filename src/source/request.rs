//! What goes into a call and what it looks like once rendered.

use super::Trace;
use crate::mapping::{Variable, Variables};
use crate::memory::Account;
use bytes::Bytes;
use serde_json::Value;
use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::SystemTime;

/// Who asks: what one request brings along that calls may use or forward.
#[derive(Debug, Clone, Default)]
pub struct Caller {
    pub headers: http::HeaderMap,
    pub ip: Option<IpAddr>,
    /// The claims of a verified token; null for an anonymous caller.
    pub claims: Value,
    /// The claim that holds the token's scopes, or the path to it, where its issuer has its own.
    pub scopes_claim: Option<Arc<str>>,
    /// From when on that token is good no longer: its `exp` and the leeway for clocks that are apart.
    pub expires: Option<SystemTime>,
    /// Where the request belongs in a distributed trace.
    pub trace: Trace,
    /// Account on which its replies and answers are counted.
    pub account: Account,
}

/// The values a call is rendered from.
#[derive(Debug, Clone, Copy)]
pub struct Inputs<'a> {
    /// The field's arguments after coercion and defaults, `@require`d ones included: an object.
    pub args: &'a Value,
    /// The parent object's fields that the call names; null without a parent.
    pub this: &'a Value,
    /// The distinct parent objects of a batch: a list of objects; null without a batch.
    pub batch: &'a Value,
    pub caller: &'a Caller,
    /// Values of the environment variables that the SDL names: an object.
    pub env: &'a Value,
    /// The source's `config` from the YAML; where it is null, the connector fills it in.
    pub config: &'a Value,
}

/// A rendered call. Two equal requests to one source are the same question of the same caller: everything that is
/// sent is in here, forwarded headers included, so it serves as the key of reuse, compared in full.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Request {
    /// The source's name: two sources never share a call.
    pub source: crate::graphql::Name,
    /// HTTP method, or a protocol's own verb such as `grpc`.
    pub verb: &'static str,
    /// Path and query, or `/package.Service/Method`; without scheme and authority, which the upstream layer chooses.
    pub target: String,
    /// Lower-case names, in the order sent.
    pub headers: Vec<(http::HeaderName, http::HeaderValue)>,
    pub body: Bytes,
    /// Number of the way in which the connector reads the reply. Bindings that read it differently share no call: what
    /// is left of a reply, such as an error body that is not read, depends on it.
    pub reading: u32,
    /// Sent along, and never a part of what makes two requests differ.
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

/// An object from lower-case name to value; a repeated header becomes one value joined with `, ` (RFC 9110 §5.3), and
/// one that is not visible ASCII is left out.
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
