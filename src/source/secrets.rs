//! Masks secrets: values of the configuration and of the schema that came from the environment.
//!
//! A value is used in URLs, headers and bodies, and appears in other libraries' errors and debug lines, encoded in
//! various ways. So the finished text is searched for each of its usual forms, and values are not marked where they are
//! used. There is one list per process, because there is one log. A value shorter than four bytes is not searched for:
//! it would match in half of all words.

use aho_corasick::{AhoCorasick, MatchKind};
use arc_swap::ArcSwapOption;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt::Write as _;
use std::sync::Arc;

/// Minimum length of a value in bytes; shorter ones are part of too many words.
const SHORTEST: usize = 4;

/// Minimum length of a piece of Base64 that is searched for.
const SHORTEST_BASE64: usize = 6;

/// Replaces a value.
pub const MASK: &str = "***";

/// Characters that a URL's path or query may contain unescaped (RFC 3986, section 2.3 "Unreserved Characters").
const UNRESERVED: AsciiSet = NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Characters that a query may contain unescaped (RFC 3986, section 3.4 "Query").
const QUERY: AsciiSet = UNRESERVED
    .remove(b'!')
    .remove(b'$')
    .remove(b'&')
    .remove(b'\'')
    .remove(b'(')
    .remove(b')')
    .remove(b'*')
    .remove(b'+')
    .remove(b',')
    .remove(b';')
    .remove(b'=')
    .remove(b':')
    .remove(b'@')
    .remove(b'/')
    .remove(b'?');

static OF_PROCESS: ArcSwapOption<Secrets> = ArcSwapOption::const_empty();

/// Values, and the texts to search for.
#[derive(Default)]
pub struct Secrets {
    values: BTreeSet<String>,
    /// Values that change, by what they belong to: the last two of each.
    changing: BTreeMap<String, VecDeque<String>>,
    forms: Option<AhoCorasick>,
}

impl Secrets {
    /// Prepares the search for these values; short ones are left out.
    #[must_use]
    pub fn new(values: impl IntoIterator<Item = String>) -> Self {
        Self::with(values, BTreeMap::new())
    }

    fn with(
        values: impl IntoIterator<Item = String>,
        changing: BTreeMap<String, VecDeque<String>>,
    ) -> Self {
        let is_name = |value: &String| matches!(value.as_str(), "true" | "false" | "null");
        let values = values.into_iter().filter(|value| value.len() >= SHORTEST && !is_name(value));
        let values: BTreeSet<String> = values.collect();
        let all = values.iter().chain(changing.values().flatten());
        let all = all.filter(|value| value.len() >= SHORTEST);
        let forms: BTreeSet<String> = all.flat_map(|value| forms(value)).collect();
        // Fails only for gigabytes of patterns, which no environment holds.
        let build = || AhoCorasick::builder().match_kind(MatchKind::Standard).build(&forms).ok();
        let forms = if forms.is_empty() { None } else { build() };
        Self { values, changing, forms }
    }

    /// Replaces every value in the text by [`MASK`].
    #[must_use]
    pub fn mask<'t>(&self, text: &'t [u8]) -> Cow<'t, [u8]> {
        let Some(forms) = &self.forms else { return Cow::Borrowed(text) };
        // They may overlap: one value may be the beginning of another.
        let mut spans: Vec<(usize, usize)> = Vec::new();
        for found in forms.find_overlapping_iter(text) {
            let (mut start, end) = (found.start(), found.end());
            while let Some(&(from, to)) = spans.last()
                && to > start
            {
                start = start.min(from);
                spans.pop();
            }
            spans.push((start, end));
        }
        if spans.is_empty() {
            return Cow::Borrowed(text);
        }
        let mut out = Vec::with_capacity(text.len());
        let mut rest = 0;
        for (start, end) in spans {
            out.extend_from_slice(&text[rest..start]);
            // A number of a JSON text becomes a text, so that the line stays JSON.
            let is_number = text[..start].ends_with(b":")
                && text.get(end).is_some_and(|next| matches!(next, b',' | b'}'));
            let quote: &[u8] = if is_number { b"\"" } else { b"" };
            out.extend([quote, MASK.as_bytes(), quote].concat());
            rest = end;
        }
        out.extend_from_slice(&text[rest..]);
        Cow::Owned(out)
    }
}

/// Adds values to the process's list.
pub fn keep(values: impl IntoIterator<Item = String>) {
    let values: BTreeSet<String> = values.into_iter().collect();
    OF_PROCESS.rcu(|kept| {
        let known = kept.iter().flat_map(|kept| &kept.values);
        let changing = kept.as_ref().map(|kept| kept.changing.clone()).unwrap_or_default();
        let all = Secrets::with(known.chain(&values).cloned().collect::<Vec<_>>(), changing);
        match kept {
            Some(kept) if kept.values == all.values => Some(Arc::clone(kept)),
            _ => Some(Arc::new(all)),
        }
    });
}

/// Replaces every value of the process's list by [`MASK`].
#[must_use]
pub fn mask(text: &str) -> Cow<'_, str> {
    match mask_bytes(text.as_bytes()) {
        Cow::Borrowed(_) => Cow::Borrowed(text),
        Cow::Owned(masked) => Cow::Owned(String::from_utf8_lossy(&masked).into_owned()),
    }
}

/// Adds a value that is replaced from time to time, such as a token: the last two of each owner are never printed.
pub fn keep_latest(owner: &str, value: &str) {
    OF_PROCESS.rcu(|kept| {
        let (values, mut changing) = kept
            .as_ref()
            .map_or_else(Default::default, |kept| (kept.values.clone(), kept.changing.clone()));
        let latest = changing.entry(owner.to_owned()).or_default();
        latest.push_front(value.to_owned());
        latest.truncate(2);
        Some(Arc::new(Secrets::with(values, changing)))
    });
}

/// [`mask`] for a line of the log.
#[must_use]
pub fn mask_bytes(text: &[u8]) -> Cow<'_, [u8]> {
    match OF_PROCESS.load().as_ref() {
        None => Cow::Borrowed(text),
        Some(kept) => kept.mask(text),
    }
}

/// Returns the forms in which a value may be printed.
fn forms(value: &str) -> Vec<String> {
    let mut plain = vec![value.to_owned()];
    plain.extend((0..3).flat_map(|before| base64(value, before)));
    let mut forms = Vec::new();
    for text in plain {
        for set in [NON_ALPHANUMERIC, &UNRESERVED, &QUERY] {
            let encoded = utf8_percent_encode(&text, set).to_string();
            forms.push(lower_hex(&encoded));
            forms.push(encoded.replace("%20", "+"));
            forms.push(encoded);
        }
        let json = escaped(&text);
        forms.push(ascii(&text));
        // JSON within JSON, such as a body in a log line.
        forms.push(escaped(&json));
        // JSON as some encoders write it, and HTML.
        forms.push(json.replace('/', "\\/"));
        forms.push(json);
        forms.push(html(&text));
        let debug = format!("{text:?}");
        forms.push(debug[1..debug.len() - 1].to_owned());
        forms.push(text.as_bytes().escape_ascii().to_string());
        forms.push(text);
    }
    forms.retain(|form| form.len() >= SHORTEST);
    forms
}

/// Returns the Base64 characters that depend on the value alone if `before` bytes (modulo 3) precede it, such as the
/// name and the colon of basic authentication.
fn base64(value: &str, before: usize) -> Vec<String> {
    let bytes = [&b"\0\0"[..before], value.as_bytes()].concat();
    let (first, last) = ((8 * before).div_ceil(6), 8 * bytes.len() / 6);
    let piece = |text: String| text.get(first..last).unwrap_or_default().to_owned();
    let pieces = [piece(STANDARD_NO_PAD.encode(&bytes)), piece(URL_SAFE_NO_PAD.encode(&bytes))];
    pieces.into_iter().filter(|piece| piece.len() >= SHORTEST_BASE64).collect()
}

/// Escapes a text for JSON.
fn escaped(text: &str) -> String {
    let quoted = serde_json::Value::from(text).to_string();
    quoted[1..quoted.len() - 1].to_owned()
}

/// Escapes a text for HTML.
fn html(text: &str) -> String {
    let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    text.replace('"', "&quot;").replace('\'', "&#39;")
}

/// Escapes a text for JSON in ASCII.
fn ascii(text: &str) -> String {
    let mut out = String::new();
    for letter in escaped(text).chars() {
        if letter.is_ascii() {
            out.push(letter);
            continue;
        }
        for unit in letter.encode_utf16(&mut [0; 2]) {
            // Writing to a String cannot fail.
            let _ = write!(out, "\\u{unit:04x}");
        }
    }
    out
}

/// Converts `%2F` to `%2f`.
fn lower_hex(encoded: &str) -> String {
    let mut out = String::with_capacity(encoded.len());
    let mut upper = 0;
    for letter in encoded.chars() {
        upper = if letter == '%' { 3 } else { usize::saturating_sub(upper, 1) };
        out.push(if upper > 0 { letter.to_ascii_lowercase() } else { letter });
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const VALUE: &str = "s3cr/t ké\"y+&";

    fn masked(text: &str) -> String {
        let secrets = Secrets::new([VALUE.to_owned(), "abc".to_owned(), "12345".to_owned()]);
        String::from_utf8(secrets.mask(text.as_bytes()).into_owned()).unwrap()
    }

    #[test]
    fn of_values_that_change_the_last_two_are_masked() {
        for value in ["first-value-of-it", "second-value-of-it", "third-value-of-it"] {
            keep_latest("an owner", value);
        }
        let text = "first-value-of-it second-value-of-it third-value-of-it";
        assert_eq!(mask(text), "first-value-of-it *** ***");
        let other = "another-owner-has-it";
        keep_latest("another owner", other);
        assert_eq!(mask("third-value-of-it another-owner-has-it"), "*** ***");
    }

    #[test]
    fn a_value_is_found_in_each_of_its_forms() {
        let basic = |user: &str| {
            base64::engine::general_purpose::STANDARD.encode(format!("{user}:{VALUE}"))
        };
        let once = serde_json::json!({ "body": VALUE }).to_string();
        let twice = serde_json::json!({ "line": once }).to_string();
        let mut texts = vec![
            format!("GET /x?key={VALUE} failed"),
            format!("/x?key={}", utf8_percent_encode(VALUE, NON_ALPHANUMERIC)),
            format!("/x?key={}", utf8_percent_encode(VALUE, &UNRESERVED)),
            "/x?key=s3cr%2Ft+k%C3%A9%22y%2B%26".to_owned(),
            r#"{"key":"s3cr\/t ké\"y+&"}"#.to_owned(),
            "<p>s3cr/t ké&quot;y+&amp;</p>".to_owned(),
            once,
            twice,
            format!("{:?}", format!("a {VALUE} b")),
            format!("{:?}", bytes::Bytes::from(VALUE)),
            ascii(VALUE),
        ];
        texts.push(lower_hex(&texts[1]));
        texts.extend(["a", "ab", "abc"].map(basic));
        for text in texts {
            let masked = masked(&text);
            assert!(masked.contains(MASK), "{text}: {masked}");
            for part in ["s3cr", "%C3%A9", "%c3%a9", "k\u{e9}", "00e9", "czNj"] {
                assert!(!masked.contains(part), "{text}: {masked}");
            }
        }
    }

    #[test]
    fn other_texts_stay_and_lines_stay_json() {
        assert_eq!(masked("abc and true"), "abc and true", "too short to be told from words");
        assert_eq!(masked(r#"{"n":12345,"m":"x12345"}"#), r#"{"n":"***","m":"x***"}"#);
        assert!(matches!(Secrets::default().mask(b"text"), Cow::Borrowed(_)));
    }

    #[test]
    fn values_that_overlap_are_masked_as_one() {
        let secrets = Secrets::new(["hunter2".to_owned(), "ter2000".to_owned(), "hunt".to_owned()]);
        assert_eq!(&*secrets.mask(b"a hunter2000 hunter2 b hunt"), b"a *** *** b ***");
    }
}
