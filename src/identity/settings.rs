//! Settings of authentication, with defaults that are safe in production.

use super::Algorithm;
use crate::upstream::Proxies;
use http::HeaderName;
use http::header::AUTHORIZATION;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Trusted providers, each issuer once. If empty, tokens are ignored.
    pub providers: Vec<ProviderSettings>,
    pub token: TokenSettings,
    /// Handling of requests without a token. Default: `Allow`.
    pub on_missing: OnMissing,
    /// Memory for verified tokens, in bytes. Default: 16 MiB.
    pub cache: u64,
    /// Proxies between the gateway and the URLs of keys.
    pub proxies: Proxies,
}

/// A trusted issuer, and the rules for its tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProviderSettings {
    /// `iss` of the tokens, compared exactly.
    pub issuer: String,
    /// Source of the keys that sign the tokens.
    pub keys: KeySource,
    /// Required `aud` of the tokens.
    pub audience: Audience,
    /// Claim that holds a token's scopes, or the path to it: names joined with dots. Default: `scope`, `scp` and
    /// `scopes`.
    pub scopes_claim: Option<Arc<str>>,
    /// Accepted signature algorithms. Default: all that are supported.
    pub algorithms: Vec<Algorithm>,
    /// Maximum difference between clocks. Default: 1 min.
    pub leeway: Duration,
    /// Interval at which keys are refreshed in the background. Default: 10 min.
    pub refresh: Duration,
    /// Timeout of one fetch of keys. Default: 5 s.
    pub timeout: Duration,
    /// Minimum time between two fetches caused by unknown keys, because any client can name one. Default: 10 s.
    pub rest: Duration,
}

/// Source of a provider's JWKS (RFC 7517).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeySource {
    Url {
        uri: http::Uri,
        /// Allows plain HTTP.
        insecure_http: bool,
    },
    File(PathBuf),
    /// The JWKS itself, which never changes.
    Given(String),
}

/// Required audience of a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Audience {
    /// Every token of the issuer is accepted, also one without `aud`.
    Any,
    /// At least one of the token's audiences is in this list.
    OneOf(Vec<String>),
}

/// Place of the token in a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenSettings {
    /// Header that holds the token. Default: `authorization`.
    pub header: HeaderName,
    /// Scheme before the token, in any case. If it is empty, the header is the token. Default: `Bearer`.
    pub prefix: String,
    /// Cookie that may hold the token instead.
    pub cookie: Option<String>,
}

/// Handling of requests without a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnMissing {
    /// The caller is anonymous.
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
    /// Creates a provider with defaults for everything else.
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
