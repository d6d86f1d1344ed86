//! What a reply provides, and where in it a field stands.

use crate::graph::{FieldSelection, Graph};
use crate::mapping::{Expr, ExprKind, Field, Mapping};

/// What can be read of an object of a reply.
#[derive(Clone, Copy)]
pub(super) enum Yields<'a> {
    /// No mapping: keys equal field names. A nested entity yields its keys and what `@provides` adds; where that
    /// includes a whole key, only that.
    Named { nested: bool, provides: &'a [FieldSelection] },
    /// Exactly what the mapping lists.
    Fields(&'a [Field]),
}

/// Where a field's value stands in an object of a reply.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum From<'a> {
    /// Under this key.
    Name(&'a str),
    /// What this expression makes of the object.
    Expr(&'a Expr),
    /// In a selection without a name whose fields join the object's. With it, where that is one step: the path of the
    /// selection, and the expression below it.
    Joined(&'a Field, Option<(&'a Expr, &'a Expr)>),
}

/// The part of a `select` before the fields.
pub(super) fn root(select: Option<&Mapping>) -> (Option<&Expr>, Yields<'_>) {
    let named = Yields::Named { nested: false, provides: &[] };
    match select.map(Mapping::expr) {
        None => (None, named),
        Some(expr) => match &expr.kind {
            ExprKind::Object(fields) => (None, Yields::Fields(fields)),
            ExprKind::Select { of, fields } => (Some(of), Yields::Fields(fields)),
            _ => (Some(expr), named),
        },
    }
}

impl<'a> Yields<'a> {
    /// Where `name` of an object of type `ty` stands, and what the value below yields; `None` if it is not there.
    pub fn find(self, graph: &'a Graph, ty: &str, name: &'a str) -> Option<(From<'a>, Self)> {
        match self {
            Self::Named { nested, provides } => {
                let below = named(graph, ty, name, nested, provides)?;
                Some((From::Name(name), below))
            }
            Self::Fields(fields) => {
                let (from, expr) = listed(fields, name)?;
                Some((from, below(graph, ty, name, expr)))
            }
        }
    }
}

fn named<'a>(
    graph: &'a Graph,
    ty: &str,
    name: &str,
    nested: bool,
    provides: &'a [FieldSelection],
) -> Option<Yields<'a>> {
    let extra = provides.iter().find(|selection| &*selection.name == name);
    let object = graph.types.get(ty);
    let keys = object.map_or(&[][..], |object| &object.keys);
    // A field that provides one of several keys says which one it has.
    let named = |key: &[FieldSelection]| key.iter().all(|part| provides.contains(part));
    let keys_of_stub = if keys.iter().any(|key| named(key)) { &[][..] } else { keys };
    let of_key = || keys_of_stub.iter().flatten().find(|selection| &*selection.name == name);
    let entity = nested && !keys.is_empty();
    let selection = extra.or_else(of_key);
    if entity && selection.is_none() && name != "__typename" {
        return None;
    }
    let field = graph.field(ty, name);
    if field.is_some_and(|field| field.binding.is_some()) {
        return None;
    }
    let own = field.map_or(&[][..], |field| &field.provides);
    let provides = selection.map_or(own, |selection| &selection.fields);
    Some(Yields::Named { nested: true, provides })
}

fn listed<'a>(fields: &'a [Field], name: &str) -> Option<(From<'a>, &'a Expr)> {
    // Of two fields with one name the last one counts, as in evaluation.
    fields.iter().rev().find_map(|field| match (&field.name, &field.value.kind) {
        (Some(own), _) => (&**own == name).then_some((From::Expr(&field.value), &field.value)),
        (None, ExprKind::Select { of, fields }) => {
            let (from, expr) = listed(fields, name)?;
            let one_step = matches!(from, From::Expr(_)).then_some((&**of, expr));
            Some((From::Joined(field, one_step), expr))
        }
        (None, _) => None,
    })
}

fn below<'a>(graph: &'a Graph, ty: &str, name: &str, expr: &'a Expr) -> Yields<'a> {
    match &expr.kind {
        ExprKind::Select { fields, .. } | ExprKind::Object(fields) => Yields::Fields(fields),
        _ => {
            let provides = graph.field(ty, name).map_or(&[][..], |field| &field.provides);
            Yields::Named { nested: true, provides }
        }
    }
}

/// The keys of a path from the current object, if the expression is one: `a.b.c`, `$.a`; empty for `$` itself.
pub(super) fn key_path(expr: &Expr) -> Option<Vec<&str>> {
    match &expr.kind {
        ExprKind::Current => Some(Vec::new()),
        // In a reply, absent is null.
        ExprKind::Optional { of } => key_path(of),
        ExprKind::Key { of, name, .. } => {
            let mut path = key_path(of)?;
            path.push(name);
            Some(path)
        }
        _ => None,
    }
}
