//! What of reply caching can be set. Nothing is kept unless the schema or a source's settings say so.

use crate::graphql::Name;
use crate::shared;
use hashbrown::HashMap;
use std::time::Duration;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CacheSettings {
    /// Off: no reply is kept, whatever the schema says.
    pub enabled: bool,
    /// Bytes of replies in memory.
    pub size: u64,
    /// Bytes of the largest reply that is kept.
    pub entry: u64,
    /// Stale replies that are renewed at once; others stay stale for the moment.
    pub refreshes: usize,
    /// A client's `cache-control: no-cache` is obeyed.
    pub bypass: bool,
    /// The second tier.
    pub redis: Option<shared::Settings>,
    /// By source; those that say nothing are left out.
    pub sources: HashMap<Name, SourceCache>,
}

/// What holds for a source's calls where the schema says nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SourceCache {
    pub max_age: Option<Duration>,
    /// Replies are kept where only the upstream's own headers say so.
    pub from_upstream: bool,
    pub stale_while_revalidate: Option<Duration>,
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
