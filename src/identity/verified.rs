//! Tokens that were good, kept by their whole text.
//!
//! An entry is good for as long as its token is and while its provider has the very keys that it was verified with: a
//! rotation lets every token of that provider be verified anew. Bounded by bytes; what was refused is not kept, so that
//! nobody can push good tokens out with bad ones.

use super::claims;
use super::provider::Provider;
use moka::sync::Cache;
use serde_json::Value;
use std::ops::Range;
use std::sync::Arc;
use std::time::SystemTime;

/// What an entry weighs beside its texts: the cache's own bookkeeping and the claims' tree.
const ENTRY: usize = 512;

/// Who asks, verified.
#[derive(Debug, Clone, PartialEq)]
pub struct Verified {
    /// Of the token: an object.
    pub claims: Value,
    /// The claim that holds its scopes, or the path to it, where the issuer has its own.
    pub scopes_claim: Option<Arc<str>>,
    /// When it is good, leeway included.
    pub(super) good: Range<SystemTime>,
    /// Which provider's keys, and which of its key sets.
    pub(super) provider: usize,
    pub(super) generation: u64,
}

pub(super) struct Known(Cache<Arc<str>, Arc<Verified>>);

impl Verified {
    /// From when on the token is good no longer: its `exp` and the leeway.
    #[must_use]
    pub fn expires(&self) -> SystemTime {
        self.good.end
    }
}

impl Known {
    pub(super) fn new(bytes: u64) -> Self {
        let cache = Cache::builder()
            .max_capacity(bytes)
            // A claim's text is kept twice, in the token and as a value; names and numbers make the tree larger.
            .weigher(|token: &Arc<str>, _: &Arc<Verified>| {
                u32::try_from(4 * token.len() + ENTRY).unwrap_or(u32::MAX)
            })
            .build();
        Self(cache)
    }

    /// The outcome of before, if it would be the same now.
    pub(super) fn get(
        &self,
        token: &str,
        now: SystemTime,
        providers: &[Arc<Provider>],
    ) -> Option<Arc<Verified>> {
        let known = self.0.get(token)?;
        let same_keys = providers
            .get(known.provider)
            .is_some_and(|provider| provider.generation() == known.generation);
        if same_keys && claims::check_times(&known.good, now).is_ok() {
            return Some(known);
        }
        self.0.invalidate(token);
        None
    }

    pub(super) fn keep(&self, token: &str, verified: Verified) -> Arc<Verified> {
        let verified = Arc::new(verified);
        self.0.insert(token.into(), Arc::clone(&verified));
        verified
    }
}
