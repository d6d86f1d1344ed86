//! Fields that are computed (`@const`): no call is made, so none is counted, and they are there as soon as what they name
//! is.

use super::Run;
use super::ask::object_of;
use super::keys::part_to_json;
use crate::engine::plan::{Fetch, Wanted};
use crate::engine::response::{Hole, RowId, Store, Unreadable, Value, read_without_body};
use crate::graphql::{ErrorCode, error_id};
use crate::source::{Computed, ErrorKind, Inputs};
use serde_json::{Map, Value as Json};
use std::time::Duration;

impl Run<'_> {
    /// Evaluates the mapping for each object. All of them share one budget, since nothing bounds how often a large argument
    /// is repeated.
    pub(super) fn compute(
        &mut self,
        fetch: &Fetch,
        computed: Computed,
        rows: &[RowId],
        mut arguments: Map<String, Json>,
    ) {
        let graph = self.snapshot.graph;
        let select = graph.binding(fetch.binding).call.select();
        let (Some(select), Some(shape)) = (select, &fetch.without_body) else { return };
        self.tell_computed(computed);
        let mut budget = self.store.budget();
        let mut failed = None;
        for row in rows {
            for required in &fetch.required {
                let value = part_to_json(&self.store, *row, &required.part);
                arguments.insert(required.argument.to_string(), value);
            }
            // What it is computed from could not be had: that is the reason.
            if let Some(hole) = hole_in(&self.store, *row, &fetch.parent) {
                self.set(fetch, *row, hole);
                continue;
            }
            let this = object_of(&self.store, *row, &fetch.parent);
            let args = Json::Object(std::mem::take(&mut arguments));
            let inputs = Inputs {
                args: &args,
                this: &this,
                batch: &Json::Null,
                caller: self.snapshot.caller,
                env: &graph.env,
                config: &Json::Null,
            };
            budget.add_object();
            let read =
                read_without_body(&mut self.store, &mut budget, select.expr(), shape, &inputs);
            let value = match read {
                Ok(value) => value,
                Err(unreadable) => {
                    *failed.get_or_insert_with(|| self.not_computed(fetch, &unreadable))
                }
            };
            self.set(fetch, *row, value);
            if let Json::Object(args) = args {
                arguments = args;
            }
        }
    }

    /// Who may reuse an answer with the value.
    fn tell_computed(&mut self, computed: Computed) {
        if computed.claims || computed.request {
            self.share.meet(Duration::ZERO, true);
        }
    }

    /// One hole, and one line in the log, for all objects of a field.
    fn not_computed(&mut self, fetch: &Fetch, unreadable: &Unreadable) -> Value {
        let (error_id, code) = (error_id(), ErrorCode::InvalidRequest);
        let field = &*fetch.coordinate;
        let reason = match unreadable {
            Unreadable::Invalid(reason) => reason.clone(),
            Unreadable::TooManyValues(most) => {
                format!("they are more than {most} (limits.reply_values)")
            }
        };
        let trace = &self.snapshot.caller.trace;
        tracing::warn!(
            error_id,
            request_id = trace.request_id(),
            trace_id = trace.trace_id(),
            coordinate = field,
            code = code.as_str(),
            reason,
            "a field cannot be computed"
        );
        let message = format!("`{field}` cannot be computed of these values: {reason}");
        let (source, status, outcome, detail, mapped) = (None, None, None, None, None);
        let kind = ErrorKind::Failed;
        self.store.hole(Hole {
            code,
            kind,
            message,
            source,
            status,
            outcome,
            error_id,
            detail,
            mapped,
        })
    }
}

/// A hole among the fields of an object that are wanted. The recursion is as deep as the mapping.
fn hole_in(store: &Store, row: RowId, wanted: &[Wanted]) -> Option<Value> {
    wanted.iter().find_map(|wanted| match store.get(row, wanted.slot) {
        hole @ Value::Hole(_) => Some(hole),
        Value::Object(row) => hole_in(store, row, &wanted.fields),
        _ => None,
    })
}
