//! Variables of an operation: its definitions with their defaults, and the values of a request.

use super::coerce::{Coercion, CoercionError, InputPath};
use super::parse::short;
use crate::engine::guard::limits::LimitName;
use crate::engine::plan::constant;
use crate::engine::settings::Limits;
use crate::graph::Graph;
use crate::graphql::{Error, ErrorCode, Lines, Location};
use apollo_compiler::ast::Type;
use apollo_compiler::executable::Operation;
use apollo_compiler::response::{JsonMap, JsonValue};
use serde_json::{Map, Value};

/// Variable definitions of an operation.
pub(super) struct Variables {
    declared: Vec<VariableDefinition>,
    /// Maximum number of values that defaults may add to those of a request.
    most: u64,
}

struct VariableDefinition {
    name: Box<str>,
    ty: Type,
    /// The default, coerced.
    default: Option<Value>,
    at: Option<Location>,
}

impl Variables {
    pub fn new(graph: &Graph, operation: &Operation, limits: &Limits, text: &str) -> Self {
        let lines = Lines::new(text);
        let declared = operation.variables.iter().map(|variable| VariableDefinition {
            name: variable.name.as_str().into(),
            ty: (*variable.ty).clone(),
            default: variable
                .default_value
                .as_deref()
                .map(|literal| constant(&graph.api_schema, &variable.ty, literal)),
            at: variable.location().map(|at| lines.place(at.offset())),
        });
        let most = limits.variables.bound(LimitName::Variables);
        Self { declared: declared.collect(), most }
    }

    /// Coerces the request's variables to their types, and fills in defaults for omitted ones.
    ///
    /// # Errors
    /// If a variable is invalid. The error is the first one.
    pub fn coerce(
        &self,
        graph: &Graph,
        mut given: Map<String, Value>,
    ) -> Result<Map<String, Value>, Vec<Error>> {
        let mut coercion = Coercion::new(&graph.schema, self.most);
        let mut coerced = Map::new();
        for variable in &self.declared {
            let name = &*variable.name;
            let value = match (given.remove(name), &variable.default) {
                (Some(value), _) => coercion
                    .value(&variable.ty, value, InputPath::Variable(name))
                    .map_err(|refused| vec![variable.refuse(refused)])?,
                (None, Some(default)) => default.clone(),
                (None, None) if variable.ty.is_non_null() => {
                    let message = format!("`${name}`: a value of type `{}` is due", variable.ty);
                    return Err(vec![variable.refuse(CoercionError::Misfit(message))]);
                }
                (None, None) => continue,
            };
            coerced.insert(name.to_owned(), value);
        }
        Ok(coerced)
    }
}

impl VariableDefinition {
    fn refuse(&self, refused: CoercionError) -> Error {
        let (code, message) = match refused {
            CoercionError::Misfit(message) => (ErrorCode::BadVariables, short(message)),
            CoercionError::TooMany => {
                let message = "the variables hold too many values with their defaults \
                               (limits.variables)";
                (ErrorCode::LimitExceeded, message.to_owned())
            }
        };
        Error { locations: self.at.into_iter().collect(), ..Error::new(code, message) }
    }
}

/// Converts a value. Its depth was bounded when it was parsed.
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
