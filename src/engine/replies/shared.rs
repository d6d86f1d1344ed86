//! Second tier of the cache: replies in Redis, which several gateways share and which survive a restart.
//!
//! No credentials of callers are stored. A key is derived from a digest of the whole identity. A value is authenticated
//! with another key of that digest, so it is valid only for the call that it answers. A value that cannot be read,
//! arrives late, or fails to authenticate is a miss. Values are written in the background, never before the response.

use super::frame;
use super::identity::Identity;
use super::kept::Kept;
use super::metrics::{self, Tier};
use super::policy::Policy;
use crate::shared::{Failure, Redis};
use std::sync::Arc;
use std::time::{Instant, SystemTime};
use tokio::sync::Semaphore;

/// Maximum number of writes to Redis in flight; further replies stay in memory only.
const WRITES_AT_ONCE: usize = 256;

#[derive(Clone)]
pub(super) struct Shared {
    redis: Redis,
    writes: Arc<Semaphore>,
    /// Maximum size of a value, in bytes.
    largest: usize,
}

impl Shared {
    pub fn new(redis: Redis, largest: u64) -> Self {
        let largest = usize::try_from(largest).unwrap_or(usize::MAX);
        Self { redis, writes: Arc::new(Semaphore::new(WRITES_AT_ONCE)), largest }
    }

    /// Looks a call up. Returns `None` unless a usable reply is found.
    pub async fn get(&self, identity: &Identity, policy: &Policy, now: Instant) -> Option<Kept> {
        let seal = frame::Seal::of(identity, policy);
        let tier = match self.redis.get(&seal.key()).await {
            Ok(None) => Tier::Miss,
            Ok(Some(value)) if value.len() > self.largest + frame::HEAD => Tier::Invalid,
            Ok(Some(value)) => match frame::open(
                &seal,
                value,
                identity.partition.is_some(),
                SystemTime::now(),
                now,
            ) {
                Some(kept) if kept.is_of_use(now) => {
                    metrics::asked_redis(&policy.source, Tier::Hit);
                    return Some(kept);
                }
                Some(_) => Tier::Miss,
                None => Tier::Invalid,
            },
            Err(failure) => {
                self.tell(&failure);
                Tier::Failed
            }
        };
        metrics::asked_redis(&policy.source, tier);
        None
    }

    /// Writes in the background.
    pub fn put(&self, identity: &Identity, policy: &Policy, kept: &Kept) {
        let Ok(permit) = Arc::clone(&self.writes).try_acquire_owned() else { return };
        let seal = frame::Seal::of(identity, policy);
        let value = frame::write(&seal, kept, SystemTime::now());
        let (shared, ttl) = (self.clone(), kept.lifetime.whole());
        tokio::spawn(async move {
            if let Err(failure) = shared.redis.set(&seal.key(), &value, ttl).await {
                shared.tell(&failure);
            }
            drop(permit);
        });
    }

    fn tell(&self, failure: &Failure) {
        tracing::debug!(redis = %self.redis.settings().url, %failure, "kept replies of other gateways are out of reach");
    }
}
