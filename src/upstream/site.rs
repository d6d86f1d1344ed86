//! Location of a source: what its calls are addressed to, and where its instances are.
//!
//! The two differ for discovered instances. Calls are addressed to the service's own name (`Host`, `:authority` and the
//! name on its certificate), and the connection goes to the address that discovery found.

use super::discovery::{Address, Settings as Discovery};
use http::Uri;
use http::uri::{Authority, PathAndQuery, Scheme};

#[derive(Debug, Clone, PartialEq)]
pub struct Site {
    pub https: bool,
    /// Host that calls are addressed to; `None`: each instance's own.
    pub name: Option<String>,
    /// Path prefix of all calls, without a final `/`.
    pub prefix: String,
    pub instances: Instances,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Instances {
    /// A fixed list of addresses.
    Fixed(Vec<Address>),
    Found(Discovery),
}

impl Site {
    /// Creates a site with one instance, at a URL.
    ///
    /// # Errors
    /// The URL is not absolute, or not `http` or `https`; one lowercase sentence.
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

    /// Returns the URL that calls of the instance at `address` are addressed to: scheme and authority, and `/`.
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

    /// Returns one of the instances, or a possible one.
    ///
    /// # Errors
    /// The name is invalid; one lowercase sentence.
    pub fn example(&self) -> Result<Address, String> {
        match &self.instances {
            Instances::Fixed(addresses) if !addresses.is_empty() => Ok(addresses[0].clone()),
            _ => Address::new("127.0.0.1", default_port(self.https)),
        }
    }

    /// Returns the address of the connection, if it differs from the one that calls are addressed to.
    #[must_use]
    pub fn detour(&self, address: &Address) -> Option<Address> {
        (self.name.is_some() || address.socket.is_some()).then(|| address.clone())
    }

    /// Returns the service as written before a path: scheme and host, and a port unless it is the default; or a socket.
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
