//! Evaluation: a walk over the tree that borrows as long as it can. Its depth is bounded by the parser's limits and
//! by how deep lists stand inside lists in the value.

use super::apply::apply;
use super::found::Found;
use super::{Expr, ExprKind, Failure, Field, Scope, Variables};
use serde_json::{Map, Value};

/// What `$`, `@` and the variables stand for at one place of the tree.
#[derive(Clone, Copy)]
pub(super) struct Frame<'a> {
    pub(super) current: &'a Value,
    /// `None` outside method arguments: there `@` is `$`.
    pub(super) at: Option<&'a Value>,
    variables: &'a dyn Variables,
}

impl<'a> Frame<'a> {
    pub(super) fn new(scope: &Scope<'a>) -> Self {
        Self { current: scope.current, at: None, variables: scope.variables }
    }

    pub(super) fn with_at(self, at: &'a Value) -> Self {
        Self { at: Some(at), ..self }
    }
}

pub(super) fn evaluate<'a>(expr: &'a Expr, frame: Frame<'a>) -> Result<Found<'a>, Failure> {
    Ok(match &expr.kind {
        ExprKind::Current => Found::Borrowed(frame.current),
        ExprKind::At => Found::Borrowed(frame.at.unwrap_or(frame.current)),
        ExprKind::Variable(variable) => frame.variables.value(*variable).into(),
        ExprKind::Literal(value) => Found::Borrowed(value),
        ExprKind::List(items) => {
            Found::List(items.iter().map(|item| evaluate(item, frame)).collect::<Result<_, _>>()?)
        }
        ExprKind::Object(fields) => Found::Owned(object(fields, frame)?),
        ExprKind::Key { of, name, .. } => evaluate(of, frame)?.key(name),
        ExprKind::Select { of, fields } => select(evaluate(of, frame)?, fields, frame)?,
        ExprKind::Method { of, method, arguments, optional } => {
            let receiver = evaluate(of, frame)?;
            if *optional && receiver.is_null() {
                return Ok(Found::null());
            }
            apply(*method, receiver, arguments, frame)?
        }
        ExprKind::Coalesce { left, right } => {
            let left = evaluate(left, frame)?;
            if left.is_null() { evaluate(right, frame)? } else { left }
        }
    })
}

fn select<'a>(of: Found<'a>, fields: &'a [Field], frame: Frame<'a>) -> Result<Found<'a>, Failure> {
    if of.is_null() {
        return Ok(of);
    }
    match of.into_list() {
        Ok(items) => {
            let selected = items.into_iter().map(|item| select(item, fields, frame));
            Ok(Found::List(selected.collect::<Result<_, _>>()?))
        }
        Err(one) => {
            let current = one.into_cow();
            if !current.is_object() {
                return Ok(current.into());
            }
            Ok(Found::Owned(object(fields, Frame { current: &current, ..frame })?))
        }
    }
}

fn object<'a>(fields: &'a [Field], frame: Frame<'a>) -> Result<Value, Failure> {
    let mut object = Map::with_capacity(fields.len());
    for field in fields {
        let value = evaluate(&field.value, frame)?;
        if let Some(name) = &field.name {
            object.insert(name.to_string(), value.into_owned());
            continue;
        }
        match value.into_owned() {
            Value::Object(joining) => object.extend(joining),
            Value::Array(_) => return Err(Failure::NotObject),
            // What has no fields adds none.
            _ => {}
        }
    }
    Ok(Value::Object(object))
}
