//! Methods of texts, and conversions between a value and its JSON text.

use super::apply::{argument, refuse, whole_number, wrong_argument};
use super::evaluate::Frame;
use super::found::Found;
use super::text;
use super::{Expr, Failure, Method};
use serde_json::Value;

/// Returns the text that a method is applied to.
fn receiver_text<'r>(method: Method, receiver: &'r Found<'_>) -> Result<&'r str, Failure> {
    match receiver.value() {
        Some(Value::String(text)) => Ok(text),
        _ => refuse(method, receiver),
    }
}

/// Evaluates an argument that is a text; `None` for null.
fn text_argument<'a>(
    method: Method,
    expr: &'a Expr,
    receiver: &Found<'a>,
    frame: Frame<'a>,
) -> Result<Option<Found<'a>>, Failure> {
    let found = argument(expr, receiver, frame)?;
    match found.value() {
        Some(Value::Null) => Ok(None),
        Some(Value::String(_)) => Ok(Some(found)),
        _ => wrong_argument(method, &found),
    }
}

fn text_of<'f>(found: &'f Found<'_>) -> &'f str {
    found.value().and_then(Value::as_str).unwrap_or_default()
}

/// `lower`, `upper`, `trim`: converts a text.
pub(super) fn transform<'a>(method: Method, receiver: &Found<'a>) -> Result<Found<'a>, Failure> {
    let text = receiver_text(method, receiver)?;
    Ok(Found::owned(match method {
        Method::Lower => text.to_lowercase(),
        Method::Upper => text.to_uppercase(),
        _ => text.trim().to_owned(),
    }))
}

/// `startsWith(prefix)`, and `contains(part)` for a text: returns `true` if it has that part. Null if the argument is
/// null.
pub(super) fn test<'a>(
    method: Method,
    receiver: &Found<'a>,
    part: &'a Expr,
    frame: Frame<'a>,
) -> Result<Found<'a>, Failure> {
    let text = receiver_text(method, receiver)?;
    let Some(part) = text_argument(method, part, receiver, frame)? else {
        return Ok(Found::null());
    };
    let part = text_of(&part);
    let holds =
        if method == Method::StartsWith { text.starts_with(part) } else { text.contains(part) };
    Ok(Found::owned(holds))
}

/// `replace(from, to)`: replaces every `from`. An empty one occurs nowhere.
pub(super) fn replace<'a>(
    receiver: Found<'a>,
    from: &'a Expr,
    to: &'a Expr,
    frame: Frame<'a>,
) -> Result<Found<'a>, Failure> {
    let text = receiver_text(Method::Replace, &receiver)?;
    let from = text_argument(Method::Replace, from, &receiver, frame)?;
    let to = text_argument(Method::Replace, to, &receiver, frame)?;
    let (Some(from), Some(to)) = (from, to) else { return Ok(Found::null()) };
    let (from, to) = (text_of(&from), text_of(&to));
    if from.is_empty() {
        return Ok(receiver);
    }
    let count = text.matches(from).count();
    frame.remaining.written(text.len() + count.saturating_mul(to.len()))?;
    Ok(Found::owned(text.replace(from, to)))
}

/// `split(separator, limit)`: returns the parts between separators, or the characters if the separator is empty.
pub(super) fn split<'a>(
    receiver: &Found<'a>,
    arguments: &'a [Expr],
    frame: Frame<'a>,
) -> Result<Found<'a>, Failure> {
    let text = receiver_text(Method::Split, receiver)?;
    let [separator, rest @ ..] = arguments else { return Ok(Found::null()) };
    let Some(separator) = text_argument(Method::Split, separator, receiver, frame)? else {
        return Ok(Found::null());
    };
    let mut limit = usize::MAX;
    if let Some(given) = rest.first() {
        let given = argument(given, receiver, frame)?;
        limit = whole_number(Method::Split, &given)?.unwrap_or(usize::MAX);
    }
    let part = |part: &str| {
        frame.remaining.hold(1)?;
        frame.remaining.written(part.len())?;
        Ok(Found::owned(part))
    };
    let separator = text_of(&separator);
    let parts: Result<_, Failure> = if separator.is_empty() {
        let chars = text.chars().take(limit);
        chars.map(|char| part(char.encode_utf8(&mut [0; 4]))).collect()
    } else {
        text.split(separator).take(limit).map(part).collect()
    };
    Ok(Found::List(parts?))
}

/// `jsonParse`: parses a text as JSON.
pub(super) fn json_parse<'a>(receiver: &Found<'a>, frame: Frame<'a>) -> Result<Found<'a>, Failure> {
    let json = receiver_text(Method::JsonParse, receiver)?.trim_ascii();
    match text::parse(json, frame.remaining) {
        Ok(value) => Ok(Found::owned(value)),
        Err(Failure::OutOfRange) => Err(Failure::NotJson),
        Err(failure) => Err(failure),
    }
}

/// `jsonStringify`: writes a value as JSON text.
pub(super) fn json_stringify<'a>(
    receiver: Found<'a>,
    frame: Frame<'a>,
) -> Result<Found<'a>, Failure> {
    let value = receiver.into_cow(frame.remaining)?;
    let json = value.to_string();
    frame.remaining.written(json.len())?;
    Ok(Found::owned(json))
}
