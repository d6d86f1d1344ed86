//! One reply to the keys of several requests is evaluated and cut up by key. Its parts stay text, and share its buffer.

use super::Loaded;
use crate::engine::execute::call::ReplyVariables;
use crate::engine::execute::keys::key_of_json;
use crate::engine::response::{Unreadable, proto_to_json, valid_json};
use crate::graph::{Batch, BatchReply};
use crate::mapping::{self, Expr, ExprKind, Field, TextScope};
use crate::source::{Body, Call, Inputs, Reply};
use bytes::Bytes;
use serde_json::Value as Json;
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::cell::Cell;
use std::collections::HashMap;

/// The parts of one object, as text.
type Parts<'t> = HashMap<Cow<'t, str>, &'t RawValue>;

/// The part of each key, in their order.
///
/// # Errors
/// The reply cannot be read, or has more than `most_values` values that are read.
pub(super) fn split(
    call: &dyn Call,
    batch: &Batch,
    inputs: Inputs<'_>,
    reply: &Reply,
    keys: &[&[u8]],
    most_values: u64,
) -> Result<Vec<Loaded>, Unreadable> {
    let current = text_of(call, reply, most_values)?;
    let variables = ReplyVariables { inputs, reply };
    let (values, steps) = (Cell::new(most_values), Cell::new(mapping::MAX_STEPS));
    let cutter = Cutter { variables: &variables, values: &values, steps: &steps, most_values };
    if batch.reply == BatchReply::Map {
        return cutter.map(call, &current, keys);
    }
    let list = match call.select() {
        Some(mapping) => cutter.evaluate(mapping.expr(), &current)?,
        None => current,
    };
    let elements: Vec<&RawValue> = serde_json::from_slice(&list)
        .map_err(|_| Unreadable::Invalid("the reply to a batch is not a list".into()))?;
    cutter.count(elements.len())?;
    if batch.reply == BatchReply::Positional {
        if elements.len() != keys.len() {
            let (found, asked) = (elements.len(), keys.len());
            let detail = format!("a list of {found} for {asked} keys, by position");
            return Err(Unreadable::Invalid(detail));
        }
        return Ok(elements.iter().map(|element| loaded(&list, element)).collect());
    }
    by_key(batch, &list, &elements, keys)
}

fn text_of(call: &dyn Call, reply: &Reply, most_values: u64) -> Result<Bytes, Unreadable> {
    match &reply.body {
        Body::Json(body) => {
            let text = valid_json(body).map_err(Unreadable::Invalid)?;
            Ok(if text == "null" { Bytes::from_static(b"null") } else { body.clone() })
        }
        Body::Proto(body) => {
            let unknown = || Unreadable::Invalid("a reply of an unknown type".to_owned());
            let message = call.message().ok_or_else(unknown)?;
            proto_to_json(message, body, most_values).map(Bytes::from)
        }
    }
}

struct Cutter<'a> {
    variables: &'a ReplyVariables<'a>,
    values: &'a Cell<u64>,
    steps: &'a Cell<u64>,
    most_values: u64,
}

impl Cutter<'_> {
    /// The result of an expression; a part of the text it was applied to shares its buffer.
    fn evaluate(&self, expr: &Expr, text: &Bytes) -> Result<Bytes, Unreadable> {
        let current = text_in(text)?.trim_ascii();
        let Self { variables, values, steps, .. } = *self;
        let scope = TextScope { current, variables, values, steps };
        match expr.evaluate_text(&scope) {
            Ok(Cow::Borrowed(part)) => Ok(text.slice_ref(part.as_bytes())),
            Ok(Cow::Owned(text)) => Ok(text.into()),
            Err(mapping::Failure::TooManyValues) => Err(self.too_many()),
            Err(failure) => Err(Unreadable::Invalid(failure.to_string())),
        }
    }

    fn count(&self, values: usize) -> Result<(), Unreadable> {
        let left = self.values.get().checked_sub(values as u64).ok_or_else(|| self.too_many())?;
        self.values.set(left);
        Ok(())
    }

    fn too_many(&self) -> Unreadable {
        Unreadable::TooManyValues(self.most_values)
    }

    /// The path of the mapping leads to the map, its fields are those of each value.
    fn map(
        &self,
        call: &dyn Call,
        current: &Bytes,
        keys: &[&[u8]],
    ) -> Result<Vec<Loaded>, Unreadable> {
        let (map, fields): (Bytes, &[Field]) = match call.select().map(mapping::Mapping::expr) {
            None => (current.clone(), &[]),
            Some(Expr { kind: ExprKind::Object(fields), .. }) => (current.clone(), fields),
            Some(Expr { kind: ExprKind::Select { of, fields }, .. }) => {
                (self.evaluate(of, current)?, fields)
            }
            Some(expr) => (self.evaluate(expr, current)?, &[]),
        };
        let of = Box::new(Expr { kind: ExprKind::Current, span: 0..0 });
        let each = Expr { kind: ExprKind::Select { of, fields: fields.to_vec() }, span: 0..0 };
        let mut found = vec![Loaded::Missing; keys.len()];
        let (positions, mut text) = (positions(keys), Vec::new());
        // Anything else has no entries.
        let entries: Parts<'_> = serde_json::from_slice(&map).unwrap_or_default();
        self.count(entries.len())?;
        for (name, value) in entries {
            key_of_json([&Json::String(name.into_owned())], &mut text);
            let Some(&position) = positions.get(&*text) else { continue };
            found[position] = if fields.is_empty() {
                loaded(&map, value)
            } else {
                let result = self.evaluate(&each, &map.slice_ref(value.get().as_bytes()))?;
                if *result == *b"null" { Loaded::Missing } else { Loaded::Value(result) }
            };
        }
        Ok(found)
    }
}

fn by_key(
    batch: &Batch,
    list: &Bytes,
    elements: &[&RawValue],
    keys: &[&[u8]],
) -> Result<Vec<Loaded>, Unreadable> {
    let mut found: Vec<Vec<&RawValue>> = vec![Vec::new(); keys.len()];
    let (positions, mut text) = (positions(keys), Vec::new());
    for element in elements {
        let Ok(parts) = serde_json::from_str::<Parts<'_>>(element.get()) else { continue };
        let scalars: Vec<Json> = batch.key.iter().map(|name| scalar(&parts, name)).collect();
        if !key_of_json(&scalars, &mut text) {
            continue;
        }
        if let Some(position) = positions.get(&*text) {
            found[*position].push(element);
        }
    }
    let group = batch.reply == BatchReply::GroupBy;
    let part = |found: Vec<&RawValue>| match found.first() {
        None => Ok(Loaded::Missing),
        Some(_) if group => match serde_json::to_vec(&found) {
            Ok(text) => Ok(Loaded::Value(text.into())),
            Err(error) => Err(Unreadable::Invalid(error.to_string())),
        },
        Some(first) => Ok(loaded(list, first)),
    };
    found.into_iter().map(part).collect()
}

/// The place of each key. A service may send far more elements than it was asked for.
fn positions<'k>(keys: &[&'k [u8]]) -> HashMap<&'k [u8], usize> {
    keys.iter().enumerate().rev().map(|(position, key)| (*key, position)).collect()
}

/// A scalar that may be a part of a key; null for everything else.
fn scalar(parts: &Parts<'_>, name: &str) -> Json {
    let text = parts.get(name).map_or("null", |value| value.get());
    if text.starts_with(['{', '[']) {
        Json::Null
    } else {
        serde_json::from_str(text).unwrap_or_default()
    }
}

fn loaded(whole: &Bytes, part: &RawValue) -> Loaded {
    match part.get() {
        "null" => Loaded::Missing,
        part => Loaded::Value(whole.slice_ref(part.as_bytes())),
    }
}

fn text_in(text: &Bytes) -> Result<&str, Unreadable> {
    std::str::from_utf8(text).map_err(|error| Unreadable::Invalid(error.to_string()))
}
