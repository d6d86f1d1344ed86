//! The compact form of a JWT (RFC 7515 §7.1), parsed but not verified.
//!
//! Strict, because each leniency allows a second spelling of the same token: unpadded base64url without stray bits,
//! three parts, no duplicate members. Tokens with extensions (`crit`) are refused, as RFC 7515 §4.1.11 demands for
//! extensions that are not supported; none is.

use super::{Algorithm, Refused};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, Visitor};
use serde_json::{Map, Value};

/// Maximum length of a token in bytes.
pub(super) const MAX_BYTES: usize = 8 << 10;

pub(super) struct Token<'a> {
    pub algorithm: Algorithm,
    pub key_id: Option<String>,
    pub claims: Map<String, Value>,
    /// The signed bytes.
    pub message: &'a [u8],
    pub signature: Vec<u8>,
}

/// A JSON object without duplicate members.
struct Members(Map<String, Value>);

impl<'a> Token<'a> {
    pub(super) fn parse(text: &'a str) -> Result<Self, Refused> {
        if text.len() > MAX_BYTES {
            return Err(Refused::TooLarge);
        }
        let mut parts = text.split('.');
        let (Some(header), Some(payload), Some(signature), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(Refused::Malformed);
        };
        let message = &text.as_bytes()[..header.len() + 1 + payload.len()];
        let header = object(header)?;
        let algorithm = algorithm(&header)?;
        check_type(&header)?;
        let key_id = match header.get("kid") {
            None => None,
            Some(Value::String(id)) => Some(id.clone()),
            Some(_) => return Err(Refused::Malformed),
        };
        let claims = object(payload)?;
        let signature = decode(signature).ok_or(Refused::Malformed)?;
        Ok(Self { algorithm, key_id, claims, message, signature })
    }
}

/// Decodes unpadded base64url in its one canonical form.
pub(super) fn decode(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}

fn object(part: &str) -> Result<Map<String, Value>, Refused> {
    let bytes = decode(part).ok_or(Refused::Malformed)?;
    let Members(members) = serde_json::from_slice(&bytes).map_err(|_| Refused::Malformed)?;
    Ok(members)
}

fn algorithm(header: &Map<String, Value>) -> Result<Algorithm, Refused> {
    if header.contains_key("crit") {
        return Err(Refused::Extension);
    }
    let name = header.get("alg").and_then(Value::as_str).ok_or(Refused::Malformed)?;
    Algorithm::from_name(name).ok_or(Refused::Algorithm)
}

/// Checks `typ` (RFC 8725 §3.11): a token that an issuer signs for another purpose, such as a logout, is not an access
/// token.
fn check_type(header: &Map<String, Value>) -> Result<(), Refused> {
    let Some(kind) = header.get("typ") else { return Ok(()) };
    let kind = kind.as_str().ok_or(Refused::Malformed)?.to_ascii_lowercase();
    match kind.strip_prefix("application/").unwrap_or(&kind) {
        "jwt" | "at+jwt" => Ok(()),
        _ => Err(Refused::Type),
    }
}

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Once;
        impl<'de> Visitor<'de> for Once {
            type Value = Members;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut members = Map::new();
                while let Some((name, value)) = map.next_entry::<String, Value>()? {
                    if members.insert(name, value).is_some() {
                        return Err(A::Error::custom("a member stands twice"));
                    }
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Once)
    }
}
