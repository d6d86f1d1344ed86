//! Problems of a load, and their places.
//!
//! Checks of SDL, mappings and YAML never stop at the first mistake. Each adds a [`Problem`] to a list, and the whole
//! list is shown at once, with file, line, column, excerpt and caret, or as JSON for machines. Requests to the running
//! gateway never produce a `Problem`.

mod files;
mod render;
#[cfg(test)]
mod tests;

use std::ops::Range;
use std::sync::Arc;

/// A text that was read, with its name.
#[derive(Debug, PartialEq, Eq)]
pub struct SourceFile {
    /// Path as the user wrote it, or a name such as `<built-in>`.
    pub name: String,
    pub text: String,
}

/// A range of bytes in a file. Lines and columns are computed when it is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    pub file: Arc<SourceFile>,
    pub span: Range<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    Error,
    Warning,
}

/// One mistake: what it is, where it is, and how to fix it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Stable kebab-case identifier for scripts, such as `unknown-source`.
    pub code: &'static str,
    pub severity: Severity,
    /// One lowercase sentence without a final full stop.
    pub message: String,
    pub place: Option<Place>,
    /// Instructions to fix it, if known.
    pub help: Option<String>,
}

impl Problem {
    #[must_use]
    pub fn error(code: &'static str, message: impl Into<String>) -> Self {
        Self { code, severity: Severity::Error, message: message.into(), place: None, help: None }
    }

    #[must_use]
    pub fn warning(code: &'static str, message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(code, message) }
    }

    #[must_use]
    pub fn at(mut self, place: impl Into<Option<Place>>) -> Self {
        self.place = place.into();
        self
    }

    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

impl Place {
    #[must_use]
    pub fn new(file: &Arc<SourceFile>, span: Range<usize>) -> Self {
        Self { file: Arc::clone(file), span }
    }
}

/// Returns whether any of them is an error rather than a warning.
#[must_use]
pub fn any_error(problems: &[Problem]) -> bool {
    problems.iter().any(|problem| problem.severity == Severity::Error)
}

/// Returns the known name nearest to `unknown`, if it is near enough. Names that differ only in numbers, such as
/// `users1` and `users2`, do not match.
#[must_use]
pub fn nearest<'a>(unknown: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let letters = |name: &str| name.chars().filter(|c| !c.is_ascii_digit()).collect::<String>();
    let wanted = letters(unknown);
    known
        .into_iter()
        .filter(|name| wanted.is_empty() || letters(name) != wanted || *name == unknown)
        .map(|name| {
            (strsim::damerau_levenshtein(&unknown.to_lowercase(), &name.to_lowercase()), name)
        })
        .filter(|(distance, name)| *distance <= (name.len().max(unknown.len()) / 3).max(1))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// Returns `` `a`, `b` or `c` ``: all valid names, if there are few enough to read.
#[must_use]
pub fn listed(known: &[&str], sigil: &str) -> Option<String> {
    let names: Vec<String> = known.iter().map(|name| format!("`{sigil}{name}`")).collect();
    match names.split_last()? {
        _ if names.len() > 10 => None,
        (last, []) => Some(last.clone()),
        (last, others) => Some(format!("{} or {last}", others.join(", "))),
    }
}

/// Returns what to write instead of an unknown name: the nearest name, or a list of all names.
#[must_use]
pub fn instead(unknown: &str, known: &[&str], sigil: &str) -> Option<String> {
    match nearest(unknown, known.iter().copied()) {
        Some(near) => Some(format!("did you mean `{sigil}{near}`?")),
        None => Some(format!("valid here: {}", listed(known, sigil)?)),
    }
}

pub use files::{matching_files, read_files, reason};
pub use render::{all_to_json, render, to_json};
