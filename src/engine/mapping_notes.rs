//! Reports keys that mappings did not find, for developers of a graph: under `extensions.mapping` of the response, and
//! once in the log.
//!
//! Only if `server.expose_upstream_errors` is on. In production there is nothing to report.

use super::response::{MissingKey, MissingKeys};
use crate::source::Trace;
use serde::Serialize;
use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

/// Maximum number of entries of one response.
const MOST_LISTED: usize = 20;

/// Maximum number of keys that are logged. Further ones are only in responses.
const MOST_LOGGED: usize = 1_000;

/// One entry of `extensions.mapping`.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct MappingNote {
    coordinate: String,
    source: String,
    message: String,
    /// Number of omitted entries, on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    omitted: Option<usize>,
}

/// Logs each missing key once.
#[derive(Default)]
pub(super) struct MappingNotes {
    /// Keys that were logged: coordinate, and what the mapping reads.
    logged: Mutex<HashSet<(String, String)>>,
}

impl MappingNotes {
    /// Returns the entries of one response, and logs new ones.
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
