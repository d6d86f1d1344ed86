//! The address of one instance.

use std::net::Ipv6Addr;
use std::path::PathBuf;

/// Maximum length of a DNS name.
const LONGEST_NAME: usize = 253;

/// The address of one instance, as found by discovery.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Address {
    /// An IP address (IPv6 without brackets) or a DNS name, and nothing else.
    pub host: String,
    /// Port; never 0.
    pub port: u16,
    /// Share of the calls, relative to the weights of the others. At least 1.
    pub weight: u32,
    /// Zone of the instance, if known.
    pub zone: Option<String>,
    /// Unix socket to connect to instead of host and port.
    pub socket: Option<PathBuf>,
}

impl Address {
    /// Creates an address with weight 1 and no zone.
    ///
    /// # Errors
    /// The host is neither an address nor a name, or the port is 0; one lowercase sentence.
    pub fn new(host: impl Into<String>, port: u16) -> Result<Self, String> {
        let host = host.into();
        if !is_host(&host) {
            return Err(format!("`{}` is no IP address or host name", host.escape_debug()));
        }
        if port == 0 {
            return Err(format!("`{host}` has no port"));
        }
        Ok(Self { host, port, weight: 1, zone: None, socket: None })
    }

    /// Creates the address of a Unix socket. Calls are addressed to `localhost`.
    ///
    /// # Errors
    /// The path is too long for a socket or contains a zero byte, or the system has no Unix sockets; one lowercase
    /// sentence.
    pub fn socket(path: PathBuf) -> Result<Self, String> {
        #[cfg(unix)]
        std::os::unix::net::SocketAddr::from_pathname(&path)
            .map_err(|_| "this path is too long for a socket, or holds a zero byte".to_owned())?;
        if cfg!(not(unix)) {
            return Err("this system has no Unix sockets".to_owned());
        }
        Ok(Self { socket: Some(path), ..Self::new("localhost", 80)? })
    }

    /// Parses `host:port`, as in a URL: an IPv6 address stands in brackets.
    ///
    /// # Errors
    /// The text has another form; one lowercase sentence.
    pub fn parse(text: &str) -> Result<Self, String> {
        let parts = text.rsplit_once(':').and_then(|(host, port)| Some((host, port.parse().ok()?)));
        let Some((host, port)) = parts else {
            return Err(format!("`{}` is not `host:port`", text.escape_debug()));
        };
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        match (bare, host.contains(':')) {
            (Some(bare), _) if bare.parse::<Ipv6Addr>().is_ok() => Self::new(bare, port),
            (None, false) => Self::new(host, port),
            _ => Err(format!("`{}` is not `host:port`", text.escape_debug())),
        }
    }

    /// Returns whether both have the same host and port, or the same socket. Weights and zones are ignored.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        (&self.host, self.port, &self.socket) == (&other.host, other.port, &other.socket)
    }

    /// Returns the address for people: host and port, or the socket.
    #[must_use]
    pub fn shown(&self) -> String {
        match &self.socket {
            Some(path) => format!("unix://{}", path.display()),
            None => self.authority(),
        }
    }

    /// Returns host and port, as in a URL.
    #[must_use]
    pub fn authority(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }
}

fn is_host(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    let name = !text.is_empty() && text.len() <= LONGEST_NAME && text.bytes().all(plain);
    name || text.parse::<Ipv6Addr>().is_ok()
}

/// Sorts addresses, and keeps each host and port once.
pub(super) fn tidy(mut addresses: Vec<Address>) -> Vec<Address> {
    addresses.sort_unstable();
    addresses.dedup_by(|later, first| later.is_same(first));
    addresses
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_as_they_stand_in_urls() {
        for (text, host, port) in [
            ("10.0.0.1:8080", "10.0.0.1", 8080),
            ("users-1.internal:80", "users-1.internal", 80),
            ("[::1]:443", "::1", 443),
        ] {
            let address = Address::parse(text).unwrap();
            assert_eq!((address.host.as_str(), address.port), (host, port));
            assert_eq!(address.authority(), text);
        }
    }

    #[test]
    fn what_is_no_address_is_said() {
        for text in [
            "",
            ":",
            "users",
            "users:",
            ":80",
            "users:0",
            "users:65536",
            "users:-1",
            "a b:80",
            "http://users:80",
            "user@users:80",
            "users/x:80",
            "::1:80",
            "[::1]",
            "[users]:80",
            "[10.0.0.1]:80",
            "fe80::1%eth0:80",
            "[fe80::1%eth0]:80",
            "users:80\n",
            "bücher:80",
        ] {
            assert!(Address::parse(text).is_err(), "{text}");
        }
        assert!(Address::parse(&format!("{}:80", "a".repeat(254))).is_err());
        assert_eq!(Address::parse("users:0"), Err("`users` has no port".to_owned()));
        assert_eq!(Address::parse("a\nb"), Err("`a\\nb` is not `host:port`".to_owned()));
    }

    #[cfg(unix)]
    #[test]
    fn a_socket_is_told_from_others_and_from_a_host() {
        let socket = |path: &str| Address::socket(path.into()).unwrap();
        assert_eq!(socket("/run/a.sock").shown(), "unix:///run/a.sock");
        assert_eq!(socket("/run/a.sock").authority(), "localhost:80");
        assert!(socket("/run/a.sock").is_same(&socket("/run/a.sock")));
        assert!(!socket("/run/a.sock").is_same(&socket("/run/b.sock")));
        assert!(!socket("/run/a.sock").is_same(&Address::parse("localhost:80").unwrap()));
        assert!(Address::socket(format!("/{}", "a".repeat(200)).into()).is_err());
        assert!(Address::socket("/a\0b".into()).is_err());
    }

    #[test]
    fn a_set_has_each_address_once_and_in_order() {
        let of = |text: &str| Address::parse(text).unwrap();
        let heavy = Address { weight: 5, ..of("b:1") };
        let set = tidy(vec![of("b:2"), heavy, of("b:1"), of("a:9"), of("b:2")]);
        assert_eq!(set, [of("a:9"), of("b:1"), of("b:2")]);
    }
}
