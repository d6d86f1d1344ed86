//! One operation from start to finish, without a socket: bytes → prepared operation (cached) → run the plan → bytes.
//!
//! Nothing is done per request that could be done once per operation, and nothing per operation that could be done at
//! load. The engine knows no protocol: what it asks goes through [`crate::source`].

mod execute;
mod guard;
mod operation;
mod plan;
mod response;
mod settings;
#[doc(hidden)]
pub mod stages;
#[cfg(test)]
mod testing;

pub use settings::{Limits, Settings};

use crate::graph::Graph;
use crate::graphql::{Error, ErrorCode};
use crate::source::Caller;
use bytes::Bytes;
use execute::{InFlight, Loaders, Snapshot};
use guard::access::Access;
use operation::{Operation, Operations};
use response::Size;
use serde_json::{Map, Value};
use std::sync::Arc;
use std::time::Instant;

/// Prepares and runs operations against one graph. Cheap to clone.
#[derive(Clone)]
pub struct Engine {
    graph: Arc<Graph>,
    settings: Arc<Settings>,
    operations: Arc<Operations>,
    in_flight: Arc<InFlight>,
    loaders: Arc<Loaders>,
}

/// One GraphQL request, already taken out of its transport.
#[derive(Debug)]
pub struct Request {
    pub query: String,
    pub operation_name: Option<String>,
    /// As the client sent them; coerced by the engine.
    pub variables: Map<String, Value>,
    pub caller: Arc<Caller>,
    /// `GET`: a mutation is refused with [`ErrorCode::MethodNotAllowed`].
    pub queries_only: bool,
    pub deadline: Instant,
}

/// What goes back to the client.
#[derive(Debug)]
pub struct Response {
    /// A whole GraphQL response object: `{"data":…}`, with `"errors"` where there are any.
    pub body: Bytes,
    /// `Some`: the operation never ran, and the body has no `data`.
    pub refusal: Option<ErrorCode>,
    /// How many errors the body lists.
    pub errors: usize,
    /// Calls to sources, shared ones included.
    pub upstream_calls: usize,
}

impl Engine {
    #[must_use]
    pub fn new(graph: Arc<Graph>, settings: Settings) -> Self {
        Self {
            operations: Arc::new(Operations::new(&settings)),
            in_flight: Arc::default(),
            loaders: Arc::new(Loaders::new(&graph)),
            settings: Arc::new(settings),
            graph,
        }
    }

    #[must_use]
    pub fn graph(&self) -> &Arc<Graph> {
        &self.graph
    }

    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Runs one request. Dropping the future cancels every call below it. Never panics on what a client sends.
    pub async fn execute(&self, request: Request) -> Response {
        match self.run(request).await {
            Ok(response) => response,
            Err(errors) => Response::refuse(&errors),
        }
    }

    async fn run(&self, request: Request) -> Result<Response, Vec<Error>> {
        let name = request.operation_name.as_deref();
        let operation =
            self.operations.get(&self.graph, &self.settings, &request.query, name).await?;
        if operation.is_mutation && request.queries_only {
            let message = "a mutation cannot be sent with GET; use POST";
            return Err(vec![Error::new(ErrorCode::MethodNotAllowed, message)]);
        }
        let variables = operation.coerce(&self.graph, request.variables)?;
        let introspection = operation.introspect(&self.graph, &variables)?;
        let access = Access::new(&self.graph, &request.caller);
        let conditions = operation.plan.conditions(&variables, access);
        let outcome = execute::execute(Snapshot {
            graph: &self.graph,
            plan: &operation.plan,
            variables: &variables,
            conditions: &conditions,
            caller: &request.caller,
            deadline: request.deadline,
            in_flight: self.settings.reuse.then_some(&self.in_flight),
            loaders: &self.loaders,
            is_mutation: operation.is_mutation,
        })
        .await;
        let view = &operation.plan.view;
        let written = response::write(
            &outcome.store,
            outcome.root,
            view,
            &conditions,
            &introspection,
            Size { expected: outcome.bytes, most: self.settings.limits.response },
        );
        Ok(Response {
            body: written.body,
            refusal: None,
            errors: written.errors.len(),
            upstream_calls: outcome.calls,
        })
    }

    /// The plan of an operation as text, for `explain`; calls nothing.
    ///
    /// # Errors
    /// The refusals that [`Engine::execute`] would answer with.
    pub fn explain(
        &self,
        query: &str,
        operation_name: Option<&str>,
        variables: &Map<String, Value>,
    ) -> Result<String, Vec<Error>> {
        let operation = Operation::prepare(&self.graph, &self.settings, query, operation_name)?;
        let variables = operation.coerce(&self.graph, variables.clone())?;
        let list_size = self.settings.limits.list_size;
        Ok(plan::explain(&self.graph, &operation.plan, &variables, list_size))
    }
}

impl Response {
    /// A response that refuses the operation; the first error's code decides the status.
    #[must_use]
    pub fn refuse(errors: &[Error]) -> Self {
        let body = serde_json::json!({ "errors": errors }).to_string();
        let code = errors.first().map_or(ErrorCode::Internal, |error| error.code);
        let body = Bytes::from(body);
        Self { body, refusal: Some(code), errors: errors.len(), upstream_calls: 0 }
    }
}
