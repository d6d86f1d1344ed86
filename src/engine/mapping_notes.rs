//! What mappings did not find, for whoever develops a graph: under `extensions.mapping` of the answer, and once in the log.
//!
//! Only where `server.expose_upstream_errors` is on. In production there is nothing to report.

use super::response::{MissingKey, MissingKeys};
use crate::source::Trace;
use serde::Serialize;
use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

/// Entries that one answer has.
const MOST_LISTED: usize = 20;

/// Keys that the log has a line on. Further ones are in answers only.
const MOST_LOGGED: usize = 1_000;

/// One entry of `extensions.mapping`.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct MappingNote {
    coordinate: String,
    source: String,
    message: String,
    /// How many more there were, in the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    omitted: Option<usize>,
}

/// Writes each key that is missing into the log once.
#[derive(Default)]
pub(super) struct MappingNotes {
    /// By coordinate, and what the mapping reads.
    logged: Mutex<HashSet<(String, String)>>,
}

impl MappingNotes {
    /// The entries of one answer.
    pub fn take(&self, missing: &MissingKeys, trace: &Trace) -> Vec<MappingNote> {
        let mut notes: Vec<MappingNote> = Vec::new();
        let mut omitted = 0;
        for missing in missing.list() {
            if notes.len() == MOST_LISTED {
                omitted += 1;
                continue;
            }
            self.log(&missing, trace);
            notes.push(MappingNote {
                coordinate: missing.coordinate.to_string(),
                source: missing.source.to_string(),
                message: missing.message,
                omitted: None,
            });
        }
        if let Some(last) = notes.last_mut().filter(|_| omitted > 0) {
            last.omitted = Some(omitted);
        }
        notes
    }

    fn log(&self, missing: &MissingKey<'_>, trace: &Trace) {
        let key = (missing.coordinate.to_string(), missing.read.clone());
        let mut logged = self.logged.lock().unwrap_or_else(PoisonError::into_inner);
        let is_new = logged.len() < MOST_LOGGED && logged.insert(key);
        drop(logged);
        if is_new {
            tracing::warn!(
                request_id = trace.request_id(),
                trace_id = trace.trace_id(),
                source = &**missing.source,
                coordinate = &**missing.coordinate,
                "{}",
                missing.message
            );
        }
    }
}
