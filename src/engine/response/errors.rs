//! Errors of one response: limits their number for each kind, and links them to the log.

use super::write::Path;
use crate::engine::guard::access;
use crate::graphql::{Error, ErrorCode, PathSegment, error_id};
use hashbrown::HashMap;
use std::sync::Arc;

/// Maximum number of listed errors of one kind (one failed call, or one field with invalid values). The last one states
/// how many more there are.
const LISTED_OF_ONE_KIND: usize = 10;

#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    /// One failed call.
    Hole(u32),
    /// An error code, and the response keys of the path, without indices.
    Field(ErrorCode, Vec<Arc<str>>),
}

impl Kind {
    pub(super) fn of(path: &Path<'_>, code: ErrorCode) -> Self {
        let keys = path.segments().into_iter().filter_map(|segment| match segment {
            PathSegment::Key(key) => Some(key),
            PathSegment::Index(_) => None,
        });
        Self::Field(code, keys.collect())
    }
}

#[derive(Default)]
pub(super) struct Errors {
    listed: Vec<Error>,
    /// Number of errors of each kind, and the index of the last one listed.
    kinds: HashMap<Kind, (usize, usize)>,
    /// Error ids of the kinds that have one.
    ids: HashMap<Kind, String>,
    withheld: Option<Withheld>,
}

/// Refused fields: reported to the client path by path, and logged once.
struct Withheld {
    error_id: String,
    first: String,
    fields: usize,
}

impl Errors {
    /// Returns the error id of a kind: all its errors share one id, and one line in the log.
    pub(super) fn id_of(&mut self, kind: &Kind, new: impl FnOnce() -> String) -> String {
        self.ids.entry(kind.clone()).or_insert_with(new).clone()
    }

    pub(super) fn add(&mut self, kind: Kind, path: &Path<'_>, error: impl FnOnce() -> Error) {
        if self.count(kind) {
            self.list(path, error());
        }
    }

    /// Adds the error of a failed call. Its errors are of one kind, as are those of its field with this code.
    pub(super) fn add_hole(
        &mut self,
        hole: u32,
        code: ErrorCode,
        path: &Path<'_>,
        error: impl FnOnce() -> Error,
    ) {
        let (of_call, of_field) = (Kind::Hole(hole), Kind::of(path, code));
        let is_full = |kind: &Kind| {
            self.kinds.get(kind).is_some_and(|(count, _)| *count >= LISTED_OF_ONE_KIND)
        };
        if is_full(&of_field) {
            self.count(of_field);
        } else if is_full(&of_call) {
            self.count(of_call);
        } else {
            self.count(of_field);
            self.count(of_call);
            self.list(path, error());
        }
    }

    /// Counts an error of a kind. Returns `true` if it is listed; then it has to be added next.
    fn count(&mut self, kind: Kind) -> bool {
        let (count, last) = self.kinds.entry(kind).or_default();
        *count += 1;
        let is_listed = *count <= LISTED_OF_ONE_KIND;
        if is_listed {
            *last = self.listed.len();
        }
        is_listed
    }

    fn list(&mut self, path: &Path<'_>, mut error: Error) {
        // An error at the root has its own locations.
        if let Some(location) = path.location() {
            error.locations = vec![location];
        }
        self.listed.push(Error { path: path.segments(), ..error });
    }

    /// Adds the error of a field that the caller may not see.
    pub(super) fn withhold(&mut self, path: &Path<'_>) {
        let withheld = self.withheld.get_or_insert_with(|| Withheld {
            error_id: error_id(),
            first: path.to_string(),
            fields: 0,
        });
        withheld.fields += 1;
        let error_id = withheld.error_id.clone();
        self.add(Kind::of(path, access::CODE), path, || access::error(error_id));
    }

    pub(super) fn finish(mut self) -> Vec<Error> {
        if let Some(Withheld { error_id, first, fields }) = &self.withheld {
            access::tell(error_id, first, *fields);
        }
        for (count, last) in self.kinds.into_values() {
            if count > LISTED_OF_ONE_KIND {
                let omitted = count - LISTED_OF_ONE_KIND;
                self.listed[last].extensions.insert("omitted".into(), omitted.into());
            }
        }
        self.listed
    }
}
