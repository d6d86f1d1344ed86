//! Cache of valid tokens, by their whole text.
//!
//! An entry is valid while its token is, and while its provider has exactly the keys that it was verified with. After a
//! rotation, every token of that provider is verified again. Bounded by bytes. Refused tokens are not cached, so that
//! invalid tokens cannot displace valid ones.

use super::claims;
use super::provider::Provider;
use moka::sync::Cache;
use serde_json::Value;
use std::ops::Range;
use std::sync::Arc;
use std::time::SystemTime;

/// Weight of an entry beside its texts, in bytes: the cache's own bookkeeping and the tree of claims.
const ENTRY: usize = 512;

/// A verified caller.
#[derive(Debug, Clone, PartialEq)]
pub struct Verified {
    /// Claims of the token: an object.
    pub claims: Value,
    /// Claim that holds its scopes, or the path to it, if the issuer configures one.
    pub scopes_claim: Option<Arc<str>>,
    /// Time in which it is valid, leeway included.
    pub(super) good: Range<SystemTime>,
    /// Index of the provider, and generation of its keys.
    pub(super) provider: usize,
    pub(super) generation: u64,
}

pub(super) struct Known(Cache<Arc<str>, Arc<Verified>>);

impl Verified {
    /// Returns the time from which the token is no longer valid: its `exp` plus the leeway.
    #[must_use]
    pub fn expires(&self) -> SystemTime {
        self.good.end
    }
}

impl Known {
    pub(super) fn new(bytes: u64) -> Self {
        let cache = Cache::builder()
            .max_capacity(bytes)
            // A claim's text is stored twice, in the token and as a value; names and numbers make the tree larger.
            .weigher(|token: &Arc<str>, _: &Arc<Verified>| {
                u32::try_from(4 * token.len() + ENTRY).unwrap_or(u32::MAX)
            })
            .build();
        Self(cache)
    }

    /// Returns the cached outcome, if it would be the same now.
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
