//! Prepares replies for the engine: media type, plain text as JSON, and targets of redirects.

use crate::source::{BindingSpec, Operation};
use bytes::{Buf, Bytes};
use http::header::{CONTENT_TYPE, LOCATION};
use http::{HeaderMap, StatusCode, Uri};
use serde::de::IgnoredAny;
use url::Url;

const BOM: &[u8] = b"\xEF\xBB\xBF";

/// Converts a reply's body to the JSON that the engine reads.
#[derive(Debug)]
pub(super) struct ReplyReading {
    /// Media types, beside those of JSON, whose body may be JSON; lower case.
    accept_types: Box<[String]>,
    text: TextReading,
    /// Maximum number of redirects that one call follows.
    pub(super) follow: u8,
}

/// Condition under which a body is text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum TextReading {
    /// The field cannot hold a text.
    Never,
    /// If it is not JSON.
    UnlessJson,
    /// If it is not a JSON string.
    UnlessString,
}

impl ReplyReading {
    /// Creates a reading. `reads_whole`: the binding's `select`, or one of its rules, uses the value of the whole
    /// reply.
    pub(super) fn new(
        spec: &BindingSpec,
        verb: &str,
        (accept_types, follow): (&[String], u8),
        reads_whole: Option<bool>,
    ) -> Self {
        let text = match (reads_whole, spec.leaf.as_deref()) {
            (Some(false), _) | (None, None | Some("Int" | "Float" | "Boolean")) => {
                TextReading::Never
            }
            (None, Some("String" | "ID")) => TextReading::UnlessString,
            (Some(true), _) | (None, Some(_)) => TextReading::UnlessJson,
        };
        let is_read = verb == "GET" && spec.operation == Operation::Query;
        let follow = if is_read { follow } else { 0 };
        Self { accept_types: accept_types.into(), text, follow }
    }

    /// Returns a number that two readings share only if they read every reply alike, given the same source. Less than
    /// 2^16.
    pub(super) fn number(&self) -> u32 {
        u32::from(self.follow) << 8 | self.text as u32
    }

    /// Refuses a media type that is neither JSON nor accepted, before the body is read: an HTML page is not a reply. If
    /// a service sends no type, or `text/plain`, the body may be JSON.
    ///
    /// # Errors
    /// One lowercase sentence.
    pub(super) fn expect(&self, headers: &HeaderMap) -> Result<(), String> {
        let essence = essence(headers);
        let accepted = |listed: &String| *listed == essence;
        if is_json(&essence) || is_plain(&essence) || self.accept_types.iter().any(accepted) {
            return Ok(());
        }
        Err(format!("content-type `{essence}` is not JSON"))
    }

    /// Returns the body as JSON: without a byte order mark, and with text as a string if the field can hold one.
    pub(super) fn body(&self, headers: &HeaderMap, mut body: Bytes) -> Bytes {
        skip_mark(&mut body);
        let is_reply = match self.text {
            TextReading::Never => true,
            TextReading::UnlessJson => serde_json::from_slice::<IgnoredAny>(&body).is_ok(),
            TextReading::UnlessString => {
                body.trim_ascii_start().starts_with(b"\"")
                    && serde_json::from_slice::<IgnoredAny>(&body).is_ok()
            }
        };
        if is_reply || body.is_empty() || is_json(&essence(headers)) {
            return body;
        }
        match std::str::from_utf8(&body) {
            Ok(text) => serde_json::Value::from(text).to_string().into(),
            Err(_) => body,
        }
    }
}

/// Skips a byte order mark.
pub(super) fn skip_mark(body: &mut Bytes) {
    if body.starts_with(BOM) {
        body.advance(BOM.len());
    }
}

/// Returns the media type without its parameters; empty if there is none.
fn essence(headers: &HeaderMap) -> String {
    let Some(value) = headers.get(CONTENT_TYPE) else { return String::new() };
    let text = String::from_utf8_lossy(value.as_bytes());
    text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

fn is_json(essence: &str) -> bool {
    essence.ends_with("/json") || essence.ends_with("+json")
}

fn is_plain(essence: &str) -> bool {
    essence.is_empty() || essence == "text/plain"
}

/// Returns path and query of a redirect's target (RFC 9110, section 15.4); `None` if the reply is not a redirect, or its
/// target has another origin.
pub(super) fn redirected(
    address: &Uri,
    target: &str,
    (status, headers): (StatusCode, &HeaderMap),
) -> Option<String> {
    if !matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308) {
        return None;
    }
    let origin = format!("{}://{}", address.scheme_str()?, address.authority()?);
    let from = Url::parse(&origin).ok()?.join(target).ok()?;
    let to = from.join(headers.get(LOCATION)?.to_str().ok()?).ok()?;
    if from.origin() != to.origin() || !to.username().is_empty() || to.password().is_some() {
        return None;
    }
    let query = to.query().map(|query| format!("?{query}")).unwrap_or_default();
    Some(format!("{}{query}", to.path()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn to(location: &'static str) -> Option<String> {
        let mut headers = HeaderMap::new();
        headers.insert(LOCATION, HeaderValue::from_static(location));
        let address = Uri::from_static("http://users.test:80");
        redirected(&address, "/api/users/1?a=1", (StatusCode::FOUND, &headers))
    }

    #[test]
    fn a_redirect_is_followed_within_the_origin_only() {
        assert_eq!(to("/v2/users/1?b=2#x").as_deref(), Some("/v2/users/1?b=2"));
        assert_eq!(to("http://users.test/v2").as_deref(), Some("/v2"));
        assert_eq!(to("//USERS.test/v2").as_deref(), Some("/v2"));
        assert_eq!(to("2").as_deref(), Some("/api/users/2"));
        assert_eq!(to("../teams").as_deref(), Some("/api/teams"));
        assert_eq!(to("?c=3").as_deref(), Some("/api/users/1?c=3"));
        let elsewhere = [
            "https://users.test/v2",
            "http://users.test:8080/v2",
            "http://other.test/v2",
            "//other.test",
            "http://me:secret@users.test/v2",
            "http://users.test.evil/",
            "\\\\other.test\\x",
            "file:///etc/passwd",
            "javascript:1",
            "http://[",
        ];
        for location in elsewhere {
            assert_eq!(to(location), None, "{location}");
        }
    }
}
