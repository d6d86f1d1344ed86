//! Checks of a reply's JSON (RFC 8259), beyond those of skipping over it: no lone surrogates, and at most 128 levels.
//!
//! A leaf is passed on as it was written, without unescaping. Everything that an unescaping reader would refuse is
//! refused here, so that the same reply is always accepted or always refused, whichever parts are read.

use memchr::memmem::Finder;
use serde_json::value::RawValue;
use std::sync::LazyLock;

/// Maximum nesting of lists and objects, the same as in `serde_json`.
const MAX_DEPTH: usize = 128;

/// Returns a whole body as JSON text: `null` if it is empty.
///
/// # Errors
/// If it is not UTF-8, not JSON, or fails the checks of this module.
pub(in crate::engine) fn valid(body: &[u8]) -> Result<&str, String> {
    let text = text(body)?;
    if is_empty(text) {
        return Ok("null");
    }
    serde_json::from_str::<&RawValue>(text).map_err(|error| error.to_string())?;
    leaf(text.trim_ascii())?;
    Ok(text)
}

/// Returns a body as text without lone surrogates.
pub(super) fn text(body: &[u8]) -> Result<&str, String> {
    let text = std::str::from_utf8(body).map_err(|error| format!("not UTF-8: {error}"))?;
    surrogates(text.as_bytes())?;
    Ok(text)
}

/// Returns `true` if the text is only JSON white space.
pub(super) fn is_empty(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r'))
}

static ESCAPE: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"\\u"));

/// Checks the `\u` escapes of the strings in a text. Other escapes, such as `\n`, are common and cannot be wrong here.
fn surrogates(text: &[u8]) -> Result<(), String> {
    let mut at = 0;
    while let Some(found) = ESCAPE.find(&text[at..]) {
        let start = at + found;
        let before = text[at..start].iter().rev().take_while(|byte| **byte == b'\\').count();
        let is_escaped = before % 2 == 1;
        at = match unit(text, start).filter(|_| !is_escaped) {
            None => start + 2,
            Some(0xD800..=0xDBFF) => match unit(text, start + 6) {
                Some(0xDC00..=0xDFFF) => start + 12,
                _ => return Err(lone(start)),
            },
            Some(0xDC00..=0xDFFF) => return Err(lone(start)),
            Some(_) => start + 6,
        };
    }
    Ok(())
}

fn lone(at: usize) -> String {
    format!("a lone surrogate in a string, at byte {at}")
}

/// Returns the UTF-16 unit of the escape at this position.
fn unit(text: &[u8], at: usize) -> Option<u16> {
    let digits = text.get(at..at + 6)?.strip_prefix(b"\\u")?;
    u16::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

/// Checks a leaf whose syntax is valid.
///
/// # Errors
/// If it nests too deep.
pub(super) fn leaf(json: &str) -> Result<(), &'static str> {
    let json = json.as_bytes();
    if !matches!(json.first(), Some(b'{' | b'[')) {
        return Ok(());
    }
    let (mut depth, mut at) = (0_usize, 0);
    while let Some(byte) = json.get(at) {
        match byte {
            b'"' => at = end_of_string(json, at),
            b'[' | b'{' => depth += 1,
            b']' | b'}' => depth -= 1,
            _ => {}
        }
        if depth >= MAX_DEPTH {
            return Err("recursion limit exceeded");
        }
        at += 1;
    }
    Ok(())
}

/// Returns the position of the closing quote of the string that begins at `start`.
fn end_of_string(json: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while let Some(found) = memchr::memchr2(b'"', b'\\', &json[at.min(json.len())..]) {
        at += found;
        if json[at] == b'"' {
            return at;
        }
        at += 2;
    }
    json.len()
}
