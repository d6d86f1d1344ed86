//! One reply to the keys of several requests is evaluated as a tree and cut up by key.

use super::Loaded;
use crate::engine::execute::call::ReplyVariables;
use crate::engine::execute::keys::key_of_json;
use crate::engine::response::proto_to_json;
use crate::graph::{Batch, BatchReply};
use crate::mapping::{Expr, ExprKind, Field, Mapping, Scope};
use crate::source::{Body, Call, Inputs, Reply};
use bytes::Bytes;
use serde_json::Value as Json;

/// What came of each key, in their order.
///
/// # Errors
/// What is wrong with the reply, for the log.
pub(super) fn split(
    call: &dyn Call,
    batch: &Batch,
    inputs: Inputs<'_>,
    reply: &Reply,
    keys: &[&[u8]],
) -> Result<Vec<Loaded>, String> {
    let current = tree(call, reply)?;
    let variables = ReplyVariables { inputs, reply };
    let scope = Scope { current: &current, variables: &variables };
    if batch.reply == BatchReply::Map {
        return split_map(call.select(), &scope, keys);
    }
    let list = match call.select() {
        Some(mapping) => mapping.evaluate(&scope).map_err(|failure| failure.to_string())?,
        None => current.clone(),
    };
    let Json::Array(elements) = list else {
        return Err("the reply to a batch is not a list".into());
    };
    if batch.reply == BatchReply::Positional {
        if elements.len() != keys.len() {
            let (found, asked) = (elements.len(), keys.len());
            return Err(format!("a list of {found} for {asked} keys, by position"));
        }
        return Ok(elements.iter().map(loaded).collect());
    }
    Ok(by_key(batch, elements, keys))
}

fn tree(call: &dyn Call, reply: &Reply) -> Result<Json, String> {
    match &reply.body {
        Body::Json(body) if body.trim_ascii().is_empty() => Ok(Json::Null),
        Body::Json(body) => serde_json::from_slice(body).map_err(|error| error.to_string()),
        Body::Proto(body) => {
            proto_to_json(call.message().ok_or("a reply of a type nobody knows")?, body)
        }
    }
}

fn by_key(batch: &Batch, elements: Vec<Json>, keys: &[&[u8]]) -> Vec<Loaded> {
    let mut found: Vec<Vec<Json>> = vec![Vec::new(); keys.len()];
    let mut text = Vec::new();
    for element in elements {
        let parts = batch.key.iter().map(|name| &element[&**name]);
        if !key_of_json(parts, &mut text) {
            continue;
        }
        if let Some(position) = keys.iter().position(|key| **key == *text) {
            found[position].push(element);
        }
    }
    let group = batch.reply == BatchReply::GroupBy;
    found
        .into_iter()
        .map(|found| match found.first() {
            None => Loaded::Missing,
            Some(_) if group => loaded(&Json::Array(found)),
            Some(first) => loaded(first),
        })
        .collect()
}

/// The path of the mapping leads to the map, its fields are those of each value.
fn split_map(
    select: Option<&Mapping>,
    scope: &Scope<'_>,
    keys: &[&[u8]],
) -> Result<Vec<Loaded>, String> {
    let evaluate = |expr: &Expr, scope: &Scope<'_>| {
        expr.evaluate(scope).map_err(|failure| failure.to_string())
    };
    let (map, fields): (Json, &[Field]) = match select.map(|mapping| &mapping.expr().kind) {
        None => (scope.current.clone(), &[]),
        Some(ExprKind::Object(fields)) => (scope.current.clone(), fields),
        Some(ExprKind::Select { of, fields }) => (evaluate(of, scope)?, fields),
        Some(_) => (select.map_or(Ok(Json::Null), |mapping| evaluate(mapping.expr(), scope))?, &[]),
    };
    let current = Box::new(Expr { kind: ExprKind::Current, span: 0..0 });
    let each = Expr { kind: ExprKind::Select { of: current, fields: fields.to_vec() }, span: 0..0 };
    let mut found = vec![Loaded::Missing; keys.len()];
    let mut text = Vec::new();
    for (name, value) in map.as_object().into_iter().flatten() {
        key_of_json([&Json::String(name.clone())], &mut text);
        let Some(position) = keys.iter().position(|key| **key == *text) else { continue };
        let scope = Scope { current: value, ..*scope };
        let value = if fields.is_empty() { value.clone() } else { evaluate(&each, &scope)? };
        found[position] = loaded(&value);
    }
    Ok(found)
}

fn loaded(value: &Json) -> Loaded {
    if value.is_null() { Loaded::Missing } else { Loaded::Value(Bytes::from(value.to_string())) }
}
