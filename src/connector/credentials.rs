//! Credentials for calls of a source: secrets of the configuration, kept from being printed.

use crate::source::secrets::MASK;
use crate::upstream::Proxies;
use http::Uri;
use std::fmt;

/// Credentials that are sent with every call of a source. Fixed headers are among the source's other headers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Credentials {
    /// Query parameters: names and values, before encoding.
    pub query: Vec<(String, Secret)>,
    /// Client of the gateway at a token endpoint; calls carry the token in `authorization`.
    pub client: Option<ClientCredentials>,
    /// Secrets in fixed headers.
    pub hidden: Vec<Secret>,
}

/// An OAuth 2 client (RFC 6749, section 4.4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientCredentials {
    /// URL of the token endpoint.
    pub token_url: Uri,
    /// `client_id` of the client.
    pub id: String,
    /// `client_secret` of the client.
    pub secret: Secret,
    /// Scopes, separated by spaces.
    pub scope: Option<String>,
    /// `audience` parameter of token requests, which some endpoints need.
    pub audience: Option<String>,
    pub style: ClientStyle,
    /// Proxies between the gateway and `token_url`.
    pub proxies: Proxies,
}

/// Place of the client's secret in a token request (RFC 6749, section 2.3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ClientStyle {
    /// In a basic authentication header.
    #[default]
    Basic,
    /// In the body.
    Post,
}

/// A text that is never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(pub String);

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(MASK)
    }
}

impl Credentials {
    /// Returns every text that must not be printed.
    pub fn secrets(&self) -> impl Iterator<Item = &str> {
        let query = self.query.iter().map(|(_, value)| value);
        let client = self.client.iter().map(|client| &client.secret);
        query.chain(client).chain(&self.hidden).map(|secret| secret.0.as_str())
    }
}
