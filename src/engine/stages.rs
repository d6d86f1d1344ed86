//! The stages of a request one by one, for benchmarks (`benches/inside`). Production code does not use this.

use super::execute::{self, Outcome, Snapshot};
use super::guard::access::Access;
use super::operation::Operation;
use super::response::{self, Store, Writing, read_json};
use super::{Engine, Error, Request, plan};
use crate::memory::Account;
use crate::source::Trace;
use apollo_compiler::ExecutableDocument;
use apollo_compiler::validation::Valid;
use bytes::Bytes;
use std::borrow::Cow;

/// Access to the stages of an engine.
pub struct Stages<'a>(&'a Engine);

/// A prepared operation.
pub struct Prepared(Operation);

/// A request that ran: its store is filled, and nothing is written.
pub struct Ran {
    outcome: Outcome,
    conditions: Vec<bool>,
    given: Cow<'static, [u64]>,
}

impl Engine {
    /// Returns the stages. For benchmarks only.
    #[must_use]
    pub fn stages(&self) -> Stages<'_> {
        Stages(self)
    }
}

impl Stages<'_> {
    /// Parses, measures and validates.
    ///
    /// # Errors
    /// If the operation is refused.
    pub fn parse(&self, text: &str) -> Result<Valid<ExecutableDocument>, Vec<Error>> {
        super::operation::parse(&self.0.graph, &self.0.settings.limits, text)
            .map(|(document, _)| document)
    }

    /// Plans the one operation of a document, and returns the number of its fetches.
    #[must_use]
    pub fn plan(&self, document: &Valid<ExecutableDocument>) -> Option<usize> {
        let operation = document.operations.get(None).ok()?;
        let settings = &self.0.settings;
        let text = document.sources.values().next().map_or("", |file| file.source_text());
        let plan = plan::plan(&self.0.graph, document, operation, text, settings).ok()?;
        Some(plan.fetches.len())
    }

    /// Prepares the operation: parses, measures, validates and plans.
    ///
    /// # Errors
    /// If the operation is refused.
    pub fn prepare(&self, text: &str) -> Result<Prepared, Vec<Error>> {
        Operation::prepare(&self.0.graph, &self.0.settings, text, None).map(Prepared)
    }

    /// Reads one JSON reply of the operation's first fetch. Returns `true` on success.
    #[must_use]
    pub fn read(&self, prepared: &Prepared, body: &Bytes) -> bool {
        let Some(fetch) = prepared.0.plan.fetches.first() else { return false };
        let mut store = Store::new(self.0.settings.limits.reply_values);
        read_json(&mut store, body, &fetch.shape, &response::Nothing).is_ok()
    }

    /// Runs the operation.
    pub async fn run(&self, prepared: &Prepared, request: &Request) -> Ran {
        let plan = &prepared.0.plan;
        let conditions =
            plan.conditions(&request.variables, Access::new(&self.0.graph, &request.caller));
        let snapshot = Snapshot {
            graph: &self.0.graph,
            plan,
            variables: &request.variables,
            conditions: &conditions,
            caller: &request.caller,
            deadline: request.deadline,
            pool: &self.0.pool,
            loaders: &self.0.loaders,
            is_query: !prepared.0.is_mutation,
            expose_upstream_errors: self.0.settings.expose_upstream_errors,
        };
        let outcome = execute::execute(snapshot, None).await;
        let costs = &self.0.graph.costs;
        let (_, given) = plan.cost.estimate(costs, &conditions, &request.variables);
        Ran { outcome, conditions, given }
    }

    /// Writes the response.
    #[must_use]
    pub fn write(&self, prepared: &Prepared, ran: &Ran) -> Bytes {
        let Outcome { store, root, bytes, .. } = &ran.outcome;
        let view = &prepared.0.plan.view;
        let writing = Writing {
            conditions: &ran.conditions,
            introspection: &[],
            given: &ran.given,
            size: self.0.size(*bytes, &Account::default()),
            list_size: self.0.settings.limits.list_size,
            trace: &Trace::default(),
            missing: None,
        };
        response::write(store, *root, view, writing).finish(None::<&()>)
    }
}
