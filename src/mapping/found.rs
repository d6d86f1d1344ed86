//! What an expression yields: mostly a place in a value that already exists, so that `$batch.id->joinNotNull(',')`
//! copies no key before it stands in the text.

use super::Failure;
use serde_json::Value;
use std::borrow::Cow;

pub(super) static NULL: Value = Value::Null;

#[derive(Debug)]
pub(super) enum Found<'a> {
    Borrowed(&'a Value),
    Owned(Value),
    /// A list made on the way, of elements that may still be borrowed.
    List(Vec<Found<'a>>),
}

impl<'a> From<Cow<'a, Value>> for Found<'a> {
    fn from(value: Cow<'a, Value>) -> Self {
        match value {
            Cow::Borrowed(value) => Self::Borrowed(value),
            Cow::Owned(value) => Self::Owned(value),
        }
    }
}

impl<'a> Found<'a> {
    pub(super) fn null() -> Self {
        Self::Borrowed(&NULL)
    }

    /// The value, where it is in one piece.
    pub(super) fn value(&self) -> Option<&Value> {
        match self {
            Self::Borrowed(value) => Some(value),
            Self::Owned(value) => Some(value),
            Self::List(_) => None,
        }
    }

    pub(super) fn is_null(&self) -> bool {
        self.value().is_some_and(Value::is_null)
    }

    /// The value, where it is a scalar or null.
    pub(super) fn scalar(&self) -> Result<&Value, Failure> {
        match self.value() {
            Some(Value::Array(_) | Value::Object(_)) | None => Err(Failure::NotScalar),
            Some(scalar) => Ok(scalar),
        }
    }

    pub(super) fn into_owned(self) -> Value {
        match self {
            Self::Borrowed(value) => value.clone(),
            Self::Owned(value) => value,
            Self::List(items) => Value::Array(items.into_iter().map(Self::into_owned).collect()),
        }
    }

    pub(super) fn to_owned_value(&self) -> Value {
        match self {
            Self::Borrowed(value) => (*value).clone(),
            Self::Owned(value) => value.clone(),
            Self::List(items) => Value::Array(items.iter().map(Self::to_owned_value).collect()),
        }
    }

    pub(super) fn into_cow(self) -> Cow<'a, Value> {
        match self {
            Self::Borrowed(value) => Cow::Borrowed(value),
            other => Cow::Owned(other.into_owned()),
        }
    }

    /// The elements of a list; anything else comes back as it is.
    pub(super) fn into_list(self) -> Result<Vec<Self>, Self> {
        match self {
            Self::Borrowed(Value::Array(items)) => Ok(items.iter().map(Self::Borrowed).collect()),
            Self::Owned(Value::Array(items)) => Ok(items.into_iter().map(Self::Owned).collect()),
            Self::List(items) => Ok(items),
            other => Err(other),
        }
    }

    /// `.name`: per element on a list; null where there is no such key, or nothing that could have one.
    pub(super) fn key(self, name: &str) -> Self {
        match self {
            Self::Borrowed(Value::Object(object)) => {
                object.get(name).map_or(Self::null(), Self::Borrowed)
            }
            Self::Owned(Value::Object(mut object)) => {
                object.swap_remove(name).map_or(Self::null(), Self::Owned)
            }
            other => match other.into_list() {
                Ok(items) => Self::List(items.into_iter().map(|item| item.key(name)).collect()),
                Err(_) => Self::null(),
            },
        }
    }

    /// How a message calls it.
    pub(super) fn kind(&self) -> &'static str {
        match self.value() {
            Some(Value::Null) => "null",
            Some(Value::Bool(_)) => "a boolean",
            Some(Value::Number(_)) => "a number",
            Some(Value::String(_)) => "a string",
            Some(Value::Array(_)) | None => "a list",
            Some(Value::Object(_)) => "an object",
        }
    }
}

/// Equality of JSON: numbers by value, so `1` equals `1.0`; objects whatever the order of their keys.
pub(super) fn equal(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => match (integer(left), integer(right)) {
            (Some(left), Some(right)) => left == right,
            _ => left.as_f64() == right.as_f64(),
        },
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

fn integer(number: &serde_json::Number) -> Option<i128> {
    number.as_i64().map(i128::from).or_else(|| number.as_u64().map(i128::from))
}
