//! The walk: from a validated operation to a plan.
//!
//! Selections become views, fields become slots, and a fetch is drafted wherever a field has a binding of its own or an
//! object lacks what a lookup brings; then the drafts are put in order.

use super::collect::Collector;
use super::condition::{Condition, Conditions};
use super::draft::Planner;
use super::error::Result;
use super::select::Around;
use super::{QueryPlan, finish};
use crate::engine::guard::cost::Pricing;
use crate::engine::guard::limits::LimitName;
use crate::engine::response::View;
use crate::engine::settings::Settings;
use crate::graph::Graph;
use crate::graphql::Lines;
use apollo_compiler::ast::OperationType;
use apollo_compiler::executable::{ExecutableDocument, Operation};
use std::cell::Cell;

/// Steps of planning allowed for each selection that is allowed.
const STEPS_FOR_EACH_SELECTION: usize = 8;

/// Looks at selections allowed for each selection that is allowed.
const VISITS_FOR_EACH_SELECTION: usize = 50;

/// Plans an operation that was validated against the graph's API schema.
///
/// # Errors
/// See [`PlanError`].
pub(in crate::engine) fn plan(
    graph: &Graph,
    document: &ExecutableDocument,
    operation: &Operation,
    text: &str,
    settings: &Settings,
) -> Result<QueryPlan> {
    let limits = &settings.limits;
    let selections = limits.selections.bound(LimitName::Selections);
    let selections = usize::try_from(selections).unwrap_or(usize::MAX);
    let nullable = operation.variables.iter().filter(|variable| !variable.ty.is_non_null());
    let mut planner = Planner {
        graph,
        collector: Collector {
            schema: &graph.api_schema,
            document,
            visits: Cell::new(selections.saturating_mul(VISITS_FOR_EACH_SELECTION)),
        },
        conditions: Conditions::new(),
        nodes: Vec::new(),
        fetches: Vec::new(),
        checks: Vec::new(),
        introspection: Vec::new(),
        lines: Lines::new(text),
        nullable: nullable.map(|variable| variable.name.as_str()).collect(),
        pricing: Pricing::new(limits.list_size.max),
        cache: &settings.cache,
        mutation: operation.operation_type == OperationType::Mutation,
        steps: selections.saturating_mul(STEPS_FOR_EACH_SELECTION),
        depth: 0,
    };
    let root = planner.node(None, operation.object_type());
    let sets = vec![(&operation.selection_set, Condition::always())];
    let around = Around { condition: 0, sized: &[] };
    let (entries, cost) = planner.entries(root, operation.object_type(), &sets, around)?;
    finish::finish(planner, View::One(entries), &cost)
}
