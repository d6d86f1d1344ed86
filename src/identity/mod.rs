//! Who asks: a token becomes the claims of a caller, or a refusal that the log can explain.
//!
//! A token is a signed JWT (RFC 7519) in its compact form. Its `iss` picks the one provider that may have signed it, and
//! from then on only that provider's keys, algorithms and audience count: a right key of another provider is a wrong
//! one. What a token says of where its keys are (`jku`, `x5u`, `jwk`, `x5c`) is never looked at. Verified tokens are kept
//! by their whole text, so that a caller who comes back costs one look-up.
//!
//! Signatures are checked with `ring` itself and not through a JWT library. The one at hand (`jsonwebtoken`) takes its
//! cryptography from a provider that is installed once for the whole process and may have been installed by somebody
//! else, reads the system's clock, accepts members given twice, and knows no `key_ops`; with all that done here, what
//! was left of it was a call to the function that it would have been given.
//!
//! Never follows a redirect, never asks anybody but the configured providers, never makes an anonymous caller out of a
//! bad token, and never puts a token, a claim or a key into a log line. Time is an argument.

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

/// Tells who asks. Cheap to clone. The default has no providers: everybody is anonymous, and no header is looked at.
#[derive(Clone, Default)]
pub struct Identity(Option<Arc<Inner>>);

struct Inner {
    providers: Vec<Arc<Provider>>,
    known: Known,
    token: TokenSettings,
    on_missing: OnMissing,
    /// Until [`Identity::start`] takes them.
    keepers: Mutex<Vec<Keeper>>,
}

/// A provider that cannot work as it is configured: its issuer, and one lowercase sentence.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the tokens of `{issuer}` cannot be verified: {reason}")]
pub struct Unusable {
    pub issuer: String,
    pub reason: String,
}

impl Identity {
    /// Reads key files; asks nobody over the network.
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

    /// Fetches all keys, side by side and each within its provider's time, then keeps them fresh for as long as what
    /// comes back lives. A provider that does not answer is tried again in the background.
    pub async fn start(&self) -> Keeping {
        let keepers = self.0.as_ref().map(|inner| {
            std::mem::take(&mut *inner.keepers.lock().unwrap_or_else(PoisonError::into_inner))
        });
        Keeping::begin(keepers.unwrap_or_default()).await
    }

    /// The one token of a request's headers, verified; `None` if there is none.
    ///
    /// # Errors
    /// It is not good, or there is more than one.
    pub async fn of_headers(
        &self,
        headers: &HeaderMap,
        now: SystemTime,
    ) -> Result<Option<Arc<Verified>>, Refused> {
        let Some(inner) = &self.0 else { return Ok(None) };
        let found = inner.token.in_headers(headers);
        inner.verified(found, now).await
    }

    /// The token of a WebSocket's `connection_init`, under the name of the header that it would come in, at the top of
    /// the payload or in its `headers`; `None` if there is none. `has_one`: the request that opened the socket had a
    /// token, so that another one is one too many.
    ///
    /// # Errors
    /// It is not good, or there is more than one.
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

    /// The claim that holds the scopes of a token with these claims, where its issuer has its own. Without an `iss`, the only
    /// provider is its issuer.
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

    /// Whether a caller without a token may go on as nobody.
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

    /// Who must have signed it, if its `iss` is true.
    fn provider_of(&self, token: &Token<'_>) -> Result<(usize, &Arc<Provider>), Refused> {
        let issuer = token.claims.get("iss").and_then(Value::as_str);
        let issuer = issuer.ok_or(Refused::UnknownIssuer)?;
        let mut providers = self.providers.iter().enumerate();
        providers.find(|(_, provider)| provider.issuer() == issuer).ok_or(Refused::UnknownIssuer)
    }
}
