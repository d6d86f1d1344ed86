//! Where a source is: what its calls are addressed to, and where its instances are.
//!
//! The two differ where instances are found: calls are addressed to the service's own name (`Host`, `:authority` and the
//! name on its certificate), and the connection goes to whatever address discovery found.

use super::discovery::{Address, Settings as Discovery};
use http::Uri;
use http::uri::{Authority, PathAndQuery, Scheme};

#[derive(Debug, Clone, PartialEq)]
pub struct Site {
    pub https: bool,
    /// The host that calls are addressed to; `None`: each instance's own.
    pub name: Option<String>,
    /// The path that all calls begin with; without `/` at its end.
    pub prefix: String,
    pub instances: Instances,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Instances {
    /// Always these.
    Fixed(Vec<Address>),
    Found(Discovery),
}

impl Site {
    /// One instance, at a URL.
    ///
    /// # Errors
    /// It is not absolute, or not `http` or `https`; one lowercase sentence.
    pub fn at(url: &Uri) -> Result<Self, String> {
        let https = match (url.scheme_str(), url.authority()) {
            (Some("http"), Some(_)) => false,
            (Some("https"), Some(_)) => true,
            _ => return Err(format!("`{url}` is not an http or https URL")),
        };
        let host = url.host().unwrap_or_default();
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        let address = Address::new(bare, url.port_u16().unwrap_or(default_port(https)))?;
        let prefix = url.path().trim_end_matches('/').to_owned();
        Ok(Self { https, name: None, prefix, instances: Instances::Fixed(vec![address]) })
    }

    /// What calls of the instance at `address` are addressed to: scheme and authority, and `/`.
    ///
    /// # Errors
    /// It cannot be written as a URL; one lowercase sentence.
    pub fn uri(&self, address: &Address) -> Result<Uri, String> {
        let named =
            self.name.as_ref().map(|name| Address { host: name.clone(), ..address.clone() });
        let mut authority = named.as_ref().unwrap_or(address).authority();
        if address.port == default_port(self.https) {
            authority.truncate(authority.rfind(':').unwrap_or(authority.len()));
        }
        let mut parts = http::uri::Parts::default();
        parts.scheme = Some(if self.https { Scheme::HTTPS } else { Scheme::HTTP });
        parts.authority = Some(
            Authority::try_from(authority)
                .map_err(|error| format!("`{}`: {error}", address.authority()))?,
        );
        parts.path_and_query = Some(PathAndQuery::from_static("/"));
        Uri::from_parts(parts).map_err(|error| format!("`{}`: {error}", address.authority()))
    }

    /// One of the instances, or one as there may be.
    ///
    /// # Errors
    /// Its name is none; one lowercase sentence.
    pub fn example(&self) -> Result<Address, String> {
        match &self.instances {
            Instances::Fixed(addresses) if !addresses.is_empty() => Ok(addresses[0].clone()),
            _ => Address::new("127.0.0.1", default_port(self.https)),
        }
    }

    /// Where the connection goes, if not to where its calls are addressed to.
    #[must_use]
    pub fn detour(&self, address: &Address) -> Option<Address> {
        (self.name.is_some() || address.socket.is_some()).then(|| address.clone())
    }

    /// The service as one would write it before a path: scheme and host, and a port that is not the usual one; or a socket.
    #[must_use]
    pub fn shown(&self) -> String {
        let scheme = if self.https { "https" } else { "http" };
        match (&self.name, &self.instances) {
            (Some(name), _) => format!("{scheme}://{name}"),
            (None, Instances::Fixed(addresses)) => {
                if let Some(socket) = addresses.first().filter(|first| first.socket.is_some()) {
                    return format!("{}:", socket.shown());
                }
                let uri = addresses.first().and_then(|address| self.uri(address).ok());
                let authority = uri.as_ref().and_then(Uri::authority);
                format!("{scheme}://{}", authority.map_or("", |authority| authority.as_str()))
            }
            (None, Instances::Found(_)) => format!("{scheme}://"),
        }
    }
}

fn default_port(https: bool) -> u16 {
    if https { 443 } else { 80 }
}
