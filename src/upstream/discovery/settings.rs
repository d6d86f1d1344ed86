//! Where instances are looked for, and what of it can be seen to be wrong before anybody is asked.

use http::{HeaderValue, Uri};
use std::net::SocketAddr;
use std::path::PathBuf;

/// Who knows the instances of a source.
#[derive(Debug, Clone, PartialEq)]
pub enum Settings {
    /// A name server.
    Dns {
        /// A name without a final dot is tried under the system's search domains too.
        name: String,
        record: Record,
        /// Of every instance. SRV records bring ports of their own, and it is not looked at.
        port: u16,
        /// Asked instead of those the system is set up with.
        server: Option<SocketAddr>,
    },
    /// A Consul agent.
    Consul {
        /// Scheme, host and port, such as `http://127.0.0.1:8500`; a path is put before the API's.
        agent: Uri,
        service: String,
        /// An instance needs all of them.
        tag: Vec<String>,
        /// Only instances of which no check fails or warns.
        passing: bool,
        /// The agent's own without one.
        datacenter: Option<String>,
        /// Sent as `X-Consul-Token`. To be marked sensitive, so that nothing prints it.
        token: Option<HeaderValue>,
    },
    /// A file with a JSON array of `"host:port"` and `{"address": "host:port", "weight": 2, "zone": "a"}`.
    File { path: PathBuf },
}

/// Which records a name is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Record {
    A,
    Aaaa,
    Srv,
}

/// The agent's address as the beginning of URLs, without a final slash.
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

/// A token whose bytes no log shows, whoever made it.
pub(super) fn hidden(token: Option<HeaderValue>) -> Option<HeaderValue> {
    token.map(|mut token| {
        token.set_sensitive(true);
        token
    })
}
