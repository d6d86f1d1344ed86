//! What a token costs: the CPU of one thread for a token that is known already, and for one that is seen for the first time.
//!
//! `cargo run --release --manifest-path benches/Cargo.toml --package portcullis-benches-inside --bin tokens`. Time on the processor, as Linux counts it for the thread, so
//! that a busy machine tells the same.

use anyhow::{Context as _, Result};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::HeaderMap;
use http::header::AUTHORIZATION;
use portcullis::identity::{Audience, Identity, KeySource, ProviderSettings, Settings};
use portcullis_benches_inside::on_cpu;
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _,
};
use serde_json::{Value, json};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const ISSUER: &str = "https://id.example.com/realms/shop";
const TOKENS: usize = 4_000;
const ROUNDS: usize = 50;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let random = SystemRandom::new();
    let how = &ECDSA_P256_SHA256_FIXED_SIGNING;
    let text = EcdsaKeyPair::generate_pkcs8(how, &random).ok().context("random numbers")?;
    let p256 = EcdsaKeyPair::from_pkcs8(how, text.as_ref(), &random).ok().context("a key")?;
    let (x, y) = p256.public_key().as_ref()[1..].split_at(32);
    let jwk = json!({ "kty": "EC", "crv": "P-256", "kid": "k", "x": encode(x), "y": encode(y) });
    measure("ES256", jwk, |message| {
        p256.sign(&random, message).map(|signature| encode(signature)).unwrap_or_default()
    })
    .await?;
    let text = Ed25519KeyPair::generate_pkcs8(&random).ok().context("random numbers")?;
    let ed25519 = Ed25519KeyPair::from_pkcs8(text.as_ref()).ok().context("a key")?;
    let x = encode(ed25519.public_key());
    let jwk = json!({ "kty": "OKP", "crv": "Ed25519", "kid": "k", "x": x });
    measure("EdDSA", jwk, |message| encode(ed25519.sign(message))).await
}

async fn measure(algorithm: &str, jwk: Value, sign: impl Fn(&[u8]) -> String) -> Result<()> {
    let keys = KeySource::Given(json!({ "keys": [jwk] }).to_string());
    let audience = Audience::OneOf(vec!["shop".to_owned()]);
    let providers = vec![ProviderSettings::new(ISSUER, keys, audience)];
    let settings = Settings { providers, cache: 256 << 20, ..Settings::default() };
    let identity = Identity::new(&settings).ok().context("an identity")?;
    let now = SystemTime::now();
    let headers: Vec<HeaderMap> =
        (0..TOKENS).map(|number| bearer(algorithm, number, now, &sign)).collect::<Result<_>>()?;
    let bytes = headers[0][AUTHORIZATION].len();
    let first = timed(&identity, &headers, now, 1).await?;
    let again = timed(&identity, &headers, now, ROUNDS).await?;
    println!("{algorithm}: a token of {bytes} bytes for the first time {first:?}, again {again:?}");
    Ok(())
}

/// The mean per request, the claims copied for the caller as the edge does.
async fn timed(
    identity: &Identity,
    headers: &[HeaderMap],
    now: SystemTime,
    rounds: usize,
) -> Result<Duration> {
    let begun = on_cpu()?;
    for _ in 0..rounds {
        for headers in headers {
            let verified = identity.of_headers(headers, now).await.ok().flatten();
            std::hint::black_box(verified.context("a good token")?.claims.clone());
        }
    }
    let spent = on_cpu()?.saturating_sub(begun);
    Ok(spent / u32::try_from(rounds * headers.len())?)
}

/// What an identity provider's access token is like.
fn bearer(
    algorithm: &str,
    number: usize,
    now: SystemTime,
    sign: impl Fn(&[u8]) -> String,
) -> Result<HeaderMap> {
    let now = now.duration_since(UNIX_EPOCH)?.as_secs();
    let header = json!({ "alg": algorithm, "typ": "JWT", "kid": "k" });
    let claims = json!({
        "iss": ISSUER, "aud": ["shop", "account"], "sub": format!("user-{number}"),
        "iat": now, "nbf": now, "exp": now + 3600, "jti": format!("{number:032x}"),
        "azp": "storefront", "scope": "openid profile orders:read orders:write",
        "email": "ada@example.com", "email_verified": true, "name": "Ada Lovelace",
        "realm_access": { "roles": ["customer", "offline_access"] },
    });
    let message = format!("{}.{}", encode(header.to_string()), encode(claims.to_string()));
    let signature = sign(message.as_bytes());
    let value = format!("Bearer {message}.{signature}").parse()?;
    Ok(HeaderMap::from_iter([(AUTHORIZATION, value)]))
}

fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}
