//! Evaluates rules over `$this` for each object: once, when a fetch depends on it or when all fetches are done.

use super::Run;
use super::ask::{hole_in, object_of};
use crate::engine::guard::access::Access;
use crate::engine::plan::{CheckId, Fetch, evaluate_all};
use crate::engine::response::{RowId, Value};

impl Run<'_> {
    /// Returns the objects of a fetch for which the rules allow a call.
    pub(super) fn permitted(&mut self, fetch: &Fetch, mut rows: Vec<RowId>) -> Vec<RowId> {
        if fetch.permits.is_empty() {
            return rows;
        }
        let conditions = self.snapshot.conditions;
        rows.retain(|row| {
            fetch.permits.iter().any(|permit| {
                conditions[permit.condition as usize] && self.passes_all(*row, &permit.checks)
            })
        });
        rows
    }

    pub(super) fn passes_all(&mut self, row: RowId, checks: &[CheckId]) -> bool {
        checks.iter().all(|check| self.passes(row, *check))
    }

    fn passes(&mut self, row: RowId, check: CheckId) -> bool {
        let plan = self.snapshot.plan;
        let check = plan.check(check);
        if let Value::Bool(verdict) = self.store.get(row, check.verdict) {
            return verdict;
        }
        // Of a value that could not be had, nothing is known.
        let verdict = hole_in(&self.store, row, &check.this).is_none() && {
            let this = object_of(&self.store, row, &check.this);
            let variables = self.snapshot.variables;
            let access = Access::new(self.snapshot.graph, self.snapshot.caller);
            let arguments = || evaluate_all(&check.arguments, variables);
            access.allows_object(check.guard, arguments, &this)
        };
        self.store.set(row, check.verdict, Value::Bool(verdict));
        verdict
    }

    /// Stores the result of every rule for every object, for the writer.
    pub(super) fn settle_checks(&mut self) {
        let plan = self.snapshot.plan;
        for (index, check) in plan.checks.iter().enumerate() {
            if self.snapshot.conditions[check.condition as usize] {
                for row in self.collect(&check.place) {
                    self.passes(row, CheckId(index as u32));
                }
            }
        }
    }
}
