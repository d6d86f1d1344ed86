//! Automatic persisted queries: documents that clients register by sending hash and text together, and name by the hash
//! from then on.
//!
//! What is kept is what can be run: a text comes in only once it was prepared, so that nobody fills the store with
//! garbage, and only up to a length, so that nobody fills it with comments. Memory is bounded by bytes. Redis, where
//! several gateways share it, is a second tier that is never needed: without an answer in time, a document is unknown,
//! and its client sends it again. What comes out of Redis is believed only if it has the hash that was asked for.

use super::{Digest, metrics};
use crate::shared::{self, Failure, Redis};
use moka::sync::Cache;
use std::sync::Arc;
use std::time::Duration;

/// Bytes of the longest text that is kept. Longer ones run, and are sent each time.
const LONGEST: usize = 128 << 10;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    pub enabled: bool,
    /// Bytes of memory.
    pub size: u64,
    /// How long a document is kept.
    pub ttl: Duration,
    /// The second tier.
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

/// Where a text comes from, and so where it has yet to go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    Client,
    Redis,
}

impl Apq {
    /// # Errors
    /// If the address of Redis cannot be used.
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

    /// The text with this hash. One that comes out of Redis is to be kept once it was prepared.
    pub async fn get(&self, digest: &Digest) -> Option<(Arc<str>, Option<Origin>)> {
        if let Some(text) = self.memory.get(digest) {
            metrics::document("memory");
            return Some((text, None));
        }
        let text = self.ask_redis(digest).await?;
        metrics::document("redis");
        Some((text, Some(Origin::Redis)))
    }

    /// Keeps a text that was prepared.
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

    /// How many documents memory holds, and the bytes they weigh.
    #[cfg(test)]
    pub fn kept(&self) -> (u64, u64) {
        self.memory.run_pending_tasks();
        (self.memory.entry_count(), self.memory.weighted_size())
    }
}

/// Bytes of memory beside a text, roughly.
const OVERHEAD: usize = 128;

fn key(digest: &Digest) -> Vec<u8> {
    format!("document:{digest}").into_bytes()
}

/// One line where something went wrong, and none for each request while Redis is left alone.
fn complain(failure: &Failure) {
    if *failure != Failure::Resting {
        tracing::warn!("documents are not shared: {failure}");
    }
}
