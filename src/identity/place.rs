//! Finds the token of a request: in a header, or in a cookie, and in only one of them.
//!
//! Unreadable credentials are invalid, not absent: a caller who sends any is never treated as anonymous.

use super::{Refused, TokenSettings};
use http::HeaderMap;
use http::header::{COOKIE, HeaderValue};
use serde_json::Value;

impl TokenSettings {
    /// Returns the one token of a request.
    pub(super) fn in_headers<'a>(
        &self,
        headers: &'a HeaderMap,
    ) -> Result<Option<&'a str>, Refused> {
        let header = at_most_one(headers.get_all(&self.header).iter())?;
        let header = header.map(|value| self.of_value(value)).transpose()?;
        let cookie = match &self.cookie {
            Some(name) => at_most_one(cookies(headers, name))?,
            None => None,
        };
        at_most_one(header.into_iter().chain(cookie))
    }

    /// Returns the one token of a `connection_init` payload, in which clients send what would have been a header.
    pub(super) fn in_payload<'a>(&self, payload: &'a Value) -> Result<Option<&'a str>, Refused> {
        let objects = [Some(payload), payload.get("headers")];
        let members = objects.into_iter().flatten().filter_map(Value::as_object).flatten();
        let named = members.filter(|(name, _)| name.eq_ignore_ascii_case(self.header.as_str()));
        match at_most_one(named.map(|(_, value)| value))? {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => self.of_text(text).map(Some),
            Some(_) => Err(Refused::Scheme),
        }
    }

    fn of_value<'a>(&self, value: &'a HeaderValue) -> Result<&'a str, Refused> {
        self.of_text(value.to_str().map_err(|_| Refused::Malformed)?)
    }

    /// Returns the token after its scheme (RFC 6750 §2.1, RFC 9110 §11.1).
    fn of_text<'a>(&self, text: &'a str) -> Result<&'a str, Refused> {
        if self.prefix.is_empty() {
            return Ok(text);
        }
        let (scheme, token) = text.split_once(' ').ok_or(Refused::Scheme)?;
        if !scheme.eq_ignore_ascii_case(&self.prefix) {
            return Err(Refused::Scheme);
        }
        Ok(token.trim_start_matches(' '))
    }
}

/// Returns the values of a cookie (RFC 6265 §5.4). Empty ones are skipped: clients delete cookies that way.
fn cookies<'a>(headers: &'a HeaderMap, name: &str) -> impl Iterator<Item = &'a str> {
    let lines = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    let pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.split_once('='));
    let named = pairs.filter(move |(found, _)| found.trim() == name);
    named.map(|(_, value)| value.trim()).filter(|value| !value.is_empty())
}

fn at_most_one<T>(mut found: impl Iterator<Item = T>) -> Result<Option<T>, Refused> {
    match (found.next(), found.next()) {
        (first, None) => Ok(first),
        (_, Some(_)) => Err(Refused::Several),
    }
}
