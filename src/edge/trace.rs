//! Ids of a request: its own (`x-request-id`), and its place in a distributed trace (W3C Trace Context).
//!
//! An incoming trace is continued, with a span of our own. If there is none, or it is invalid, a new one begins. Calls
//! of the request carry it to the services, and the log line has all ids. Any client can send any request id, so one is
//! accepted only if the server knows that the request comes from a trusted proxy. Everything is parsed strictly and
//! bounded. Invalid headers are not passed on.

use crate::source::Trace;
use http::header::{HeaderMap, HeaderName, HeaderValue};
use ring::rand::{SecureRandom as _, SystemRandom};
use std::cell::RefCell;

pub(super) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

/// Maximum bytes of `tracestate` that are passed on: four times the 512 that "vendors SHOULD propagate at least".
const LONGEST_STATE: usize = 2048;
const MOST_MEMBERS: usize = 32;

/// The ids of one request.
#[derive(Debug, Clone)]
pub(super) struct Ids {
    pub request: HeaderValue,
    /// 32 and 16 hexadecimal digits.
    pub trace: String,
    pub span: String,
    /// Trace headers that calls to services carry.
    pub carried: Trace,
}

impl Ids {
    /// Returns the ids of a request with these headers. `trusted`: its request id is accepted. Of new traces, `sampled`
    /// in a thousand are marked as sampled.
    pub(super) fn take(headers: &HeaderMap, trusted: bool, sampled: u16) -> Self {
        let random = RANDOM.with_borrow_mut(Random::next);
        let (fresh, rest) = random.split_at(16);
        let (span, id) = rest.split_at(8);
        let parent = parent(headers);
        let trace = parent.as_ref().map_or_else(|| hexadecimal(fresh), |it| it.trace.to_owned());
        let flags = parent.as_ref().map_or_else(|| decide(fresh, sampled), |it| it.flags);
        let span = hexadecimal(span);
        let state = parent.and_then(|_| state(headers));
        let given = headers.get(REQUEST_ID).filter(|value| trusted && is_sane(value));
        let request = given.cloned().or_else(|| HeaderValue::try_from(hexadecimal(id)).ok());
        let request = request.unwrap_or(HeaderValue::from_static("-"));
        let traceparent = HeaderValue::try_from(format!("00-{trace}-{span}-{flags:02x}"));
        let carried = traceparent.map_or_else(
            |_| Trace::default(),
            |parent| {
                let state = state.map(|it| (TRACESTATE, it));
                Trace::new(request.clone(), [(TRACEPARENT, parent)].into_iter().chain(state))
            },
        );
        Self { request, trace, span, carried }
    }
}

/// Random bytes for one request's ids: a new trace, a span, and the request.
const NEEDED: usize = 16 + 8 + 16;

/// Random bytes of the system, fetched for a hundred requests at a time, so that not every request needs a system call.
struct Random {
    bytes: [u8; 100 * NEEDED],
    used: usize,
}

thread_local! {
    static RANDOM: RefCell<Random> =
        const { RefCell::new(Random { bytes: [0; 100 * NEEDED], used: 100 * NEEDED }) };
}

impl Random {
    fn next(&mut self) -> [u8; NEEDED] {
        if self.used == self.bytes.len() {
            // Without randomness all ids are alike, which only makes them useless.
            let _ = SystemRandom::new().fill(&mut self.bytes);
            self.used = 0;
        }
        let mut taken = [0; NEEDED];
        taken.copy_from_slice(&self.bytes[self.used..self.used + NEEDED]);
        self.used += NEEDED;
        taken
    }
}

/// Contents of `traceparent`.
struct Parent<'a> {
    trace: &'a str,
    flags: u8,
}

/// Flags that are passed on: sampled, and random trace id.
const KNOWN_FLAGS: u8 = 0b11;
const IS_RANDOM: u8 = 0b10;

/// Parses `traceparent` (Trace Context §3.2): exactly one header, of version 00, or of a later one that begins alike.
fn parent(headers: &HeaderMap) -> Option<Parent<'_>> {
    let mut values = headers.get_all(TRACEPARENT).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return None };
    let text = value.to_str().ok()?;
    let (known, rest) = text.split_at_checked(55)?;
    let mut parts = known.split('-');
    let [version, trace, span, flags] = std::array::from_fn(|_| parts.next().unwrap_or_default());
    let later = version != "00";
    let well_formed = [(version, 2), (trace, 32), (span, 16), (flags, 2)]
        .into_iter()
        .all(|(part, length)| part.len() == length && is_lower_hexadecimal(part));
    let ends = rest.is_empty() || (later && rest.starts_with('-'));
    let nothing = |id: &str| id.bytes().all(|byte| byte == b'0');
    if !well_formed || !ends || version == "ff" || nothing(trace) || nothing(span) {
        return None;
    }
    let flags = u8::from_str_radix(flags, 16).ok()? & KNOWN_FLAGS;
    Some(Parent { trace, flags })
}

fn is_lower_hexadecimal(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

/// Parses `tracestate` (Trace Context §3.3): the members of all headers as one list; `None` if any is malformed.
fn state(headers: &HeaderMap) -> Option<HeaderValue> {
    let mut joined = String::new();
    let mut keys: Vec<&str> = Vec::new();
    for value in headers.get_all(TRACESTATE) {
        let text = value.to_str().ok()?;
        for member in
            text.split(',').map(|it| it.trim_matches([' ', '\t'])).filter(|it| !it.is_empty())
        {
            let (key, value) = member.split_once('=')?;
            let room = joined.len() + member.len() < LONGEST_STATE && keys.len() < MOST_MEMBERS;
            if !is_key(key) || !is_value(value) || !room || keys.contains(&key) {
                return None;
            }
            keys.push(key);
            if !joined.is_empty() {
                joined.push(',');
            }
            joined.push_str(member);
        }
    }
    if joined.is_empty() { None } else { HeaderValue::try_from(joined).ok() }
}

/// Returns `true` for `vendor` or `tenant@vendor`.
fn is_key(key: &str) -> bool {
    let lower = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let plain = |part: &str, most: usize| {
        (1..=most).contains(&part.len())
            && part.bytes().all(|byte| lower(byte) || b"_-*/".contains(&byte))
    };
    let begins = |part: &str| part.as_bytes().first().is_some_and(u8::is_ascii_lowercase);
    match key.split_once('@') {
        Some((tenant, vendor)) => {
            let first = tenant.as_bytes().first().is_some_and(|byte| lower(*byte));
            first && plain(tenant, 241) && begins(vendor) && plain(vendor, 14)
        }
        None => begins(key) && plain(key, 256),
    }
}

fn is_value(value: &str) -> bool {
    (1..=256).contains(&value.len())
        && value.bytes().all(|byte| (b' '..=b'~').contains(&byte) && !b",=".contains(&byte))
}

/// Decides if a new trace is marked as sampled. Decided by its own id, so that the share is right without a counter.
fn decide(trace: &[u8], sampled: u16) -> u8 {
    let last = trace.last_chunk::<8>().map_or(0, |bytes| u64::from_be_bytes(*bytes));
    IS_RANDOM | u8::from(last % 1000 < u64::from(sampled))
}

/// Returns `true` if an id may be logged and sent back: it is short, and has no characters with a meaning for other
/// readers.
fn is_sane(id: &HeaderValue) -> bool {
    let bytes = id.as_bytes();
    (1..=128).contains(&bytes.len())
        && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-_.:/+=@".contains(byte))
}

fn hexadecimal(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |half: u8| char::from(DIGITS[usize::from(half)]);
    let mut text = String::with_capacity(bytes.len() * 2);
    text.extend(bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 0xf)]));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const GIVEN: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

    fn with(headers: &[(HeaderName, &str)]) -> HeaderMap {
        let value = |text: &str| HeaderValue::from_bytes(text.as_bytes()).unwrap();
        let mut map = HeaderMap::new();
        for (name, text) in headers {
            map.append(name, value(text));
        }
        map
    }

    fn carried(ids: &Ids) -> Vec<String> {
        ids.carried.headers().map(|(_, value)| value.to_str().unwrap().to_owned()).collect()
    }

    #[test]
    fn a_trace_goes_on_with_a_span_of_our_own() {
        let headers =
            with(&[(TRACEPARENT, GIVEN), (TRACESTATE, "a=1,b@c=2"), (TRACESTATE, " d=3 ,")]);
        let ids = Ids::take(&headers, false, 0);
        assert_eq!(ids.trace, TRACE);
        assert_ne!(ids.span, "00f067aa0ba902b7");
        let parent = format!("00-{TRACE}-{}-01", ids.span);
        assert_eq!(carried(&ids), [parent.as_str(), "a=1,b@c=2,d=3"]);
        assert_eq!(ids.carried.trace_id(), Some(TRACE));
        assert_eq!(ids.carried.request_id(), ids.request.to_str().ok());
    }

    #[test]
    fn what_is_no_trace_begins_a_new_one() {
        for text in [
            "",
            "00",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "0x-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0g",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
            "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01more",
            "00_4bf92f3577b34da6a3ce929d0e0e4736_00f067aa0ba902b7_01",
            "00-4bf92f3577b34da6a3ce929d0e0e473-600f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0\u{e9}",
        ] {
            let ids = Ids::take(&with(&[(TRACEPARENT, text), (TRACESTATE, "a=1")]), false, 0);
            assert_ne!(ids.trace, TRACE, "{text}");
            assert_eq!((ids.trace.len(), ids.span.len()), (32, 16));
            assert_eq!(carried(&ids).len(), 1, "the state belongs to the trace: {text}");
        }
        let twice = with(&[(TRACEPARENT, GIVEN), (TRACEPARENT, GIVEN)]);
        assert_ne!(Ids::take(&twice, false, 0).trace, TRACE);
    }

    #[test]
    fn a_later_version_is_read_as_far_as_it_is_known() {
        for text in [
            "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-ff",
            "cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-03-what-the-future-holds",
        ] {
            let ids = Ids::take(&with(&[(TRACEPARENT, text)]), false, 0);
            assert_eq!(carried(&ids), [format!("00-{TRACE}-{}-03", ids.span)], "{text}");
        }
    }

    #[test]
    fn a_state_that_is_not_right_is_dropped_as_a_whole() {
        let many = (0..33).map(|n| format!("k{n}=v")).collect::<Vec<_>>().join(",");
        let long = format!("k={}", "v".repeat(257));
        for text in [
            "a", "=1", "A=1", "1=1", "a=", "a=b=c", "a=1,a=2", "a b=1", "@v=1", "t@=1", &many,
            &long,
        ] {
            let headers = with(&[(TRACEPARENT, GIVEN), (TRACESTATE, text)]);
            let ids = Ids::take(&headers, false, 0);
            assert_eq!((ids.trace.as_str(), carried(&ids).len()), (TRACE, 1), "{text}");
        }
    }

    #[test]
    fn the_share_of_new_traces_that_is_recorded() {
        let marked = |sampled: u16| {
            (0..1000)
                .filter(|_| {
                    carried(&Ids::take(&HeaderMap::new(), false, sampled))[0].ends_with("03")
                })
                .count()
        };
        assert_eq!((marked(0), marked(1000)), (0, 1000));
        let half = marked(500);
        assert!((350..650).contains(&half), "{half}");
    }

    #[test]
    fn a_request_id_is_believed_only_from_the_right_place() {
        let given = with(&[(REQUEST_ID, "abc-1.2_3:4")]);
        assert_eq!(Ids::take(&given, true, 0).request, "abc-1.2_3:4");
        let made = Ids::take(&given, false, 0).request;
        assert_eq!(made.len(), 32);
        assert_ne!(made, Ids::take(&given, false, 0).request);
        let long = "x".repeat(129);
        for odd in ["", "a b", "a\"b", "{}", "\u{e9}", &long] {
            assert_eq!(Ids::take(&with(&[(REQUEST_ID, odd)]), true, 0).request.len(), 32, "{odd}");
        }
    }
}
