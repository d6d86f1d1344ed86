//! Tests of the language, and shared helpers: variables from JSON, trees and errors as text.

mod compare;
mod errors;
mod evaluate;
mod grammar;
mod hostile;
mod methods;
mod page;
mod reference;
mod url;

use super::{
    Expr, ExprKind, Failure, Field, Mapping, ParseError, Position, Scope, Template, Variable,
    Variables,
};
use serde_json::Value;
use std::borrow::Cow;

/// Variables from one object, by the name after the `$`.
struct Given(Value);

impl Variables for Given {
    fn value(&self, variable: Variable) -> Cow<'_, Value> {
        let found = self.0.get(&variable.as_str()[1..]);
        found.map_or(Cow::Owned(Value::Null), Cow::Borrowed)
    }
}

fn mapping(text: &str) -> Mapping {
    Mapping::parse(text).unwrap_or_else(|errors| panic!("{text}: {errors:?}"))
}

fn select(text: &str, current: &Value) -> Result<Value, Failure> {
    select_with(text, current, &Value::Null)
}

fn select_with(text: &str, current: &Value, variables: &Value) -> Result<Value, Failure> {
    let variables = Given(variables.clone());
    mapping(text).evaluate(&Scope { current, variables: &variables })
}

fn url(text: &str, variables: Value) -> Result<String, Failure> {
    let template = Template::parse_url(text).unwrap_or_else(|errors| panic!("{text}: {errors:?}"));
    template.render_url(&Scope { current: &Value::Null, variables: &Given(variables) })
}

fn value(text: &str, position: Position, variables: Value) -> Result<Value, Failure> {
    let template =
        Template::parse_value(text, position).unwrap_or_else(|errors| panic!("{text}: {errors:?}"));
    template.evaluate(&Scope { current: &Value::Null, variables: &Given(variables) })
}

/// Prints the tree: bare keys with the `$` that they belong to, literals as JSON, fields that join with dots before
/// them.
fn show(expr: &Expr) -> String {
    let optional = |optional: bool| if optional { "?" } else { "" };
    match &expr.kind {
        ExprKind::Current => "$".to_owned(),
        ExprKind::At => "@".to_owned(),
        ExprKind::Variable(variable) => variable.as_str().to_owned(),
        ExprKind::Literal(value) => value.to_string(),
        ExprKind::List(items) => format!("[{}]", show_all(items)),
        ExprKind::Object(fields) => show_fields(fields),
        ExprKind::Key { of, name, optional: safe } => {
            format!("{}{}.{name}", show(of), optional(*safe))
        }
        ExprKind::Select { of, fields } => format!("{} {}", show(of), show_fields(fields)),
        ExprKind::Method { of, method, arguments, optional: safe } => {
            let call = format!("{}({})", method.as_str(), show_all(arguments));
            format!("{}{}->{call}", show(of), optional(*safe))
        }
        ExprKind::Optional { of } => format!("{}?", show(of)),
        ExprKind::Coalesce { left, right } => format!("({} ?? {})", show(left), show(right)),
    }
}

fn show_all(items: &[Expr]) -> String {
    items.iter().map(show).collect::<Vec<_>>().join(", ")
}

fn show_fields(fields: &[Field]) -> String {
    let shown = fields.iter().map(|field| match &field.name {
        Some(name) => format!("{name}: {}", show(&field.value)),
        None => format!("...{}", show(&field.value)),
    });
    format!("{{{}}}", shown.collect::<Vec<_>>().join(", "))
}

/// Prints one error: message, the line with carets under it, help.
fn show_error(text: &str, error: &ParseError) -> String {
    let line_start = text[..error.span.start].rfind('\n').map_or(0, |at| at + 1);
    let line = text[line_start..].lines().next().unwrap_or_default();
    let before = text[line_start..error.span.start].chars().count();
    let width = text[error.span.clone()].chars().count().max(1);
    let mut shown =
        format!("{}\n  {line}\n  {}{}", error.message, " ".repeat(before), "^".repeat(width));
    if let Some(help) = &error.help {
        shown.push_str("\n  help: ");
        shown.push_str(help);
    }
    shown
}

fn show_errors(text: &str, errors: &[ParseError]) -> String {
    errors.iter().map(|error| show_error(text, error)).collect::<Vec<_>>().join("\n")
}
