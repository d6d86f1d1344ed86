//! "Values of Correct Type" (GraphQL spec, section 5.6.1) for one literal and everything inside it. Also the names of
//! input fields (5.6.2), that none is missing (5.6.4), and exactly one in a `@oneOf` (3.10.1).
//!
//! Variables are skipped: their values depend on their declarations.

use super::expected;
use crate::graph::format_of;
use crate::graphql::ScalarFormat;
use apollo_compiler::ast::{Type, Value};
use apollo_compiler::parser::SourceSpan;
use apollo_compiler::schema::{EnumType, ExtendedType, InputObjectType};
use apollo_compiler::{Name, Node, Schema};
use hashbrown::HashSet;

/// Reports every error in a literal of type `ty`. `schema` is the bound one. The recursion is as deep as the parser
/// allows literals to be.
pub fn misfits(
    schema: &Schema,
    ty: &Type,
    literal: &Node<Value>,
    report: &mut dyn FnMut(Option<SourceSpan>, String),
) {
    match (ty, &**literal) {
        (Type::NonNullList(_) | Type::NonNullNamed(_), Value::Null) => {
            report(literal.location(), expected::not_null(ty));
        }
        (_, Value::Variable(_) | Value::Null) => {}
        (Type::List(of) | Type::NonNullList(of), Value::List(items)) => {
            for item in items {
                misfits(schema, of, item, report);
            }
        }
        // A single value is a list of one.
        (Type::List(of) | Type::NonNullList(of), _) => misfits(schema, of, literal, report),
        (Type::Named(name) | Type::NonNullNamed(name), value) => match schema.types.get(name) {
            Some(ExtendedType::InputObject(object)) => {
                input_object(schema, object, literal, report);
            }
            Some(ExtendedType::Enum(definition)) => {
                if let Some(message) = enum_value(definition, value) {
                    report(literal.location(), message);
                }
            }
            Some(ExtendedType::Scalar(definition)) => {
                if let Some(message) = scalar(name, format_of(definition), value) {
                    report(literal.location(), message);
                }
            }
            // A type that does not exist, or is not an input type, is reported elsewhere.
            _ => {}
        },
    }
}

/// Returns `true` for an error of the parser's own validation that is decided here instead. The parser refuses null in
/// a list of which only the list itself must not be null, such as `[null]` for a custom scalar.
#[must_use]
pub fn is_misread(diagnostic: &str) -> bool {
    diagnostic.starts_with("expected value of type ") && diagnostic.ends_with(", found null")
}

/// Returns `true` if the input object is a `@oneOf`.
#[must_use]
pub fn is_one_of(object: &InputObjectType) -> bool {
    object.directives.has("oneOf")
}

fn input_object(
    schema: &Schema,
    object: &InputObjectType,
    literal: &Node<Value>,
    report: &mut dyn FnMut(Option<SourceSpan>, String),
) {
    let name = &object.name;
    let Value::Object(given) = &**literal else {
        return report(literal.location(), expected::an_object(name, kind(literal)));
    };
    let mut seen: HashSet<&Name> = HashSet::new();
    for (key, value) in given {
        match object.fields.get(key) {
            // At the value, as the parser's own validation does: a key has no location in the tree of every literal.
            None => report(value.location(), expected::no_field(name, key)),
            Some(field) => {
                seen.insert(key);
                misfits(schema, &field.ty, value, report);
            }
        }
    }
    for field in object.fields.values() {
        if field.is_required() && !seen.contains(&field.name) {
            report(literal.location(), expected::missing_field(name, &field.name));
        }
    }
    if is_one_of(object) {
        let only = match given.as_slice() {
            [(_, value)] => !value.is_null(),
            _ => false,
        };
        if !only {
            report(literal.location(), expected::exactly_one(name));
        }
    }
}

fn enum_value(definition: &EnumType, value: &Value) -> Option<String> {
    match value {
        Value::Enum(value) => expected::no_value(definition, value),
        other => Some(expected::not_a_value(definition, kind(other))),
    }
}

fn scalar(name: &str, format: Option<ScalarFormat>, value: &Value) -> Option<String> {
    match (name, value) {
        ("Int", Value::Int(number)) if number.try_to_i32().is_ok() => None,
        ("Float", Value::Int(number)) if number.try_to_f64().is_ok() => None,
        ("Float", Value::Float(number)) if number.try_to_f64().is_ok() => None,
        ("Int", Value::Int(_)) | ("Float", Value::Int(_) | Value::Float(_)) => {
            Some(expected::out_of_range(name))
        }
        ("String" | "ID", Value::String(_))
        | ("ID", Value::Int(_))
        | ("Boolean", Value::Boolean(_)) => None,
        _ => {
            let (fits, found) = match (format, value) {
                (Some(format), Value::String(text)) => (format.accepts_text(text), "this value"),
                (Some(format), Value::Int(digits)) => {
                    (format.accepts_number(digits.as_str()), "this value")
                }
                _ => (false, kind(value)),
            };
            if fits { None } else { expected::other_scalar(name, format, found) }
        }
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Enum(_) => "the name of a value",
        Value::Variable(_) => "a variable",
        Value::String(_) => "a string",
        Value::Float(_) => "a number with a fraction or an exponent",
        Value::Int(_) => "a whole number",
        Value::Boolean(_) => "a boolean",
        Value::List(_) => "a list",
        Value::Object(_) => "an object",
    }
}
