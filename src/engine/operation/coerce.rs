//! "CoerceVariableValues" (GraphQL spec, section 6.1.2): what a client sent for a variable becomes a value of its type,
//! or a sentence that says where it is not one.
//!
//! Numbers are judged by their value, as JSON has one kind of them: `1.0` and `-0` are whole. Digits are kept.

use crate::engine::plan::constant;
use crate::graph::{exactly_one, is_one_of};
use apollo_compiler::Schema;
use apollo_compiler::ast::Type;
use apollo_compiler::schema::{EnumType, ExtendedType, InputObjectType};
use serde_json::{Map, Number, Value};
use std::fmt;

/// Why a value is none of its type.
pub(super) enum CoercionError {
    Misfit(String),
    /// With its defaults filled in, it holds more values than allowed.
    TooMany,
}

type Coerced = Result<Value, CoercionError>;

/// The way from the variable to a value inside it.
#[derive(Clone, Copy)]
pub(super) enum InputPath<'a> {
    Variable(&'a str),
    Field(&'a InputPath<'a>, &'a str),
    Item(&'a InputPath<'a>, usize),
}

pub(super) struct Coercion<'a> {
    schema: &'a Schema,
    /// Values that may still be added as defaults.
    left: u64,
}

impl<'a> Coercion<'a> {
    pub fn new(schema: &'a Schema, most: u64) -> Self {
        Self { schema, left: most }
    }

    /// The depth of a value was bounded when it was parsed.
    pub fn value(&mut self, ty: &Type, value: Value, way: InputPath<'_>) -> Coerced {
        match (ty, value) {
            (Type::NonNullNamed(_) | Type::NonNullList(_), Value::Null) => {
                Err(misfit(way, &format!("null cannot stand where `{ty}` is due")))
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
                    _ => scalar(name, value, way),
                }
            }
        }
    }

    fn object(&mut self, object: &InputObjectType, value: Value, way: InputPath<'_>) -> Coerced {
        let name = &object.name;
        let Value::Object(mut given) = value else {
            return Err(misfit(way, &format!("`{name}` takes an object, not {}", kind(&value))));
        };
        if let Some(unknown) = given.keys().find(|key| !object.fields.contains_key(key.as_str())) {
            return Err(misfit(way, &format!("`{name}` has no field `{unknown}`")));
        }
        if is_one_of(object) && (given.len() != 1 || given.values().any(Value::is_null)) {
            return Err(misfit(way, &exactly_one(name)));
        }
        let mut coerced = Map::new();
        for field in object.fields.values() {
            let key = field.name.as_str();
            let value = match given.remove(key) {
                Some(value) => self.value(&field.ty, value, InputPath::Field(&way, key))?,
                None => match &field.default_value {
                    Some(default) => self.default(constant(self.schema, &field.ty, default))?,
                    None if field.ty.is_non_null() => {
                        let message = format!("`{name}` needs a value for its field `{key}`");
                        return Err(misfit(way, &message));
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
    let name = &definition.name;
    match value {
        Value::String(text) if definition.values.contains_key(text.as_str()) => {
            Ok(Value::String(text))
        }
        Value::String(text) => Err(misfit(way, &format!("`{name}` has no value `{text}`"))),
        other => {
            let message = format!("`{name}` takes one of its values, not {}", kind(&other));
            Err(misfit(way, &message))
        }
    }
}

fn scalar(name: &str, value: Value, way: InputPath<'_>) -> Coerced {
    let due = match (name, &value) {
        ("Int", Value::Number(number)) => match whole(number).map(i32::try_from) {
            Some(Ok(number)) => return Ok(number.into()),
            Some(Err(_)) => return Err(misfit(way, "this number does not fit an `Int`")),
            None => "a whole number",
        },
        ("ID", Value::Number(number)) => match digits(number) {
            Some(text) => return Ok(text.into()),
            None => "a string, or a whole number of at most 64 bits",
        },
        ("Float", Value::Number(_))
        | ("String" | "ID", Value::String(_))
        | ("Boolean", Value::Bool(_)) => return Ok(value),
        ("Int", _) => "a whole number",
        ("Float", _) => "a number",
        ("String", _) => "a string",
        ("ID", _) => "a string or a whole number",
        ("Boolean", _) => "a boolean",
        // A custom scalar takes anything.
        _ => return Ok(value),
    };
    Err(misfit(way, &format!("`{name}` takes {due}, not {}", kind(&value))))
}

/// The number, if it is whole: `1.0` and `-0` are, too.
fn whole(number: &Number) -> Option<i128> {
    /// From here on a float may stand for several whole numbers.
    const MOST: f64 = 9_007_199_254_740_992.0;
    if let Some(number) = number.as_i64() {
        return Some(number.into());
    }
    if let Some(number) = number.as_u64() {
        return Some(number.into());
    }
    let float = number.as_f64().filter(|float| float.fract() == 0.0)?;
    #[expect(clippy::cast_possible_truncation, reason = "whole, and within bounds")]
    let whole = float.clamp(-MOST * 2048.0, MOST * 2048.0) as i128;
    Some(whole)
}

/// The digits of a whole number, if all of them are known.
fn digits(number: &Number) -> Option<String> {
    let whole = whole(number)?;
    // A larger one was rounded when it was parsed.
    let is_known = i64::try_from(whole).is_ok() || u64::try_from(whole).is_ok();
    is_known.then(|| whole.to_string())
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
