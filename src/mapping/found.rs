//! Result of an expression: mostly a reference to an existing value, so that `$batch.id->joinNotNull(',')` copies each
//! key only once, into the text.

use super::Failure;
use super::decimal::by_size;
use super::remaining::Remaining;
use super::text;
use serde_json::Value;
use std::borrow::Cow;

pub(super) static NULL: Value = Value::Null;

#[derive(Debug)]
pub(super) enum Found<'a> {
    Borrowed(&'a Value),
    Owned(Box<Value>),
    /// JSON text that is not null.
    Text(&'a str),
    /// A list that was created by evaluation. Its elements may still be borrowed.
    List(Vec<Found<'a>>),
    /// Value of a missing key. Counts as null, except that objects of a request leave it out.
    Absent,
}

impl<'a> From<Cow<'a, Value>> for Found<'a> {
    fn from(value: Cow<'a, Value>) -> Self {
        match value {
            Cow::Borrowed(value) => Self::Borrowed(value),
            Cow::Owned(value) => Self::owned(value),
        }
    }
}

impl<'a> Found<'a> {
    pub(super) fn null() -> Self {
        Self::Borrowed(&NULL)
    }

    pub(super) fn owned(value: impl Into<Value>) -> Self {
        Self::Owned(Box::new(value.into()))
    }

    /// Wraps JSON text.
    pub(super) fn text(text: &'a str) -> Self {
        if text == "null" { Self::null() } else { Self::Text(text) }
    }

    /// Parses a scalar's text into its value.
    pub(super) fn parsed(self) -> Result<Self, Failure> {
        match self {
            Self::Text(scalar) if !text::is_container(scalar) => {
                Ok(Self::owned(text::parse(scalar, Remaining::UNBOUNDED)?))
            }
            other => Ok(other),
        }
    }

    /// Returns the value, unless it is a text or a list that was created by evaluation.
    pub(super) fn value(&self) -> Option<&Value> {
        match self {
            Self::Borrowed(value) => Some(value),
            Self::Owned(value) => Some(value),
            Self::Absent => Some(&NULL),
            Self::Text(_) | Self::List(_) => None,
        }
    }

    pub(super) fn is_absent(&self) -> bool {
        matches!(self, Self::Absent)
    }

    /// Copies everything that is borrowed.
    pub(super) fn detached<'b>(self, remaining: Remaining<'_>) -> Result<Found<'b>, Failure> {
        if self.is_absent() {
            return Ok(Found::Absent);
        }
        Ok(Found::owned(self.into_owned(remaining)?))
    }

    pub(super) fn is_null(&self) -> bool {
        self.value().is_some_and(Value::is_null)
    }

    /// Returns the value of a scalar or null.
    pub(super) fn scalar(&self) -> Result<&Value, Failure> {
        match self.value() {
            Some(Value::Array(_) | Value::Object(_)) | None => Err(Failure::NotScalar),
            Some(scalar) => Ok(scalar),
        }
    }

    pub(super) fn into_owned(self, remaining: Remaining<'_>) -> Result<Value, Failure> {
        Ok(match self {
            Self::Borrowed(value) => {
                remaining.walk(value)?;
                value.clone()
            }
            Self::Owned(value) => *value,
            Self::Absent => Value::Null,
            Self::Text(text) => text::parse(text, remaining)?,
            Self::List(items) => items
                .into_iter()
                .map(|item| item.into_owned(remaining))
                .collect::<Result<_, _>>()?,
        })
    }

    pub(super) fn to_owned_value(&self, remaining: Remaining<'_>) -> Result<Value, Failure> {
        Ok(match self {
            Self::Borrowed(value) => {
                remaining.walk(value)?;
                (*value).clone()
            }
            Self::Owned(value) => {
                remaining.walk(value)?;
                (**value).clone()
            }
            Self::Absent => Value::Null,
            Self::Text(text) => text::parse(text, remaining)?,
            Self::List(items) => {
                items.iter().map(|item| item.to_owned_value(remaining)).collect::<Result<_, _>>()?
            }
        })
    }

    pub(super) fn into_cow(self, remaining: Remaining<'_>) -> Result<Cow<'a, Value>, Failure> {
        match self {
            Self::Borrowed(value) => Ok(Cow::Borrowed(value)),
            Self::Absent => Ok(Cow::Borrowed(&NULL)),
            other => other.into_owned(remaining).map(Cow::Owned),
        }
    }

    /// Returns the elements of a list; anything else is returned as it is.
    pub(super) fn into_list(
        self,
        remaining: Remaining<'_>,
    ) -> Result<Result<Vec<Self>, Self>, Failure> {
        Ok(match self {
            Self::Borrowed(Value::Array(items)) => Ok(items.iter().map(Self::Borrowed).collect()),
            Self::Owned(value) if value.is_array() => match *value {
                Value::Array(items) => Ok(items.into_iter().map(Self::owned).collect()),
                other => Err(Self::owned(other)),
            },
            Self::Text(text) if text.starts_with('[') => Ok(text::elements(text, remaining)?),
            Self::List(items) => Ok(items),
            other => Err(other),
        })
    }

    /// Evaluates `.name`, for each element of a list. Absent if there is no such key, or the value cannot have keys.
    /// Null stays null.
    pub(super) fn key(self, name: &str, remaining: Remaining<'_>) -> Result<Self, Failure> {
        Ok(match self {
            Self::Borrowed(Value::Object(object)) => {
                object.get(name).map_or(Self::Absent, Self::Borrowed)
            }
            null if null.is_null() => null,
            Self::Owned(mut value) if value.is_object() => {
                let member = value.as_object_mut().and_then(|object| object.swap_remove(name));
                member.map_or(Self::Absent, Self::owned)
            }
            Self::Text(text) if text.starts_with('{') => {
                text::member(text, name, remaining)?.map_or(Self::Absent, Self::text)
            }
            other => match other.into_list(remaining)? {
                Ok(items) => {
                    let keys = items.into_iter().map(|item| item.key(name, remaining));
                    Self::List(keys.collect::<Result<_, _>>()?)
                }
                Err(_) => Self::Absent,
            },
        })
    }

    /// Appends it as JSON.
    pub(super) fn write(&self, out: &mut String, remaining: Remaining<'_>) -> Result<(), Failure> {
        let start = out.len();
        match self {
            Self::Borrowed(value) => push(out, value),
            Self::Owned(value) => push(out, value),
            Self::Absent => out.push_str("null"),
            Self::Text(text) => {
                remaining.written(text.len())?;
                out.push_str(text);
                return Ok(());
            }
            Self::List(items) => {
                out.push('[');
                for (index, item) in items.iter().enumerate() {
                    out.push_str(if index == 0 { "" } else { "," });
                    item.write(out, remaining)?;
                }
                out.push(']');
                return Ok(());
            }
        }
        remaining.written(out.len() - start)
    }

    /// Returns the size of a scalar in bytes; 0 for everything else.
    pub(super) fn scalar_bytes(&self) -> usize {
        match (self, self.value()) {
            (Self::Text(text), _) if !text::is_container(text) => text.len(),
            (_, Some(Value::String(text))) => text.len(),
            (_, Some(Value::Number(number))) => number.as_str().len(),
            _ => 0,
        }
    }

    /// Returns its description in messages.
    pub(super) fn kind(&self) -> &'static str {
        match (self, self.value()) {
            (_, Some(Value::Null)) => "null",
            (_, Some(Value::Bool(_))) => "a boolean",
            (_, Some(Value::Number(_))) => "a number",
            (_, Some(Value::String(_))) => "a string",
            (_, Some(Value::Object(_))) => "an object",
            (Self::Text(text), None) => match text.as_bytes().first() {
                Some(b'{') => "an object",
                Some(b'[') => "a list",
                Some(b'"') => "a string",
                Some(b't' | b'f') => "a boolean",
                _ => "a number",
            },
            (_, Some(Value::Array(_)) | None) => "a list",
        }
    }
}

fn push(out: &mut String, value: &Value) {
    use std::fmt::Write as _;
    // Writing to a string cannot fail.
    let _ = write!(out, "{value}");
}

/// Compares JSON values: numbers by value, so `1` equals `1.0`; objects independently of the order of their keys.
pub(super) fn equal(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => by_size(left, right).is_eq(),
        (Value::Array(left), Value::Array(right)) => {
            left.len() == right.len()
                && left.iter().zip(right).all(|(left, right)| equal(left, right))
        }
        (Value::Object(left), Value::Object(right)) => {
            left.len() == right.len()
                && left
                    .iter()
                    .all(|(key, left)| right.get(key).is_some_and(|right| equal(left, right)))
        }
        _ => left == right,
    }
}
