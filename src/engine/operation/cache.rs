//! Cache of prepared operations, by text and operation name, bounded by bytes.
//!
//! The key is compared in full. Each graph has a cache of its own (an `Engine` has one graph), so a reload never uses a
//! plan of another graph.

use super::Operation;
use crate::engine::settings::Settings;
use crate::graph::Graph;
use crate::graphql::Error;
use moka::sync::Cache;
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use tokio::sync::Semaphore;

/// Texts longer than this are prepared off the I/O threads. In bytes.
const LARGE: usize = 2_048;

/// Maximum number of large texts that are prepared at once; more wait in a queue.
const LARGE_AT_A_TIME: usize = 2;

pub(in crate::engine) struct Operations {
    cache: Cache<Key, Arc<Operation>>,
    large: Semaphore,
}

#[derive(PartialEq, Eq)]
struct Key {
    text: Box<str>,
    name: Option<Box<str>>,
}

/// A borrowed key for lookups.
struct Asked<'a> {
    text: &'a str,
    name: Option<&'a str>,
}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        Asked { text: &self.text, name: self.name.as_deref() }.hash(state);
    }
}

impl Hash for Asked<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.text.hash(state);
        self.name.hash(state);
    }
}

impl equivalent::Equivalent<Key> for Asked<'_> {
    fn equivalent(&self, key: &Key) -> bool {
        *self.text == *key.text && self.name == key.name.as_deref()
    }
}

impl Operations {
    pub fn new(settings: &Settings) -> Self {
        let cache = Cache::builder()
            .max_capacity(settings.operation_cache)
            .weigher(|key: &Key, operation: &Arc<Operation>| {
                let bytes = key.text.len() + operation.weight + size_of::<Operation>();
                u32::try_from(bytes).unwrap_or(u32::MAX)
            })
            .build();
        Self { cache, large: Semaphore::new(LARGE_AT_A_TIME) }
    }

    /// Returns the operation, from the cache or prepared now.
    pub async fn get(
        &self,
        graph: &Arc<Graph>,
        settings: &Arc<Settings>,
        text: &str,
        name: Option<&str>,
    ) -> Result<Arc<Operation>, Vec<Error>> {
        if let Some(known) = self.cache.get(&Asked { text, name }) {
            return Ok(known);
        }
        let operation = if text.len() > LARGE {
            self.prepare_large(graph, settings, text, name).await?
        } else {
            Operation::prepare(graph, settings, text, name)?
        };
        let operation = Arc::new(operation);
        let key = Key { text: text.into(), name: name.map(Into::into) };
        self.cache.insert(key, Arc::clone(&operation));
        Ok(operation)
    }

    /// Returns the number of cached operations, and their size in bytes.
    #[cfg(test)]
    pub fn kept(&self) -> (u64, u64) {
        self.cache.run_pending_tasks();
        (self.cache.entry_count(), self.cache.weighted_size())
    }

    async fn prepare_large(
        &self,
        graph: &Arc<Graph>,
        settings: &Arc<Settings>,
        text: &str,
        name: Option<&str>,
    ) -> Result<Operation, Vec<Error>> {
        let failed = || vec![Error::internal("preparing an operation was given up")];
        let _turn = self.large.acquire().await.map_err(|_| failed())?;
        let (graph, settings) = (Arc::clone(graph), Arc::clone(settings));
        let (text, name) = (text.to_owned(), name.map(str::to_owned));
        let prepare = move || Operation::prepare(&graph, &settings, &text, name.as_deref());
        tokio::task::spawn_blocking(prepare).await.map_err(|_| failed())?
    }
}
