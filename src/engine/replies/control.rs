//! Parses an upstream's caching headers: `Cache-Control` (RFC 9111, section 5.2.2; RFC 5861), `Age`, `Date`, `Expires`,
//! `Vary`.
//!
//! Parsing is lenient in form and strict in meaning. An invalid directive is taken in its strictest sense, the stricter
//! of two contradicting ones counts, and an argument that narrows a directive to some fields (`private="set-cookie"`)
//! is ignored.

use http::header::{AGE, CACHE_CONTROL, DATE, EXPIRES, HeaderMap, HeaderName, SET_COOKIE, VARY};
use std::time::{Duration, SystemTime};

/// Maximum lifetime in seconds: long enough for every use, and far from every overflow (RFC 9111, section 1.2.2 has
/// 2^31 seconds).
const LONGEST: u64 = 1 << 31;

/// Caching headers of one reply.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Stated {
    /// `no-store`, or a cookie, which is always for one client.
    pub never: bool,
    pub no_cache: bool,
    pub private: bool,
    pub stale: Stale,
    pub max_age: Option<Duration>,
    pub s_maxage: Option<Duration>,
    pub stale_while_revalidate: Option<Duration>,
    pub stale_if_error: Option<Duration>,
    /// `Expires`, relative to `Date` or to now. An invalid one means expired.
    pub expires_in: Option<Duration>,
    /// Age of the reply when it arrived (RFC 9111, section 4.2.3), without the duration of the call.
    pub age: Duration,
    pub vary: Vary,
}

/// Callers that may get a stale reply without revalidation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(super) enum Stale {
    #[default]
    Anybody,
    /// `proxy-revalidate`, `s-maxage`: not if several callers share it.
    OneCaller,
    /// `must-revalidate`.
    Nobody,
}

/// Further parts of a request that the reply depends on.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) enum Vary {
    #[default]
    Nothing,
    Headers(Vec<HeaderName>),
    /// `*`, or an invalid list of header names.
    Anything,
}

impl Stated {
    /// Parses the headers. `now` is when the reply arrived.
    pub fn read(headers: &HeaderMap, now: SystemTime) -> Self {
        let mut stated = Self {
            vary: Vary::read(headers),
            never: headers.contains_key(SET_COOKIE),
            ..Self::default()
        };
        for value in headers.get_all(CACHE_CONTROL) {
            match value.to_str() {
                Ok(text) => directives(text, |name, argument| stated.add(name, argument)),
                Err(_) => stated.never = true,
            }
        }
        let date = headers.get(DATE).and_then(|value| date(value.to_str().ok()?));
        if let Some(expires) = headers.get(EXPIRES) {
            let at = expires.to_str().ok().and_then(self::date);
            let from = date.unwrap_or(now);
            let left = at.and_then(|at| at.duration_since(from).ok());
            stated.expires_in = Some(left.unwrap_or_default());
        }
        let apparent = date.and_then(|date| now.duration_since(date).ok()).unwrap_or_default();
        stated.age = apparent.max(age(headers));
        stated
    }

    fn add(&mut self, name: &str, argument: Option<&str>) {
        let is = |known: &str| name.eq_ignore_ascii_case(known);
        let at_most = |slot: &mut Option<Duration>| {
            let read = seconds(argument);
            *slot = Some(slot.map_or(read, |known| known.min(read)));
        };
        if is("no-store") {
            self.never = true;
        } else if is("no-cache") {
            self.no_cache = true;
        } else if is("private") {
            self.private = true;
        } else if is("must-revalidate") {
            self.stale = Stale::Nobody;
        } else if is("proxy-revalidate") {
            self.stale = self.stale.max(Stale::OneCaller);
        } else if is("max-age") {
            at_most(&mut self.max_age);
        } else if is("s-maxage") {
            self.stale = self.stale.max(Stale::OneCaller);
            at_most(&mut self.s_maxage);
        } else if is("stale-while-revalidate") {
            at_most(&mut self.stale_while_revalidate);
        } else if is("stale-if-error") {
            at_most(&mut self.stale_if_error);
        }
    }
}

impl Vary {
    fn read(headers: &HeaderMap) -> Self {
        let mut names = Vec::new();
        for value in headers.get_all(VARY) {
            for name in value.as_bytes().split(|byte| *byte == b',') {
                match HeaderName::from_bytes(name.trim_ascii()) {
                    // `*` is a token, too.
                    Ok(name) if name.as_str() != "*" => names.push(name),
                    Err(_) if name.trim_ascii().is_empty() => {}
                    _ => return Self::Anything,
                }
            }
        }
        if names.is_empty() { Self::Nothing } else { Self::Headers(names) }
    }
}

/// Calls `each` for every directive: `name`, `name=token` and `name="quoted"`, separated by commas.
pub(super) fn directives<'a>(text: &'a str, mut each: impl FnMut(&'a str, Option<&'a str>)) {
    let mut rest = text;
    while !rest.is_empty() {
        let end = end_of_element(rest);
        let (name, argument) = match rest[..end].split_once('=') {
            Some((name, argument)) => (name, Some(argument.trim().trim_matches('"'))),
            None => (&rest[..end], None),
        };
        if !name.trim().is_empty() {
            each(name.trim(), argument);
        }
        rest = rest[end..].trim_start_matches(',');
    }
}

/// Returns the position of the next comma outside of quoted strings.
fn end_of_element(text: &str) -> usize {
    let (mut quoted, mut escaped) = (false, false);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b',' if !quoted => return at,
            _ => {}
        }
    }
    text.len()
}

/// Parses seconds. An invalid number is zero (RFC 9111, section 4.2.1: "encouraged to consider … stale").
fn seconds(argument: Option<&str>) -> Duration {
    let digits =
        argument.filter(|text| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()));
    // All digits, but no number: it is too large for one.
    let number = digits.map_or(0, |text| text.parse().unwrap_or(LONGEST));
    Duration::from_secs(number.min(LONGEST))
}

fn age(headers: &HeaderMap) -> Duration {
    // RFC 9111, section 5.1: the first of several counts; an invalid one is ignored.
    let first = headers.get(AGE).and_then(|value| value.to_str().ok());
    seconds(first.and_then(|text| text.split(',').next()).map(str::trim))
}

fn date(text: &str) -> Option<SystemTime> {
    httpdate::parse_http_date(text).ok()
}
