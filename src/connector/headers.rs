//! Headers of a call (metadata in gRPC): which may be set, which value wins, and which values are printed.
//!
//! The binding wins over the source's settings, and both win over the client's headers. If the gateway may set a
//! header, the client's value is never sent, even if the gateway has no value for it. Everything that can be decided at
//! load is.

use super::SourceSettings;
use super::texts::{Text, Texts, scalar};
use crate::mapping::{Failure, Position};
use crate::problem::Problem;
use crate::source::{Argument, BindingSpec, Inputs, claim};
use http::header::{self, AUTHORIZATION, HeaderName, HeaderValue};
use serde_json::Value;

/// Headers that a call sends, ready to be filled in.
#[derive(Debug, Default)]
pub(super) struct Headers {
    fixed: Vec<(HeaderName, HeaderValue)>,
    written: Vec<(HeaderName, Text<Value>)>,
    /// Headers filled with the claim of this name or path.
    claims: Vec<(HeaderName, String)>,
    forwarded: Vec<HeaderName>,
    /// The source's own token is sent as `authorization`.
    takes_token: bool,
}

/// Returns whether a header belongs to one connection or to the message's framing (RFC 9110 §7.6.1), or is set by the
/// gateway itself. Calls never set or forward such headers.
#[must_use]
pub fn is_reserved(name: &HeaderName) -> bool {
    const RESERVED: [HeaderName; 11] = [
        header::ACCEPT_ENCODING,
        header::CONNECTION,
        header::CONTENT_LENGTH,
        header::EXPECT,
        header::HOST,
        header::PROXY_AUTHENTICATE,
        header::PROXY_AUTHORIZATION,
        header::TE,
        header::TRAILER,
        header::TRANSFER_ENCODING,
        header::UPGRADE,
    ];
    // Trace headers are sent with every call; as headers of the call they would make each call differ.
    const OTHERS: [&str; 4] = ["keep-alive", "proxy-connection", "traceparent", "tracestate"];
    RESERVED.contains(name) || OTHERS.contains(&name.as_str())
}

impl Headers {
    /// Compiles the entries of `argument` (`headers` or `metadata`) and the source's settings. `refused` adds the
    /// protocol's own reserved names.
    pub(super) fn compile(
        spec: &BindingSpec,
        argument: &str,
        settings: &SourceSettings,
        refused: fn(&HeaderName) -> bool,
        texts: &mut Texts,
    ) -> Self {
        let deadline = settings.deadline_header.as_ref();
        let refused =
            |name: &HeaderName| is_reserved(name) || refused(name) || deadline == Some(name);
        let mut headers = Self::default();
        // The binding's names, whether or not there is a value.
        let mut bound = Vec::new();
        for entry in spec.argument(argument).map(Argument::elements).unwrap_or_default() {
            let name = entry.field("name").and_then(|name| read_name(name, &refused, texts));
            let value = entry.field("value").and_then(|v| texts.value(v, Position::Text));
            let (Some(name), Some(value)) = (name, value) else { continue };
            bound.push(name.clone());
            headers.add(name, value, entry, texts);
        }
        let open = |name: &HeaderName| !bound.contains(name) && !refused(name);
        headers.fixed.extend(settings.headers.iter().filter(|(name, _)| open(name)).cloned());
        headers
            .claims
            .extend(settings.claim_headers.iter().filter(|(name, _)| open(name)).cloned());
        headers.takes_token = settings.credentials.client.is_some() && open(&AUTHORIZATION);
        for name in &settings.forward_headers {
            let is_token = headers.takes_token && *name == AUTHORIZATION;
            if open(name) && !headers.sets(name) && !is_token {
                headers.forwarded.push(name.clone());
            }
        }
        headers
    }

    fn add(&mut self, name: HeaderName, value: Text<Value>, entry: &Argument, texts: &mut Texts) {
        let Text::Fixed(value) = value else {
            self.written.push((name, value));
            return;
        };
        match header_value(&value) {
            Ok(Some(value)) => self.fixed.push((name, value)),
            Ok(None) => {}
            Err(failure) => texts.problems.push(
                Problem::error("invalid-header", failure.to_string()).at(entry.place.clone()),
            ),
        }
    }

    /// Returns whether some call may send this header.
    pub(super) fn sets(&self, name: &HeaderName) -> bool {
        self.names().any(|set| set == name)
    }

    /// Returns the client headers that are forwarded.
    pub(super) fn forwarded(&self) -> &[HeaderName] {
        &self.forwarded
    }

    /// Returns whether calls have a token of the source that the binding does not replace.
    pub(super) fn takes_token(&self) -> bool {
        self.takes_token
    }

    /// Returns whether some header is filled with a claim.
    pub(super) fn sends_claims(&self) -> bool {
        !self.claims.is_empty()
    }

    fn names(&self) -> impl Iterator<Item = &HeaderName> {
        let written = self.written.iter().map(|(name, _)| name);
        let claims = self.claims.iter().map(|(name, _)| name);
        self.fixed.iter().map(|(name, _)| name).chain(written).chain(claims).chain(&self.forwarded)
    }

    /// Renders the headers. A null or empty value leaves its header out. Values that depend on the request are marked
    /// sensitive.
    pub(super) fn render(
        &self,
        inputs: &Inputs<'_>,
        first: Option<&(HeaderName, HeaderValue)>,
    ) -> Result<Vec<(HeaderName, HeaderValue)>, Failure> {
        let most = self.names().count();
        let mut headers = Vec::with_capacity(most + usize::from(first.is_some()));
        headers.extend(first.cloned());
        headers.extend_from_slice(&self.fixed);
        for (name, text) in &self.written {
            if let Some(mut value) = header_value(&*text.evaluate(inputs)?)? {
                value.set_sensitive(true);
                headers.push((name.clone(), value));
            }
        }
        for (name, path) in &self.claims {
            let value = claim(&inputs.caller.claims, path).unwrap_or(&Value::Null);
            if let Some(mut value) = claim_value(value)? {
                value.set_sensitive(true);
                headers.push((name.clone(), value));
            }
        }
        for name in &self.forwarded {
            for value in inputs.caller.headers.get_all(name) {
                let mut value = value.clone();
                value.set_sensitive(true);
                headers.push((name.clone(), value));
            }
        }
        Ok(headers)
    }
}

fn header_value(value: &Value) -> Result<Option<HeaderValue>, Failure> {
    match scalar(value)? {
        None => Ok(None),
        Some(text) if text.is_empty() => Ok(None),
        Some(text) => HeaderValue::from_bytes(text.as_bytes())
            .map(Some)
            .map_err(|_| Failure::ControlCharacter),
    }
}

/// Returns the header value of a claim. A claim that is not a scalar is sent as JSON.
fn claim_value(value: &Value) -> Result<Option<HeaderValue>, Failure> {
    match value {
        Value::Array(_) | Value::Object(_) => header_value(&Value::String(value.to_string())),
        scalar => header_value(scalar),
    }
}

fn read_name(
    argument: &Argument,
    refused: &dyn Fn(&HeaderName) -> bool,
    texts: &mut Texts,
) -> Option<HeaderName> {
    let text = argument.text()?;
    let problem = match HeaderName::from_bytes(text.as_bytes()) {
        Ok(name) if refused(&name) => {
            Problem::error("reserved-header", format!("a binding cannot set the header `{name}`"))
                .help("remove it: the gateway sets this header, or it belongs to the connection")
        }
        Ok(name) => return Some(name),
        Err(_) => Problem::error("invalid-header", format!("`{text}` is not a valid header name"))
            .help("use letters, digits and `-`, such as `x-tenant`"),
    };
    texts.problems.push(problem.at(argument.place.clone()));
    None
}

/// Replaces a secret.
pub(super) const HIDDEN: &str = "•••";

/// Appends one line per header, and one for a token of the source. Values that only the caller and the source may see
/// are masked.
pub(super) fn describe(headers: &[(HeaderName, HeaderValue)], has_token: bool, out: &mut String) {
    for (name, value) in headers {
        let shown = match value.to_str() {
            Ok(text) if !value.is_sensitive() && !is_secret(name.as_str()) => text,
            _ => HIDDEN,
        };
        out.push('\n');
        out.push_str(name.as_str());
        out.push_str(": ");
        out.push_str(shown);
    }
    if has_token {
        out.push_str("\nauthorization: ");
        out.push_str(HIDDEN);
    }
}

fn is_secret(name: &str) -> bool {
    const PARTS: [&str; 7] =
        ["authorization", "cookie", "api-key", "apikey", "token", "secret", "password"];
    PARTS.iter().any(|part| name.contains(part))
}
