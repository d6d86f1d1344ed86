//! What a source is called with: secrets of the configuration, and how they are kept from being printed.

use crate::source::secrets::MASK;
use crate::upstream::Proxies;
use http::Uri;
use std::fmt;

/// What goes along with every call of a source. Fixed headers are among the source's others.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Credentials {
    /// Parameters of the query: names and values, as they are before encoding.
    pub query: Vec<(String, Secret)>,
    /// Who the gateway is where a token is asked for; calls have the token in `authorization`.
    pub client: Option<ClientCredentials>,
    /// What fixed headers are made of.
    pub hidden: Vec<Secret>,
}

/// A client of OAuth 2 (RFC 6749, section 4.4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientCredentials {
    pub token_url: Uri,
    pub id: String,
    pub secret: Secret,
    /// With spaces between.
    pub scope: Option<String>,
    pub audience: Option<String>,
    pub style: ClientStyle,
    /// Between the gateway and `token_url`.
    pub proxies: Proxies,
}

/// Where a client has its secret in a request for a token (RFC 6749, section 2.3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ClientStyle {
    /// In a header of basic authentication.
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
    /// Every text that must not be printed.
    pub fn secrets(&self) -> impl Iterator<Item = &str> {
        let query = self.query.iter().map(|(_, value)| value);
        let client = self.client.iter().map(|client| &client.secret);
        query.chain(client).chain(&self.hidden).map(|secret| secret.0.as_str())
    }
}
