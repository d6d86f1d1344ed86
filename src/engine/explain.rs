//! Explains an operation without running it: the plan, the rendered calls, the cost, fields that the caller may not
//! see, and refusals. Makes no calls, and takes nothing from a bucket.

use super::Engine;
use super::guard::access::{self, Access, GuardMode};
use super::guard::cost;
use super::operation::Operation;
use super::plan::{self, ExplainedPlan};
use crate::graphql::{Error, PathSegment};
use crate::source::Caller;
use serde_json::{Map, Value, json};
use std::fmt::{self, Display, Formatter};

/// Explanation of a valid operation. The text is for people.
#[derive(Debug)]
pub struct Explanation {
    pub plan: ExplainedPlan,
    /// Estimated cost.
    pub estimate: u64,
    /// Formula of `estimate`.
    pub formula: String,
    /// Fields that the caller may not see, in an operation that runs without them.
    pub withheld: Vec<Error>,
    /// Reasons why it would not run.
    pub refusals: Vec<Error>,
}

impl Engine {
    /// Explains an operation. Access rules are evaluated with the claims of `caller`; without one, all of them hold.
    ///
    /// # Errors
    /// If the operation cannot be planned: the refusals that [`Engine::execute`] would return.
    pub fn explain(
        &self,
        query: &str,
        operation_name: Option<&str>,
        variables: &Map<String, Value>,
        caller: Option<&Caller>,
    ) -> Result<Explanation, Vec<Error>> {
        let (graph, limits) = (&*self.graph, &self.settings.limits);
        let operation = Operation::prepare(graph, &self.settings, query, operation_name)?;
        self.count_values(variables, operation_name).map_err(|refusal| refusal.errors)?;
        let variables = operation.coerce(graph, variables.clone())?;
        let plan = &operation.plan;
        let conditions = match caller {
            Some(caller) => plan.conditions(&variables, Access::new(graph, caller)),
            None => plan.conditions.evaluate(&variables, |_, _| true),
        };
        let mut refusals = self.persisted.judge(query).err().unwrap_or_default();
        let mut withheld = access::unseen(&plan.view, &conditions).0;
        if self.settings.guards == GuardMode::Reject {
            refusals.append(&mut withheld);
        }
        let admitted = self.admit(&operation, operation_name, &conditions, &variables);
        refusals.extend(admitted.err().into_iter().flat_map(|refusal| refusal.errors));
        refusals.extend(operation.introspect(graph, &variables).err().into_iter().flatten());
        let (estimate, formula) = cost::explain(graph, plan, limits, &conditions, &variables);
        if let (Some(buckets), Some(caller)) = (&self.buckets, caller) {
            refusals.extend(buckets.never_holds(caller, estimate, || formula.clone()));
        }
        let plan = plan::explain(graph, plan, &variables, &conditions, caller);
        Ok(Explanation { plan, estimate, formula, withheld, refusals })
    }

    /// Returns the estimated cost of an operation, and its formula. Makes no calls.
    ///
    /// # Errors
    /// The refusals that [`Engine::execute`] would return before its first call.
    pub fn estimate(
        &self,
        query: &str,
        operation_name: Option<&str>,
        variables: &Map<String, Value>,
    ) -> Result<(u64, String), Vec<Error>> {
        let operation = Operation::prepare(&self.graph, &self.settings, query, operation_name)?;
        let variables = operation.coerce(&self.graph, variables.clone())?;
        let conditions = operation.plan.conditions.evaluate(&variables, |_, _| true);
        let estimate = self.admit(&operation, operation_name, &conditions, &variables);
        let cost = estimate.map_err(|refusal| refusal.errors)?.cost;
        Ok((cost, operation.plan.cost.printed().to_owned()))
    }
}

impl Display for Explanation {
    fn fmt(&self, text: &mut Formatter<'_>) -> fmt::Result {
        let Self { plan, estimate, formula, withheld, refusals } = self;
        writeln!(text, "{plan}costs {estimate}: {formula}")?;
        for error in withheld {
            writeln!(text, "withheld: {}{}", path(error), place(error))?;
        }
        for error in refusals {
            let (code, message) = (error.code.as_str(), &error.message);
            write!(text, "refused: {code}: {message}")?;
            match error.path.as_slice() {
                [] => writeln!(text, "{}", place(error))?,
                _ => writeln!(text, ": {}{}", path(error), place(error))?,
            }
        }
        Ok(())
    }
}

/// Prints a path: `user.email`
fn path(error: &Error) -> String {
    let segment = |segment: &PathSegment| match segment {
        PathSegment::Key(key) => key.to_string(),
        PathSegment::Index(index) => index.to_string(),
    };
    error.path.iter().map(segment).collect::<Vec<_>>().join(".")
}

/// Prints a location: ` (line 1, column 9)`
fn place(error: &Error) -> String {
    let at = error.locations.first();
    at.map_or_else(String::new, |at| format!(" (line {}, column {})", at.line, at.column))
}

impl Explanation {
    /// Returns the JSON that docs/cli.md describes.
    #[must_use]
    pub fn to_json(&self) -> Value {
        json!({
            "refused": !self.refusals.is_empty(),
            "errors": errors_to_json(&self.refusals),
            "withheld": errors_to_json(&self.withheld),
            "problems": [],
            "plan": self.plan,
            "cost": { "estimate": self.estimate, "formula": self.formula },
        })
    }

    /// Like [`Explanation::to_json`], for an operation that cannot be planned.
    #[must_use]
    pub fn refused_to_json(refusals: &[Error]) -> Value {
        json!({
            "refused": true,
            "errors": errors_to_json(refusals),
            "withheld": [],
            "problems": [],
            "plan": null,
            "cost": null,
        })
    }
}

fn errors_to_json(errors: &[Error]) -> Value {
    let one = |error: &Error| {
        json!({
            "code": error.code.as_str(),
            "message": error.message,
            "locations": error.locations,
            "path": error.path,
        })
    };
    errors.iter().map(one).collect()
}
