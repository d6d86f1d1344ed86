//! The demo's own identity provider: a key made at start, and tokens for its users.
//!
//! The key lives as long as the process and is not in a file; only this process accepts it. Its JWKS is passed as text,
//! since the gateway is in the same process.

use crate::identity::{Audience, KeySource, ProviderSettings};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use serde_json::{Value, json};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// `iss` of its tokens: a name without a server.
pub const ISSUER: &str = "https://id.storefront.example/";
/// `aud` of its tokens.
pub const AUDIENCE: &str = "storefront";

const KEY_ID: &str = "demo";
const LIFETIME: Duration = Duration::from_hours(24);

/// A user of the storefront with a token.
#[derive(Debug, Clone, Copy)]
pub struct Person {
    /// ID in the users service.
    pub id: u32,
    pub scope: &'static str,
}

/// Users for whom the demo prints tokens.
pub const PEOPLE: [Person; 2] = [
    Person { id: 1, scope: "orders:read" },
    Person { id: 2, scope: "orders:read orders:write users:read" },
];

/// Signs tokens with its own key.
pub struct Issuer(Ed25519KeyPair);

impl Issuer {
    #[must_use]
    pub fn new() -> Self {
        let key = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new())
            .expect("a system that runs has random numbers");
        Self(Ed25519KeyPair::from_pkcs8(key.as_ref()).expect("it was made a line ago"))
    }

    /// Returns its public key as a JWKS.
    #[must_use]
    pub fn jwks(&self) -> String {
        let x = encode(self.0.public_key());
        let key = json!({ "kty": "OKP", "crv": "Ed25519", "use": "sig", "kid": KEY_ID, "x": x });
        json!({ "keys": [key] }).to_string()
    }

    /// Returns the settings with which a gateway trusts it.
    #[must_use]
    pub fn provider(&self) -> ProviderSettings {
        let audience = Audience::OneOf(vec![AUDIENCE.to_owned()]);
        ProviderSettings::new(ISSUER, KeySource::Given(self.jwks()), audience)
    }

    /// Creates a token for a person, valid for a day.
    #[must_use]
    pub fn token(&self, person: Person, now: SystemTime) -> String {
        let now = now.duration_since(UNIX_EPOCH).unwrap_or_default();
        self.sign(&json!({
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": person.id.to_string(),
            "scope": person.scope,
            "iat": now.as_secs(),
            "exp": (now + LIFETIME).as_secs(),
        }))
    }

    /// Creates a token with exactly these claims.
    #[must_use]
    pub fn sign(&self, claims: &Value) -> String {
        let header = json!({ "alg": "EdDSA", "typ": "JWT", "kid": KEY_ID });
        let message = format!("{}.{}", encode(header.to_string()), encode(claims.to_string()));
        let signature = encode(self.0.sign(message.as_bytes()));
        format!("{message}.{signature}")
    }
}

impl Default for Issuer {
    fn default() -> Self {
        Self::new()
    }
}

fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}
