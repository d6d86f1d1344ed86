//! JSON text that is read as far as an expression asks for it, and never made into a tree.
//!
//! A reply may have a million values of which a mapping reads ten. Every text here is valid JSON, at most 128 levels deep.

use super::Failure;
use super::found::Found;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::cell::Cell;
use std::collections::HashSet;
use std::fmt;

/// The number of values that may still be held; `None`: not bounded.
#[derive(Clone, Copy)]
pub(super) struct Values<'a>(pub(super) Option<&'a Cell<u64>>);

impl Values<'_> {
    pub(super) fn take(self, count: u64) -> Result<(), Failure> {
        let Some(left) = self.0 else { return Ok(()) };
        let rest = left.get().checked_sub(count).ok_or(Failure::TooManyValues)?;
        left.set(rest);
        Ok(())
    }
}

pub(super) fn is_container(text: &str) -> bool {
    text.starts_with(['{', '['])
}

/// A value as a tree; each of its values is counted.
pub(super) fn parse(text: &str, values: Values<'_>) -> Result<Value, Failure> {
    if is_container(text) {
        // A comma stands between two values. Those within strings are counted too, which only a text at the limit notices.
        values.take(1 + text.bytes().filter(|byte| *byte == b',').count() as u64)?;
    }
    serde_json::from_str(text).map_err(|_| Failure::OutOfRange)
}

/// The elements of a list.
pub(super) fn elements<'a>(text: &'a str, values: Values<'_>) -> Result<Vec<Found<'a>>, Failure> {
    let mut elements = Vec::new();
    each_element(text, |element| {
        values.take(1)?;
        elements.push(Found::text(element));
        Ok(())
    })?;
    Ok(elements)
}

/// The number of elements of a list, or of keys of an object.
pub(super) fn size(text: &str, values: Values<'_>) -> Result<usize, Failure> {
    if text.starts_with('[') {
        let mut count = 0;
        each_element(text, |_| {
            count += 1;
            Ok(())
        })?;
        return Ok(count);
    }
    let mut keys = HashSet::new();
    each_member(text, |key, _| {
        values.take(1)?;
        keys.insert(key);
        Ok(())
    })?;
    Ok(keys.len())
}

/// The value under a key of an object; of several the last one.
pub(super) fn member<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let mut found = None;
    let find = |key: Cow<'a, str>, value| {
        if key == name {
            found = Some(value);
        }
        Ok(())
    };
    each_member(text, find).ok()?;
    found
}

/// An object whose values are looked up several times.
pub(super) struct Members<'a> {
    pub(super) text: &'a str,
    members: Vec<(Cow<'a, str>, &'a str)>,
}

/// Bytes of the largest object that is read once for all its fields. A larger one is read for each of them.
const LARGE: usize = 64 << 10;

impl<'a> Members<'a> {
    /// `None`: not an object, or a large one.
    pub(super) fn read(text: &'a str) -> Option<Self> {
        if !text.starts_with('{') || text.len() > LARGE {
            return None;
        }
        let mut members = Vec::new();
        let push = |key, value| {
            members.push((key, value));
            Ok(())
        };
        each_member(text, push).ok()?;
        Some(Self { text, members })
    }

    pub(super) fn get(&self, name: &str) -> Option<&'a str> {
        self.members.iter().rfind(|(key, _)| key == name).map(|(_, value)| *value)
    }
}

fn each_element<'a>(
    text: &'a str,
    take: impl FnMut(&'a str) -> Result<(), Failure>,
) -> Result<(), Failure> {
    read(text, Elements(take))
}

fn each_member<'a>(
    text: &'a str,
    take: impl FnMut(Cow<'a, str>, &'a str) -> Result<(), Failure>,
) -> Result<(), Failure> {
    read(text, Entries(take))
}

/// Stops at the first failure.
fn read<'a, V: Visitor<'a, Value = Result<(), Failure>>>(
    text: &'a str,
    visitor: V,
) -> Result<(), Failure> {
    // Valid text cannot fail otherwise than by stopping early, which leaves a rest.
    serde_json::Deserializer::from_str(text).deserialize_any(visitor).unwrap_or(Ok(()))
}

struct Elements<F>(F);

impl<'a, F: FnMut(&'a str) -> Result<(), Failure>> Visitor<'a> for Elements<F> {
    type Value = Result<(), Failure>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'a>>(mut self, mut list: A) -> Result<Self::Value, A::Error> {
        while let Some(element) = list.next_element::<&RawValue>()? {
            if let Err(failure) = (self.0)(element.get()) {
                while list.next_element::<IgnoredAny>()?.is_some() {}
                return Ok(Err(failure));
            }
        }
        Ok(Ok(()))
    }
}

struct Entries<F>(F);

impl<'a, F: FnMut(Cow<'a, str>, &'a str) -> Result<(), Failure>> Visitor<'a> for Entries<F> {
    type Value = Result<(), Failure>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'a>>(mut self, mut map: A) -> Result<Self::Value, A::Error> {
        while let Some(key) = map.next_key_seed(Key)? {
            if let Err(failure) = (self.0)(key, map.next_value::<&RawValue>()?.get()) {
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                return Ok(Err(failure));
            }
        }
        Ok(Ok(()))
    }
}

/// A key, borrowed unless it has escapes.
struct Key;

impl<'a> DeserializeSeed<'a> for Key {
    type Value = Cow<'a, str>;

    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'a> Visitor<'a> for Key {
    type Value = Cow<'a, str>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a key")
    }

    fn visit_borrowed_str<E>(self, key: &'a str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(key))
    }

    fn visit_str<E>(self, key: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(key.to_owned()))
    }
}
