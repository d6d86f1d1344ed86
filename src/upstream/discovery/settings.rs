//! Settings of discovery, and which of them are invalid without sending a query.

use http::{HeaderValue, Uri};
use std::net::SocketAddr;
use std::path::PathBuf;

/// Source of the list of instances.
#[derive(Debug, Clone, PartialEq)]
pub enum Settings {
    /// DNS.
    Dns {
        /// A name without a final dot is also tried under the system's search domains.
        name: String,
        record: Record,
        /// Port of every instance. SRV records contain their own ports, so it is ignored for them.
        port: u16,
        /// Name server to use instead of the system's.
        server: Option<SocketAddr>,
    },
    /// A Consul agent.
    Consul {
        /// Scheme, host and port, such as `http://127.0.0.1:8500`. A path is prepended to the API's paths.
        agent: Uri,
        service: String,
        /// An instance must have all of these tags.
        tag: Vec<String>,
        /// Only instances with no failing or warning check.
        passing: bool,
        /// Default: the agent's own.
        datacenter: Option<String>,
        /// Sent as `X-Consul-Token`. Must be marked sensitive, so that it is never printed.
        token: Option<HeaderValue>,
    },
    /// A file with a JSON array of `"host:port"` and `{"address": "host:port", "weight": 2, "zone": "a"}`.
    File { path: PathBuf },
}

/// Type of the records that are looked up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Record {
    A,
    Aaaa,
    Srv,
}

/// Returns the agent's address as a prefix of URLs, without a final slash.
pub(super) fn agent_url(agent: &Uri) -> Result<String, String> {
    let (Some("http" | "https"), Some(authority)) = (agent.scheme_str(), agent.authority()) else {
        return Err(format!("the agent `{agent}` is not an http or https URL"));
    };
    if authority.as_str().contains('@') {
        return Err("the agent's URL holds a user or password, which Consul does not know; \
                    it wants a token"
            .to_owned());
    }
    if agent.query().is_some() {
        return Err(format!("the agent `{agent}` has a query"));
    }
    Ok(agent.to_string().trim_end_matches('/').to_owned())
}

/// Marks a token sensitive, so that logs do not show it.
pub(super) fn hidden(token: Option<HeaderValue>) -> Option<HeaderValue> {
    token.map(|mut token| {
        token.set_sensitive(true);
        token
    })
}
