//! The distinct keys of a fetch's objects, in order of first appearance, each with its objects.

use crate::engine::plan::KeyPart;
use crate::engine::response::{RowId, Slot, Store, Value, key_text, number_key, to_json};
use crate::graph::Spelling;
use hashbrown::HashMap;
use smallvec::SmallVec;

#[derive(Default)]
pub(super) struct Keys {
    numbers: HashMap<Box<[u8]>, u32>,
    /// Objects by the number of their key.
    pub rows: Vec<SmallVec<[RowId; 4]>>,
}

impl Keys {
    /// Adds an object under its key, and returns the key's number.
    pub fn add(&mut self, key: &[u8], row: Option<RowId>) -> u32 {
        let number = self.number(key).unwrap_or_else(|| {
            let number = self.rows.len() as u32;
            self.numbers.insert(key.into(), number);
            self.rows.push(SmallVec::new());
            number
        });
        if let Some(row) = row {
            self.rows[number as usize].push(row);
        }
        number
    }

    pub fn number(&self, key: &[u8]) -> Option<u32> {
        self.numbers.get(key).copied()
    }

    /// Returns the keys by number.
    pub fn texts(&self) -> Vec<&[u8]> {
        let mut texts = vec![&[][..]; self.rows.len()];
        for (text, number) in &self.numbers {
            texts[*number as usize] = text;
        }
        texts
    }

    pub fn len(&self) -> usize {
        self.rows.len()
    }
}

/// Returns the value of a key part of an object; null if an object on the path is null.
pub(super) fn value_of(store: &Store, row: RowId, path: &[Slot]) -> Value {
    let mut value = Value::Object(row);
    for slot in path {
        let Value::Object(row) = value else { return Value::Null };
        value = store.get(row, *slot);
    }
    value
}

/// Writes an object's key into `out`: the texts of its parts, each after its length, so that different keys give
/// different bytes. Returns `false` if a part is null or not a scalar: then there is no key.
pub(super) fn key_of<'p>(
    store: &Store,
    row: RowId,
    parts: impl IntoIterator<Item = &'p [Slot]>,
    out: &mut Vec<u8>,
) -> bool {
    out.clear();
    parts.into_iter().all(|path| add_part(store, value_of(store, row, path), out))
}

/// Adds one part of a key.
pub(super) fn add_part(store: &Store, value: Value, out: &mut Vec<u8>) -> bool {
    let start = out.len();
    out.extend_from_slice(&[0; 4]);
    if !key_text(store, value, out) {
        return false;
    }
    seal(out, start);
    true
}

/// Like `key_of`, for JSON values such as a client's arguments.
pub(super) fn key_of_json<'v>(
    parts: impl IntoIterator<Item = &'v serde_json::Value>,
    out: &mut Vec<u8>,
) -> bool {
    out.clear();
    parts.into_iter().all(|part| {
        let start = out.len();
        out.extend_from_slice(&[0; 4]);
        match part {
            serde_json::Value::String(text) => out.extend_from_slice(text.as_bytes()),
            serde_json::Value::Number(number) => number_key(number.as_str().as_bytes(), out),
            serde_json::Value::Bool(boolean) => {
                out.extend_from_slice(boolean.to_string().as_bytes());
            }
            _ => return false,
        }
        seal(out, start);
        true
    })
}

fn seal(out: &mut [u8], start: usize) {
    let length = (out.len() - start - 4) as u32;
    out[start..start + 4].copy_from_slice(&length.to_le_bytes());
}

/// Returns a key part as a value for templates.
pub(super) fn part_to_json(store: &Store, row: RowId, part: &KeyPart) -> serde_json::Value {
    let mut value = scalar(to_json(store, value_of(store, row, &part.path)), part.id);
    if let Some(aliases) = &part.aliases {
        aliases.respell(&mut value, Spelling::Service);
    }
    value
}

/// Converts a scalar: an `ID` becomes a string, whatever its type in the source, except in a JSON body (then `id` is
/// false).
pub(super) fn scalar(value: serde_json::Value, id: bool) -> serde_json::Value {
    match value {
        serde_json::Value::Number(number) if id => number.to_string().into(),
        serde_json::Value::Array(elements) if id => {
            elements.into_iter().map(|element| scalar(element, id)).collect()
        }
        other => other,
    }
}
