//! Cost of an operation: a formula that is built with its plan, an estimate before the first call, and the actual cost
//! after the last one.
//!
//! The planner builds the formula while it walks the selection, so that planning, writing and charging agree: merged
//! response keys count once, and fields removed by `@skip` cost nothing. The writer adds up the actual cost as it
//! writes, by the same weights. So if no list is longer than declared, the actual cost never exceeds the estimate.

mod formula;
mod given;
mod report;
#[cfg(test)]
mod tests;

pub(in crate::engine) use formula::{Formula, Values};
pub(in crate::engine) use given::Given;
pub use report::{CostReport, UpstreamCalls};

use super::Refusal;
use super::limits::{Exceeded, LimitName, Verdict};
use crate::engine::execute::Calls;
use crate::engine::plan::{Conditions, QueryPlan, Slice};
use crate::engine::settings::{Limit, Limits, Mode};
use crate::graph::{Costs, Graph};
use crate::graphql::{Error, ErrorCode, Name};
use serde_json::{Map, Value};
use std::borrow::Cow;

/// Minimum cost of every operation: receiving it is work, even if it selects only `__typename`.
pub const FLOOR: u64 = 1;

/// Cost of each root field of a mutation, in addition to the field itself: each alias is a mutation of its own.
pub(in crate::engine) const MUTATION: u64 = 10;

/// Prices that the planner collects on its walk.
pub(in crate::engine) struct Pricing {
    /// Assumed length of a list without a declared size.
    pub list_size: u64,
    /// Costs of given values, by number. The first one is for fields without any.
    pub given: Vec<Given>,
    pub rules: Vec<Rule>,
}

/// A field that needs exactly one of its slicing arguments.
#[derive(Debug)]
pub(in crate::engine) struct Rule {
    /// Coordinate of the field, such as `Query.team`.
    pub coordinate: String,
    /// Number of the condition under which it is selected.
    pub condition: u32,
    pub one_of: Vec<Name>,
    pub slices: Vec<Slice>,
}

/// The cost of an operation.
#[derive(Debug)]
pub(in crate::engine) struct Cost {
    formula: Formula,
    given: Vec<Given>,
    rules: Vec<Rule>,
    /// The formula for printing.
    printed: String,
}

/// Cost of one request before it runs.
#[derive(Debug)]
pub(in crate::engine) struct Estimate {
    pub cost: u64,
    /// Maximum number of calls.
    pub calls: u64,
    /// Costs of given values, by number. The writer uses the same ones.
    pub given: Cow<'static, [u64]>,
}

impl Pricing {
    pub fn new(list_size: u64) -> Self {
        Self { list_size, given: vec![Given::Fixed(0)], rules: Vec::new() }
    }

    pub fn finish(self, formula: &Formula, conditions: &Conditions) -> Cost {
        let words: Vec<_> = self.given.iter().map(Given::describe).collect();
        let printed = formula.print(conditions, &words);
        Cost { formula: formula.fold(), given: self.given, rules: self.rules, printed }
    }
}

impl Cost {
    /// Returns the formula for printing, with the variables in it.
    pub fn printed(&self) -> &str {
        &self.printed
    }

    pub fn estimate(
        &self,
        costs: &Costs,
        conditions: &[bool],
        variables: &Map<String, Value>,
    ) -> (u64, Cow<'static, [u64]>) {
        let given = match self.given.as_slice() {
            // Most operations have no given values with a cost.
            [_] => Cow::Borrowed(&[0][..]),
            all => all.iter().map(|given| given.evaluate(costs, variables)).collect(),
        };
        let cost = self.formula.evaluate(Values { conditions, variables, given: &given });
        (cost, given)
    }

    /// Checks that each field has exactly one slicing argument.
    fn hold_slicing(
        &self,
        verdict: &mut Verdict,
        mode: Mode,
        conditions: &[bool],
        variables: &Map<String, Value>,
    ) {
        let asked = self.rules.iter().filter(|rule| conditions[rule.condition as usize]);
        for message in asked.filter_map(|rule| rule.broken(variables)).take(LISTED) {
            let (code, name) = (ErrorCode::CostInvalidSlicingArguments, LimitName::Slicing);
            verdict.hold_as(code, name, Limit::new(0, mode), 1, || message);
        }
    }
}

/// Maximum number of fields with wrong slicing arguments that are listed.
const LISTED: usize = 10;

impl Rule {
    fn broken(&self, variables: &Map<String, Value>) -> Option<String> {
        let given = self.slices.iter().filter(|slice| slice.is_given(variables)).count();
        let wrong = match given {
            0 if self.slices.iter().any(|slice| slice.is_present(variables)) => return None,
            0 => "got none",
            1 => return None,
            _ => "got several",
        };
        let names: Vec<_> = self.one_of.iter().map(|name| format!("`{name}`")).collect();
        Some(match names.as_slice() {
            [name] => format!(
                "`{}` must be given {name}, to know how long its list gets",
                self.coordinate
            ),
            names => format!(
                "`{}` must be given exactly one of {}, to know how long its list gets, and {wrong}",
                self.coordinate,
                names.join(", ")
            ),
        })
    }
}

/// Checks an operation against the slicing rules, `limits.fan_out` and `limits.cost`.
///
/// # Errors
/// If a limit refuses it. The refusal has the errors and the cost.
pub(in crate::engine) fn admit(
    graph: &Graph,
    plan: &QueryPlan,
    limits: &Limits,
    conditions: &[bool],
    variables: &Map<String, Value>,
) -> Result<(Estimate, Vec<Exceeded>), Refusal> {
    let cost = &plan.cost;
    let mut verdict = Verdict::default();
    cost.hold_slicing(&mut verdict, limits.cost.limit.mode, conditions, variables);
    if !verdict.errors.is_empty() {
        return Err(verdict.errors.into());
    }
    let estimate = estimate(graph, plan, limits, conditions, variables);
    let Estimate { cost: total, calls, .. } = estimate;
    verdict.hold(LimitName::FanOut, limits.fan_out, calls, || {
        let max = limits.fan_out.max;
        format!(
            "the operation can come to {calls} calls to sources; {max} are allowed (limits.fan_out)"
        )
    });
    let limit = limits.cost.limit;
    verdict.hold_as(ErrorCode::CostLimitExceeded, LimitName::Cost, limit, total, || {
        let (max, formula) = (limit.max, formula_of(plan, limits, calls));
        format!("the operation costs {total}; {max} is allowed (limits.cost.max): {formula}")
    });
    if verdict.errors.is_empty() {
        Ok((estimate, verdict.measured))
    } else {
        let cost = Some(estimate.report(FLOOR, Calls::default(), 0));
        Err(Refusal { errors: verdict.errors, cost })
    }
}

/// Returns the cost of an operation, and its formula for printing.
pub(in crate::engine) fn explain(
    graph: &Graph,
    plan: &QueryPlan,
    limits: &Limits,
    conditions: &[bool],
    variables: &Map<String, Value>,
) -> (u64, String) {
    let estimate = estimate(graph, plan, limits, conditions, variables);
    (estimate.cost, formula_of(plan, limits, estimate.calls))
}

fn estimate(
    graph: &Graph,
    plan: &QueryPlan,
    limits: &Limits,
    conditions: &[bool],
    variables: &Map<String, Value>,
) -> Estimate {
    let calls = plan.fan_out(conditions, variables);
    let (fields, given) = plan.cost.estimate(&graph.costs, conditions, variables);
    let of_calls = limits.cost.call_weight.saturating_mul(calls);
    Estimate { cost: fields.saturating_add(of_calls).max(FLOOR), calls, given }
}

/// Returns the formula for printing, including the calls that are charged.
pub(in crate::engine) fn formula_of(plan: &QueryPlan, limits: &Limits, calls: u64) -> String {
    let printed = plan.cost.printed();
    match (limits.cost.call_weight, calls) {
        (0, _) | (_, 0) => printed.to_owned(),
        (1, 1) => format!("{printed} + 1 call"),
        (1, calls) => format!("{printed} + {calls} calls"),
        (weight, calls) => format!("{printed} + {weight} × {calls} calls"),
    }
}

impl Estimate {
    /// Returns the refusal by its bucket, with an actual cost of zero.
    pub fn refuse(&self, error: Error) -> Refusal {
        let report = CostReport { actual_query_cost: 0, ..self.report(0, Calls::default(), 0) };
        Refusal { errors: vec![error], cost: Some(report) }
    }

    /// Returns the cost after the run, with `fields` as counted by the writer and `calls` as counted by the executor.
    pub fn report(&self, fields: u64, calls: Calls, call_weight: u64) -> CostReport {
        let of_calls = call_weight.saturating_mul(calls.charged() as u64);
        let of_mutations = MUTATION.saturating_mul(calls.mutations as u64);
        let fields = fields.saturating_add(of_mutations);
        let calls = calls.made as u64;
        CostReport {
            requested_query_cost: self.cost,
            actual_query_cost: fields.saturating_add(of_calls).max(FLOOR),
            upstream_calls: UpstreamCalls { bound: self.calls, actual: calls },
            throttle_status: None,
        }
    }
}
