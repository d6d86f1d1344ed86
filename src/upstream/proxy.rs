//! Forward proxies: which one a source's calls go through, and by what credentials.
//!
//! `http` targets are asked for in absolute form; `https` targets, and HTTP/2 without TLS, through a tunnel (CONNECT). The
//! proxy resolves the names of the targets.

use super::discovery::Address;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderValue, Uri};
use ipnet::IpNet;
use percent_encoding::percent_decode_str;
use std::net::IpAddr;
use std::sync::Arc;
use url::{Host, Url};

/// A forward proxy. Its credentials are never printed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proxy {
    pub address: Address,
    /// `Basic …`, marked sensitive.
    pub authorization: Option<HeaderValue>,
}

/// Which proxy is for which target.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Proxies {
    /// For `http` targets.
    pub http: Option<Arc<Proxy>>,
    /// For `https` targets.
    pub https: Option<Arc<Proxy>>,
    pub except: Exceptions,
}

/// Targets that are called directly.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Exceptions {
    all: bool,
    networks: Vec<IpNet>,
    /// In lower case: a domain with those below it, and a port if only that one is meant.
    domains: Vec<(String, Option<u16>)>,
}

impl Proxy {
    /// A URL such as `http://user:password@proxy:3128`; the scheme may be left out.
    ///
    /// # Errors
    /// It is no such URL; one lowercase sentence that does not quote it.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let text = text.trim();
        let whole = if text.contains("://") { text.to_owned() } else { format!("http://{text}") };
        let url = Url::parse(&whole).map_err(|_| "this is not the URL of a proxy")?;
        if url.scheme() != "http" {
            return Err("a proxy is reached over plain `http`, and this URL has another scheme");
        }
        if url.path().len() > 1 || url.query().is_some() || url.fragment().is_some() {
            return Err("the URL of a proxy ends after the port");
        }
        let host = match url.host() {
            Some(Host::Ipv6(address)) => address.to_string(),
            Some(host) => host.to_string(),
            None => return Err("the URL of the proxy has no host"),
        };
        let address = Address::new(host, url.port().unwrap_or(80))
            .map_err(|_| "the URL of the proxy has no host, or port 0")?;
        let password = url.password().unwrap_or_default();
        let authorization = (!url.username().is_empty() || !password.is_empty()).then(|| {
            let mut pair: Vec<u8> = percent_decode_str(url.username()).collect();
            pair.push(b':');
            pair.extend(percent_decode_str(password));
            let value = HeaderValue::try_from(format!("Basic {}", STANDARD.encode(pair)));
            value.map(|mut value| {
                value.set_sensitive(true);
                value
            })
        });
        let authorization =
            authorization.transpose().map_err(|_| "the credentials are too long")?;
        Ok(Self { address, authorization })
    }

    /// As a URL without credentials.
    #[must_use]
    pub fn shown(&self) -> String {
        format!("http://{}", self.address.authority())
    }
}

impl Proxies {
    /// One proxy for everything.
    #[must_use]
    pub fn always(proxy: Proxy) -> Self {
        let proxy = Arc::new(proxy);
        Self { http: Some(Arc::clone(&proxy)), https: Some(proxy), except: Exceptions::default() }
    }

    /// The proxy on the way to a target, if there is one.
    #[must_use]
    pub fn on_the_way(&self, https: bool, host: &str, port: u16) -> Option<&Arc<Proxy>> {
        let proxy = if https { self.https.as_ref() } else { self.http.as_ref() };
        proxy.filter(|_| !self.except.contains(host, port))
    }

    /// The same for a URL.
    #[must_use]
    pub fn for_url(&self, url: &Uri) -> Option<&Arc<Proxy>> {
        let https = url.scheme_str() == Some("https");
        let port = url.port_u16().unwrap_or(if https { 443 } else { 80 });
        self.on_the_way(https, url.host()?, port)
    }
}

impl Exceptions {
    /// Hosts, domains, addresses and networks between commas, as `NO_PROXY` has them; `*` is everything. What is none of
    /// them matches nothing.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let mut except = Self::default();
        for entry in text.split([',', ' ']).map(str::trim).filter(|entry| !entry.is_empty()) {
            let bare = entry.trim_start_matches('[').trim_end_matches(']');
            if entry == "*" {
                except.all = true;
            } else if let Ok(network) = entry.parse::<IpNet>() {
                except.networks.push(network);
            } else if let Ok(address) = bare.parse::<IpAddr>() {
                except.networks.push(address.into());
            } else {
                let (host, port) = match entry.rsplit_once(':') {
                    Some((host, port)) => (host, port.parse().ok()),
                    None => (entry, None),
                };
                let host = host.trim_start_matches('*').trim_matches('.').to_ascii_lowercase();
                if !host.is_empty() {
                    except.domains.push((host, port));
                }
            }
        }
        except
    }

    fn contains(&self, host: &str, port: u16) -> bool {
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        if self.all {
            return true;
        }
        let is_in_network = bare
            .parse::<IpAddr>()
            .is_ok_and(|address| self.networks.iter().any(|network| network.contains(&address)));
        let host = bare.trim_end_matches('.').to_ascii_lowercase();
        let is_below = |domain: &str| {
            host.strip_suffix(domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
        };
        is_in_network
            || self
                .domains
                .iter()
                .any(|(domain, only)| is_below(domain) && only.is_none_or(|only| only == port))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_url_of_a_proxy_has_credentials_that_are_not_printed() {
        let proxy = Proxy::parse("http://me:p%40ss@proxy.local:3128/").unwrap();
        assert_eq!(proxy.authorization.as_ref().unwrap(), "Basic bWU6cEBzcw==");
        assert_eq!(proxy.shown(), "http://proxy.local:3128");
        let printed = format!("{proxy:?}");
        assert!(!printed.contains("bWU6") && !printed.contains("p%40ss"), "{printed}");
        assert_eq!(Proxy::parse("proxy:3128").unwrap().shown(), "http://proxy:3128");
        assert_eq!(Proxy::parse("http://[::1]:1").unwrap().shown(), "http://[::1]:1");
        for wrong in ["", "https://proxy:1", "socks5://proxy:1", "http://proxy/x", "http://proxy:0"]
        {
            let error = Proxy::parse(wrong).unwrap_err();
            assert!(!error.contains("proxy:1"), "{error}");
        }
    }

    #[test]
    fn exceptions_are_domains_ports_addresses_and_networks() {
        let except = Exceptions::parse("example.com, .corp:8080,10.0.0.0/8 [::1],192.168.1.7");
        for (host, port) in [
            ("example.com", 443),
            ("API.Example.com.", 443),
            ("a.corp", 8080),
            ("10.1.2.3", 80),
            ("[::1]", 80),
            ("192.168.1.7", 80),
        ] {
            assert!(except.contains(host, port), "{host}:{port}");
        }
        for (host, port) in [("notexample.com", 443), ("a.corp", 80), ("11.0.0.1", 80)] {
            assert!(!except.contains(host, port), "{host}:{port}");
        }
        assert!(Exceptions::parse("*").contains("any", 1));
        assert!(!Exceptions::parse("").contains("any", 1));
    }
}
