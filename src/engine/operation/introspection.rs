//! Introspection: `__schema` and `__type` (GraphQL spec, section 4), answered from the API schema by `apollo-compiler`.
//! If no variable is involved, they are answered once per operation, otherwise per request.

use super::is_one_of::{self, Marked};
use super::limits;
use super::variables::{to_json_map, to_serde};
use crate::graph::Graph;
use crate::graphql::{Error, ErrorCode, Location, Name};
use apollo_compiler::ExecutableDocument;
use apollo_compiler::executable::Operation;
use apollo_compiler::introspection::{check_max_depth, partial_execute};
use apollo_compiler::response::{GraphQLError, ResponseDataPathSegment};
use apollo_compiler::validation::Valid;
use serde_json::{Map, Value};
use std::borrow::Cow;

pub(super) enum Introspection {
    /// Answers as JSON, by number; empty without introspection fields.
    Answered(Vec<String>),
    PerRequest(Box<Executable>),
}

/// An operation in executable form.
pub(super) struct Executable {
    document: Valid<ExecutableDocument>,
    operation: Operation,
    marked: Option<Marked>,
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
        let marked = is_one_of::mark(&graph.api_schema, document, operation);
        let asked = if let Some((document, operation, marked)) = marked {
            Executable { document, operation, marked: Some(marked) }
        } else {
            let (document, operation) = (document.clone(), operation.clone());
            Executable { document, operation, marked: None }
        };
        if !operation.variables.is_empty() {
            return Ok(Self::PerRequest(Box::new(asked)));
        }
        Ok(Self::Answered(asked.execute(graph, keys, &Map::new())?))
    }

    /// Returns its approximate size in bytes.
    pub fn weight(&self) -> usize {
        match self {
            Self::Answered(answers) => answers.iter().map(|answer| answer.capacity() + 24).sum(),
            Self::PerRequest(asked) => asked.weight(),
        }
    }

    pub fn answer(
        &self,
        graph: &Graph,
        keys: &[Name],
        variables: &Map<String, Value>,
    ) -> Result<Cow<'_, [String]>, Vec<Error>> {
        match self {
            Self::Answered(answers) => Ok(Cow::Borrowed(answers)),
            Self::PerRequest(asked) => Ok(Cow::Owned(asked.execute(graph, keys, variables)?)),
        }
    }
}

/// Size of a node of a document's tree in bytes. Each token creates at most one node.
const NODE: usize = 256;

impl Executable {
    /// Returns its approximate size in bytes: the document with its text.
    fn weight(&self) -> usize {
        let texts = self.document.sources.values().map(|file| file.source_text());
        let bytes = |text: &str| text.len() * 2 + limits::extent(text, usize::MAX).tokens * NODE;
        texts.map(bytes).sum()
    }

    /// Executes the introspection fields. Returns their answers as JSON, by number.
    fn execute(
        &self,
        graph: &Graph,
        keys: &[Name],
        variables: &Map<String, Value>,
    ) -> Result<Vec<String>, Vec<Error>> {
        let schema = &graph.api_schema;
        // Coerced before, by our own rules.
        let variables = Valid::assume_valid(to_json_map(variables));
        let implementers = schema.implementers_map();
        let (document, operation) = (&self.document, &self.operation);
        let mut response = partial_execute(schema, &implementers, document, operation, &variables)
            .map_err(|error| vec![refusal(&error)])?;
        // The selection was validated: only a variable's value can still be wrong. Other root fields are not executed
        // here.
        let is_asked = |error: &&GraphQLError| match error.path.first() {
            Some(ResponseDataPathSegment::Field(key)) => keys.iter().any(|asked| **asked == **key),
            _ => true,
        };
        if let Some(error) = response.errors.iter().find(is_asked) {
            let message = "null was sent for a variable that an introspection field needs";
            let locations =
                error.locations.iter().map(|at| Location { line: at.line, column: at.column });
            let locations = locations.collect();
            return Err(vec![Error { locations, ..Error::new(ErrorCode::BadVariables, message) }]);
        }
        let mut data = response.data.take().unwrap_or_default();
        let mut answer = |key: &Name| {
            let value = data.remove(&**key).map_or(Value::Null, to_serde);
            match &self.marked {
                Some(marked) => marked.resolve(schema, value).to_string(),
                None => value.to_string(),
            }
        };
        Ok(keys.iter().map(&mut answer).collect())
    }
}

fn refusal(error: &apollo_compiler::request::RequestError) -> Error {
    Error::new(ErrorCode::LimitExceeded, error.message().to_string())
}
