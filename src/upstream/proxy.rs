//! Forward proxies: which one a source's calls use, and with which credentials.
//!
//! Requests to `http` targets are sent in absolute form. `https` targets, and HTTP/2 without TLS, use a tunnel
//! (CONNECT). The proxy resolves the names of the targets.

use super::discovery::Address;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderValue, Uri};
use ipnet::IpNet;
use percent_encoding::percent_decode_str;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;
use url::{Host, Url};

/// A forward proxy. Its credentials are never printed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proxy {
    pub address: Address,
    /// `Basic …`, marked sensitive.
    pub authorization: Option<HeaderValue>,
}

/// Choice of the proxy for a target.
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
pub struct Exceptions(Vec<Exception>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Exception {
    hosts: Hosts,
    /// `None`: all of them.
    port: Option<u16>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Hosts {
    All,
    Network(IpNet),
    /// In lower case: a domain and its subdomains.
    Domain(String),
}

impl Proxy {
    /// Parses a URL such as `http://user:password@proxy:3128`; the scheme may be omitted.
    ///
    /// # Errors
    /// The text is not such a URL; one lowercase sentence that does not quote it.
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

    /// Returns every text that must not be printed: the password, or the user name if there is no password, and both as
    /// they are sent.
    pub fn secrets(&self) -> impl Iterator<Item = String> {
        let sent = self.authorization.as_ref().and_then(|value| value.to_str().ok());
        let sent = sent.and_then(|value| value.strip_prefix("Basic ")).map(str::to_owned);
        let pair = sent.as_ref().and_then(|sent| STANDARD.decode(sent).ok());
        let pair = pair.and_then(|pair| String::from_utf8(pair).ok());
        let single =
            pair.as_deref().and_then(|pair| pair.split_once(':')).map(|(name, password)| {
                if password.is_empty() { name.to_owned() } else { password.to_owned() }
            });
        sent.into_iter().chain(single)
    }

    /// Returns the URL without credentials.
    #[must_use]
    pub fn shown(&self) -> String {
        format!("http://{}", self.address.authority())
    }
}

impl Proxies {
    /// Uses one proxy for everything.
    #[must_use]
    pub fn always(proxy: Proxy) -> Self {
        let proxy = Arc::new(proxy);
        Self { http: Some(Arc::clone(&proxy)), https: Some(proxy), except: Exceptions::default() }
    }

    /// Returns every text that must not be printed.
    pub fn secrets(&self) -> impl Iterator<Item = String> {
        self.http.iter().chain(&self.https).flat_map(|proxy| proxy.secrets())
    }

    /// Returns the proxy for a target, if there is one.
    #[must_use]
    pub fn on_the_way(&self, https: bool, host: &str, port: u16) -> Option<&Arc<Proxy>> {
        let proxy = if https { self.https.as_ref() } else { self.http.as_ref() };
        proxy.filter(|_| !self.except.contains(host, port))
    }

    /// Returns the proxy for a URL, if there is one.
    #[must_use]
    pub fn for_url(&self, url: &Uri) -> Option<&Arc<Proxy>> {
        let https = url.scheme_str() == Some("https");
        let port = url.port_u16().unwrap_or(if https { 443 } else { 80 });
        self.on_the_way(https, url.host()?, port)
    }
}

impl Exceptions {
    /// Parses hosts, domains, addresses and networks, separated by commas or blanks, as in `NO_PROXY`. Also returns the
    /// entries that are invalid. As in curl, a domain includes its subdomains, with or without a leading dot, and `*`
    /// matches everything. As in Go, an entry may end with a port, and then applies only to that port.
    #[must_use]
    pub fn parse(text: &str) -> (Self, Vec<String>) {
        let (mut except, mut invalid) = (Self::default(), Vec::new());
        let blank = |letter: char| letter == ',' || letter.is_ascii_whitespace();
        for entry in text.split(blank).filter(|entry| !entry.is_empty()) {
            match Exception::parse(entry) {
                Some(exception) => except.0.push(exception),
                None => invalid.push(entry.to_owned()),
            }
        }
        (except, invalid)
    }

    /// Adds the exceptions of `others`.
    pub fn extend(&mut self, others: impl IntoIterator<Item = Self>) {
        self.0.extend(others.into_iter().flat_map(|other| other.0));
    }

    fn contains(&self, host: &str, port: u16) -> bool {
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let address = bare.parse::<IpAddr>().ok();
        let name = bare.trim_end_matches('.').to_ascii_lowercase();
        let is_in = |hosts: &Hosts| match hosts {
            Hosts::All => true,
            Hosts::Network(network) => address.is_some_and(|address| network.contains(&address)),
            Hosts::Domain(domain) => {
                let above = name.strip_suffix(domain.as_str());
                above.is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
            }
        };
        self.0.iter().any(|it| it.port.is_none_or(|only| only == port) && is_in(&it.hosts))
    }
}

impl Exception {
    fn parse(entry: &str) -> Option<Self> {
        if let Some(hosts) = Hosts::parse(entry) {
            return Some(Self { hosts, port: None });
        }
        let (hosts, port) = entry.rsplit_once(':')?;
        let port = port.parse().ok().filter(|port| *port != 0)?;
        Some(Self { hosts: Hosts::parse(hosts)?, port: Some(port) })
    }
}

impl Hosts {
    fn parse(text: &str) -> Option<Self> {
        if text == "*" {
            return Some(Self::All);
        }
        if let Some(bare) = text.strip_prefix('[') {
            return bare.strip_suffix(']')?.parse::<Ipv6Addr>().ok().map(Self::of);
        }
        if let Ok(network) = text.parse::<IpNet>() {
            return Some(Self::Network(network));
        }
        if let Ok(address) = text.parse::<IpAddr>() {
            return Some(Self::of(address));
        }
        let domain = text.strip_prefix('*').filter(|rest| rest.starts_with('.')).unwrap_or(text);
        let domain = domain.strip_prefix('.').unwrap_or(domain);
        let domain = domain.strip_suffix('.').unwrap_or(domain);
        // As in URLs: in lower case, and other letters than ASCII's as IDNA writes them.
        match Host::parse(domain).ok()? {
            Host::Domain(domain) => Address::new(domain, 1).ok().map(|it| Self::Domain(it.host)),
            Host::Ipv4(address) => Some(Self::of(address)),
            Host::Ipv6(_) => None,
        }
    }

    fn of(address: impl Into<IpAddr>) -> Self {
        Self::Network(address.into().into())
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
    fn credentials_are_secrets_in_the_forms_that_are_sent() {
        let secrets = |url: &str| Proxy::parse(url).unwrap().secrets().collect::<Vec<_>>();
        assert_eq!(secrets("http://me:p%40ss@proxy:1"), ["bWU6cEBzcw==", "p@ss"]);
        assert_eq!(secrets("http://token@proxy:1"), ["dG9rZW46", "token"]);
        assert!(secrets("http://proxy:1").is_empty());
    }

    #[test]
    fn exceptions_are_domains_ports_addresses_and_networks() {
        let (except, invalid) = Exceptions::parse(
            "example.com, .corp:8080,10.0.0.0/8\t[::1],192.168.1.7 ,fd00::/8 2001:db8::1,[fe80::1]:8443,\
             172.16.0.1:81 *.wild.net Bücher.example. one",
        );
        assert!(invalid.is_empty(), "{invalid:?}");
        for (host, port) in [
            ("example.com", 443),
            ("API.Example.com.", 443),
            ("a.corp", 8080),
            ("corp", 8080),
            ("10.1.2.3", 80),
            ("[::1]", 80),
            ("192.168.1.7", 80),
            ("[fd00::7]", 80),
            ("2001:db8::1", 1),
            ("[fe80::1]", 8443),
            ("172.16.0.1", 81),
            ("a.wild.net", 80),
            ("xn--bcher-kva.example", 80),
            ("one", 80),
        ] {
            assert!(except.contains(host, port), "{host}:{port}");
        }
        for (host, port) in [
            ("notexample.com", 443),
            ("example.com.evil.net", 443),
            ("a.corp", 80),
            ("11.0.0.1", 80),
            ("x.10.1.2.3", 80),
            ("[fe80::1]", 443),
            ("172.16.0.1", 80),
            ("2001:db8::2", 1),
        ] {
            assert!(!except.contains(host, port), "{host}:{port}");
        }
        assert!(Exceptions::parse("*").0.contains("any", 1));
        assert!(Exceptions::parse("a,*:81").0.contains("any", 81));
        assert!(!Exceptions::parse("").0.contains("any", 1));
    }

    #[test]
    fn entries_that_stand_for_no_host_are_told_apart_and_match_nothing() {
        const WRONG: [&str; 13] = [
            "a.corp:http",
            "a.corp:0",
            "a.corp:65536",
            "a.corp:",
            ":80",
            "10.0.0.0/33",
            "[::1",
            "[a.corp]:80",
            "[10.0.0.1]",
            "http://a.corp",
            "a*.corp",
            "..",
            "user@a.corp",
        ];
        let (except, invalid) = Exceptions::parse(&WRONG.join(","));
        assert_eq!(invalid, WRONG);
        assert!(!except.contains("a.corp", 80) && !except.contains("[::1]", 80));
    }
}
