//! `__schema` and `__type` (GraphQL spec, section 4), answered from the API schema by `apollo-compiler`: once per
//! operation where no variable is involved, otherwise per request.

use super::variables::{to_json_map, to_serde};
use crate::graph::Graph;
use crate::graphql::{Error, ErrorCode, Name};
use apollo_compiler::ExecutableDocument;
use apollo_compiler::executable::Operation;
use apollo_compiler::introspection::{check_max_depth, partial_execute};
use apollo_compiler::request::coerce_variable_values;
use apollo_compiler::validation::Valid;
use serde_json::{Map, Value};
use std::borrow::Cow;

pub(super) enum Introspection {
    /// The answers as JSON, by number; empty where nothing is asked.
    Answered(Vec<String>),
    PerRequest(Box<(Valid<ExecutableDocument>, Operation)>),
}

impl Introspection {
    pub fn new(
        graph: &Graph,
        keys: &[Name],
        document: &Valid<ExecutableDocument>,
        operation: &Operation,
    ) -> Result<Self, Vec<Error>> {
        if keys.is_empty() {
            return Ok(Self::Answered(Vec::new()));
        }
        check_max_depth(document, operation).map_err(|error| vec![refusal(&error)])?;
        if !operation.variables.is_empty() {
            let both = (document.clone(), operation.clone());
            return Ok(Self::PerRequest(Box::new(both)));
        }
        Ok(Self::Answered(execute(graph, keys, document, operation, &Map::new())?))
    }

    pub fn answer(
        &self,
        graph: &Graph,
        keys: &[Name],
        variables: &Map<String, Value>,
    ) -> Result<Cow<'_, [String]>, Vec<Error>> {
        match self {
            Self::Answered(answers) => Ok(Cow::Borrowed(answers)),
            Self::PerRequest(both) => {
                Ok(Cow::Owned(execute(graph, keys, &both.0, &both.1, variables)?))
            }
        }
    }
}

fn execute(
    graph: &Graph,
    keys: &[Name],
    document: &Valid<ExecutableDocument>,
    operation: &Operation,
    variables: &Map<String, Value>,
) -> Result<Vec<String>, Vec<Error>> {
    let schema = &graph.api_schema;
    let refuse = |error| vec![refusal(&error)];
    let variables =
        coerce_variable_values(schema, operation, &to_json_map(variables)).map_err(refuse)?;
    let implementers = schema.implementers_map();
    let mut response =
        partial_execute(schema, &implementers, document, operation, &variables).map_err(refuse)?;
    let mut data = response.data.take().unwrap_or_default();
    let mut answer = |key: &Name| data.remove(&**key).map_or(Value::Null, to_serde).to_string();
    Ok(keys.iter().map(&mut answer).collect())
}

fn refusal(error: &apollo_compiler::request::RequestError) -> Error {
    Error::new(ErrorCode::LimitExceeded, error.message().to_string())
}
