//! Methods that access an object, a list or a text by key or by position.

use super::apply::{argument, refuse, wrong_argument};
use super::evaluate::Frame;
use super::found::Found;
use super::text;
use super::{Expr, Failure, Method};
use serde_json::{Map, Value};
use std::borrow::Cow;

/// `entries`, `keys`, `values`: lists the members of an object, in its order.
pub(super) fn listed<'a>(
    method: Method,
    receiver: Found<'a>,
    frame: Frame<'a>,
) -> Result<Found<'a>, Failure> {
    let members: Vec<(Cow<'a, str>, Found<'a>)> = match receiver {
        Found::Text(object) if object.starts_with('{') => {
            let members = text::members(object, frame.remaining)?.into_iter();
            members.map(|(key, value)| (key, Found::text(value))).collect()
        }
        Found::Borrowed(Value::Object(object)) => {
            frame.remaining.work(object.len() as u64)?;
            let member = |(key, value): (&'a String, &'a Value)| {
                (Cow::Borrowed(&**key), Found::Borrowed(value))
            };
            object.iter().map(member).collect()
        }
        Found::Owned(value) => match *value {
            Value::Object(object) => {
                let members = object.into_iter();
                members.map(|(key, value)| (Cow::Owned(key), Found::owned(value))).collect()
            }
            other => return refuse(method, &Found::owned(other)),
        },
        other => return refuse(method, &other),
    };
    let items = members.into_iter().map(|(key, value)| match method {
        Method::Keys => {
            frame.remaining.written(key.len())?;
            Ok(Found::owned(key))
        }
        Method::Values => Ok(value),
        _ => {
            frame.remaining.written(key.len())?;
            let value = value.into_owned(frame.remaining)?;
            let entry = [("key".to_owned(), key.into()), ("value".to_owned(), value)];
            Ok(Found::owned(Map::from_iter(entry)))
        }
    });
    Ok(Found::List(items.collect::<Result<_, Failure>>()?))
}

/// `has(key)`: true if the key exists, even with a null value, or if the position exists. False for other values and
/// keys.
pub(super) fn has<'a>(
    receiver: &Found<'a>,
    key: &'a Expr,
    frame: Frame<'a>,
) -> Result<Found<'a>, Failure> {
    let key = argument(key, receiver, frame)?;
    let holds = match (key.value(), receiver) {
        (Some(Value::Null), _) => return Ok(Found::null()),
        (Some(Value::String(key)), Found::Text(object)) if object.starts_with('{') => {
            text::member(object, key, frame.remaining)?.is_some()
        }
        (Some(Value::String(key)), receiver) => {
            let object = receiver.value().and_then(Value::as_object);
            object.is_some_and(|object| object.contains_key(key))
        }
        (Some(Value::Number(number)), receiver) => {
            match (length(receiver, frame)?, number.as_i64()) {
                (Some(length), Some(index)) => position(index, length).is_some(),
                _ => false,
            }
        }
        _ => false,
    };
    Ok(Found::owned(holds))
}

/// `get(key)`: returns the value of a key, or the element or character at a position. Negative positions count from the
/// end. Absent if it does not exist.
pub(super) fn get<'a>(
    receiver: Found<'a>,
    key: &'a Expr,
    frame: Frame<'a>,
) -> Result<Found<'a>, Failure> {
    let key = argument(key, &receiver, frame)?;
    let is_object = match &receiver {
        Found::Text(text) => text.starts_with('{'),
        other => other.value().is_some_and(Value::is_object),
    };
    match key.value() {
        Some(Value::Null) => Ok(Found::null()),
        Some(Value::String(key)) if is_object => receiver.key(key, frame.remaining),
        Some(Value::Number(number)) if !is_object => {
            let Some(length) = length(&receiver, frame)? else {
                return refuse(Method::Get, &receiver);
            };
            let Some(index) = number.as_i64() else { return wrong_argument(Method::Get, &key) };
            let Some(index) = position(index, length) else { return Ok(Found::Absent) };
            at_position(receiver, index, frame)
        }
        _ if is_object || length(&receiver, frame)?.is_some() => wrong_argument(Method::Get, &key),
        _ => refuse(Method::Get, &receiver),
    }
}

fn at_position<'a>(
    receiver: Found<'a>,
    index: usize,
    frame: Frame<'a>,
) -> Result<Found<'a>, Failure> {
    if let Some(Value::String(text)) = receiver.value() {
        let char = text.chars().nth(index);
        return Ok(char.map_or(Found::Absent, |char| Found::owned(char.to_string())));
    }
    match receiver.into_list(frame.remaining)? {
        Ok(items) => Ok(items.into_iter().nth(index).unwrap_or(Found::Absent)),
        Err(other) => refuse(Method::Get, &other),
    }
}

/// Returns the number of elements of a list, or of characters of a text; `None` for everything else.
fn length(receiver: &Found<'_>, frame: Frame<'_>) -> Result<Option<usize>, Failure> {
    Ok(match receiver {
        Found::List(items) => Some(items.len()),
        Found::Text(text) if text.starts_with('[') => Some(text::size(text, frame.remaining)?),
        other => match other.value() {
            Some(Value::Array(items)) => Some(items.len()),
            Some(Value::String(text)) => Some(text.chars().count()),
            _ => None,
        },
    })
}

fn position(index: i64, length: usize) -> Option<usize> {
    let length = i64::try_from(length).ok()?;
    let index = if index < 0 { length.checked_add(index)? } else { index };
    usize::try_from(index).ok().filter(|_| index < length)
}
