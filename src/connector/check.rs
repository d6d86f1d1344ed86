//! Finds texts that cannot be meant: keys without an object to read them from, and quoted keys that look like texts.

use crate::mapping::{Expr, ExprKind, Field, Mapping, Span};

/// A part of a text, and its replacement.
pub(super) struct Part {
    pub(super) text: String,
    pub(super) span: Span,
    pub(super) help: String,
}

/// Finds keys in a `body` or a `message` that are read from no object: `name: name`, and `id: args.id`.
pub(super) fn keys_of_nothing(expr: &Expr) -> Vec<Part> {
    let mut found = Vec::new();
    outside(expr, &mut found);
    found
}

/// Checks `expr`, which has no current object.
fn outside(expr: &Expr, found: &mut Vec<Part>) {
    match &expr.kind {
        ExprKind::Key { of, name, .. } if matches!(of.kind, ExprKind::Current) => {
            let variables = ["args", "this", "batch", "claims", "env", "config"];
            let help = if variables.contains(&&**name) {
                format!("write `${name}`")
            } else {
                format!(
                    "write `$args.{name}` for an argument, `$this.{name}` for a field of the parent, or `$('{name}')` for the string"
                )
            };
            found.push(Part { text: name.to_string(), span: expr.span.clone(), help });
        }
        ExprKind::Key { of, .. }
        | ExprKind::Select { of, .. }
        | ExprKind::Method { of, .. }
        | ExprKind::Optional { of } => outside(of, found),
        ExprKind::Object(fields) => fields.iter().for_each(|field| outside(&field.value, found)),
        ExprKind::List(elements) => elements.iter().for_each(|element| outside(element, found)),
        ExprKind::Coalesce { left, right } => {
            outside(left, found);
            outside(right, found);
        }
        _ => {}
    }
}

/// Finds values in a `select` that are quoted without need, such as `kind: 'book'`: a quoted name is a key.
pub(super) fn quoted_keys(mapping: &Mapping) -> Vec<Part> {
    let mut found = Vec::new();
    if let ExprKind::Object(fields) | ExprKind::Select { fields, .. } = &mapping.expr().kind {
        inside(fields, mapping.text(), &mut found);
    }
    found
}

fn inside(fields: &[Field], text: &str, found: &mut Vec<Part>) {
    for field in fields {
        match &field.value.kind {
            ExprKind::Key { of, name, .. }
                if matches!(of.kind, ExprKind::Current) && field.name_span != field.value.span =>
            {
                let written = text.get(field.value.span.clone()).unwrap_or_default();
                if written.starts_with(['\'', '"']) && is_text(name) {
                    let (text, span) = (name.to_string(), field.value.span.clone());
                    let help =
                        format!("write `$('{name}')` for the string, or `$.{name}` for the key");
                    found.push(Part { text, span, help });
                }
            }
            ExprKind::Object(fields) | ExprKind::Select { fields, .. } => {
                inside(fields, text, found);
            }
            _ => {}
        }
    }
}

/// Returns whether a quoted name is meant as text: it needs no quotes as a key, or no service has such a key.
fn is_text(name: &str) -> bool {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    name.chars().all(is_word) && !name.starts_with(|c: char| c.is_ascii_digit())
        || name.contains(' ')
}
