//! Automatic persisted queries (APQ): clients register a document by sending its hash and text together, and send only
//! the hash from then on.
//!
//! A text is stored only once it was prepared, so that no client fills the store with invalid texts. Its length is
//! limited, so that no client fills the store with comments. Memory is bounded by bytes. Redis is an optional second
//! tier that several gateways share. If it does not answer within the timeout, a document is unknown, and its client
//! sends it again. A text from Redis is used only if it has the requested hash.

use super::{Digest, metrics};
use crate::shared::{self, Failure, Redis};
use moka::sync::Cache;
use std::sync::Arc;
use std::time::Duration;

/// Maximum size of a stored text in bytes. Longer ones run, but have to be sent each time.
const LONGEST: usize = 128 << 10;

/// Settings of automatic persisted queries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Lets clients register documents. Default: off.
    pub enabled: bool,
    /// Maximum size of all documents in memory, in bytes. Default: 16 MiB.
    pub size: u64,
    /// Time for which a document is stored. Default: 24 hours.
    pub ttl: Duration,
    /// Redis as second tier. Default: none.
    pub redis: Option<shared::Settings>,
}

impl Default for Settings {
    fn default() -> Self {
        Self { enabled: false, size: 16 << 20, ttl: Duration::from_hours(24), redis: None }
    }
}

pub(super) struct Apq {
    memory: Cache<Digest, Arc<str>>,
    redis: Option<Redis>,
    ttl: Duration,
}

/// Source of a text, which decides the tiers that still need it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    Client,
    Redis,
}

impl Apq {
    /// Creates the store.
    ///
    /// # Errors
    /// If the address of Redis is invalid.
    pub fn new(settings: &Settings) -> Result<Self, String> {
        let memory = Cache::builder()
            .max_capacity(settings.size)
            .time_to_live(settings.ttl)
            .weigher(|_: &Digest, text: &Arc<str>| {
                u32::try_from(text.len() + OVERHEAD).unwrap_or(u32::MAX)
            })
            .build();
        let redis = settings.redis.clone().map(Redis::new).transpose()?;
        Ok(Self { memory, redis, ttl: settings.ttl })
    }

    /// Returns the text with this hash. The caller stores one from Redis in memory once it was prepared.
    pub async fn get(&self, digest: &Digest) -> Option<(Arc<str>, Option<Origin>)> {
        if let Some(text) = self.memory.get(digest) {
            metrics::document("memory");
            return Some((text, None));
        }
        let text = self.ask_redis(digest).await?;
        metrics::document("redis");
        Some((text, Some(Origin::Redis)))
    }

    /// Stores a text that was prepared.
    pub async fn keep(&self, digest: Digest, text: &str, origin: Origin) {
        if text.len() > LONGEST || self.memory.contains_key(&digest) {
            return;
        }
        self.memory.insert(digest, text.into());
        if let (Origin::Client, Some(redis)) = (origin, &self.redis) {
            let set = redis.set(&key(&digest), text.as_bytes(), self.ttl).await;
            set.unwrap_or_else(|failure| complain(&failure));
        }
    }

    async fn ask_redis(&self, digest: &Digest) -> Option<Arc<str>> {
        let bytes = match self.redis.as_ref()?.get(&key(digest)).await {
            Ok(bytes) => bytes?,
            Err(failure) => {
                complain(&failure);
                return None;
            }
        };
        let text = std::str::from_utf8(&bytes).ok().filter(|text| Digest::of(text) == *digest);
        if text.is_none() {
            tracing::warn!(sha256 = %digest, "a document in redis does not have its hash");
        }
        text.map(Into::into)
    }

    /// Returns the number of documents in memory, and their size in bytes.
    #[cfg(test)]
    pub fn kept(&self) -> (u64, u64) {
        self.memory.run_pending_tasks();
        (self.memory.entry_count(), self.memory.weighted_size())
    }
}

/// Approximate size of an entry beside its text, in bytes.
const OVERHEAD: usize = 128;

fn key(digest: &Digest) -> Vec<u8> {
    format!("document:{digest}").into_bytes()
}

/// Logs a failure, but not for each request while Redis is not being asked.
fn complain(failure: &Failure) {
    if *failure != Failure::Resting {
        tracing::warn!("documents are not shared: {failure}");
    }
}
