//! Places results: by object, by position or by key. A failed result becomes a hole.

use super::ask::as_paths;
use super::call::What;
use super::keys::{add_part, key_of};
use super::{FetchId, Run};
use crate::engine::plan::{Asking, BatchRule, Fetch, Target};
use crate::engine::response::{Hole, RowId, Value};
use crate::graph::BatchReply;
use crate::graphql::{ErrorCode, Name, error_id};
use crate::memory::EXHAUSTED;
use crate::source::{self, ErrorKind, MutationOutcome, secrets};
use metrics::counter;
use std::time::Duration;

/// Maximum number of characters of an upstream's own message that a client may see.
const LONGEST_DETAIL: usize = 1_500;

impl Run<'_> {
    /// Places the result of a call.
    pub(super) fn place(&mut self, call: usize, value: Value) {
        let id = self.calls[call].fetch;
        let fetch = self.snapshot.plan.fetch(id);
        match &self.calls[call].what {
            What::Object(row) => self.set(fetch, *row, value),
            What::Key(key) => self.deliver(id, 0, *key, value),
            What::Keys { group, keys } => {
                let (group, keys) = (*group, keys.clone());
                let (Asking::Batch { rule, .. } | Asking::Given { rule, .. }) = &fetch.asking
                else {
                    return;
                };
                if let Err(detail) = self.place_batch(id, group, &keys, rule, value) {
                    let error = source::Error::new(ErrorCode::UpstreamInvalidReply, detail);
                    self.fail(call, &error);
                }
            }
        }
    }

    /// Returns `true` if the call is for a single object, so that "not found" can only mean that one.
    pub(super) fn is_single(&self, call: usize) -> bool {
        match &self.calls[call].what {
            What::Object(_) | What::Key(_) => true,
            What::Keys { keys, .. } => keys.len() == 1,
        }
    }

    fn place_batch(
        &mut self,
        id: FetchId,
        group: usize,
        keys: &[u32],
        rule: &BatchRule,
        value: Value,
    ) -> Result<(), String> {
        let elements = match self.store.elements(value) {
            Some(elements) => elements.into_owned(),
            None if value == Value::Null && rule.reply == BatchReply::Map => Vec::new(),
            None => return Err("the reply to a batch is not a list".into()),
        };
        if rule.reply == BatchReply::Positional {
            if elements.len() != keys.len() {
                let (found, asked) = (elements.len(), keys.len());
                return Err(format!("a list of {found} for {asked} keys, by position"));
            }
            for (key, element) in keys.iter().zip(elements) {
                self.deliver(id, group, *key, element);
            }
            return Ok(());
        }
        let found = match rule.reply {
            BatchReply::Map => self.entries_by_key(id, group, keys, &elements),
            _ => self.objects_by_key(id, group, keys, rule, &elements),
        };
        for (key, found) in keys.iter().zip(found) {
            let value = match (rule.reply, found.as_slice()) {
                (BatchReply::GroupBy, rows) => self.store.list(rows.iter().copied()),
                // Of duplicate entries of a map the last one counts, as in every map.
                (BatchReply::Map, found) => found.last().copied().unwrap_or(Value::Null),
                // Of two objects with one key the first one counts.
                (_, found) => found.first().copied().unwrap_or(Value::Null),
            };
            self.deliver(id, group, *key, value);
        }
        Ok(())
    }

    /// Returns the objects of each requested key. Others are ignored.
    fn objects_by_key(
        &self,
        id: FetchId,
        group: usize,
        keys: &[u32],
        rule: &BatchRule,
        elements: &[Value],
    ) -> Vec<Vec<Value>> {
        let mut found = Found::new(keys);
        let known = &self.fetches[id.0 as usize].groups[group].keys;
        let mut text = Vec::new();
        for element in elements {
            let Value::Object(row) = element else { continue };
            if key_of(&self.store, *row, as_paths(&rule.key), &mut text) {
                found.add(known.number(&text), *element);
            }
        }
        found.by_key
    }

    /// The same for a map's entries, which are alternating keys and values.
    fn entries_by_key(
        &self,
        id: FetchId,
        group: usize,
        keys: &[u32],
        elements: &[Value],
    ) -> Vec<Vec<Value>> {
        let mut found = Found::new(keys);
        let known = &self.fetches[id.0 as usize].groups[group].keys;
        let mut text = Vec::new();
        for entry in elements.chunks_exact(2) {
            text.clear();
            if add_part(&self.store, entry[0], &mut text) {
                found.add(known.number(&text), entry[1]);
            }
        }
        found.by_key
    }

    /// Places the value of a key in every object that has the key.
    pub(super) fn deliver(&mut self, id: FetchId, group: usize, key: u32, value: Value) {
        let fetch = self.snapshot.plan.fetch(id);
        let state = &mut self.fetches[id.0 as usize];
        if matches!(fetch.asking, Asking::Given { .. } | Asking::Unanswered { .. }) {
            state.given.results[key as usize] = value;
            return;
        }
        let rows = state.groups[group].keys.rows[key as usize].clone();
        for row in rows {
            self.set(fetch, row, value);
        }
    }

    /// Stores a field's value in its slot, or an entity's fields in theirs.
    pub(super) fn set(&mut self, fetch: &Fetch, row: RowId, value: Value) {
        match &fetch.target {
            Target::Slot(slot) => self.store.set(row, *slot, value),
            Target::Entity(slots) => {
                for slot in slots {
                    let value = match value {
                        Value::Object(from) => self.store.get(from, *slot),
                        Value::List { .. } => Value::Misfit,
                        other => other,
                    };
                    self.store.set(row, *slot, value);
                }
                if let Some(slot) = fetch.exists {
                    let found = match value {
                        Value::Object(_) => Value::Bool(true),
                        Value::Null | Value::Hole(_) => value,
                        _ => Value::Misfit,
                    };
                    self.store.set(row, slot, found);
                }
            }
        }
    }

    /// Leaves a hole in every place of the call's result.
    pub(super) fn fail(&mut self, call: usize, error: &source::Error) {
        let id = self.calls[call].fetch;
        let fetch = self.snapshot.plan.fetch(id);
        let hole = self.hole(fetch, error);
        let what = self.calls[call].what.clone();
        self.fill(id, &what, hole);
    }

    /// Stores one value in every place that a call was to fill.
    pub(super) fn fill(&mut self, id: FetchId, what: &What, value: Value) {
        match what {
            What::Object(row) => self.set(self.snapshot.plan.fetch(id), *row, value),
            What::Key(key) => self.deliver(id, 0, *key, value),
            What::Keys { group, keys } => {
                for key in keys {
                    self.deliver(id, *group, *key, value);
                }
            }
        }
    }

    /// Returns `true` if the failure of the field's own call makes it null (`@onError`). Errors that the source did not
    /// cause stay errors: values that no call can be rendered from, limits, and a reply for which the gateway has no
    /// memory.
    fn is_null_on_error(&self, fetch: &Fetch, error: &source::Error) -> bool {
        let is_own = self.snapshot.graph.binding(fetch.binding).null_on_error
            && matches!(fetch.target, Target::Slot(_));
        let is_of_source =
            !matches!(error.code, ErrorCode::InvalidRequest | ErrorCode::LimitExceeded)
                && error.kind != ErrorKind::NoRoom;
        is_own && is_of_source
    }

    /// Creates a hole. The upstream's own message is logged, under the id that the client gets.
    pub(super) fn hole(&mut self, fetch: &Fetch, error: &source::Error) -> Value {
        let source = Name::clone(self.snapshot.graph.binding(fetch.binding).call.source());
        // Only the calls of mutations are unsafe: at the root, and in namespaces.
        let outcome = (!fetch.safe).then_some(error.outcome);
        let code = match (error.code, outcome) {
            (ErrorCode::UpstreamUnavailable, Some(MutationOutcome::Unknown)) => {
                ErrorCode::UpstreamOutcomeUnknown
            }
            (code, _) => code,
        };
        let outcome = outcome.map(MutationOutcome::as_str);
        let (trace, status) = (&self.snapshot.caller.trace, error.status);
        if self.is_null_on_error(fetch, error) {
            tracing::warn!(
                request_id = trace.request_id(),
                trace_id = trace.trace_id(),
                %source,
                coordinate = &*fetch.coordinate,
                code = code.as_str(),
                status,
                detail = &*error.detail,
                "a call failed, and its field is null by `@onError`"
            );
            counter!("portcullis_on_error_nulls_total", "source" => source, "field" => Name::clone(&fetch.coordinate)).increment(1);
            // A response with missing data must not be cached.
            self.share.meet(Duration::ZERO, false);
            return Value::Null;
        }
        let error_id = error_id();
        tracing::warn!(
            error_id,
            request_id = trace.request_id(),
            trace_id = trace.trace_id(),
            %source,
            coordinate = &*fetch.coordinate,
            code = code.as_str(),
            outcome,
            status,
            detail = &*error.detail,
            "a call failed"
        );
        let maps = self.snapshot.graph.binding(fetch.binding).call.rules().map_errors();
        let message = message(&source, code, error, maps);
        let exposes = self.snapshot.expose_upstream_errors;
        let detail = || secrets::mask(&error.detail).chars().take(LONGEST_DETAIL).collect();
        let detail = exposes.then(detail);
        let (mapped, source, kind) = (error.mapped.clone(), Some(source), error.kind);
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

struct Found<'k> {
    keys: &'k [u32],
    by_key: Vec<Vec<Value>>,
}

impl<'k> Found<'k> {
    fn new(keys: &'k [u32]) -> Self {
        Self { keys, by_key: vec![Vec::new(); keys.len()] }
    }

    /// Adds a value. Keys ascend within a call, so a key's position is found by bisection.
    fn add(&mut self, key: Option<u32>, value: Value) {
        if let Some(position) = key.and_then(|key| self.keys.binary_search(&key).ok()) {
            self.by_key[position].push(value);
        }
    }
}

/// Returns the message for a client: the source, and the kind of failure.
fn message(source: &str, code: ErrorCode, error: &source::Error, maps: bool) -> String {
    let is_large = || error.refusal.as_ref().is_some_and(|refusal| refusal.is_too_large());
    let unmapped = if maps && is_large() {
        ", with a body of more than 64 KiB, from which no error is mapped"
    } else {
        ""
    };
    match (code, error.status) {
        (ErrorCode::InvalidRequest, _) => {
            format!("no call to `{source}` can be made of these values: {}", error.detail)
        }
        (ErrorCode::LimitExceeded, _) => error.detail.clone(),
        (ErrorCode::Overloaded, _) if error.kind == ErrorKind::NoRoom => EXHAUSTED.to_owned(),
        (ErrorCode::UpstreamUnavailable, _) => format!("`{source}` cannot be reached"),
        (ErrorCode::UpstreamOutcomeUnknown, _) => {
            format!("`{source}` became unavailable: the mutation may have been done")
        }
        (ErrorCode::UpstreamTimeout, _) => format!("`{source}` did not answer in time"),
        (ErrorCode::UpstreamStatus, Some(status)) => {
            let verdict = match status {
                0 | 200..=299 => ", and `isSuccess` does not hold",
                _ => "",
            };
            format!("`{source}` answered with status {status}{verdict}{unmapped}")
        }
        (ErrorCode::UpstreamInvalidReply, _) => {
            format!("the answer of `{source}` cannot be understood")
        }
        (ErrorCode::UpstreamTooLarge, _) => format!("the answer of `{source}` is too large"),
        _ => format!("`{source}` failed"),
    }
}
