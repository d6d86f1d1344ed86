//! Computed fields (`@const`): no call is made, so none is counted. They are available as soon as their inputs are. All
//! computed fields of a request, or of an event, share one budget and the request's deadline.

use super::Run;
use super::ask::{needed_hole, object_of};
use super::keys::part_to_json;
use crate::engine::plan::Fetch;
use crate::engine::response::{Budget, Hole, RowId, Store, Unreadable, Value, read_without_body};
use crate::graphql::{ErrorCode, error_id};
use crate::source::{Computed, ErrorKind, Inputs};
use serde_json::{Map, Value as Json};
use std::time::{Duration, Instant};

/// Number of computed objects between two reads of the clock.
const OBJECTS_A_LOOK: u32 = 1_024;

/// Budget of the computed fields of one request, because nothing else limits how often a large argument is repeated.
pub(super) struct Computing {
    budget: Budget,
    /// Number of objects computed so far.
    objects: u32,
}

impl Computing {
    pub fn new(store: &Store) -> Self {
        Self { budget: store.budget(), objects: 0 }
    }

    /// Counts an object, and reads the clock at intervals.
    fn is_late(&mut self, deadline: Instant) -> bool {
        self.budget.add_object();
        self.objects = self.objects.wrapping_add(1);
        self.objects.is_multiple_of(OBJECTS_A_LOOK) && Instant::now() >= deadline
    }
}

impl Run<'_> {
    /// Evaluates the mapping for each object, until the request's deadline.
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
        let mut failed = None;
        for (at, row) in rows.iter().enumerate() {
            if self.computing.is_late(self.snapshot.deadline) {
                let hole = self.computed_late(fetch);
                for row in &rows[at..] {
                    self.set(fetch, *row, hole);
                }
                return;
            }
            // What it is computed from could not be had: that is the reason.
            if let Some(hole) = needed_hole(&self.store, *row, fetch) {
                self.set(fetch, *row, hole);
                continue;
            }
            for required in &fetch.required {
                let value = part_to_json(&self.store, *row, &required.part);
                arguments.insert(required.argument.to_string(), value);
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
            let budget = &mut self.computing.budget;
            let read = read_without_body(&mut self.store, budget, select.expr(), shape, &inputs);
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

    /// Applies the cache restrictions of the value to the response.
    fn tell_computed(&mut self, computed: Computed) {
        if computed.claims || computed.request {
            self.share.meet(Duration::ZERO, true);
        }
    }

    fn not_computed(&mut self, fetch: &Fetch, unreadable: &Unreadable) -> Value {
        let reason = match unreadable {
            Unreadable::Invalid(reason) => reason.clone(),
            Unreadable::TooManyValues(most) => {
                format!("computed fields have more than {most} values (limits.reply_values)")
            }
        };
        let message =
            format!("`{}` cannot be computed of these values: {reason}", fetch.coordinate);
        self.computed_hole(fetch, ErrorCode::InvalidRequest, message, &reason)
    }

    fn computed_late(&mut self, fetch: &Fetch) -> Value {
        let reason = "the request's deadline is over";
        let message = format!("`{}` was not computed in time", fetch.coordinate);
        self.computed_hole(fetch, ErrorCode::UpstreamTimeout, message, reason)
    }

    /// Returns the hole of a field: one, with one line in the log, for all its objects.
    fn computed_hole(
        &mut self,
        fetch: &Fetch,
        code: ErrorCode,
        message: String,
        reason: &str,
    ) -> Value {
        let error_id = error_id();
        let field = &*fetch.coordinate;
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
