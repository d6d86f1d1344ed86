//! Content negotiation: the media type that the client accepts, and the one that it sent.
//!
//! Headers are parsed as RFC 9110 §12.5.1 and §8.3 say (quality values, wildcards, parameters, quoted strings), never
//! searched for a substring. Linear in the header's length. A header that cannot be parsed is ignored.

use super::Statuses;
use http::HeaderMap;
use http::header::{ACCEPT, CONTENT_TYPE};

/// Media type of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Media {
    /// `application/json`: 200 for every well-formed GraphQL request.
    Json,
    /// `application/graphql-response+json`: the status reports the outcome.
    GraphqlResponse(Statuses),
}

impl Media {
    pub(super) fn content_type(self) -> &'static str {
        match self {
            Self::Json => "application/json; charset=utf-8",
            Self::GraphqlResponse(_) => "application/graphql-response+json; charset=utf-8",
        }
    }
}

/// Media type of a stream of answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Streaming {
    /// Server-sent events.
    Events,
    /// Apollo's multipart subscriptions.
    Multipart,
}

impl Streaming {
    pub(super) fn content_type(self) -> &'static str {
        match self {
            Self::Events => "text/event-stream; charset=utf-8",
            Self::Multipart => "multipart/mixed; boundary=\"graphql\"; subscriptionSpec=\"1.0\"",
        }
    }
}

/// Returns the stream type that the client accepts, if it names one: wildcards do not match streams. If it accepts
/// both, the preferred one wins, otherwise the one named first.
pub(super) fn streaming(headers: &HeaderMap) -> Option<Streaming> {
    let mut best: Option<(u16, Streaming)> = None;
    for header in headers.get_all(ACCEPT) {
        let Ok(text) = header.to_str() else { continue };
        for range in split(text, ',').filter_map(Range::parse) {
            let streaming = if range.fit("text", "event-stream") == Some(Fit::Exact) {
                Streaming::Events
            } else if range.fit("multipart", "mixed") == Some(Fit::Exact) && range.subscriptions {
                Streaming::Multipart
            } else {
                continue;
            };
            if range.quality > best.map_or(0, |(quality, _)| quality) {
                best = Some((range.quality, streaming));
            }
        }
    }
    best.map(|(_, streaming)| streaming)
}

/// Specificity of a media range: the most specific one decides (RFC 9110 §12.5.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Fit {
    Any,
    Type,
    Exact,
}

/// Returns the media type of the answer; `None` if the client accepts none. Without `Accept`, and for `*/*`, it is
/// `application/json`, as the published audit of GraphQL over HTTP asks.
pub(super) fn accept(headers: &HeaderMap, statuses: Statuses) -> Option<Media> {
    let (mut json, mut graphql) = (None, None);
    let mut anything = false;
    for header in headers.get_all(ACCEPT) {
        let Ok(text) = header.to_str() else { continue };
        for range in split(text, ',') {
            anything |= !range.is_empty();
            let Some(range) = Range::parse(range) else { continue };
            closer(&mut json, range.fit("application", "json"), range.quality);
            closer(&mut graphql, range.fit("application", "graphql-response+json"), range.quality);
        }
    }
    if !anything {
        return Some(Media::Json);
    }
    let wanted = |found: Option<(Fit, u16)>| found.filter(|(_, quality)| *quality > 0);
    match (wanted(json), wanted(graphql)) {
        (None, None) => None,
        (None, Some(_)) => Some(Media::GraphqlResponse(statuses)),
        (Some((_, json)), Some((Fit::Exact, graphql))) if graphql >= json => {
            Some(Media::GraphqlResponse(statuses))
        }
        (Some(_), _) => Some(Media::Json),
    }
}

fn closer(found: &mut Option<(Fit, u16)>, fit: Option<Fit>, quality: u16) {
    let Some(fit) = fit else { return };
    match found {
        Some((before, _)) if *before > fit => {}
        Some((before, best)) if *before == fit => *best = quality.max(*best),
        _ => *found = Some((fit, quality)),
    }
}

/// Returns `true` if the body is declared as JSON in UTF-8, exactly once.
pub(super) fn sends_json(headers: &HeaderMap) -> bool {
    let mut values = headers.get_all(CONTENT_TYPE).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return false };
    if value == "application/json" {
        return true;
    }
    let Some(range) = value.to_str().ok().and_then(Range::parse) else { return false };
    range.fit("application", "json") == Some(Fit::Exact)
}

/// Returns `true` if a website could make a browser send this body without a preflight (Fetch standard,
/// "CORS-safelisted request-header"). A body that is not clearly declared counts as such.
pub(super) fn sends_simple(headers: &HeaderMap) -> bool {
    const SIMPLE: [(&str, &str); 3] =
        [("text", "plain"), ("application", "x-www-form-urlencoded"), ("multipart", "form-data")];
    let mut values = headers.get_all(CONTENT_TYPE).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return true };
    let Some(range) = value.to_str().ok().and_then(Range::parse) else { return true };
    let is = |(kind, subtype): (&str, &str)| {
        range.kind.eq_ignore_ascii_case(kind) && range.subtype.eq_ignore_ascii_case(subtype)
    };
    SIMPLE.into_iter().any(is)
}

/// One element of `Accept`, or a `Content-Type`.
struct Range<'a> {
    kind: &'a str,
    subtype: &'a str,
    /// Quality value, in thousandths.
    quality: u16,
    /// `charset` is absent or UTF-8.
    utf8: bool,
    /// `subscriptionSpec` is the supported version.
    subscriptions: bool,
}

impl<'a> Range<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        let mut parts = split(text, ';');
        let (kind, subtype) = parts.next()?.split_once('/')?;
        if !is_token(kind) || !is_token(subtype) {
            return None;
        }
        let mut range = Self { kind, subtype, quality: 1000, utf8: true, subscriptions: false };
        for part in parts.filter(|part| !part.is_empty()) {
            let (name, value) = part.split_once('=')?;
            if name.eq_ignore_ascii_case("q") {
                range.quality = quality(value)?;
            } else if name.eq_ignore_ascii_case("charset") {
                let value = value.trim_matches('"');
                range.utf8 =
                    value.eq_ignore_ascii_case("utf-8") || value.eq_ignore_ascii_case("utf8");
            } else if name.eq_ignore_ascii_case("subscriptionSpec") {
                range.subscriptions = value.trim_matches('"') == "1.0";
            }
        }
        Some(range)
    }

    fn fit(&self, kind: &str, subtype: &str) -> Option<Fit> {
        if !self.utf8 {
            None
        } else if self.kind == "*" && self.subtype == "*" {
            Some(Fit::Any)
        } else if !self.kind.eq_ignore_ascii_case(kind) {
            None
        } else if self.subtype == "*" {
            Some(Fit::Type)
        } else {
            self.subtype.eq_ignore_ascii_case(subtype).then_some(Fit::Exact)
        }
    }
}

/// Parses `0`, `0.5`, `1.000` and so on, into thousandths.
fn quality(text: &str) -> Option<u16> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if fraction.len() > 3 || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let thousandths = fraction
        .bytes()
        .fold((0, 100), |(sum, place), digit| (sum + u16::from(digit - b'0') * place, place / 10));
    match whole {
        "0" => Some(thousandths.0),
        "1" if thousandths.0 == 0 => Some(1000),
        _ => None,
    }
}

/// Splits a text at `separator`s outside of quoted strings. The pieces are trimmed.
fn split(text: &str, separator: char) -> impl Iterator<Item = &str> {
    let (mut quoted, mut escaped) = (false, false);
    text.split(move |c: char| {
        if escaped {
            escaped = false;
        } else if quoted && c == '\\' {
            escaped = true;
        } else if c == '"' {
            quoted = !quoted;
        }
        !quoted && c == separator
    })
    .map(str::trim)
}

/// Returns `true` for a token (RFC 9110 §5.6.2).
fn is_token(text: &str) -> bool {
    !text.is_empty()
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn accepted(values: &[&str]) -> Option<Media> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(ACCEPT, HeaderValue::from_str(value).unwrap());
        }
        accept(&headers, Statuses::Audited)
    }

    #[test]
    fn the_answer_is_what_the_client_prefers() {
        const G: Media = Media::GraphqlResponse(Statuses::Audited);
        const J: Media = Media::Json;
        for (value, expected) in [
            ("*/*", Some(J)),
            ("", Some(J)),
            (" , ", Some(J)),
            ("application/*", Some(J)),
            ("application/json", Some(J)),
            ("APPLICATION/JSON", Some(J)),
            ("application/json; charset=utf-8", Some(J)),
            ("application/json; charset=\"UTF-8\"", Some(J)),
            ("application/graphql-response+json", Some(G)),
            ("application/graphql-response+json; charset=utf-8, application/json", Some(G)),
            ("application/json, application/graphql-response+json", Some(G)),
            ("application/graphql-response+json;q=0.5, application/json;q=0.9", Some(J)),
            ("application/graphql-response+json;q=0.9,application/json;q=0.5", Some(G)),
            ("application/json, text/plain, */*", Some(J)),
            ("application/json, multipart/mixed", Some(J)),
            ("text/html, */*;q=0.8", Some(J)),
            ("application/json;q=0, */*", Some(G)),
            ("*/*;q=0.1, application/graphql-response+json", Some(G)),
            ("application/json;profile=\"a,b;q=0\"", Some(J)),
            ("text/html", None),
            ("application/jsonp", None),
            ("text/application/json", None),
            ("application/xml; note=application/json", None),
            ("application/json;q=0", None),
            ("*/*;q=0", None),
            ("application/json; charset=utf-16", None),
            ("application/json;q=7, garbage", None),
            ("application/json;q=0.1234", None),
        ] {
            assert_eq!(accepted(&[value]), expected, "{value}");
        }
        assert_eq!(accepted(&[]), Some(J));
        assert_eq!(accepted(&["text/html", "application/json"]), Some(J));
    }

    #[test]
    fn only_json_in_utf8_is_taken() {
        let sent = |values: &[&str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(CONTENT_TYPE, HeaderValue::from_str(value).unwrap());
            }
            sends_json(&headers)
        };
        for value in [
            "application/json",
            "Application/JSON",
            "application/json;charset=utf-8",
            "application/json; charset=\"utf-8\"; x=y",
        ] {
            assert!(sent(&[value]), "{value}");
        }
        for value in [
            "",
            "text/plain",
            "text/plain; a=application/json",
            "application/x-www-form-urlencoded",
            "multipart/form-data",
            "application/json; charset=utf-16",
            "application/json, text/plain",
            "application/*",
            "*/*",
            "application/jsonx",
        ] {
            assert!(!sent(&[value]), "{value}");
        }
        assert!(!sent(&[]) && !sent(&["application/json", "text/plain"]));
    }

    #[test]
    fn a_simple_body_is_one_that_browsers_send_unasked() {
        for (values, simple) in [
            (&[][..], true),
            (&[""], true),
            (&["nonsense"], true),
            (&["text/plain"], true),
            (&["TEXT/Plain; charset=utf-8"], true),
            (&["text/plain;application/json"], true),
            (&["text/plain; a=application/json"], true),
            (&["application/x-www-form-urlencoded"], true),
            (&["multipart/form-data; boundary=x"], true),
            (&["application/json, text/plain"], true),
            (&["application/json", "application/json"], true),
            (&["application/json"], false),
            (&["application/graphql"], false),
            (&["application/json; charset=latin1"], false),
        ] {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(CONTENT_TYPE, HeaderValue::from_static(value));
            }
            assert_eq!(sends_simple(&headers), simple, "{headers:?}");
        }
    }
}
