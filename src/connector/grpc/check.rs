//! Checks `message` and `select` against the method's messages: unknown names are found at load.
//!
//! Only names that can be followed are checked. If a value comes from a method or a variable, the check stops.

use crate::mapping::{Expr, ExprKind, Field, Mapping, Span};
use crate::problem::{Problem, instead, nearest};
use crate::source::Argument;
use prost_reflect::{FieldDescriptor, Kind, MessageDescriptor};

/// Checks that the names in `message` are fields of the input, at every depth.
pub(super) fn message(
    mapping: &Mapping,
    argument: &Argument,
    input: &MessageDescriptor,
    problems: &mut Vec<Problem>,
) {
    Check { mapping, argument, problems, lists: Vec::new() }.written(mapping.expr(), Some(input));
}

/// Checks that the keys in `select` are fields of the output, as far as they can be followed.
pub(super) fn select(
    mapping: &Mapping,
    argument: &Argument,
    output: &MessageDescriptor,
    problems: &mut Vec<Problem>,
) {
    Check { mapping, argument, problems, lists: Vec::new() }.read(mapping.expr(), Some(output));
}

/// Returns a field by its name in the `.proto` file, or by its JSON name.
pub(super) fn field(message: &MessageDescriptor, name: &str) -> Option<FieldDescriptor> {
    message.get_field_by_name(name).or_else(|| message.get_field_by_json_name(name))
}

struct Check<'a> {
    mapping: &'a Mapping,
    argument: &'a Argument,
    problems: &'a mut Vec<Problem>,
    /// Lists that were suggested already.
    lists: Vec<String>,
}

impl Check<'_> {
    /// Checks `expr`, whose value has the type `message`.
    fn written(&mut self, expr: &Expr, message: Option<&MessageDescriptor>) {
        let Some(message) = message else { return };
        match &expr.kind {
            ExprKind::Object(fields) | ExprKind::Select { fields, .. } => {
                for part in fields {
                    self.written_field(part, message);
                }
            }
            ExprKind::List(elements) => {
                for element in elements {
                    self.written(element, Some(message));
                }
            }
            ExprKind::Optional { of } => self.written(of, Some(message)),
            ExprKind::Coalesce { left, right } => {
                self.written(left, Some(message));
                self.written(right, Some(message));
            }
            _ => {}
        }
    }

    fn written_field(&mut self, part: &Field, message: &MessageDescriptor) {
        let Some(name) = &part.name else {
            self.written(&part.value, Some(message));
            return;
        };
        match field(message, name) {
            Some(found) => {
                self.literal(&part.value, &found);
                self.written(&part.value, nested(&found).as_ref());
            }
            None => self.unknown(name, message, part.name_span.clone()),
        }
    }

    /// Checks that a literal fits `field`.
    fn literal(&mut self, expr: &Expr, field: &FieldDescriptor) {
        match &expr.kind {
            ExprKind::Coalesce { left, right } => {
                self.literal(left, field);
                self.literal(right, field);
            }
            ExprKind::List(elements) if field.is_list() => {
                for element in elements {
                    self.element(element, field);
                }
            }
            ExprKind::List(_) if !field.is_map() && nested_or_scalar(field) => {
                let message = format!("the field `{}` takes one value, not a list", field.name());
                self.misfit(message, "write one value".to_owned(), expr);
            }
            ExprKind::Literal(value) if field.is_list() && !value.is_null() => {
                let message =
                    format!("the field `{}` is repeated, so it takes a list", field.name());
                self.misfit(message, "write a list, such as `$([…])`".to_owned(), expr);
            }
            ExprKind::Literal(_) if !field.is_map() => self.element(expr, field),
            _ => {}
        }
    }

    fn element(&mut self, expr: &Expr, field: &FieldDescriptor) {
        let ExprKind::Literal(value) = &expr.kind else { return };
        if value.is_null() {
            return;
        }
        let name = field.name();
        let (due, fits) = match field.kind() {
            Kind::Enum(kind) => {
                let names: Vec<String> = kind.values().map(|v| v.name().to_owned()).collect();
                if value.as_str().is_some_and(|text| !names.iter().any(|name| name == text)) {
                    let names: Vec<&str> = names.iter().map(String::as_str).collect();
                    let message = format!("the enum `{}` has no value {value}", kind.full_name());
                    let text = value.as_str().unwrap_or_default();
                    self.misfit(message, instead(text, &names, "").unwrap_or_default(), expr);
                    return;
                }
                ("the name of an enum value", value.is_string() || value.is_i64())
            }
            Kind::Bool => ("`true` or `false`", value.is_boolean()),
            Kind::String | Kind::Bytes => ("a string", !value.is_boolean()),
            Kind::Message(_) => return,
            Kind::Double | Kind::Float => ("a number", is_number(value)),
            _ => ("a whole number", is_number(value) && !value.is_f64()),
        };
        if !fits {
            let message = format!("`{name}` takes {due}, not {value}");
            self.misfit(message, format!("write {due}"), expr);
        }
    }

    fn misfit(&mut self, message: String, help: String, expr: &Expr) {
        let problem = Problem::error("mapping-mismatch", message);
        let problem = problem.at(self.argument.place_of(&expr.span));
        self.problems.push(if help.is_empty() { problem } else { problem.help(help) });
    }

    /// Returns the type of `expr` if `current` is the current message; `None` if it is unknown.
    fn read(
        &mut self,
        expr: &Expr,
        current: Option<&MessageDescriptor>,
    ) -> Option<MessageDescriptor> {
        match &expr.kind {
            ExprKind::Current => current.cloned(),
            ExprKind::Key { of, name, .. } => {
                let message = self.read(of, current)?;
                let Some(found) = field(&message, name) else {
                    let span = self.name_span(expr, name);
                    self.unknown(name, &message, span);
                    return None;
                };
                nested(&found)
            }
            ExprKind::Object(fields) => {
                for part in fields {
                    self.read(&part.value, current);
                }
                None
            }
            ExprKind::Select { of, fields } => {
                let message = self.read(of, current);
                for part in fields {
                    self.read(&part.value, message.as_ref());
                }
                None
            }
            ExprKind::Method { of, method, .. } => {
                let message = self.read(of, current);
                method.keeps_elements().then_some(message).flatten()
            }
            ExprKind::Coalesce { left, right } => {
                self.read(left, current);
                self.read(right, current);
                None
            }
            ExprKind::List(elements) => {
                for element in elements {
                    self.read(element, current);
                }
                None
            }
            ExprKind::Optional { of } => self.read(of, current),
            ExprKind::At | ExprKind::Variable(_) | ExprKind::Literal(_) => None,
        }
    }

    /// Returns the span of a path's last step, if the text contains it literally.
    fn name_span(&self, expr: &Expr, name: &str) -> Span {
        let text = self.mapping.text().get(expr.span.clone()).unwrap_or_default();
        if text.ends_with(name) {
            expr.span.end - name.len()..expr.span.end
        } else {
            expr.span.clone()
        }
    }

    fn unknown(&mut self, name: &str, message: &MessageDescriptor, span: Span) {
        let fields: Vec<FieldDescriptor> = message.fields().collect();
        let holds = |list: &&FieldDescriptor| {
            list.is_list() && nested(list).is_some_and(|inner| field(&inner, name).is_some())
        };
        let list = fields.iter().find(holds).map(|list| list.name().to_owned());
        if let Some(list) = &list {
            // One wrong level is one problem, however many names it has.
            if self.lists.contains(list) {
                return;
            }
            self.lists.push(list.clone());
        }
        let problem = Problem::error(
            "unknown-message-field",
            format!("message `{}` has no field `{name}`", message.full_name()),
        )
        .at(self.argument.place_of(&span));
        let help = match nearest(name, fields.iter().map(FieldDescriptor::name)) {
            _ if list.is_some() => {
                let list = list.unwrap_or_default();
                format!(
                    "the messages of its list `{list}` have `{name}`: write `$.{list} {{ {name} … }}`"
                )
            }
            Some(near) => format!("did you mean `{near}`?"),
            None if fields.is_empty() => "the message has no fields".to_owned(),
            None => {
                let names: Vec<&str> = fields.iter().map(FieldDescriptor::name).take(12).collect();
                format!("it has {}", names.join(", "))
            }
        };
        self.problems.push(problem.help(help));
    }
}

/// Returns whether the value is a number. Texts of digits are numbers, as in protobuf's JSON.
fn is_number(value: &serde_json::Value) -> bool {
    value.is_number() || value.as_str().is_some_and(|text| text.parse::<f64>().is_ok())
}

/// Returns whether the field's values are not lists in JSON.
fn nested_or_scalar(field: &FieldDescriptor) -> bool {
    !matches!(field.kind(), Kind::Message(message) if is_well_known(&message))
}

/// Returns the message of a field, or of its list's elements. `None` for maps and for well-known types, whose JSON form
/// differs from their fields.
fn nested(field: &FieldDescriptor) -> Option<MessageDescriptor> {
    match field.kind() {
        Kind::Message(message) if !field.is_map() && !is_well_known(&message) => Some(message),
        _ => None,
    }
}

pub(super) fn is_well_known(message: &MessageDescriptor) -> bool {
    message.parent_file().package_name() == "google.protobuf"
}
