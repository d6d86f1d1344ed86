//! Variables: coercion of what a client sent to what the operation declares (GraphQL spec, section 6.1.2), by
//! `apollo-compiler`.

use super::parse::short;
use crate::engine::plan::constant;
use crate::graph::Graph;
use crate::graphql::{Error, ErrorCode, Name};
use apollo_compiler::Schema;
use apollo_compiler::ast::Type;
use apollo_compiler::executable::{Operation, SelectionSet};
use apollo_compiler::request::coerce_variable_values;
use apollo_compiler::response::{JsonMap, JsonValue};
use serde_json::{Map, Value};

/// An operation's variable definitions.
pub(super) struct Variables {
    /// The operation without its selections: all that coercion looks at.
    declared: Option<Box<Operation>>,
    /// Coerced, which `apollo-compiler` leaves undone.
    defaults: Vec<(Name, Value)>,
}

impl Variables {
    pub fn new(graph: &Graph, operation: &Operation) -> Self {
        let declared = (!operation.variables.is_empty()).then(|| {
            Box::new(Operation {
                selection_set: SelectionSet::new(operation.object_type().clone()),
                ..operation.clone()
            })
        });
        let defaults = operation.variables.iter().filter_map(|variable| {
            let literal = variable.default_value.as_deref()?;
            let value = constant(&graph.api_schema, &variable.ty, literal);
            Some((variable.name.as_str().into(), value))
        });
        Self { declared, defaults: defaults.collect() }
    }

    pub fn coerce(
        &self,
        graph: &Graph,
        given: Map<String, Value>,
    ) -> Result<Map<String, Value>, Vec<Error>> {
        let Some(declared) = &self.declared else { return Ok(Map::new()) };
        let missing: Vec<_> =
            self.defaults.iter().filter(|(name, _)| !given.contains_key(&**name)).collect();
        let given: JsonMap =
            given.into_iter().map(|(name, value)| (name.into(), from_serde(value))).collect();
        let coerced =
            coerce_variable_values(&graph.api_schema, declared, &given).map_err(|error| {
                vec![Error::new(ErrorCode::BadVariables, short(error.message().to_string()))]
            })?;
        let mut coerced: Map<String, Value> = coerced
            .into_inner()
            .into_iter()
            .map(|(name, value)| (name.as_str().to_owned(), to_serde(value)))
            .collect();
        for variable in &declared.variables {
            if let Some(value) = coerced.get_mut(variable.name.as_str()) {
                finish(&graph.api_schema, &variable.ty, value);
            }
        }
        for (name, value) in missing {
            coerced.insert(name.to_string(), value.clone());
        }
        Ok(coerced)
    }
}

/// What coercion leaves as the client wrote it: an `ID` is a string, and a single value where a list is due is a list
/// of one. The value's depth was bounded when it was parsed.
fn finish(schema: &Schema, ty: &Type, value: &mut Value) {
    match (ty, &mut *value) {
        (_, Value::Null) => {}
        (Type::List(of) | Type::NonNullList(of), Value::Array(elements)) => {
            for element in elements {
                finish(schema, of, element);
            }
        }
        (Type::List(of) | Type::NonNullList(of), single) => {
            finish(schema, of, single);
            *value = Value::Array(vec![value.take()]);
        }
        (Type::Named(name) | Type::NonNullNamed(name), Value::Number(number)) if name == "ID" => {
            *value = Value::String(number.to_string());
        }
        (Type::Named(name) | Type::NonNullNamed(name), Value::Object(fields)) => {
            let Some(object) = schema.get_input_object(name) else { return };
            for field in object.fields.values() {
                if let Some(value) = fields.get_mut(field.name.as_str()) {
                    finish(schema, &field.ty, value);
                }
            }
        }
        (Type::Named(_) | Type::NonNullNamed(_), _) => {}
    }
}

/// The values' depth was bounded when they were parsed.
fn from_serde(value: Value) -> JsonValue {
    match value {
        Value::Null => JsonValue::Null,
        Value::Bool(value) => JsonValue::Bool(value),
        Value::Number(value) => JsonValue::Number(value),
        Value::String(value) => JsonValue::String(value.into()),
        Value::Array(items) => JsonValue::Array(items.into_iter().map(from_serde).collect()),
        Value::Object(fields) => JsonValue::Object(
            fields.into_iter().map(|(name, value)| (name.into(), from_serde(value))).collect(),
        ),
    }
}

pub(super) fn to_serde(value: JsonValue) -> Value {
    match value {
        JsonValue::Null => Value::Null,
        JsonValue::Bool(value) => Value::Bool(value),
        JsonValue::Number(value) => Value::Number(value),
        JsonValue::String(value) => Value::String(value.as_str().to_owned()),
        JsonValue::Array(items) => items.into_iter().map(to_serde).collect(),
        JsonValue::Object(fields) => fields
            .into_iter()
            .map(|(name, value)| (name.as_str().to_owned(), to_serde(value)))
            .collect(),
    }
}

pub(super) fn to_json_map(variables: &Map<String, Value>) -> JsonMap {
    variables
        .iter()
        .map(|(name, value)| (name.as_str().into(), from_serde(value.clone())))
        .collect()
}
