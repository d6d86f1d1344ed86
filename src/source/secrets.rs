//! Values that are never printed: those of the configuration and of the schema that came out of the environment.
//!
//! A value goes into URLs, headers and bodies, and from there into other libraries' errors and debug lines, encoded in one
//! way or another. So it is looked for in the finished text, in each of its usual forms, and not marked where it is used.
//! One list for the process, since there is one log. A value shorter than four bytes is not looked for: it would be found
//! in half of all words.

use aho_corasick::{AhoCorasick, MatchKind};
use arc_swap::ArcSwapOption;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::Arc;

/// Shorter values are part of too many words.
const SHORTEST: usize = 4;

/// The shortest piece of Base64 that is looked for.
const SHORTEST_BASE64: usize = 6;

/// Stands for a value.
pub const MASK: &str = "***";

/// What a URL's path or query may hold as it is (RFC 3986, section 2.3 "Unreserved Characters").
const UNRESERVED: AsciiSet = NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// What a query may hold as it is (RFC 3986, section 3.4 "Query").
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

/// Values, and the texts that they are found by.
#[derive(Default)]
pub struct Secrets {
    values: BTreeSet<String>,
    forms: Option<AhoCorasick>,
}

impl Secrets {
    /// Looks for these values; the short ones are left out.
    #[must_use]
    pub fn new(values: impl IntoIterator<Item = String>) -> Self {
        let is_name = |value: &String| matches!(value.as_str(), "true" | "false" | "null");
        let values = values.into_iter().filter(|value| value.len() >= SHORTEST && !is_name(value));
        let values: BTreeSet<String> = values.collect();
        let forms: BTreeSet<String> = values.iter().flat_map(|value| forms(value)).collect();
        // Fails for gigabytes of patterns only, which no environment holds.
        let build = || AhoCorasick::builder().match_kind(MatchKind::Standard).build(&forms).ok();
        let forms = if forms.is_empty() { None } else { build() };
        Self { values, forms }
    }

    /// The text with [`MASK`] for every value.
    #[must_use]
    pub fn mask<'t>(&self, text: &'t [u8]) -> Cow<'t, [u8]> {
        let Some(forms) = &self.forms else { return Cow::Borrowed(text) };
        // They may overlap, as one value may be the beginning of another.
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

/// Adds values that the process never prints.
pub fn keep(values: impl IntoIterator<Item = String>) {
    let values: BTreeSet<String> = values.into_iter().collect();
    OF_PROCESS.rcu(|kept| {
        let known = kept.iter().flat_map(|kept| &kept.values);
        let all = Secrets::new(known.chain(&values).cloned().collect::<Vec<_>>());
        match kept {
            Some(kept) if kept.values == all.values => Some(Arc::clone(kept)),
            _ => Some(Arc::new(all)),
        }
    });
}

/// The text with [`MASK`] for every value that the process never prints.
#[must_use]
pub fn mask(text: &str) -> Cow<'_, str> {
    match mask_bytes(text.as_bytes()) {
        Cow::Borrowed(_) => Cow::Borrowed(text),
        Cow::Owned(masked) => Cow::Owned(String::from_utf8_lossy(&masked).into_owned()),
    }
}

/// [`mask`] for a line of the log.
#[must_use]
pub fn mask_bytes(text: &[u8]) -> Cow<'_, [u8]> {
    match OF_PROCESS.load().as_ref() {
        None => Cow::Borrowed(text),
        Some(kept) => kept.mask(text),
    }
}

/// The texts that a value may be printed as.
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
        // A text of JSON in a text of JSON, as a body in a line of the log.
        forms.push(escaped(&json));
        forms.push(json);
        let debug = format!("{text:?}");
        forms.push(debug[1..debug.len() - 1].to_owned());
        forms.push(text.as_bytes().escape_ascii().to_string());
        forms.push(text);
    }
    forms.retain(|form| form.len() >= SHORTEST);
    forms
}

/// The characters of Base64 that a value decides alone where `before` bytes (modulo 3) stand before it, such as the name
/// and the colon of basic authentication.
fn base64(value: &str, before: usize) -> Vec<String> {
    let bytes = [&b"\0\0"[..before], value.as_bytes()].concat();
    let (first, last) = ((8 * before).div_ceil(6), 8 * bytes.len() / 6);
    let piece = |text: String| text.get(first..last).unwrap_or_default().to_owned();
    let pieces = [piece(STANDARD_NO_PAD.encode(&bytes)), piece(URL_SAFE_NO_PAD.encode(&bytes))];
    pieces.into_iter().filter(|piece| piece.len() >= SHORTEST_BASE64).collect()
}

/// As it stands between the quotes of JSON.
fn escaped(text: &str) -> String {
    let quoted = serde_json::Value::from(text).to_string();
    quoted[1..quoted.len() - 1].to_owned()
}

/// As it stands between the quotes of JSON that is written in ASCII alone.
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

/// `%2f` for `%2F`.
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
