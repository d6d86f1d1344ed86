//! Evaluation: walks the tree, and borrows values as long as it can. The parser's limits and the nesting of lists in
//! the value bound its depth.

use super::apply::{apply, at_item, refuse};
use super::found::Found;
use super::remaining::Remaining;
use super::text::Members;
use super::{Expr, ExprKind, Failure, Field, Method, Scope, TextScope, Variable, Variables};
use serde_json::{Map, Value};
use std::cell::Cell;
use std::collections::HashSet;

/// Values of `$`, `@` and the variables at one position of the tree.
#[derive(Clone, Copy)]
pub(super) struct Frame<'a> {
    pub(super) current: Current<'a>,
    /// `None` outside of method arguments, where `@` is `$`.
    pub(super) at: Option<Current<'a>>,
    variables: &'a dyn Variables,
    pub(super) remaining: Remaining<'a>,
    /// Absent values are left out of objects.
    leaves_out: bool,
}

/// A value that an expression starts from.
#[derive(Clone, Copy)]
pub(super) enum Current<'a> {
    Value(&'a Value),
    /// JSON text.
    Text(&'a str),
    Members(&'a Members<'a>),
}

impl<'a> Current<'a> {
    fn found(self) -> Found<'a> {
        match self {
            Self::Value(value) => Found::Borrowed(value),
            Self::Text(text) => Found::text(text),
            Self::Members(members) => Found::Text(members.text),
        }
    }
}

impl<'a> Frame<'a> {
    pub(super) fn new(scope: &Scope<'a>, steps: &'a Cell<u64>) -> Self {
        let current = Current::Value(scope.current);
        let (variables, remaining) = (scope.variables, Remaining::steps(steps));
        Self { current, at: None, variables, remaining, leaves_out: false }
    }

    /// Returns the frame of a request, which leaves out absent values.
    pub(super) fn of_request(scope: &Scope<'a>, steps: &'a Cell<u64>) -> Self {
        Self { leaves_out: true, ..Self::new(scope, steps) }
    }

    pub(super) fn of_text(scope: &TextScope<'a>) -> Self {
        let current = Current::Text(scope.current);
        let remaining = Remaining::of_text(scope.current, scope.values, scope.steps);
        let variables = scope.variables;
        Self { current, at: None, variables, remaining, leaves_out: false }
    }

    /// Returns the members of the object that `$` or `@` is, if they have been read.
    fn members(&self, kind: &ExprKind) -> Option<&'a Members<'a>> {
        let start = match kind {
            ExprKind::Current => self.current,
            ExprKind::At => self.at.unwrap_or(self.current),
            _ => return None,
        };
        match start {
            Current::Members(members) => Some(members),
            Current::Value(_) | Current::Text(_) => None,
        }
    }

    pub(super) fn with_at(self, at: Current<'a>) -> Self {
        Self { at: Some(at), ..self }
    }
}

pub(super) fn evaluate<'a>(expr: &'a Expr, frame: Frame<'a>) -> Result<Found<'a>, Failure> {
    frame.remaining.work(1)?;
    Ok(match &expr.kind {
        ExprKind::Current => frame.current.found(),
        ExprKind::At => frame.at.unwrap_or(frame.current).found(),
        ExprKind::Variable(variable) => match frame.variables.value(*variable).into() {
            Found::Borrowed(Value::Null) => Found::Absent,
            Found::Owned(value) if value.is_null() => Found::Absent,
            found => found,
        },
        ExprKind::Literal(value) => Found::Borrowed(value),
        ExprKind::List(items) => {
            Found::List(items.iter().map(|item| evaluate(item, frame)).collect::<Result<_, _>>()?)
        }
        ExprKind::Object(fields) => Found::owned(object(fields, frame)?),
        ExprKind::Key { of, name, optional } => match frame.members(&of.kind) {
            Some(members) => members.get(name).map_or(Found::Absent, Found::text),
            None => match evaluate(of, frame)? {
                null if *optional && null.is_null() => Found::Absent,
                of => of.key(name, frame.remaining)?,
            },
        },
        ExprKind::Optional { of } => match evaluate(of, frame)? {
            null if null.is_null() => Found::Absent,
            found => found,
        },
        ExprKind::Select { of, fields } => select(evaluate(of, frame)?, fields, frame)?,
        ExprKind::Method { of, method, arguments, optional } => {
            let receiver = evaluate(of, frame)?;
            if *optional && receiver.is_null() {
                return Ok(Found::Absent);
            }
            let receiver = if *method == Method::Contains && is_claim(of) {
                list_of_claim(receiver)?
            } else {
                receiver
            };
            apply(*method, receiver, arguments, frame)?
        }
        ExprKind::Coalesce { left, right } => {
            let left = evaluate(left, frame)?;
            if !left.is_null() {
                return Ok(left);
            }
            let right = evaluate(right, frame)?;
            if right.is_absent() { left } else { right }
        }
    })
}

/// Returns `true` if the value may be an unchanged claim of the token.
fn is_claim(expr: &Expr) -> bool {
    match &expr.kind {
        ExprKind::Variable(variable) => *variable == Variable::Claims,
        ExprKind::Key { of, .. }
        | ExprKind::Optional { of }
        | ExprKind::Method { of, method: Method::Get, .. } => is_claim(of),
        ExprKind::Coalesce { left, right } => is_claim(left) || is_claim(right),
        _ => false,
    }
}

/// Refuses a text: a rule over a list of groups must not hold for a text that contains the group's name.
fn list_of_claim(receiver: Found<'_>) -> Result<Found<'_>, Failure> {
    let receiver = receiver.parsed()?;
    let is_text = receiver.value().is_some_and(Value::is_string);
    if is_text { refuse(Method::Contains, &receiver) } else { Ok(receiver) }
}

fn select<'a>(of: Found<'a>, fields: &'a [Field], frame: Frame<'a>) -> Result<Found<'a>, Failure> {
    if of.is_null() {
        return Ok(of);
    }
    match of.into_list(frame.remaining)? {
        Ok(items) => {
            let selected = items.into_iter().map(|item| select(item, fields, frame));
            Ok(Found::List(selected.collect::<Result<_, _>>()?))
        }
        Err(Found::Text(text)) if text.starts_with('{') => {
            let object = with_members(
                text,
                frame.remaining,
                || names_of(fields),
                |current| object(fields, Frame { current, ..frame }),
            );
            Ok(Found::owned(object?))
        }
        Err(Found::Borrowed(current)) if current.is_object() => {
            let current = Current::Value(current);
            Ok(Found::owned(object(fields, Frame { current, ..frame })?))
        }
        Err(Found::Owned(current)) if current.is_object() => {
            let current = Current::Value(&current);
            Ok(Found::owned(object(fields, Frame { current, ..frame })?))
        }
        Err(scalar) => Ok(scalar),
    }
}

/// Calls `run` with the members of a text, which is read once for all the keys in `wanted`.
pub(super) fn with_members<'n, T>(
    text: &str,
    remaining: Remaining<'_>,
    wanted: impl Fn() -> HashSet<&'n str>,
    run: impl FnOnce(Current<'_>) -> Result<T, Failure>,
) -> Result<T, Failure> {
    remaining.read(text.len())?;
    match Members::read(text, wanted) {
        Some(members) => run(Current::Members(&members)),
        None => run(Current::Text(text)),
    }
}

fn names_of(fields: &[Field]) -> HashSet<&str> {
    names(fields.iter().map(|field| &field.value))
}

/// Returns all keys that expressions look up, in any object.
pub(super) fn names<'e>(exprs: impl IntoIterator<Item = &'e Expr>) -> HashSet<&'e str> {
    let (mut names, mut rest): (_, Vec<&Expr>) = (HashSet::new(), exprs.into_iter().collect());
    while let Some(expr) = rest.pop() {
        match &expr.kind {
            ExprKind::Key { of, name, .. } => {
                names.insert(&**name);
                rest.push(of);
            }
            ExprKind::List(items) => rest.extend(items),
            ExprKind::Object(fields) => rest.extend(fields.iter().map(|field| &field.value)),
            ExprKind::Select { of, fields } => {
                rest.push(of);
                rest.extend(fields.iter().map(|field| &field.value));
            }
            ExprKind::Method { of, arguments, .. } => {
                rest.push(of);
                rest.extend(arguments);
            }
            ExprKind::Optional { of } => rest.push(of),
            ExprKind::Coalesce { left, right } => rest.extend([&**left, &**right]),
            ExprKind::Current | ExprKind::At | ExprKind::Variable(_) | ExprKind::Literal(_) => {}
        }
    }
    names
}

fn object<'a>(fields: &'a [Field], frame: Frame<'a>) -> Result<Value, Failure> {
    let mut object = Map::with_capacity(fields.len());
    for field in fields {
        let value = evaluate(&field.value, frame)?;
        if frame.leaves_out && value.is_absent() {
            continue;
        }
        let value = value.into_owned(frame.remaining)?;
        if let Some(name) = &field.name {
            object.insert(name.to_string(), value);
            continue;
        }
        match value {
            Value::Object(joining) => object.extend(joining),
            // As in a path: of a list, each field is a list.
            list @ Value::Array(_) => {
                for name in joined_names(&field.value) {
                    object.insert(name.to_owned(), of_each(&list, name));
                }
            }
            // A value without fields adds none.
            _ => {}
        }
    }
    Ok(Value::Object(object))
}

/// Returns the names that a selection adds to the object that it joins.
fn joined_names(expr: &Expr) -> Vec<&str> {
    let ExprKind::Select { fields, .. } = &expr.kind else { return Vec::new() };
    let mut names = Vec::new();
    for field in fields {
        match &field.name {
            Some(name) => names.push(&**name),
            None => names.extend(joined_names(&field.value)),
        }
    }
    names
}

fn of_each(value: &Value, name: &str) -> Value {
    match value {
        Value::Array(items) => items.iter().map(|item| of_each(item, name)).collect(),
        Value::Object(object) => object.get(name).cloned().unwrap_or_default(),
        _ => Value::Null,
    }
}

/// Writes named selections at the top level. For a list they select from each element, and an element without fields
/// stays as it is.
pub(super) fn write_each(
    fields: &[Field],
    text: &str,
    frame: Frame<'_>,
    out: &mut String,
) -> Result<(), Failure> {
    if text.starts_with('[') {
        let items = super::text::elements(text, frame.remaining)?;
        return write_list(items, out, |item, out| match item {
            Found::Text(text) => write_each(fields, text, frame, out),
            null => null.write(out, frame.remaining),
        });
    }
    if !text.starts_with('{') {
        frame.remaining.written(text.len())?;
        out.push_str(text);
        return Ok(());
    }
    with_members(
        text,
        frame.remaining,
        || names_of(fields),
        |current| write_object(fields, Frame { current, ..frame }, out),
    )
}

/// Like [`write`], but reads the text of the current value once for all its keys.
pub(super) fn write_from(
    expr: &Expr,
    text: &str,
    frame: Frame<'_>,
    out: &mut String,
) -> Result<(), Failure> {
    let names = || names([expr]);
    with_members(text, frame.remaining, names, |current| {
        write(expr, Frame { current, ..frame }, out)
    })
}

/// Appends an expression's value as JSON. A computed list is held one element at a time.
pub(super) fn write(expr: &Expr, frame: Frame<'_>, out: &mut String) -> Result<(), Failure> {
    match &expr.kind {
        ExprKind::Object(fields) => write_object(fields, frame, out),
        ExprKind::Select { of, fields } => write_selected(evaluate(of, frame)?, fields, frame, out),
        ExprKind::Method { of, method: Method::Map, arguments, .. } => {
            let [body] = &arguments[..] else { return Ok(()) };
            let receiver = evaluate(of, frame)?;
            if receiver.is_null() {
                out.push_str("null");
                return Ok(());
            }
            let items = receiver.into_list(frame.remaining)?;
            let items = items.or_else(|other| refuse(Method::Map, &other))?;
            write_list(items, out, |item, out| {
                at_item(body, &item, frame)?.write(out, frame.remaining)
            })
        }
        _ => evaluate(expr, frame)?.write(out, frame.remaining),
    }
}

fn write_list<'a>(
    items: Vec<Found<'a>>,
    out: &mut String,
    write: impl Fn(Found<'a>, &mut String) -> Result<(), Failure>,
) -> Result<(), Failure> {
    out.push('[');
    for (index, item) in items.into_iter().enumerate() {
        out.push_str(if index == 0 { "" } else { "," });
        write(item, out)?;
    }
    out.push(']');
    Ok(())
}

fn write_selected(
    of: Found<'_>,
    fields: &[Field],
    frame: Frame<'_>,
    out: &mut String,
) -> Result<(), Failure> {
    match of.into_list(frame.remaining)? {
        Ok(items) => write_list(items, out, |item, out| write_selected(item, fields, frame, out)),
        Err(Found::Text(text)) if text.starts_with('{') => with_members(
            text,
            frame.remaining,
            || names_of(fields),
            |current| write_object(fields, Frame { current, ..frame }, out),
        ),
        Err(one) => select(one, fields, frame)?.write(out, frame.remaining),
    }
}

fn write_object(fields: &[Field], frame: Frame<'_>, out: &mut String) -> Result<(), Failure> {
    if fields.iter().any(|field| field.name.is_none()) {
        // Fields that join may replace each other.
        return Found::owned(object(fields, frame)?).write(out, frame.remaining);
    }
    out.push('{');
    for (index, field) in fields.iter().enumerate() {
        out.push_str(if index == 0 { "" } else { "," });
        let name = field.name.as_deref().unwrap_or_default();
        Found::owned(name).write(out, frame.remaining)?;
        out.push(':');
        write(&field.value, frame, out)?;
    }
    out.push('}');
    Ok(())
}
