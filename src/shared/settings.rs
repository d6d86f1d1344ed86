//! Address and timeout of the server. The address contains a password, so it is printed without it.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    pub url: Url,
    /// Maximum time of one command, connecting included. Default: 100 ms.
    pub timeout: Duration,
    /// Prefix of every key, so that several products can share a server.
    pub prefix: String,
}

impl Settings {
    /// Creates settings with defaults: 100 ms, and keys that begin with `portcullis:`.
    #[must_use]
    pub fn new(url: Url) -> Self {
        Self { url, timeout: Duration::from_millis(100), prefix: "portcullis:".to_owned() }
    }
}

/// `redis://user:password@host:port/database`, or `rediss://` for TLS. Printed without credentials.
#[derive(Clone, PartialEq, Eq)]
pub struct Url {
    secret: String,
    shown: String,
}

impl Url {
    /// Returns the URL with its password: for the connection only.
    pub(super) fn secret(&self) -> &str {
        &self.secret
    }
}

impl FromStr for Url {
    type Err = &'static str;

    /// Parses a URL. The error does not repeat the text.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let secure = text.starts_with("rediss://");
        if !secure && !text.starts_with("redis://") {
            return Err("an address of Redis begins with redis:// or rediss://");
        }
        if text.contains('#') {
            return Err("an address of Redis has no `#`: certificates are always checked");
        }
        let url = redis::parse_redis_url(text)
            .ok_or("not an address of Redis: redis://host:port/database")?;
        let host =
            url.host_str().filter(|host| !host.is_empty()).ok_or("the address names no host")?;
        redis::Client::open(text)
            .map_err(|_| "not an address of Redis: redis://host:port/database")?;
        let scheme = if secure { "rediss" } else { "redis" };
        let port = url.port().unwrap_or(6379);
        Ok(Self {
            secret: text.to_owned(),
            shown: format!("{scheme}://{host}:{port}{}", url.path()),
        })
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl fmt::Debug for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

#[test]
fn an_address_prints_no_password() {
    let url: Url = "rediss://me:s3cret@cache.example:7000/2?x=s3cret".parse().expect("an address");
    assert_eq!(url.to_string(), "rediss://cache.example:7000/2");
    assert!(!format!("{:?}", Settings::new(url)).contains("s3cret"));
}

#[test]
fn what_is_no_address_is_refused_without_repeating_it() {
    for text in [
        "",
        "s3cret",
        "http://s3cret",
        "redis://",
        "redis://:s3cret@",
        "redis://h:99999/",
        "rediss://h#insecure",
        "redis://h/s3cret",
    ] {
        let error = text.parse::<Url>().expect_err(text);
        assert!(!error.contains("s3cret"), "{error}");
    }
    for text in ["redis://h", "redis://h:1/0", "redis://:p@[::1]:6379", "rediss://u:p@h/3"] {
        text.parse::<Url>().expect(text);
    }
}
