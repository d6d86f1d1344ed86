//! What of the engine can be set, with defaults that are safe in production.

use super::guard::access::GuardMode;
pub use super::guard::bucket::{Allowance, Fail, Rate, Refill, Store, Tier};
use super::operation::PersistedSettings;
use super::replies::CacheSettings;
use crate::memory::Memory;
use std::time::Duration;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    pub limits: Limits,
    /// What callers may ask over time; no bound without it.
    pub rate: Option<Rate>,
    /// `__schema` and `__type` are answered.
    pub introspection: bool,
    /// Field errors hold what went wrong upstream, in words that may be the upstream's. For development only.
    pub expose_upstream_errors: bool,
    /// Bytes of prepared operations kept.
    pub operation_cache: u64,
    /// Identical safe calls share one execution, within a request and in flight between requests.
    pub reuse: bool,
    pub cache: CacheSettings,
    /// What becomes of an operation that asks for something the caller may not see.
    pub guards: GuardMode,
    /// The time one request may take.
    pub timeout: Duration,
    pub persisted: PersistedSettings,
    /// Counts the bytes that requests hold.
    pub memory: Memory,
}

/// Counted before any work that is more than linear in the size of the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Levels of selection sets.
    pub depth: Limit,
    pub aliases: Limit,
    pub root_fields: Limit,
    pub directives: Limit,
    /// Bytes of the document: a parser takes as long for one large string as for a thousand fields.
    pub document: Limit,
    /// Lexical tokens of the document: white space, commas and comments are none.
    pub tokens: Limit,
    /// Selections after fragments are expanded.
    pub selections: Limit,
    /// Values in a request's variables, those in lists and objects included.
    pub variables: Limit,
    /// Bytes of a response. What entities share is held once and written as often as it is asked for, so that little
    /// data can make a large response.
    pub response: Limit,
    /// Values that are read and kept of one reply of a source.
    pub reply_values: u64,
    /// The length assumed for a list without `@listSize`. The mode says what becomes of one that turns out longer.
    pub list_size: Limit,
    /// Calls to sources that an operation can come to at the worst.
    pub fan_out: Limit,
    pub cost: CostLimit,
}

/// So much and no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    pub max: u64,
    pub mode: Mode,
}

/// What becomes of a request that exceeds a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    /// It is refused.
    #[default]
    Enforce,
    /// It is served, logged and counted.
    Measure,
    /// It is served. What protects the process itself still holds.
    Off,
}

/// What an operation may cost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CostLimit {
    /// The largest estimate. Its mode is also that of the rule that slicing arguments must be given.
    pub limit: Limit,
    /// Answers tell the cost under `extensions.cost`.
    pub expose: bool,
    /// What one call to a source costs.
    pub call_weight: u64,
}

impl Limit {
    pub const fn new(max: u64, mode: Mode) -> Self {
        Self { max, mode }
    }
}

impl From<u64> for Limit {
    /// An enforced limit.
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
