//! A provider's keys: a JWKS (RFC 7517 §5), checked and limited in size.
//!
//! Entries that are not verification keys are skipped and reported, as the RFC requires for unknown kinds. A set
//! without any usable key is an error, so that a faulty set does not replace valid keys.

use super::Algorithm;
use super::key::{Key, Unfit};
use serde::Deserialize;
use serde_json::{Map, Value};

/// Maximum size of a JWKS, in bytes. Those of providers have 1 to 20 kB.
pub(super) const MAX_BYTES: usize = 256 << 10;
/// Maximum number of entries in a set.
const MAX_KEYS: usize = 64;
/// Maximum number of keys that are tried for one token: several may match its `kid`, or its algorithm if it has no
/// `kid`.
const MAX_TRIED: usize = 4;

/// The usable keys of a set.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct KeySet {
    keys: Vec<Key>,
    /// The other entries, and why they are not used.
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

    /// Returns the keys that may have signed a token with this algorithm and `kid`. The `kid` is only compared, never
    /// used as a path, an address or a query.
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
