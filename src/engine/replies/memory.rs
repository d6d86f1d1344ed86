//! First tier of the cache: replies in memory, bounded by bytes.
//!
//! The clock in here only drops expired replies. The reader decides if a reply may be served.

use super::identity::Identity;
use super::kept::Kept;
use super::metrics;
use moka::Expiry;
use moka::sync::Cache;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Size of an entry beside its data, in bytes: the cache's own records, headers of allocations, reference counts.
const OVERHEAD: usize = 640;

pub(super) struct Memory {
    replies: Cache<Identity, Arc<Kept>>,
}

/// Expires each reply at the end of its own lifetime.
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

    /// Returns the number of entries and bytes, after pending work is done.
    #[cfg(test)]
    pub fn held(&self) -> (u64, u64) {
        self.replies.run_pending_tasks();
        (self.replies.entry_count(), self.replies.weighted_size())
    }
}

fn weight(identity: &Identity, kept: &Kept) -> u32 {
    (identity.size() + kept.size() + OVERHEAD).try_into().unwrap_or(u32::MAX)
}
