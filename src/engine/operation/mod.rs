//! Prepares operations: text and operation name are parsed, measured, validated and planned, once for all requests that
//! send them.
//!
//! Every property that could take more than linear time in the size of the text is measured first. A prepared operation
//! holds no variable, claim or header.

mod cache;
mod coerce;
mod introspection;
mod is_one_of;
mod limits;
mod parse;
mod persisted;
#[cfg(test)]
mod tests;
mod validate;
mod variables;

pub(super) use cache::Operations;
use parse::Measured;
pub(super) use parse::parse;
pub use persisted::{ApqSettings, Document, Settings as PersistedSettings, Trust};
pub(super) use persisted::{Found, Persisted};

use super::guard::limits::Exceeded;
use super::plan::{self, QueryPlan};
use super::settings::Settings;
use crate::graph::Graph;
use crate::graphql::{Error, ErrorCode};
use apollo_compiler::ast::OperationType;
use introspection::Introspection;
use serde_json::{Map, Value};
use variables::Variables;

/// Size of a value that a schema's default adds to an operation, in bytes, including its key and its entry in an
/// object.
const VALUE: usize = 128;

/// An operation that is ready to run.
pub(super) struct Operation {
    pub plan: QueryPlan,
    pub is_mutation: bool,
    pub is_subscription: bool,
    variables: Variables,
    introspection: Introspection,
    /// Limits that its text exceeds, but that are only measured.
    pub measured: Vec<Exceeded>,
    /// Approximate size in bytes.
    weight: usize,
}

impl Operation {
    /// Prepares one operation of a document.
    ///
    /// # Errors
    /// If limits, syntax or validation refuse it, or no operation has the name.
    pub fn prepare(
        graph: &Graph,
        settings: &Settings,
        text: &str,
        name: Option<&str>,
    ) -> Result<Self, Vec<Error>> {
        let (document, Measured { exceeded, added_values }) =
            parse::parse(graph, &settings.limits, text)?;
        let operation = document.operations.get(name).map_err(|_| vec![unknown(name)])?;
        let plan = plan::plan(graph, &document, operation, text, settings)
            .map_err(|error| vec![Error::new(error.code(), error.to_string())])?;
        if !plan.introspection.is_empty() && !settings.introspection {
            let message = "introspection is off; it is on where `server.introspection` is true";
            return Err(vec![Error::new(ErrorCode::IntrospectionDisabled, message)]);
        }
        let is_mutation = operation.operation_type == OperationType::Mutation;
        let is_subscription = operation.operation_type == OperationType::Subscription;
        let variables = Variables::new(graph, operation, &settings.limits, text);
        let introspection = Introspection::new(graph, &plan.introspection, &document, operation)?;
        let defaults = usize::try_from(added_values).unwrap_or(usize::MAX).saturating_mul(VALUE);
        let weight = plan.weight + text.len() * 8 + introspection.weight();
        Ok(Self {
            plan,
            is_mutation,
            is_subscription,
            variables,
            introspection,
            measured: exceeded,
            weight: weight.saturating_add(defaults),
        })
    }

    /// Coerces the request's variables to their types, and fills in defaults.
    ///
    /// # Errors
    /// If a variable is invalid. The error is the first one.
    pub fn coerce(
        &self,
        graph: &Graph,
        variables: Map<String, Value>,
    ) -> Result<Map<String, Value>, Vec<Error>> {
        self.variables.coerce(graph, variables)
    }

    /// Returns the answers to the introspection fields as JSON, by number.
    ///
    /// # Errors
    /// If the introspection exceeds its limits.
    pub fn introspect(
        &self,
        graph: &Graph,
        variables: &Map<String, Value>,
    ) -> Result<std::borrow::Cow<'_, [String]>, Vec<Error>> {
        self.introspection.answer(graph, &self.plan.introspection, variables)
    }
}

fn unknown(name: Option<&str>) -> Error {
    let message = match name {
        Some(name) => format!("the document has no operation named `{name}`"),
        None => "the document has several operations, or none: name one in `operationName`".into(),
    };
    Error::new(ErrorCode::OperationNotFound, parse::short(message))
}
