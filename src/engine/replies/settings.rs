//! Settings of the reply cache. Nothing is cached unless the schema or a source's settings allow it.

use crate::graphql::Name;
use crate::shared;
use hashbrown::HashMap;
use std::time::Duration;

/// Settings of the reply cache.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CacheSettings {
    /// If off, no reply is cached, whatever the schema says. Default: on.
    pub enabled: bool,
    /// Maximum size of all replies in memory, in bytes. Default: 64 MiB.
    pub size: u64,
    /// Maximum size of one cached reply, in bytes. Default: 1 MiB.
    pub entry: u64,
    /// Maximum number of renewals in flight; further stale replies are renewed later. Default: 64.
    pub refreshes: usize,
    /// Obeys `cache-control: no-cache` of a client. Default: off.
    pub bypass: bool,
    /// Redis as second tier. Default: none.
    pub redis: Option<shared::Settings>,
    /// Settings by source; sources without any are absent.
    pub sources: HashMap<Name, SourceCache>,
}

/// Defaults for the calls of a source, if the schema sets none.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SourceCache {
    /// Time for which replies are fresh.
    pub max_age: Option<Duration>,
    /// Caches replies if only the upstream's headers allow it. Default: off.
    pub from_upstream: bool,
    /// Time past its freshness in which a reply may be served while it is renewed.
    pub stale_while_revalidate: Option<Duration>,
    /// Time past its freshness in which a reply may replace an error.
    pub stale_if_error: Option<Duration>,
}

impl Default for CacheSettings {
    fn default() -> Self {
        Self {
            enabled: true,
            size: 64 << 20,
            entry: 1 << 20,
            refreshes: 64,
            bypass: false,
            redis: None,
            sources: HashMap::new(),
        }
    }
}
