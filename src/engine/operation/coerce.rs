//! Coercion of variables ("CoerceVariableValues", GraphQL spec, section 6.1.2): converts a client's value to its type,
//! or returns a sentence that says where it is invalid.
//!
//! Numbers are compared by their value, because JSON has one kind of them: `1.0` and `-0` are integers. Digits are
//! kept.

use crate::engine::plan::constant;
use crate::graph::{expected, format_of, is_one_of};
use crate::graphql::ScalarFormat;
use apollo_compiler::Schema;
use apollo_compiler::ast::Type;
use apollo_compiler::schema::{EnumType, ExtendedType, InputObjectType};
use serde_json::{Map, Number, Value};
use std::fmt;

/// Reason why a value is invalid.
pub(super) enum CoercionError {
    Misfit(String),
    /// With its defaults filled in, it holds more values than allowed.
    TooMany,
}

type Coerced = Result<Value, CoercionError>;

/// Path from the variable to a value inside it.
#[derive(Clone, Copy)]
pub(super) enum InputPath<'a> {
    Variable(&'a str),
    Field(&'a InputPath<'a>, &'a str),
    Item(&'a InputPath<'a>, usize),
}

pub(super) struct Coercion<'a> {
    /// The bound schema: clients do not see which scalars are unchecked.
    schema: &'a Schema,
    /// Number of values that defaults may still add.
    left: u64,
}

impl<'a> Coercion<'a> {
    pub fn new(schema: &'a Schema, most: u64) -> Self {
        Self { schema, left: most }
    }

    /// Coerces a value. Its depth was bounded when it was parsed.
    pub fn value(&mut self, ty: &Type, value: Value, way: InputPath<'_>) -> Coerced {
        match (ty, value) {
            (Type::NonNullNamed(_) | Type::NonNullList(_), Value::Null) => {
                Err(misfit(way, &expected::not_null(ty)))
            }
            (_, Value::Null) => Ok(Value::Null),
            (Type::List(of) | Type::NonNullList(of), Value::Array(items)) => {
                let items = items.into_iter().enumerate();
                let mut item = |(index, item)| self.value(of, item, InputPath::Item(&way, index));
                items.map(&mut item).collect()
            }
            (Type::List(of) | Type::NonNullList(of), single) => {
                Ok(Value::Array(vec![self.value(of, single, way)?]))
            }
            (Type::Named(name) | Type::NonNullNamed(name), value) => {
                match self.schema.types.get(name) {
                    Some(ExtendedType::InputObject(object)) => self.object(object, value, way),
                    Some(ExtendedType::Enum(definition)) => enum_value(definition, value, way),
                    Some(ExtendedType::Scalar(definition)) => {
                        scalar(name, format_of(definition), value, way)
                    }
                    _ => scalar(name, None, value, way),
                }
            }
        }
    }

    fn object(&mut self, object: &InputObjectType, value: Value, way: InputPath<'_>) -> Coerced {
        let name = &object.name;
        let Value::Object(mut given) = value else {
            return Err(misfit(way, &expected::an_object(name, kind(&value))));
        };
        if let Some(unknown) = given.keys().find(|key| !object.fields.contains_key(key.as_str())) {
            return Err(misfit(way, &expected::no_field(name, unknown)));
        }
        if is_one_of(object) && (given.len() != 1 || given.values().any(Value::is_null)) {
            return Err(misfit(way, &expected::exactly_one(name)));
        }
        let mut coerced = Map::new();
        for field in object.fields.values() {
            let key = field.name.as_str();
            let value = match given.remove(key) {
                Some(value) => self.value(&field.ty, value, InputPath::Field(&way, key))?,
                None => match &field.default_value {
                    Some(default) => self.default(constant(self.schema, &field.ty, default))?,
                    None if field.ty.is_non_null() => {
                        return Err(misfit(way, &expected::missing_field(name, key)));
                    }
                    None => continue,
                },
            };
            coerced.insert(key.to_owned(), value);
        }
        Ok(Value::Object(coerced))
    }

    fn default(&mut self, value: Value) -> Coerced {
        self.left = self.left.checked_sub(count(&value)).ok_or(CoercionError::TooMany)?;
        Ok(value)
    }
}

fn count(value: &Value) -> u64 {
    match value {
        Value::Array(items) => items.iter().map(count).sum::<u64>() + 1,
        Value::Object(fields) => fields.values().map(count).sum::<u64>() + 1,
        _ => 1,
    }
}

fn enum_value(definition: &EnumType, value: Value, way: InputPath<'_>) -> Coerced {
    let message = match &value {
        Value::String(text) => expected::no_value(definition, text),
        other => Some(expected::not_a_value(definition, kind(other))),
    };
    message.map_or(Ok(value), |message| Err(misfit(way, &message)))
}

fn scalar(name: &str, format: Option<ScalarFormat>, value: Value, way: InputPath<'_>) -> Coerced {
    let message = match (name, &value) {
        ("Int", Value::Number(number)) => match whole(number).map(i32::try_from) {
            Some(Ok(number)) => return Ok(number.into()),
            Some(Err(_)) => Some(expected::out_of_range(name)),
            None => expected::other_scalar(name, None, "this number"),
        },
        ("ID", Value::Number(number)) => match digits(number) {
            Some(text) => return Ok(text.into()),
            None => Some(format!("`{name}` takes a string or a whole number, not this number")),
        },
        ("Float", Value::Number(number)) if number.as_f64().is_some() => None,
        ("String" | "ID", Value::String(_)) | ("Boolean", Value::Bool(_)) => None,
        _ => {
            let (fits, found) = match (format, &value) {
                (Some(format), Value::String(text)) => (format.accepts_text(text), "this value"),
                (Some(format), Value::Number(number)) => {
                    (format.accepts_number(number.as_str()), "this value")
                }
                _ => (false, kind(&value)),
            };
            if fits { None } else { expected::other_scalar(name, format, found) }
        }
    };
    message.map_or(Ok(value), |message| Err(misfit(way, &message)))
}

/// From here on, a float may represent several integers: 2^53.
const AMBIGUOUS: f64 = 9_007_199_254_740_992.0;

/// Returns the number if it is an integer, such as `1.0` and `-0`. A float from [`AMBIGUOUS`] on gives a number outside
/// of the range of `Int`.
fn whole(number: &Number) -> Option<i128> {
    if let Some(number) = number.as_i64() {
        return Some(number.into());
    }
    if let Some(number) = number.as_u64() {
        return Some(number.into());
    }
    let float = number.as_f64().filter(|float| float.fract() == 0.0)?;
    #[expect(clippy::cast_possible_truncation, reason = "whole, and within bounds")]
    let whole = float.clamp(-AMBIGUOUS, AMBIGUOUS) as i128;
    Some(whole)
}

/// Returns the digits of an integer. A number with a fraction or an exponent must be its own nearest float.
fn digits(number: &Number) -> Option<String> {
    let text = number.as_str();
    let is_plain = text.strip_prefix('-').unwrap_or(text).bytes().all(|byte| byte.is_ascii_digit());
    if is_plain && text != "-0" {
        return Some(text.to_owned());
    }
    let is_rounded = number.as_f64()?.abs() >= AMBIGUOUS;
    if is_rounded { None } else { whole(number).map(|whole| whole.to_string()) }
}

fn misfit(way: InputPath<'_>, message: &str) -> CoercionError {
    CoercionError::Misfit(format!("`{way}`: {message}"))
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "this number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

impl fmt::Display for InputPath<'_> {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Variable(name) => write!(to, "${name}"),
            Self::Field(parent, name) => write!(to, "{parent}.{name}"),
            Self::Item(parent, index) => write!(to, "{parent}[{index}]"),
        }
    }
}
