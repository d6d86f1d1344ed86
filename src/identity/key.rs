//! One public key of a JWKS (RFC 7517), or the reason why it cannot verify signatures.
//!
//! `use`, `key_ops` and `alg` are checked here and not left to a library: a key that is meant for encryption, or for
//! another algorithm, verifies nothing. Certificates (`x5c`, `x5u`) are ignored.

use super::Algorithm;
use super::token::decode;
use serde_json::{Map, Value};

/// Valid sizes of RSA keys. Smaller ones can be factored (RFC 7518 §3.3); larger ones make verification expensive.
const RSA_BITS: std::ops::RangeInclusive<usize> = 2_048..=8_192;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Key {
    pub id: Option<String>,
    /// The only algorithm that the key is for, if it names one.
    only: Option<Algorithm>,
    pub material: Material,
}

/// Key bytes as `ring` takes them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Material {
    /// Modulus and exponent, big-endian.
    Rsa {
        n: Vec<u8>,
        e: Vec<u8>,
    },
    /// Uncompressed points.
    P256(Vec<u8>),
    P384(Vec<u8>),
    Ed25519(Vec<u8>),
}

/// Reasons why an entry of a JWKS is not used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unfit {
    #[error("a key of a kind that is not supported")]
    Kind,
    #[error("a symmetric key, which must never be in a JWKS")]
    Symmetric,
    #[error("a private key, which must never be in a JWKS")]
    Private,
    #[error("not a key for verifying signatures")]
    Purpose,
    #[error("a key for an algorithm that is not supported")]
    Algorithm,
    #[error("an RSA key below 2048 or above 8192 bits")]
    Size,
    #[error("a key that cannot be read")]
    Malformed,
}

impl Key {
    pub(super) fn parse(jwk: &Map<String, Value>) -> Result<Self, Unfit> {
        let material = material(jwk)?;
        check_purpose(jwk)?;
        let only = match jwk.get("alg") {
            None => None,
            Some(Value::String(name)) => Some(Algorithm::from_name(name).ok_or(Unfit::Algorithm)?),
            Some(_) => return Err(Unfit::Malformed),
        };
        if only.is_some_and(|only| !only.fits(&material)) {
            return Err(Unfit::Algorithm);
        }
        let id = match jwk.get("kid") {
            None => None,
            Some(Value::String(id)) => Some(id.clone()),
            Some(_) => return Err(Unfit::Malformed),
        };
        Ok(Self { id, only, material })
    }

    /// Returns whether it may verify signatures of this algorithm.
    pub(super) fn is_for(&self, algorithm: Algorithm) -> bool {
        self.only.is_none_or(|only| only == algorithm) && algorithm.fits(&self.material)
    }
}

/// Checks that the key is meant to verify signatures (RFC 7517 §4.2 and §4.3).
fn check_purpose(jwk: &Map<String, Value>) -> Result<(), Unfit> {
    if jwk.get("use").is_some_and(|purpose| purpose != "sig") {
        return Err(Unfit::Purpose);
    }
    match jwk.get("key_ops") {
        None => Ok(()),
        Some(Value::Array(operations)) if operations.iter().any(|one| one == "verify") => Ok(()),
        Some(_) => Err(Unfit::Purpose),
    }
}

fn material(jwk: &Map<String, Value>) -> Result<Material, Unfit> {
    let text = |name: &str| jwk.get(name).and_then(Value::as_str);
    let kind = text("kty").ok_or(Unfit::Malformed)?;
    if kind == "oct" {
        return Err(Unfit::Symmetric);
    }
    if jwk.contains_key("d") {
        return Err(Unfit::Private);
    }
    let bytes = |name: &str| text(name).and_then(decode).ok_or(Unfit::Malformed);
    let exactly = |name: &str, length: usize| {
        bytes(name).and_then(|b| if b.len() == length { Ok(b) } else { Err(Unfit::Malformed) })
    };
    let point = |length| Ok([vec![4], exactly("x", length)?, exactly("y", length)?].concat());
    match (kind, text("crv")) {
        ("RSA", _) => rsa(&bytes("n")?, &bytes("e")?),
        ("EC", Some("P-256")) => point(32).map(Material::P256),
        ("EC", Some("P-384")) => point(48).map(Material::P384),
        ("OKP", Some("Ed25519")) => exactly("x", 32).map(Material::Ed25519),
        _ => Err(Unfit::Kind),
    }
}

fn rsa(n: &[u8], e: &[u8]) -> Result<Material, Unfit> {
    // Some providers write a leading zero, as DER has it.
    let (n, e) = (without_zeros(n), without_zeros(e));
    let bits = n.first().map_or(0, |first| n.len() * 8 - first.leading_zeros() as usize);
    if !RSA_BITS.contains(&bits) {
        return Err(Unfit::Size);
    }
    // An even exponent is invalid, and 1 would make every message its own signature.
    let odd = e.last().is_some_and(|last| last % 2 == 1);
    if !odd || e == [1] || e.len() > 4 {
        return Err(Unfit::Malformed);
    }
    Ok(Material::Rsa { n: n.to_vec(), e: e.to_vec() })
}

fn without_zeros(mut bytes: &[u8]) -> &[u8] {
    while let [0, rest @ ..] = bytes {
        bytes = rest;
    }
    bytes
}
