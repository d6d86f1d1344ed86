//! Tokens and keys, valid and invalid. Time is an argument here; fetches run against a real socket.

mod attacks;
mod fetching;
mod jwks;
mod keys;
mod place;
mod signer;
mod times;
mod vectors;

use super::{Audience, Identity, KeySource, ProviderSettings, Refused, Settings, Verified};
use http::HeaderMap;
use http::header::AUTHORIZATION;
use serde_json::{Value, json};
use signer::Signer;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

const ISSUER: &str = "https://id.example.com/";
const NOW: u64 = 1_700_000_000;

fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(seconds)
}

/// Claims of a valid token.
fn claims() -> Value {
    json!({ "iss": ISSUER, "sub": "1", "aud": "shop", "exp": NOW + 600 })
}

/// Returns the claims with another value of one; null removes it.
fn claims_with(name: &str, value: Value) -> Value {
    let mut claims = claims();
    claims[name] = value;
    claims.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    claims
}

fn provider(issuer: &str, keys: &[Value]) -> ProviderSettings {
    let audience = Audience::OneOf(vec!["shop".to_owned()]);
    let set = json!({ "keys": keys }).to_string();
    ProviderSettings::new(issuer, KeySource::Given(set), audience)
}

fn identity(providers: Vec<ProviderSettings>) -> Identity {
    Identity::new(&Settings { providers, ..Settings::default() }).unwrap()
}

/// Trusts one provider that has this signer's key.
fn trusting(signer: &Signer) -> Identity {
    identity(vec![provider(ISSUER, &[signer.jwk("a")])])
}

fn bearer(token: &str) -> HeaderMap {
    HeaderMap::from_iter([(AUTHORIZATION, format!("Bearer {token}").parse().unwrap())])
}

async fn ask_at(
    identity: &Identity,
    token: &str,
    now: SystemTime,
) -> Result<Arc<Verified>, Refused> {
    let verified = identity.of_headers(&bearer(token), now).await?;
    Ok(verified.expect("a token that is shown is never nobody"))
}

async fn ask(identity: &Identity, token: &str) -> Result<Arc<Verified>, Refused> {
    ask_at(identity, token, at(NOW)).await
}

async fn refused(identity: &Identity, token: &str) -> Refused {
    // Twice: a refusal is not cached, and is the same again.
    let first = ask(identity, token).await.unwrap_err();
    assert_eq!(ask(identity, token).await, Err(first));
    first
}
