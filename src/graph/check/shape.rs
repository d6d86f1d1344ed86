//! What a mapping yields, as far as its text tells without a reply.

use crate::mapping::{Expr, ExprKind, Field, Kinds, Span};

/// The form of a value; lists are seen through, since mappings apply to their elements.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Shape {
    /// A part of the reply as it is.
    Reply,
    /// Null, as the mapping says.
    Null,
    /// A scalar, for sure.
    Leaf,
    /// An object with these names.
    Object(Object),
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Object {
    pub(super) fields: Vec<Named>,
    /// Some names are known only from the reply.
    pub(super) open: bool,
    pub(super) span: Span,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Named {
    pub(super) name: Box<str>,
    pub(super) span: Span,
    pub(super) shape: Shape,
}

impl Object {
    pub(super) fn get(&self, name: &str) -> Option<&Named> {
        self.fields.iter().find(|field| &*field.name == name)
    }

    /// Whether the leaf at `path` is yielded, or may be.
    pub(super) fn has(&self, path: &[crate::graphql::Name]) -> bool {
        let Some((first, rest)) = path.split_first() else { return true };
        match self.get(first).map(|field| &field.shape) {
            Some(Shape::Object(object)) => object.has(rest),
            Some(_) => true,
            None => self.open,
        }
    }
}

/// The shape of an expression. Recursion is bounded by the parser's own limit on nesting.
pub(super) fn of(expr: &Expr) -> Shape {
    match &expr.kind {
        ExprKind::Object(fields) | ExprKind::Select { fields, .. } => {
            Shape::Object(object(fields, expr.span.clone()))
        }
        ExprKind::Optional { of } => self::of(of),
        ExprKind::Literal(serde_json::Value::Null) => Shape::Null,
        ExprKind::Literal(_) => Shape::Leaf,
        _ if expr.kinds().is_within(Kinds::SCALAR) => Shape::Leaf,
        // Paths, and what other methods, lists and `??` make, are known only with the reply, and read by name.
        _ => Shape::Reply,
    }
}

fn object(fields: &[Field], span: Span) -> Object {
    let mut object = Object { fields: Vec::new(), open: false, span };
    for field in fields {
        let shape = of(&field.value);
        match (&field.name, shape) {
            (Some(name), shape) => object.fields.push(Named {
                name: name.clone(),
                span: field.name_span.clone(),
                shape,
            }),
            (None, Shape::Object(inner)) => {
                object.open |= inner.open;
                object.fields.extend(inner.fields);
            }
            (None, _) => object.open = true,
        }
    }
    object
}
