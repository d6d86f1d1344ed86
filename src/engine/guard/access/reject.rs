//! `guards.mode: reject`: an operation that selects anything that the caller may not see is refused as a whole, with
//! the paths. Rules that depend on the objects (over `$this`, or on the type of an object behind an interface or a
//! union) are not known before the objects are fetched. They stay field errors.

use crate::engine::response::{Entry, Output, OutputKind, View};
use crate::graphql::{Error, Location, PathSegment, error_id};
use hashbrown::HashSet;
use std::sync::Arc;

/// Maximum number of paths that are listed; more do not help.
const LISTED: usize = 100;

/// Handling of an operation that selects fields that the caller may not see.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum GuardMode {
    /// Run it without those fields.
    #[default]
    Withhold,
    /// Refuse it.
    Reject,
}

/// Returns an error for each path that the caller may not see, as far as that is known before anything is fetched.
pub(in crate::engine) fn refused(view: &View, conditions: &[bool]) -> Vec<Error> {
    let (mut errors, omitted) = unseen(view, conditions);
    let Some(first) = errors.first() else { return errors };
    let keys = first.path.iter().filter_map(|segment| match segment {
        PathSegment::Key(key) => Some(&**key),
        PathSegment::Index(_) => None,
    });
    let error_id = error_id();
    super::tell(&error_id, &keys.collect::<Vec<_>>().join("."), errors.len() + omitted);
    for error in &mut errors {
        error.extensions.insert("errorId".into(), error_id.as_str().into());
    }
    if let Some(last) = errors.last_mut().filter(|_| omitted > 0) {
        last.extensions.insert("omitted".into(), omitted.into());
    }
    errors
}

/// Like [`refused`], but without logging. Also returns the number of paths past the limit.
pub(in crate::engine) fn unseen(view: &View, conditions: &[bool]) -> (Vec<Error>, usize) {
    let mut walk = Walk { conditions, found: HashSet::new(), paths: Vec::new(), omitted: 0 };
    walk.view(view, &mut Vec::new());
    let segments = |path: Vec<Arc<str>>| path.into_iter().map(PathSegment::Key).collect();
    let error = |(path, at): (Vec<Arc<str>>, Option<Location>)| {
        let locations = at.into_iter().collect();
        Error { path: segments(path), locations, ..Error::new(super::CODE, super::MESSAGE) }
    };
    (walk.paths.into_iter().map(error).collect(), walk.omitted)
}

struct Walk<'a> {
    conditions: &'a [bool],
    /// Response keys of the paths found so far: two types of one selection may contain the same path.
    found: HashSet<Vec<Arc<str>>>,
    /// Paths, each with the location of its field in the operation.
    paths: Vec<(Vec<Arc<str>>, Option<Location>)>,
    omitted: usize,
}

impl Walk<'_> {
    fn holds(&self, number: u32) -> bool {
        number == 0 || self.conditions[number as usize]
    }

    fn view(&mut self, view: &View, path: &mut Vec<Arc<str>>) {
        match view {
            View::One(entries) => self.entries(&entries.list, path),
            View::ByType { types, .. } => {
                for ty in types {
                    if self.holds(ty.guard) {
                        self.entries(&ty.entries.list, path);
                    }
                }
            }
        }
    }

    fn entries(&mut self, entries: &[Entry], path: &mut Vec<Arc<str>>) {
        for entry in entries {
            if !self.holds(entry.condition) {
                continue;
            }
            path.push(Arc::clone(&entry.key));
            if self.holds(entry.guard) {
                self.output(&entry.output, path);
            } else {
                self.add(path, entry.at);
            }
            path.pop();
        }
    }

    fn output(&mut self, output: &Output, path: &mut Vec<Arc<str>>) {
        match &output.kind {
            OutputKind::Object(view) => self.view(view, path),
            OutputKind::List(of) => self.output(of, path),
            _ => {}
        }
    }

    fn add(&mut self, path: &[Arc<str>], at: Option<Location>) {
        if !self.found.insert(path.to_vec()) {
            return;
        }
        if self.paths.len() < LISTED {
            self.paths.push((path.to_vec(), at));
        } else {
            self.omitted += 1;
        }
    }
}
