//! In-memory store of buckets: shards with locks that are held for nanoseconds and never across an await.
//!
//! The number of buckets is bounded. A full bucket need not be kept, so every new one checks two of its neighbours and
//! drops those that are full. Normally there are as many buckets as active callers. If there are too many all the same,
//! the fullest of eight neighbours is dropped. Its caller gets a full bucket next time and so gains the least. A caller
//! with an empty bucket cannot get rid of it by inventing other keys.

use super::key::Key;
use super::level::{Flow, Level};
use super::metrics;
use indexmap::IndexMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

const SHARDS: usize = 64;

/// Maximum number of buckets of all shards together: about 16 MB.
pub const MOST: usize = 1 << 17;

/// Number of neighbours that a new bucket checks.
const SWEPT: usize = 2;

/// Number of neighbours of which the fullest is dropped to make room.
const COMPARED: usize = 8;

pub struct Memory {
    shards: Box<[Mutex<Shard>]>,
}

struct Shard {
    buckets: IndexMap<Key, Kept>,
    /// Position of the next neighbour to check.
    hand: usize,
    most: usize,
}

struct Kept {
    level: Level,
    full_at: Duration,
}

impl Memory {
    /// Creates a store for `most` buckets, rounded up so that each shard has the same capacity.
    #[must_use]
    pub fn new(most: usize) -> Self {
        let most = most.div_ceil(SHARDS);
        let shard = || Mutex::new(Shard { buckets: IndexMap::new(), hand: 0, most });
        Self { shards: (0..SHARDS).map(|_| shard()).collect() }
    }

    /// Takes `cost` from a bucket, and returns the rest.
    ///
    /// # Errors
    /// If it holds less. The error is what it holds, and nothing is taken.
    pub fn take(&self, key: &Key, flow: Flow, now: Duration, cost: f64) -> Result<f64, f64> {
        self.change(key, flow, now, |level| level.take(flow, now, cost))
    }

    /// See [`Level::give_back`].
    pub fn give_back(&self, key: &Key, flow: Flow, now: Duration, more: f64) {
        self.change(key, flow, now, |level| level.give_back(flow, now, more));
    }

    /// Sets the tokens of a bucket.
    pub fn set(&self, key: &Key, flow: Flow, now: Duration, tokens: f64) {
        self.change(key, flow, now, |level| *level = Level::holding(tokens, flow, now));
    }

    /// Returns the number of buckets.
    #[cfg(test)]
    pub fn len(&self) -> usize {
        let count = |shard: &Mutex<Shard>| {
            shard.lock().unwrap_or_else(PoisonError::into_inner).buckets.len()
        };
        self.shards.iter().map(count).sum()
    }

    fn change<T>(
        &self,
        key: &Key,
        flow: Flow,
        now: Duration,
        change: impl FnOnce(&mut Level) -> T,
    ) -> T {
        let shard = &self.shards[key.shard(SHARDS)];
        let mut shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(kept) = shard.buckets.get_mut(key) {
            let outcome = change(&mut kept.level);
            kept.full_at = kept.level.full_at(flow);
            return outcome;
        }
        let mut level = Level::full(flow, now);
        let outcome = change(&mut level);
        let full_at = level.full_at(flow);
        if full_at > now {
            shard.make_room(now);
            shard.buckets.insert(*key, Kept { level, full_at });
            metrics::buckets(1.0);
        }
        outcome
    }
}

impl Shard {
    fn make_room(&mut self, now: Duration) {
        for _ in 0..SWEPT {
            let Some((at, kept)) = self.neighbour(0) else { return };
            if kept.full_at <= now {
                self.forget(at);
            } else {
                self.hand = at + 1;
            }
        }
        if self.buckets.len() >= self.most {
            let neighbours = (0..COMPARED).filter_map(|ahead| self.neighbour(ahead));
            let fullest = neighbours.min_by_key(|(_, kept)| kept.full_at).map(|(at, _)| at);
            if let Some(at) = fullest {
                self.forget(at);
            }
        }
    }

    /// Returns the bucket `ahead` positions after the hand, wrapping around.
    fn neighbour(&self, ahead: usize) -> Option<(usize, &Kept)> {
        let at = (self.hand + ahead) % self.buckets.len().max(1);
        self.buckets.get_index(at).map(|(_, kept)| (at, kept))
    }

    fn forget(&mut self, at: usize) {
        self.buckets.swap_remove_index(at);
        metrics::buckets(-1.0);
    }
}
