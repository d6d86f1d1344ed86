//! Settings of the engine, with defaults that are safe in production.

use super::guard::access::GuardMode;
pub use super::guard::bucket::{Allowance, Fail, Rate, Refill, Store, Tier};
use super::operation::PersistedSettings;
use super::replies::CacheSettings;
use crate::memory::Memory;
use std::time::Duration;

/// Settings of the engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Limits on operations.
    pub limits: Limits,
    /// Rate limit of callers. Default: none.
    pub rate: Option<Rate>,
    /// Answers `__schema` and `__type`. Default: off.
    pub introspection: bool,
    /// Adds details of upstream errors to field errors, possibly in the upstream's own words. For development only.
    /// Default: off.
    pub expose_upstream_errors: bool,
    /// Maximum size of the cache of prepared operations, in bytes. Default: 64 MiB.
    pub operation_cache: u64,
    /// Identical safe calls share one execution, within a request and in flight between requests. Default: on.
    pub reuse: bool,
    /// Settings of the reply cache.
    pub cache: CacheSettings,
    /// Handling of operations that select fields that the caller may not see.
    pub guards: GuardMode,
    /// Timeout of one request. Default: 15 s.
    pub timeout: Duration,
    /// Persisted and trusted documents.
    pub persisted: PersistedSettings,
    /// Accounts for the bytes that requests hold.
    pub memory: Memory,
}

/// Limits on operations. They are checked before any work that is more than linear in the size of the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Maximum nesting of selection sets. Default: 15.
    pub depth: Limit,
    /// Maximum number of aliases. Default: 30.
    pub aliases: Limit,
    /// Maximum number of fields at the root. Default: 20.
    pub root_fields: Limit,
    /// Maximum number of directives. Default: 50.
    pub directives: Limit,
    /// Maximum size of the document, in bytes: a parser takes as long for one large string as for a thousand fields.
    /// Default: 256 KiB.
    pub document: Limit,
    /// Maximum number of lexical tokens of the document, without white space, commas and comments. Default: 5,000.
    pub tokens: Limit,
    /// Maximum number of selections after fragments are expanded. Default: 10,000.
    pub selections: Limit,
    /// Maximum number of values in a request's variables, including those in lists and objects. Default: 20,000.
    pub variables: Limit,
    /// Maximum size of a response, in bytes. Shared entities are held once but written each time they are selected, so
    /// little data can give a large response. Default: 16 MiB.
    pub response: Limit,
    /// Maximum number of values that are read from one reply of a source. Default: 1,000,000.
    pub reply_values: u64,
    /// Assumed length of a list without `@listSize`, and the handling of a list that is longer. Default: 10, not
    /// enforced.
    pub list_size: Limit,
    /// Maximum number of calls to sources that an operation can cause in the worst case. Default: 1,000.
    pub fan_out: Limit,
    /// Limit on the cost of an operation.
    pub cost: CostLimit,
}

/// A maximum, and its mode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    /// Largest value that is accepted.
    pub max: u64,
    pub mode: Mode,
}

/// Handling of a request that exceeds a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    /// Refuse it.
    #[default]
    Enforce,
    /// Serve it, log it and count it.
    Measure,
    /// Serve it. Limits that protect the process itself still apply.
    Off,
}

/// Limit on the cost of an operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CostLimit {
    /// Maximum estimated cost. Its mode also applies to the rule that slicing arguments are required. Default: 500,000.
    pub limit: Limit,
    /// Adds the cost to responses, under `extensions.cost`. Default: off.
    pub expose: bool,
    /// Cost of one call to a source. Default: 1.
    pub call_weight: u64,
}

impl Limit {
    pub const fn new(max: u64, mode: Mode) -> Self {
        Self { max, mode }
    }
}

impl From<u64> for Limit {
    /// Creates an enforced limit.
    fn from(max: u64) -> Self {
        Self { max, mode: Mode::Enforce }
    }
}

impl Mode {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Enforce => "enforce",
            Self::Measure => "measure",
            Self::Off => "off",
        }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            rate: None,
            introspection: false,
            expose_upstream_errors: false,
            operation_cache: 64 << 20,
            reuse: true,
            cache: CacheSettings::default(),
            guards: GuardMode::default(),
            timeout: Duration::from_secs(15),
            persisted: PersistedSettings::default(),
            memory: Memory::default(),
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            depth: 15.into(),
            aliases: 30.into(),
            root_fields: 20.into(),
            directives: 50.into(),
            document: (256 << 10).into(),
            tokens: 5_000.into(),
            selections: 10_000.into(),
            variables: 20_000.into(),
            response: (16 << 20).into(),
            reply_values: 1_000_000,
            list_size: Limit::new(10, Mode::Off),
            fan_out: 1_000.into(),
            cost: CostLimit { limit: 500_000.into(), expose: false, call_weight: 1 },
        }
    }
}
