//! A provider's keys: a JWKS (RFC 7517 §5), bounded and checked.
//!
//! Entries that are no verification keys are left out and said, as the RFC asks for kinds that one does not know. A set
//! without any key that can be used is an error, so that a provider's bad day does not replace good keys with none.

use super::Algorithm;
use super::key::{Key, Unfit};
use serde::Deserialize;
use serde_json::{Map, Value};

/// A JWKS beyond this is none. Providers' real ones have 1 to 20 kB.
pub(super) const MAX_BYTES: usize = 256 << 10;
/// Entries of a set.
const MAX_KEYS: usize = 64;
/// Keys that are tried for one token: its `kid`, or its algorithm where it has none, may fit several.
const MAX_TRIED: usize = 4;

/// The keys that can be used.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct KeySet {
    keys: Vec<Key>,
    /// What else was in it, and why it is not used.
    pub unfit: Vec<Unfit>,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Mistake {
    #[error("the JWKS is larger than 256 KiB")]
    TooLarge,
    #[error("this is not a JWKS: {0}")]
    Malformed(String),
    #[error("the JWKS has more than 64 keys")]
    TooMany,
    #[error("the JWKS has no key that can be used{}", list(.0))]
    NoneFits(Vec<Unfit>),
}

#[derive(Deserialize)]
struct Wire {
    keys: Vec<Map<String, Value>>,
}

impl KeySet {
    pub(super) fn parse(text: &[u8]) -> Result<Self, Mistake> {
        if text.len() > MAX_BYTES {
            return Err(Mistake::TooLarge);
        }
        let wire: Wire = serde_json::from_slice(text)
            .map_err(|error| Mistake::Malformed(format!("{:?} error", error.classify())))?;
        if wire.keys.len() > MAX_KEYS {
            return Err(Mistake::TooMany);
        }
        let mut set = Self::default();
        for jwk in &wire.keys {
            match Key::parse(jwk) {
                Ok(key) => set.keys.push(key),
                Err(unfit) => set.unfit.push(unfit),
            }
        }
        if set.keys.is_empty() { Err(Mistake::NoneFits(set.unfit)) } else { Ok(set) }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.keys.len()
    }

    /// The keys that may have signed a token with this algorithm and `kid`. The `kid` is compared and nothing else: it
    /// is no path, no address and no query.
    pub(super) fn candidates(
        &self,
        algorithm: Algorithm,
        id: Option<&str>,
    ) -> impl Iterator<Item = &Key> {
        self.keys
            .iter()
            .filter(move |key| id.is_none() || key.id.as_deref() == id)
            .filter(move |key| key.is_for(algorithm))
            .take(MAX_TRIED)
    }
}

fn list(unfit: &[Unfit]) -> String {
    unfit.iter().fold(String::new(), |said, unfit| {
        if said.is_empty() { format!(": {unfit}") } else { format!("{said}, {unfit}") }
    })
}
