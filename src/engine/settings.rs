//! What of the engine can be set, with defaults that are safe in production.

use std::time::Duration;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    pub limits: Limits,
    /// `__schema` and `__type` are answered.
    pub introspection: bool,
    /// Bytes of prepared operations kept.
    pub operation_cache: u64,
    /// Identical safe calls share one execution, within a request and in flight between requests.
    pub reuse: bool,
    /// The time one request may take.
    pub timeout: Duration,
}

/// Counted before any work that is more than linear in the size of the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Levels of selection sets.
    pub depth: usize,
    pub aliases: usize,
    pub root_fields: usize,
    pub directives: usize,
    /// Lexical tokens of the document: white space, commas and comments are none.
    pub tokens: usize,
    /// Selections after fragments are expanded.
    pub selections: usize,
    /// Bytes of a response. What entities share is held once and written as often as it is asked for, so that little
    /// data can make a large response.
    pub response: usize,
    /// The length assumed for a list without `@listSize`, for bounds.
    pub list_size: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            introspection: false,
            operation_cache: 64 << 20,
            reuse: true,
            timeout: Duration::from_secs(15),
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            depth: 15,
            aliases: 30,
            root_fields: 20,
            directives: 50,
            tokens: 5_000,
            selections: 10_000,
            response: 16 << 20,
            list_size: 10,
        }
    }
}
