//! Rendering of URLs: every value is percent-encoded for its position (RFC 3986).
//!
//! A value can never change the structure of the URL. In a segment and in a query value everything but the unreserved
//! characters is encoded, so a slash, a question mark or a percent sign stays part of the value. Encoding cannot
//! protect against a segment that is empty, `.` or `..`, so that is refused.

use super::evaluate::{Frame, evaluate};
use super::found::Found;
use super::template::{Parameter, Part, Piece};
use super::{Expr, Failure};
use percent_encoding::{AsciiSet, CONTROLS, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

/// All but the unreserved characters of RFC 3986 §2.3.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// A comma separates nothing in a query, and `ids=1,2,3` is easier to read in a log.
const QUERY: &AsciiSet = &SEGMENT.remove(b',');
/// Characters that are not allowed in any URL.
const LITERAL: &AsciiSet =
    &CONTROLS.add(b' ').add(b'"').add(b'<').add(b'>').add(b'\\').add(b'^').add(b'`').add(b'|');

pub(super) fn render<'a>(
    path: &'a [Piece],
    query: &'a [Parameter],
    frame: Frame<'a>,
    capacity: usize,
) -> Result<String, Failure> {
    let mut out = String::with_capacity(capacity);
    for piece in path {
        match piece {
            Piece::Text(text) => out.push_str(text),
            Piece::Segment(parts) => push_segment(&mut out, parts, frame)?,
        }
    }
    let mut separator = '?';
    for parameter in query {
        let written = match parameter {
            Parameter::Text(text) => {
                out.push(separator);
                out.push_str(text);
                true
            }
            Parameter::Value { name, parts } => {
                push_parameter(&mut out, separator, name, parts, frame)?
            }
        };
        if written {
            separator = '&';
        }
    }
    Ok(out)
}

fn push_segment<'a>(out: &mut String, parts: &'a [Part], frame: Frame<'a>) -> Result<(), Failure> {
    out.push('/');
    let start = out.len();
    if !push_parts(out, parts, frame, SEGMENT)? || out.len() == start {
        return Err(Failure::EmptySegment);
    }
    if is_dots(&out[start..]) {
        return Err(Failure::DotSegment);
    }
    Ok(())
}

/// Writes a parameter. Returns `false` if there was nothing to write.
fn push_parameter<'a>(
    out: &mut String,
    separator: char,
    name: &str,
    parts: &'a [Part],
    frame: Frame<'a>,
) -> Result<bool, Failure> {
    if let [Part::Value(expr)] = parts {
        return push_whole(out, separator, name, expr, frame);
    }
    let start = out.len();
    out.push(separator);
    out.push_str(name);
    let written = push_parts(out, parts, frame, QUERY)?;
    if !written {
        out.truncate(start);
    }
    Ok(written)
}

/// Writes a parameter whose value is one expression. It is repeated for a list.
fn push_whole<'a>(
    out: &mut String,
    mut separator: char,
    name: &str,
    expr: &'a Expr,
    frame: Frame<'a>,
) -> Result<bool, Failure> {
    let found = evaluate(expr, frame)?;
    let start = out.len();
    let mut push = |value: &Value| {
        if !value.is_null() {
            out.push(separator);
            out.push_str(name);
            push_scalar(out, value, QUERY)?;
            separator = '&';
        }
        Ok(())
    };
    match &found {
        Found::List(items) => items.iter().try_for_each(|item| push(item.scalar()?))?,
        _ => match found.scalar() {
            Ok(value) => push(value)?,
            Err(failure) => match found.value() {
                Some(Value::Array(items)) => items.iter().try_for_each(push)?,
                _ => return Err(failure),
            },
        },
    }
    Ok(out.len() > start)
}

/// Writes the parts. Returns `false` if a value is null.
fn push_parts<'a>(
    out: &mut String,
    parts: &'a [Part],
    frame: Frame<'a>,
    set: &'static AsciiSet,
) -> Result<bool, Failure> {
    for part in parts {
        match part {
            Part::Text(text) => out.push_str(text),
            Part::Value(expr) => {
                let found = evaluate(expr, frame)?;
                let value = found.scalar()?;
                if value.is_null() {
                    return Ok(false);
                }
                push_scalar(out, value, set)?;
            }
        }
    }
    Ok(true)
}

fn push_scalar(out: &mut String, value: &Value, set: &'static AsciiSet) -> Result<(), Failure> {
    match value {
        Value::Null => {}
        Value::Bool(true) => out.push_str("true"),
        Value::Bool(false) => out.push_str("false"),
        Value::String(text) => out.extend(utf8_percent_encode(text, set)),
        // `1e+30` has a plus sign, which a query decodes as a space.
        Value::Number(number) => out.extend(utf8_percent_encode(number.as_str(), set)),
        Value::Array(_) | Value::Object(_) => return Err(Failure::NotScalar),
    }
    Ok(())
}

/// Encodes a text as one segment.
pub(super) fn encode_segment(text: &str) -> String {
    utf8_percent_encode(text, SEGMENT).to_string()
}

/// Writes one character of literal text, encoded if it is not allowed in a URL.
pub(super) fn push_literal(out: &mut String, char: char) {
    out.extend(utf8_percent_encode(char.encode_utf8(&mut [0; 4]), LITERAL));
}

/// Returns `true` for `.` and `..`, also with a dot written as `%2e`, and also before a `;`, because some servers cut
/// what comes after it off first.
pub(super) fn is_dots(segment: &str) -> bool {
    let mut rest = segment.split(';').next().unwrap_or_default();
    let mut dots = 0;
    while !rest.is_empty() {
        let encoded = rest.get(..3).is_some_and(|head| head.eq_ignore_ascii_case("%2e"));
        let Some(after) = (if encoded { rest.get(3..) } else { rest.strip_prefix('.') }) else {
            return false;
        };
        rest = after;
        dots += 1;
    }
    dots == 1 || dots == 2
}

/// Returns `true` for a character that would end a header line, or that is not allowed in a header.
pub(super) fn is_control(char: char) -> bool {
    (char < ' ' && char != '\t') || char == '\u{7f}'
}
