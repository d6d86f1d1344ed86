//! JSON text that is parsed only as far as an expression reads it, and never made into a tree.
//!
//! A reply may have a million values of which a mapping reads ten. Every text here is valid JSON, at most 128 levels
//! deep.

use super::Failure;
use super::found::Found;
use super::remaining::Remaining;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::fmt;

pub(super) fn is_container(text: &str) -> bool {
    text.starts_with(['{', '['])
}

/// Parses a value as a tree, and counts each of its values.
pub(super) fn parse(text: &str, remaining: Remaining<'_>) -> Result<Value, Failure> {
    remaining.read(text.len())?;
    if is_container(text) {
        // A comma separates two values. Commas in strings are counted too, which matters only for a text at the limit.
        remaining.hold(1 + text.bytes().filter(|byte| *byte == b',').count() as u64)?;
    }
    serde_json::from_str(text).map_err(|_| Failure::OutOfRange)
}

/// Returns the elements of a list.
pub(super) fn elements<'a>(
    text: &'a str,
    remaining: Remaining<'_>,
) -> Result<Vec<Found<'a>>, Failure> {
    remaining.read(text.len())?;
    let mut elements = Vec::new();
    each_element(text, |element| {
        remaining.hold(1)?;
        elements.push(Found::text(element));
        Ok(())
    })?;
    Ok(elements)
}

/// Returns the number of elements of a list, or of keys of an object.
pub(super) fn size(text: &str, remaining: Remaining<'_>) -> Result<usize, Failure> {
    remaining.read(text.len())?;
    if text.starts_with('[') {
        let mut count = 0;
        each_element(text, |_| {
            count += 1;
            Ok(())
        })?;
        return Ok(count);
    }
    Ok(members(text, remaining)?.len())
}

/// Returns the members of an object, in order. Of duplicate keys the last value counts.
pub(super) fn members<'a>(
    text: &'a str,
    remaining: Remaining<'_>,
) -> Result<Vec<(Cow<'a, str>, &'a str)>, Failure> {
    remaining.read(text.len())?;
    let mut members: Vec<(Cow<'a, str>, &'a str)> = Vec::new();
    let mut positions = HashMap::new();
    each_member(text, |key, value| {
        if let Some(position) = positions.get(&key) {
            let known: &mut (Cow<'a, str>, &'a str) = &mut members[*position];
            known.1 = value;
            return Ok(());
        }
        remaining.hold(1)?;
        positions.insert(key.clone(), members.len());
        members.push((key, value));
        Ok(())
    })?;
    Ok(members)
}

/// Returns the value of a key of an object; of duplicates the last one.
pub(super) fn member<'a>(
    text: &'a str,
    name: &str,
    remaining: Remaining<'_>,
) -> Result<Option<&'a str>, Failure> {
    remaining.read(text.len())?;
    let mut found = None;
    let find = |key: Cow<'a, str>, value| {
        if key == name {
            found = Some(value);
        }
        Ok(())
    };
    each_member(text, find)?;
    Ok(found)
}

/// An object in which several keys are looked up, and which is parsed once.
pub(super) struct Members<'a> {
    pub(super) text: &'a str,
    members: Vec<(Cow<'a, str>, &'a str)>,
}

/// Maximum number of members that are held without checking `wanted`. Of a larger object, only the wanted ones are
/// held.
const HELD: usize = 256;

impl<'a> Members<'a> {
    /// Parses an object for lookups of the keys in `wanted`. `None` if it is not an object.
    pub(super) fn read<'n>(text: &'a str, wanted: impl Fn() -> HashSet<&'n str>) -> Option<Self> {
        if !text.starts_with('{') {
            return None;
        }
        let mut members: Vec<(Cow<'a, str>, &'a str)> = Vec::new();
        let mut names: Option<HashSet<&str>> = None;
        let push = |key: Cow<'a, str>, value| {
            if names.is_none() && members.len() == HELD {
                let wanted = wanted();
                members.retain(|(key, _)| wanted.contains(&**key));
                names = Some(wanted);
            }
            let Some(names) = &names else {
                members.push((key, value));
                return Ok(());
            };
            if names.contains(&*key) {
                // Of duplicate keys the last one counts.
                match members.iter_mut().rfind(|(known, _)| *known == key) {
                    Some(known) => known.1 = value,
                    None => members.push((key, value)),
                }
            }
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

/// Runs a visitor. Stops at the first failure.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mapping::{Mapping, TextScope, Variables};
    use serde_json::json;
    use std::cell::Cell;

    struct Nothing;

    impl Variables for Nothing {
        fn value(&self, _: crate::mapping::Variable) -> Cow<'_, Value> {
            Cow::Owned(Value::Null)
        }
    }

    /// Returns an object with `keys` keys before the last ones, two of which are duplicates.
    fn object(keys: usize) -> String {
        let keys: String = (0..keys).map(|key| format!("\"k{key}\":{key},")).collect();
        let rows = r#"[{"q":1,"p":2},{"q":3}]"#;
        format!(r#"{{{keys}"inner":{{"x":"y"}},"rows":{rows},"k3":"again","k0":null}}"#)
    }

    #[test]
    fn a_large_object_is_read_once_and_only_what_is_looked_up_is_held() {
        let wanted = || HashSet::from(["k3", "k9999", "inner", "missing"]);
        let text = object(10_000);
        let members = Members::read(&text, wanted).unwrap();
        let found = ["k3", "k9999", "inner", "missing"].map(|name| members.get(name));
        assert_eq!(found, [Some("\"again\""), Some("9999"), Some(r#"{"x":"y"}"#), None]);
        assert!(members.members.len() <= 4, "{}", members.members.len());
        let repeated = format!("{{{}\"k3\":1}}", "\"k3\":0,".repeat(10_000));
        let members = Members::read(&repeated, wanted).unwrap();
        assert_eq!(members.get("k3"), Some("1"));
        assert!(members.members.len() <= HELD, "{}", members.members.len());
        let long = format!(r#"{{"rows":"{}","k3":1}}"#, "x".repeat(1 << 20));
        assert_eq!(Members::read(&long, wanted).unwrap().get("k3"), Some("1"));
    }

    #[test]
    fn an_object_of_any_number_of_keys_is_evaluated_alike() {
        for (mapping, expected) in [
            ("a: k3 b: $.k2 { x: $ } c: $.inner { x }", json!({"a":"again","b":2,"c":{"x":"y"}})),
            (
                "r: $.rows { p q } z: k0 ?? $.k1",
                json!({"r":[{"p":2,"q":1},{"p":null,"q":3}],"z":1}),
            ),
            ("$([$.k1, $.k2->eq(2), $.nothing])", json!([1, true, null])),
            ("$.rows->map({ a: @.q, b: $.k1 })", json!([{"a":1,"b":1},{"a":3,"b":1}])),
            ("k0 ?? $.k3", json!("again")),
        ] {
            let mapping = Mapping::parse(mapping).unwrap();
            for keys in [4, HELD - 4, HELD, HELD + 1, 1_000] {
                let (text, values, steps) = (object(keys), Cell::new(1_000), Cell::new(0));
                let (values, steps) = (&values, &steps);
                let scope = TextScope { current: &text, variables: &Nothing, values, steps };
                let written = mapping.expr().evaluate_text(&scope).unwrap();
                let found: Value = serde_json::from_str(&written).unwrap();
                assert_eq!(found, expected, "{} of {keys}", mapping.text());
            }
        }
    }
}
