//! The first tier: replies in memory, bounded by bytes.
//!
//! The clock in here only throws away what is of no use any more; whether a reply may be served is decided by its reader.

use super::identity::Identity;
use super::kept::Kept;
use super::metrics;
use moka::Expiry;
use moka::sync::Cache;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What an entry takes beside its bytes: the cache's own books, allocations' heads, counters of references.
const OVERHEAD: usize = 640;

pub(super) struct Memory {
    replies: Cache<Identity, Arc<Kept>>,
}

/// Each reply is thrown away at the end of its own life.
struct EndOfLife;

impl Expiry<Identity, Arc<Kept>> for EndOfLife {
    fn expire_after_create(
        &self,
        _: &Identity,
        kept: &Arc<Kept>,
        now: Instant,
    ) -> Option<Duration> {
        Some(kept.lifetime.whole().saturating_sub(kept.age(now)))
    }

    fn expire_after_update(
        &self,
        _: &Identity,
        kept: &Arc<Kept>,
        now: Instant,
        _: Option<Duration>,
    ) -> Option<Duration> {
        Some(kept.lifetime.whole().saturating_sub(kept.age(now)))
    }
}

impl Memory {
    pub fn new(size: u64) -> Self {
        let replies = Cache::builder()
            .max_capacity(size)
            .weigher(|identity: &Identity, kept: &Arc<Kept>| weight(identity, kept))
            .expire_after(EndOfLife)
            .eviction_listener(|identity: Arc<Identity>, kept: Arc<Kept>, _| {
                metrics::held(&identity.request.source, -1.0, -f64::from(weight(&identity, &kept)));
            })
            .build();
        Self { replies }
    }

    pub fn get(&self, identity: &Identity) -> Option<Arc<Kept>> {
        self.replies.get(identity)
    }

    pub fn put(&self, identity: Identity, kept: Arc<Kept>) {
        metrics::held(&identity.request.source, 1.0, weight(&identity, &kept).into());
        self.replies.insert(identity, kept);
    }

    /// Entries and bytes, once everything that was put off is done.
    #[cfg(test)]
    pub fn held(&self) -> (u64, u64) {
        self.replies.run_pending_tasks();
        (self.replies.entry_count(), self.replies.weighted_size())
    }
}

fn weight(identity: &Identity, kept: &Kept) -> u32 {
    (identity.size() + kept.size() + OVERHEAD).try_into().unwrap_or(u32::MAX)
}
