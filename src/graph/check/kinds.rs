//! Values of a `select` held against the types they fill, as far as both are known at load: literals, lists against single
//! values, and the fields of gRPC messages. Where a value is known only with the reply, nothing is said.

use super::Parts;
use super::message::{Found, of_field, read};
use crate::graph::Batch;
use crate::graph::alias;
use crate::graph::binding::Bound;
use crate::graph::words::is_list;
use crate::mapping::{Expr, ExprKind, Field, Kinds, Method, Span};
use crate::problem::{Problem, instead};
use crate::source::Argument;
use apollo_compiler::Schema;
use apollo_compiler::ast::{FieldDefinition, Type};
use apollo_compiler::schema::ExtendedType;
use prost_reflect::MessageDescriptor;
use serde_json::Value;

/// Levels of objects that are followed.
const MAX_LEVELS: usize = 32;

/// A value that an expression may have, known before there is a reply.
enum Known<'e> {
    Literal(&'e Value),
    Boolean,
    Integer,
    Text,
    /// A list, and its elements where they are written.
    List(&'e [Expr]),
    /// A new object.
    Group,
}

/// The mapping of one binding.
struct Checking<'a, 'p> {
    parts: Parts<'a>,
    select: &'a Argument,
    problems: &'p mut Vec<Problem>,
}

/// Checks every `select` that compiled.
pub(super) fn check(parts: Parts<'_>, problems: &mut Vec<Problem>) {
    for bound in &parts.bindings.bound {
        let Ok(field) = parts.merged.schema.type_field(&bound.type_name, &bound.field) else {
            continue;
        };
        let Some(id) = bound.id else { continue };
        let binding = parts.bindings.binding(id);
        let (message, batch) = (binding.call.message(), binding.batch.as_ref());
        match (binding.call.select(), &bound.select) {
            (Some(mapping), Some(select)) => {
                let mut checking = Checking { parts, select, problems };
                checking.top(bound, field, mapping.expr(), message, batch);
            }
            (None, None) => unmapped(parts, bound, field, message, batch, problems),
            _ => {}
        }
    }
}

/// A reply of gRPC that is taken as it is.
fn unmapped(
    parts: Parts<'_>,
    bound: &Bound,
    field: &FieldDefinition,
    message: Option<&MessageDescriptor>,
    batch: Option<&Batch>,
    problems: &mut Vec<Problem>,
) {
    let Some(message) = message.filter(|_| batch.is_none()) else { return };
    let coordinate = bound.coordinate();
    let found = Found::message(message.clone());
    let problem = found.misfit(&parts.merged.schema, &coordinate, &field.ty);
    if let Some((text, help)) = problem {
        let problem = Problem::error("mapping-mismatch", text).at(bound.place.clone());
        problems.push(problem.help(help));
        return;
    }
    let inner = field.ty.inner_named_type();
    for part in parts.plain_fields(inner) {
        let coordinate = format!("{inner}.{}", part.name);
        let Some(found) = of_field(message, &part.name) else { continue };
        if let Some((text, help)) = found.misfit(&parts.merged.schema, &coordinate, &part.ty) {
            let problem = Problem::error("mapping-mismatch", text).at(bound.place.clone());
            problems.push(problem.help(help));
        }
    }
}

impl Checking<'_, '_> {
    fn top(
        &mut self,
        bound: &Bound,
        field: &FieldDefinition,
        expr: &Expr,
        message: Option<&MessageDescriptor>,
        batch: Option<&Batch>,
    ) {
        let coordinate = bound.coordinate();
        let current = message.map(|message| Found::message(message.clone()));
        // A mapping that names fields selects from each element of a reply that is a list.
        let fields = match &expr.kind {
            ExprKind::Object(fields) => Some((fields, current.clone())),
            ExprKind::Select { of, fields } => Some((fields, read(of, current.as_ref()))),
            _ => None,
        };
        if batch.is_none() {
            match &expr.kind {
                ExprKind::Object(_) => {
                    if let Some(current) = current.filter(|_| is_list(&field.ty)) {
                        self.misfit(&current, &coordinate, &field.ty, &expr.span);
                    }
                }
                _ => self.value(&coordinate, &field.ty, expr, current.as_ref()),
            }
        }
        if let Some((fields, current)) = fields {
            let current = current.map(Found::element);
            self.fields(field.ty.inner_named_type(), fields, current.as_ref(), 0);
        }
    }

    /// The named parts of an object of the type `type_name`.
    fn fields(&mut self, type_name: &str, fields: &[Field], current: Option<&Found>, level: usize) {
        if level == MAX_LEVELS {
            return;
        }
        for part in fields {
            let value = &part.value;
            let Some(name) = &part.name else {
                if let ExprKind::Select { of, fields } = &value.kind {
                    let current = read(of, current).map(Found::element);
                    self.fields(type_name, fields, current.as_ref(), level + 1);
                }
                continue;
            };
            for owner in self.parts.possible(type_name) {
                let Ok(field) = self.parts.merged.schema.type_field(owner, name) else { continue };
                if self.parts.is_bound(owner, name) {
                    continue;
                }
                let coordinate = format!("{owner}.{name}");
                let before = self.problems.len();
                self.value(&coordinate, &field.ty, value, current);
                let inner = field.ty.inner_named_type();
                match &value.kind {
                    ExprKind::Object(fields) => self.fields(inner, fields, current, level + 1),
                    ExprKind::Select { of, fields } => {
                        let current = read(of, current).map(Found::element);
                        self.fields(inner, fields, current.as_ref(), level + 1);
                    }
                    _ => {}
                }
                if self.problems.len() > before {
                    break;
                }
            }
        }
    }

    /// One value and the type that it fills.
    fn value(&mut self, coordinate: &str, ty: &Type, expr: &Expr, current: Option<&Found>) {
        let before = self.problems.len();
        self.known(coordinate, ty, expr);
        if self.problems.len() == before
            && let Some(found) = read(expr, current)
        {
            self.misfit(&found, coordinate, ty, &expr.span);
        }
    }

    fn misfit(&mut self, found: &Found, coordinate: &str, ty: &Type, span: &Span) {
        if let Some((message, help)) = found.misfit(&self.parts.merged.schema, coordinate, ty) {
            self.refuse(message, help, span);
        }
    }

    fn refuse(&mut self, message: String, help: String, span: &Span) {
        let problem = Problem::error("mapping-mismatch", message).at(self.select.place_of(span));
        self.problems.push(if help.is_empty() { problem } else { problem.help(help) });
    }

    fn known(&mut self, coordinate: &str, ty: &Type, expr: &Expr) {
        let mut found = Vec::new();
        known(expr, &mut found);
        let schema = &self.parts.merged.schema;
        let is_leaf = is_leaf(schema, ty);
        for (span, known) in found {
            let span = &span;
            let inner = ty.inner_named_type();
            match known {
                // Whether a null can be there is the reply's affair, unless nothing else can.
                Known::Literal(Value::Null) => {
                    if ty.is_non_null() && matches!(expr.kind, ExprKind::Literal(_)) {
                        let message = format!(
                            "`{coordinate}` is of type `{ty}`, but the mapping always returns null"
                        );
                        self.refuse(
                            message,
                            "return a value, or make the type nullable".into(),
                            span,
                        );
                    }
                }
                Known::List(elements) if is_list(ty) => {
                    for element in elements {
                        self.known(coordinate, ty.item_type(), element);
                    }
                }
                Known::List(_) if !is_custom(schema, inner) => {
                    let message =
                        format!("the mapping returns a list, but `{coordinate}` is of type `{ty}`");
                    let help = format!(
                        "select one element, such as with `->first`, or change the type to `[{ty}]`"
                    );
                    self.refuse(message, help, span);
                }
                Known::Group if is_list(ty) && !is_custom(schema, inner) => {
                    let message = format!(
                        "the mapping returns one object, but `{coordinate}` is of type `{ty}`"
                    );
                    let help = "select from a list, such as `$.items { id }`; for a list with one object, write `$([…])`";
                    self.refuse(message, help.into(), span);
                }
                Known::Group | Known::List(_) => {}
                _ if !is_leaf => {}
                _ if is_list(ty) && !is_custom(schema, inner) => {
                    let message = format!(
                        "the mapping returns a single value, but `{coordinate}` is of type `{ty}`"
                    );
                    self.refuse(message, "write a list: `$([…])`".into(), span);
                }
                known => {
                    if let Some((message, help)) = leaf_misfit(schema, coordinate, inner, &known) {
                        self.refuse(message, help, span);
                    }
                }
            }
        }
    }
}

/// The values that are known of an expression, each with its place. Bounded by the parser's limit on nesting.
fn known<'e>(expr: &'e Expr, found: &mut Vec<(Span, Known<'e>)>) {
    let known_value = match &expr.kind {
        ExprKind::Literal(value) => Known::Literal(value),
        ExprKind::List(elements) => Known::List(elements),
        ExprKind::Object(_) => Known::Group,
        // Selected of each element.
        ExprKind::Select { of, .. }
            if matches!(of.kind, ExprKind::Method { .. }) && of.kinds() == Kinds::LIST =>
        {
            Known::List(&[])
        }
        ExprKind::Coalesce { left, right } => {
            known(left, found);
            known(right, found);
            return;
        }
        ExprKind::Method { method: Method::Match, arguments, .. } => {
            for pair in arguments {
                if let ExprKind::List(pair) = &pair.kind
                    && let [_, value] = pair.as_slice()
                {
                    known(value, found);
                }
            }
            return;
        }
        ExprKind::Optional { of } => {
            known(of, found);
            return;
        }
        ExprKind::Method { method: Method::Size | Method::ParseInt, .. } => Known::Integer,
        ExprKind::Method { .. } => match expr.kinds() {
            Kinds::TEXT => Known::Text,
            Kinds::BOOLEAN => Known::Boolean,
            Kinds::LIST => Known::List(&[]),
            _ => return,
        },
        _ => return,
    };
    found.push((expr.span.clone(), known_value));
}

/// What is wrong with a known value of a leaf type, and how to fix it. Scalars are as strict as for replies.
fn leaf_misfit(
    schema: &Schema,
    coordinate: &str,
    ty: &str,
    known: &Known<'_>,
) -> Option<(String, String)> {
    let found = match known {
        Known::Literal(value) => value.to_string(),
        Known::Boolean => "a boolean".to_owned(),
        Known::Integer => "a whole number".to_owned(),
        Known::Text => "a string".to_owned(),
        Known::List(_) | Known::Group => return None,
    };
    if let Some(ExtendedType::Enum(values)) = schema.types.get(ty) {
        let names = alias::names(values);
        return match known {
            Known::Literal(Value::String(name)) if names.contains(&name.as_str()) => None,
            Known::Text => None,
            Known::Literal(Value::String(name)) => Some((
                format!("`{coordinate}` is of type `{ty}`, which has no value `{name}`"),
                instead(name, &names, "").unwrap_or_default(),
            )),
            _ => Some((
                format!("the mapping returns {found}, but `{coordinate}` is of type `{ty}`"),
                format!("write an enum value as a string, such as `$('{}')`", names.first()?),
            )),
        };
    }
    let is_whole = |value: &Value| value.is_i64() || value.is_u64();
    let fits = match (ty, known) {
        ("Int", Known::Literal(value)) => {
            value.as_i64().is_some_and(|number| i32::try_from(number).is_ok())
        }
        ("Float", Known::Literal(value)) => value.is_number(),
        ("String", Known::Literal(value)) => value.is_string(),
        ("ID", Known::Literal(value)) => value.is_string() || is_whole(value),
        ("Boolean", Known::Literal(value)) => value.is_boolean(),
        ("Int" | "Float" | "ID", Known::Integer)
        | ("String" | "ID", Known::Text)
        | ("Boolean", Known::Boolean) => true,
        ("Int" | "Float" | "String" | "ID" | "Boolean", _) => false,
        _ => true,
    };
    let help = match (ty, known) {
        ("Int", Known::Literal(Value::String(text))) if text.parse::<i32>().is_ok() => {
            format!("write `$({text})`")
        }
        ("Boolean", Known::Literal(Value::String(text))) if text == "true" || text == "false" => {
            format!("write `$({text})`")
        }
        ("String", Known::Literal(value)) => format!("write `$('{value}')`"),
        _ => format!("return a value of type `{ty}`, or change the type of the field"),
    };
    let message = format!("the mapping returns {found}, but `{coordinate}` is of type `{ty}`");
    (!fits).then_some((message, help))
}

fn is_leaf(schema: &Schema, ty: &Type) -> bool {
    schema.types.get(ty.inner_named_type()).is_some_and(ExtendedType::is_leaf)
}

/// Its values may be anything.
fn is_custom(schema: &Schema, ty: &str) -> bool {
    crate::graph::words::Words(schema).is_custom_scalar(ty)
}
