//! The one table of codes that loading a graph may report. `docs/schema-language.md` explains each; a test holds the
//! two and the code together.

use crate::problem::Severity;

/// Every code of this room, with how grave it is. Codes are stable: scripts match on them.
pub const CODES: &[(&str, Severity)] = &[
    ("cyclic-default", Severity::Error),
    ("cyclic-requirement", Severity::Error),
    ("invalid-batch", Severity::Error),
    ("invalid-cache-control", Severity::Error),
    ("invalid-cost", Severity::Error),
    ("invalid-default", Severity::Error),
    ("invalid-field-set", Severity::Error),
    ("invalid-guard", Severity::Error),
    ("invalid-list-size", Severity::Error),
    ("invalid-lookup", Severity::Error),
    ("invalid-one-of", Severity::Error),
    ("invalid-require", Severity::Error),
    ("invalid-schema", Severity::Error),
    ("invalid-syntax", Severity::Error),
    ("mapping-mismatch", Severity::Error),
    ("misplaced-directive", Severity::Error),
    ("misplaced-variable", Severity::Error),
    ("missing-typename", Severity::Error),
    ("more-problems", Severity::Warning),
    ("n+1", Severity::Warning),
    ("not-a-stream", Severity::Error),
    ("not-in-this-version", Severity::Error),
    ("not-scalar", Severity::Error),
    ("nullable-in-path", Severity::Error),
    ("schema-file", Severity::Error),
    ("two-bindings", Severity::Error),
    ("unbound-root-field", Severity::Error),
    ("unfilled-field", Severity::Error),
    ("unknown-directive", Severity::Error),
    ("unknown-mapped-field", Severity::Warning),
    ("unknown-reference", Severity::Error),
    ("unknown-type", Severity::Error),
    ("unmapped-field", Severity::Warning),
    ("unread-argument", Severity::Error),
    ("unserved-key", Severity::Warning),
    ("unset-env", Severity::Error),
];
