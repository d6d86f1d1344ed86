//! Reads JSON replies into slots: one pass of `serde_json` over the body, guided by the shape. Unselected values are
//! skipped; selected ones are kept as slices.

use super::shape::{ObjectShape, Shape, Target};
use super::store::{Budget, RowId, SCRATCH, Store, Unreadable, Value};
use super::strict;
use crate::mapping::{Expr, ExprKind, Failure, TextScope, Variables};
use bytes::Bytes;
use serde::de::{
    DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor,
};
use serde_json::value::RawValue;
use smallvec::SmallVec;
use std::borrow::Cow;
use std::cell::Cell;
use std::fmt;

/// Reads a body. An empty body is null.
///
/// # Errors
/// If the body is not UTF-8, not JSON, or nested more than 128 levels deep; if it has too many values; or if a
/// mapping could not be evaluated.
pub(in crate::engine) fn read_json(
    store: &mut Store,
    body: &Bytes,
    shape: &Shape,
    variables: &dyn Variables,
) -> Result<Value, Unreadable> {
    store.read_reply(|store| {
        let text = strict::text(body)?;
        if strict::is_empty(text) {
            Ok(Value::Null)
        } else {
            read_text(store, body, text, shape, variables, false)
        }
    })
}

/// Reads the result of a mapping if a reply has no body, or if there is no reply: `$` is null. `shape` reads the mapping's
/// result.
///
/// # Errors
/// If the mapping could not be evaluated, or yields more than the budget allows.
pub(in crate::engine) fn read_without_body(
    store: &mut Store,
    budget: &mut Budget,
    mapping: &Expr,
    shape: &Shape,
    variables: &dyn Variables,
) -> Result<Value, Unreadable> {
    store.read_within(budget, |store| {
        let mut reader = Reader { store, body: SCRATCH, base: 0, variables, decoded: false };
        let values = Cell::new(reader.store.values());
        let steps = Cell::new(reader.store.steps());
        let scope = TextScope { current: "null", variables, values: &values, steps: &steps };
        let text = mapping.evaluate_text(&scope).map_err(|failure| reader.failed(&failure))?;
        reader.store.keep_steps(steps.get());
        reader.made(text.into_owned(), shape)
    })
}

/// Reads JSON that was converted from a message. Its integers count as a message's integers: 64 bits, and valid for strings.
///
/// # Errors
/// Like [`read_json`].
pub(in crate::engine) fn read_decoded(
    store: &mut Store,
    text: &Bytes,
    shape: &Shape,
    variables: &dyn Variables,
) -> Result<Value, Unreadable> {
    store.read_reply(|store| read(store, text, shape, variables, true))
}

/// Reads the text of a message.
pub(super) fn read_made(
    store: &mut Store,
    text: String,
    shape: &Shape,
    variables: &dyn Variables,
) -> Result<Value, String> {
    Reader { store, body: SCRATCH, base: 0, variables, decoded: true }.made(text, shape)
}

/// Evaluates a mapping against the text of a message, and reads the result.
pub(super) fn read_general(
    store: &mut Store,
    text: String,
    general: &super::General,
    variables: &dyn Variables,
) -> Result<Value, String> {
    let body = Bytes::from(text);
    let text = std::str::from_utf8(&body).map_err(|error| error.to_string())?;
    let number = store.keep(body.clone());
    let base = text.as_ptr() as usize;
    Reader { store, body: number, base, variables, decoded: true }.general(text, general)
}

/// Reads valid UTF-8. `decoded`: the text was converted from a message.
fn read(
    store: &mut Store,
    body: &Bytes,
    shape: &Shape,
    variables: &dyn Variables,
    decoded: bool,
) -> Result<Value, String> {
    let text = std::str::from_utf8(body).map_err(|error| error.to_string())?;
    read_text(store, body, text, shape, variables, decoded)
}

/// Reads `text`, which is all of `body`.
fn read_text(
    store: &mut Store,
    body: &Bytes,
    text: &str,
    shape: &Shape,
    variables: &dyn Variables,
    decoded: bool,
) -> Result<Value, String> {
    if u32::try_from(body.len()).is_err() {
        return Err("the body is larger than 4 GiB".into());
    }
    let number = store.keep(body.clone());
    Reader { store, body: number, base: text.as_ptr() as usize, variables, decoded }
        .whole(text, shape)
}

struct Reader<'a> {
    store: &'a mut Store,
    body: u32,
    /// Address of the body's first byte; gives the offset of a borrowed slice.
    base: usize,
    variables: &'a dyn Variables,
    /// The text was converted from a message.
    decoded: bool,
}

impl Reader<'_> {
    /// Reads a text from its first to its last byte.
    fn whole(&mut self, text: &str, shape: &Shape) -> Result<Value, String> {
        let mut deserializer = serde_json::Deserializer::from_str(text);
        let value = Seed { reader: &mut *self, shape }
            .deserialize(&mut deserializer)
            .map_err(|error| error.to_string())?;
        deserializer.end().map_err(|error| error.to_string())?;
        Ok(value)
    }

    fn leaf(&mut self, raw: &str) -> Result<Value, String> {
        if raw == "null" {
            return Ok(Value::Null);
        }
        if self.decoded {
            return self.decoded_leaf(raw);
        }
        strict::leaf(raw)?;
        if raw.starts_with('[') {
            // A list of scalars is split when it is written.
            self.store.charge(memchr::memchr_iter(b',', raw.as_bytes()).count() as u64)?;
        }
        Ok(self.slice(raw))
    }

    fn slice(&self, raw: &str) -> Value {
        Value::Json(Store::slice(
            self.body,
            (raw.as_ptr() as usize).wrapping_sub(self.base),
            raw.len(),
        ))
    }

    /// Reads a leaf of a message. Lists nest at most as deep as a message.
    fn decoded_leaf(&mut self, raw: &str) -> Result<Value, String> {
        if raw == "null" {
            return Ok(Value::Null);
        }
        if let Ok(number) = raw.parse() {
            return Ok(Value::Int(number));
        }
        if raw.parse::<u64>().is_ok() {
            return Ok(Value::Text(self.store.scratch(raw)));
        }
        if !raw.starts_with('[') {
            return Ok(self.slice(raw));
        }
        let elements: Vec<&RawValue> =
            serde_json::from_str(raw).map_err(|error| error.to_string())?;
        self.store.charge(elements.len() as u64)?;
        let opened = self.store.open_list();
        for element in elements {
            let element = self.decoded_leaf(element.get())?;
            self.store.push(element);
        }
        Ok(self.store.close_list(opened))
    }

    /// Evaluates a captured value with a mapping and reads the result.
    fn general(&mut self, raw: &str, general: &super::General) -> Result<Value, String> {
        let of_object = matches!(general.expr.kind, ExprKind::Object(_)) && !general.takes_whole;
        if of_object && !raw.starts_with(['{', '[']) {
            return Ok(if raw == "null" { Value::Null } else { Value::Misfit });
        }
        if !self.decoded {
            strict::leaf(raw)?;
        }
        // Memory of the evaluation is freed before its result is read.
        let values = Cell::new(self.store.values());
        let steps = Cell::new(self.store.steps());
        let (values, steps) = (&values, &steps);
        let scope = TextScope { current: raw, variables: self.variables, values, steps };
        let result = if general.takes_whole {
            general.expr.evaluate_list_text(&scope)
        } else {
            general.expr.evaluate_text(&scope)
        };
        self.store.keep_steps(steps.get());
        let result = result.map_err(|failure| self.failed(&failure))?;
        match result {
            // It is a slice of the body.
            Cow::Borrowed(text) => self.whole(text, &general.then),
            Cow::Owned(text) => self.made(text, &general.then),
        }
    }

    fn failed(&self, failure: &Failure) -> String {
        if *failure == Failure::TooManyValues { self.store.exceed() } else { failure.to_string() }
    }

    /// Reads a text that was created here. Small ones are common, and share a buffer.
    fn made(&mut self, text: String, shape: &Shape) -> Result<Value, String> {
        let (variables, decoded) = (self.variables, self.decoded);
        if text.len() > SMALL {
            return read(self.store, &text.into(), shape, variables, decoded);
        }
        let start = self.store.scratch(&text).start();
        let base = (text.as_ptr() as usize).wrapping_sub(start);
        let store = &mut *self.store;
        Reader { store, body: SCRATCH, base, variables, decoded }.whole(&text, shape)
    }
}

/// Maximum size of a text without a buffer of its own, in bytes.
const SMALL: usize = 4096;

struct Seed<'a, 'b, 's> {
    reader: &'a mut Reader<'b>,
    shape: &'s Shape,
}

impl<'de> DeserializeSeed<'de> for Seed<'_, '_, '_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        match self.shape {
            Shape::Leaf => {
                let raw = <&RawValue as serde::Deserialize>::deserialize(deserializer)?;
                self.reader.leaf(raw.get()).map_err(D::Error::custom)
            }
            Shape::General(general) => {
                let raw = <&RawValue as serde::Deserialize>::deserialize(deserializer)?;
                self.reader.general(raw.get(), general).map_err(D::Error::custom)
            }
            Shape::OneOfWhole(one) => {
                let raw = <&RawValue as serde::Deserialize>::deserialize(deserializer)?;
                let read = if raw.get().starts_with('{') || raw.get() == "null" {
                    self.reader.whole(raw.get(), &one.then)
                } else {
                    self.reader.general(raw.get(), &one.whole)
                };
                read.map_err(D::Error::custom)
            }
            _ => deserializer.deserialize_any(self),
        }
    }
}

impl<'de> Visitor<'de> for Seed<'_, '_, '_> {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("JSON")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Value, A::Error> {
        match self.shape {
            Shape::Object(shape) => read_object(self.reader, shape, map),
            Shape::Key { key, then } => read_key(self.reader, key, then, map),
            Shape::Entries(then) => read_entries(self.reader, then, map),
            Shape::Leaf | Shape::General(_) | Shape::OneOfWhole(_) => {
                Err(A::Error::custom("leaves are read whole"))
            }
        }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let opened = self.reader.store.open_list();
        while let Some(element) =
            seq.next_element_seed(Seed { reader: &mut *self.reader, shape: self.shape })?
        {
            self.reader.store.charge(1).map_err(A::Error::custom)?;
            self.reader.store.push(element);
        }
        Ok(self.reader.store.close_list(opened))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Value, E> {
        Ok(self.shape.of_scalar())
    }

    fn visit_i64<E>(self, _: i64) -> Result<Value, E> {
        Ok(self.shape.of_scalar())
    }

    fn visit_u64<E>(self, _: u64) -> Result<Value, E> {
        Ok(self.shape.of_scalar())
    }

    fn visit_f64<E>(self, _: f64) -> Result<Value, E> {
        Ok(self.shape.of_scalar())
    }

    fn visit_str<E>(self, _: &str) -> Result<Value, E> {
        Ok(self.shape.of_scalar())
    }
}

/// Reads an object. The last one of duplicate keys counts, as in every JSON parser that builds maps.
fn read_object<'de, A: MapAccess<'de>>(
    reader: &mut Reader<'_>,
    shape: &ObjectShape,
    mut map: A,
) -> Result<Value, A::Error> {
    let rows = Rows::open(reader.store, shape).map_err(A::Error::custom)?;
    let mut hint = 0;
    while let Some(found) = map.next_key_seed(FindKey { shape, hint })? {
        let index = match found {
            Member::At(index) => index,
            other => {
                map.next_value::<IgnoredAny>()?;
                if other == Member::OfNumber {
                    return Ok(Value::Misfit);
                }
                continue;
            }
        };
        hint = index + 1;
        match shape.keys[index].targets.as_slice() {
            [target] => {
                let value = map.next_value_seed(Seed { reader, shape: &target.shape })?;
                reader.store.set(rows.frame(target.frame), target.slot, value);
            }
            targets => {
                let raw = map.next_value::<&RawValue>()?;
                read_each(reader, &rows, targets, raw).map_err(A::Error::custom)?;
            }
        }
    }
    Ok(rows.close(reader.store, shape))
}

/// Captures a value that fills several slots, and reads it once for each.
fn read_each(
    reader: &mut Reader<'_>,
    rows: &Rows,
    targets: &[Target],
    raw: &RawValue,
) -> Result<(), serde_json::Error> {
    for target in targets {
        let value = if matches!(target.shape, Shape::Leaf) {
            reader.leaf(raw.get()).map_err(serde_json::Error::custom)?
        } else {
            let mut deserializer = serde_json::Deserializer::from_str(raw.get());
            Seed { reader, shape: &target.shape }.deserialize(&mut deserializer)?
        };
        reader.store.set(rows.frame(target.frame), target.slot, value);
    }
    Ok(())
}

fn read_key<'de, A: MapAccess<'de>>(
    reader: &mut Reader<'_>,
    key: &str,
    then: &Shape,
    mut map: A,
) -> Result<Value, A::Error> {
    let mut value = Value::Null;
    while let Some(found) = map.next_key_seed(IsKey(key))? {
        if found {
            value = map.next_value_seed(Seed { reader, shape: then })?;
        } else {
            // A number, too, is a value without the key.
            map.next_value::<IgnoredAny>()?;
        }
    }
    Ok(value)
}

fn read_entries<'de, A: MapAccess<'de>>(
    reader: &mut Reader<'_>,
    then: &Shape,
    mut map: A,
) -> Result<Value, A::Error> {
    let opened = reader.store.open_list();
    while let Some(key) = map.next_key::<Cow<'_, str>>()? {
        if key == NUMBER {
            map.next_value::<IgnoredAny>()?;
            reader.store.close_list(opened);
            return Ok(Value::Misfit);
        }
        let key = Value::Text(reader.store.scratch(&key));
        let value = map.next_value_seed(Seed { reader, shape: then })?;
        reader.store.charge(2).map_err(A::Error::custom)?;
        reader.store.push(key);
        reader.store.push(value);
    }
    Ok(reader.store.close_list(opened))
}

/// Rows that one object of a reply fills: its own and those of its groups.
pub(super) struct Rows {
    own: RowId,
    /// Empty if the shape has no groups.
    groups: SmallVec<[RowId; 4]>,
}

impl Rows {
    /// Creates the rows of an object.
    ///
    /// # Errors
    /// If there are too many values.
    pub(super) fn open(store: &mut Store, shape: &ObjectShape) -> Result<Self, String> {
        let widths = shape.groups.iter().map(|group| u64::from(group.width));
        store.charge(u64::from(shape.width) + widths.sum::<u64>())?;
        let own = store.row(shape.width);
        let groups = shape.groups.iter().map(|group| store.row(group.width)).collect();
        let rows = Self { own, groups };
        for constant in &shape.constants {
            let value = Value::Json(store.scratch(&constant.json));
            let value = if &*constant.json == "null" { Value::Null } else { value };
            store.set(rows.frame(constant.frame), constant.slot, value);
        }
        Ok(rows)
    }

    pub(super) fn frame(&self, frame: usize) -> RowId {
        if frame == 0 { self.own } else { self.groups[frame - 1] }
    }

    /// Puts the groups into their slots. A stub without a key is null.
    pub(super) fn close(&self, store: &mut Store, shape: &ObjectShape) -> Value {
        for (group, row) in shape.groups.iter().zip(&self.groups) {
            let value = entity_or_null(store, *row, &group.identity);
            store.set(self.frame(group.frame), group.slot, value);
        }
        entity_or_null(store, self.own, &shape.identity)
    }
}

fn entity_or_null(store: &Store, row: RowId, identity: &[u32]) -> Value {
    let nameless = |slot: &u32| store.get(row, *slot) == Value::Null;
    if !identity.is_empty() && identity.iter().all(nameless) {
        Value::Null
    } else {
        Value::Object(row)
    }
}

struct FindKey<'s> {
    shape: &'s ObjectShape,
    /// Next key to try: objects of one kind usually have their keys in the same order.
    hint: usize,
}

/// A key of an object, looked up in the shape.
#[derive(Clone, Copy, PartialEq)]
enum Member {
    At(usize),
    /// Not read by the shape.
    Other,
    /// Not a key: the value is a number.
    OfNumber,
}

/// With its digits kept, `serde_json` presents a number to a visitor as an object with this key.
const NUMBER: &str = "$serde_json::private::Number";

impl<'de> DeserializeSeed<'de> for FindKey<'_> {
    type Value = Member;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for FindKey<'_> {
    type Value = Member;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a key")
    }

    fn visit_str<E>(self, key: &str) -> Result<Member, E> {
        let keys = &self.shape.keys;
        if keys.get(self.hint).is_some_and(|candidate| &*candidate.key == key) {
            return Ok(Member::At(self.hint));
        }
        let at = keys.iter().position(|candidate| &*candidate.key == key);
        let other = if key == NUMBER { Member::OfNumber } else { Member::Other };
        Ok(at.map_or(other, Member::At))
    }
}

struct IsKey<'s>(&'s str);

impl<'de> DeserializeSeed<'de> for IsKey<'_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for IsKey<'_> {
    type Value = bool;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a key")
    }

    fn visit_str<E>(self, key: &str) -> Result<bool, E> {
        Ok(key == self.0)
    }
}
