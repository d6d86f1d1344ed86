//! Authenticates the caller: turns a token into claims, or a refusal that the log can explain.
//!
//! A token is a signed JWT (RFC 7519) in its compact form. Its `iss` picks the one provider that may have signed it.
//! From then on only that provider's keys, algorithms and audience count; a valid key of another provider is not
//! accepted. Key locations in a token (`jku`, `x5u`, `jwk`, `x5c`) are ignored. Verified tokens are cached by their
//! whole text, so that a returning caller costs one lookup.
//!
//! Signatures are checked with `ring` directly and not through a JWT library. The candidate, `jsonwebtoken`, uses a
//! cryptography provider that is installed once per process and may have been installed by other code. It also reads
//! the system's clock, accepts duplicate members, and does not check `key_ops`. With all that done here, only one
//! function call of it would be used.
//!
//! Never follows a redirect, never calls anything but the configured providers, never treats a caller with an invalid
//! token as anonymous, and never puts a token, a claim or a key into a log line. Time is an argument.

mod algorithm;
mod claims;
mod fetch;
mod key;
mod key_set;
mod metrics;
mod place;
mod provider;
mod refused;
mod settings;
mod token;
mod verified;

#[cfg(test)]
mod tests;

pub use algorithm::Algorithm;
pub use provider::Keeping;
pub use refused::Refused;
pub use settings::{Audience, KeySource, OnMissing, ProviderSettings, Settings, TokenSettings};
pub use verified::Verified;

use http::HeaderMap;
use provider::{Keeper, Provider};
use serde_json::Value;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;
use token::Token;
use verified::Known;

/// Authenticates callers. Cheap to clone. The default has no providers: every caller is anonymous, and headers are
/// ignored.
#[derive(Clone, Default)]
pub struct Identity(Option<Arc<Inner>>);

struct Inner {
    providers: Vec<Arc<Provider>>,
    known: Known,
    token: TokenSettings,
    on_missing: OnMissing,
    /// Held until [`Identity::start`] takes them.
    keepers: Mutex<Vec<Keeper>>,
}

/// A provider whose configuration cannot work: its issuer, and one lowercase sentence.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the tokens of `{issuer}` cannot be verified: {reason}")]
pub struct Unusable {
    pub issuer: String,
    pub reason: String,
}

impl Identity {
    /// Creates the providers. Reads key files, but uses no network.
    ///
    /// # Errors
    /// Every provider that cannot work.
    pub fn new(settings: &Settings) -> Result<Self, Vec<Unusable>> {
        if settings.providers.is_empty() {
            return Ok(Self::default());
        }
        let (mut providers, mut keepers, mut unusable) = (Vec::new(), Vec::new(), Vec::new());
        for provider in &settings.providers {
            match provider::open(provider, &settings.proxies) {
                Ok((provider, keeper)) => {
                    providers.push(provider);
                    keepers.extend(keeper);
                }
                Err(reason) => {
                    unusable.push(Unusable { issuer: provider.issuer.clone(), reason });
                }
            }
        }
        if !unusable.is_empty() {
            return Err(unusable);
        }
        Ok(Self(Some(Arc::new(Inner {
            providers,
            known: Known::new(settings.cache),
            token: settings.token.clone(),
            on_missing: settings.on_missing,
            keepers: Mutex::new(keepers),
        }))))
    }

    /// Fetches all keys concurrently, each within its provider's timeout, and refreshes them until the returned value
    /// is dropped. Failed fetches are retried in the background.
    pub async fn start(&self) -> Keeping {
        let keepers = self.0.as_ref().map(|inner| {
            std::mem::take(&mut *inner.keepers.lock().unwrap_or_else(PoisonError::into_inner))
        });
        Keeping::begin(keepers.unwrap_or_default()).await
    }

    /// Returns the one token of a request's headers, verified; `None` if there is none.
    ///
    /// # Errors
    /// The token is invalid, or there is more than one.
    pub async fn of_headers(
        &self,
        headers: &HeaderMap,
        now: SystemTime,
    ) -> Result<Option<Arc<Verified>>, Refused> {
        let Some(inner) = &self.0 else { return Ok(None) };
        let found = inner.token.in_headers(headers);
        inner.verified(found, now).await
    }

    /// Returns the verified token of a WebSocket's `connection_init`; `None` if there is none. It is read under the
    /// name of its header, from the top of the payload or from its `headers`. `has_one`: the request that opened the
    /// socket had a token, so a second one is refused.
    ///
    /// # Errors
    /// The token is invalid, or there is more than one.
    pub async fn of_init(
        &self,
        payload: &Value,
        has_one: bool,
        now: SystemTime,
    ) -> Result<Option<Arc<Verified>>, Refused> {
        let Some(inner) = &self.0 else { return Ok(None) };
        let found = match inner.token.in_payload(payload) {
            Ok(Some(_)) if has_one => Err(Refused::Several),
            found => found,
        };
        inner.verified(found, now).await
    }

    /// Returns the claim that holds the scopes of a token with these claims, if its issuer configures one. Without an
    /// `iss`, the only provider is the issuer.
    #[must_use]
    pub fn scopes_claim(&self, claims: &Value) -> Option<Arc<str>> {
        let providers = &self.0.as_ref()?.providers;
        let provider = match (claims.get("iss").and_then(Value::as_str), providers.as_slice()) {
            (Some(issuer), all) => all.iter().find(|provider| provider.issuer() == issuer)?,
            (None, [only]) => only,
            (None, _) => return None,
        };
        provider.scopes_claim()
    }

    /// Returns whether a caller without a token is accepted as anonymous.
    ///
    /// # Errors
    /// [`Refused::Missing`].
    pub fn anonymous(&self) -> Result<(), Refused> {
        match &self.0 {
            Some(inner) if inner.on_missing == OnMissing::Refuse => {
                metrics::refused(&Refused::Missing);
                Err(Refused::Missing)
            }
            _ => Ok(()),
        }
    }
}

impl Inner {
    async fn verified(
        &self,
        found: Result<Option<&str>, Refused>,
        now: SystemTime,
    ) -> Result<Option<Arc<Verified>>, Refused> {
        let outcome = match found {
            Ok(None) => return Ok(None),
            Ok(Some(token)) => self.verify(token, now).await,
            Err(refused) => Err(refused),
        };
        outcome.map(Some).inspect_err(metrics::refused)
    }

    async fn verify(&self, text: &str, now: SystemTime) -> Result<Arc<Verified>, Refused> {
        if let Some(known) = self.known.get(text, now, &self.providers) {
            metrics::verified(true);
            return Ok(known);
        }
        let token = Token::parse(text)?;
        let (index, provider) = self.provider_of(&token)?;
        let verified = match provider.verify(&token, index, now) {
            Err(Refused::UnknownKey | Refused::NoKeys) if provider.look_again().await => {
                provider.verify(&token, index, now)
            }
            outcome => outcome,
        }?;
        metrics::verified(false);
        Ok(self.known.keep(text, verified))
    }

    /// Returns the provider that the token's `iss` names.
    fn provider_of(&self, token: &Token<'_>) -> Result<(usize, &Arc<Provider>), Refused> {
        let issuer = token.claims.get("iss").and_then(Value::as_str);
        let issuer = issuer.ok_or(Refused::UnknownIssuer)?;
        let mut providers = self.providers.iter().enumerate();
        providers.find(|(_, provider)| provider.issuer() == issuer).ok_or(Refused::UnknownIssuer)
    }
}
