//! What of tokens can be set, with defaults that are safe in production.

use super::Algorithm;
use crate::upstream::Proxies;
use http::HeaderName;
use http::header::AUTHORIZATION;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Whose tokens are believed, each issuer once. None: no token is looked at.
    pub providers: Vec<ProviderSettings>,
    pub token: TokenSettings,
    pub on_missing: OnMissing,
    /// Memory for verified tokens, in bytes.
    pub cache: u64,
    /// Between the gateway and the URLs of keys.
    pub proxies: Proxies,
}

/// Whose tokens are believed, and which of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProviderSettings {
    /// The tokens' `iss`, compared letter by letter.
    pub issuer: String,
    pub keys: KeySource,
    pub audience: Audience,
    /// The claim that holds a token's scopes, or the path to it: names joined with dots. Without it: `scope`, `scp` and
    /// `scopes`.
    pub scopes_claim: Option<Arc<str>>,
    pub algorithms: Vec<Algorithm>,
    /// How far clocks may be apart.
    pub leeway: Duration,
    /// How often keys are read anew in the background.
    pub refresh: Duration,
    /// The time one fetch of keys may take.
    pub timeout: Duration,
    /// The least time between two fetches because of keys that are not known: anybody can name one.
    pub rest: Duration,
}

/// Where a provider's JWKS (RFC 7517) comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeySource {
    Url {
        uri: http::Uri,
        /// Plain HTTP will do.
        insecure_http: bool,
    },
    File(PathBuf),
    /// The text itself; it never changes.
    Given(String),
}

/// Whom a token must be meant for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Audience {
    /// Every token of the issuer is good, also one without `aud`.
    Any,
    /// One of the token's audiences is one of these.
    OneOf(Vec<String>),
}

/// Where a request has its token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenSettings {
    pub header: HeaderName,
    /// The scheme before the token, in any case; empty: the header is the token.
    pub prefix: String,
    /// A cookie that may hold it instead.
    pub cookie: Option<String>,
}

/// What becomes of a request without a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnMissing {
    /// Its caller is nobody.
    #[default]
    Allow,
    Refuse,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            providers: Vec::new(),
            token: TokenSettings::default(),
            on_missing: OnMissing::default(),
            cache: 16 << 20,
            proxies: Proxies::default(),
        }
    }
}

impl Default for TokenSettings {
    fn default() -> Self {
        Self { header: AUTHORIZATION, prefix: "Bearer".to_owned(), cookie: None }
    }
}

impl ProviderSettings {
    /// With defaults for everything that has one.
    #[must_use]
    pub fn new(issuer: impl Into<String>, keys: KeySource, audience: Audience) -> Self {
        Self {
            issuer: issuer.into(),
            keys,
            audience,
            scopes_claim: None,
            algorithms: Algorithm::ALL.to_vec(),
            leeway: Duration::from_mins(1),
            refresh: Duration::from_mins(10),
            timeout: Duration::from_secs(5),
            rest: Duration::from_secs(10),
        }
    }
}
