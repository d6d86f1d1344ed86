//! Settings of the edge, with defaults that are safe in production.

use super::subscription;
use crate::engine::{Limit, LimitName, Mode};
use http::{HeaderName, HeaderValue};
use ipnet::IpNet;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

/// Settings of the edge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Address of the GraphQL endpoint. Default: `127.0.0.1:4000`.
    pub listen: SocketAddr,
    /// Path of the GraphQL endpoint. Default: `/graphql`.
    pub path: String,
    /// Serves GraphiQL at `/`. Default: off.
    pub playground: bool,
    /// Query that the playground opens with.
    pub default_query: String,
    pub cors: Cors,
    pub csrf: Csrf,
    pub statuses: Statuses,
    /// Maximum number of operations of a batched request. `None` (the default) refuses batches.
    pub batching: Option<usize>,
    /// Maximum size of a request body, in bytes, as sent and inflated. Default: 1 MiB.
    pub body_limit: usize,
    /// Enforces `body_limit`, or only measures it.
    pub body_mode: Mode,
    /// Time that requests in flight get after the signal to stop. Default: 10 s.
    pub shutdown_grace: Duration,
    /// Maximum number of open connections; further ones wait in the system's queue. Default: 10,000.
    pub connections: usize,
    /// Maximum number of open connections of one client address; further ones are closed at once. Default: 1,000.
    pub connections_per_ip: usize,
    /// Maximum bytes of replies and answers that requests hold, in the whole process. Default: 512 MiB.
    pub memory: usize,
    /// Maximum share of connections, of subscriptions and of `memory` that one client may hold once more than half is
    /// taken; in thousandths. Default: 100, which is a tenth.
    pub client_share: u16,
    /// Timeout for a request's head; the first one is timed from when the connection is accepted. Default: 10 s.
    pub header_timeout: Duration,
    /// Timeout for a request's body. Default: 30 s.
    pub body_timeout: Duration,
    /// Timeout for the next request of an idle connection. Default: 75 s.
    pub idle_timeout: Duration,
    /// Writes one log line per request. Default: on.
    pub access_log: bool,
    /// Proxies whose `X-Forwarded-For` is trusted. Default: none.
    pub trusted_proxies: Vec<IpNet>,
    /// Compresses responses if the client accepts it, and accepts compressed bodies. Default: on.
    pub compression: bool,
    /// TLS of the endpoint. `None` (the default) serves plain HTTP.
    pub tls: Option<Tls>,
    /// Share of new traces that are marked as sampled, in thousandths. Default: 1000, which is all.
    pub trace_sample: u16,
    pub metrics: Scrape,
    pub admin: Admin,
    pub subscriptions: subscription::Settings,
}

/// Addresses that serve `/metrics`. Default: none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Scrape {
    /// Serves it on the endpoint's address.
    pub public: bool,
    /// Serves it on a separate address.
    pub listen: Option<SocketAddr>,
    /// Serves the separate address over TLS, with the endpoint's certificate.
    pub tls: bool,
}

/// Address of the admin page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Admin {
    /// Serves the admin page. Default: on.
    pub enabled: bool,
    /// Address to listen on. If it is [`Admin::USUAL`] and already in use, the page is not served.
    pub listen: SocketAddr,
    /// Serves it over TLS, with the endpoint's certificate.
    pub tls: bool,
}

impl Admin {
    /// Default address of the admin page: `127.0.0.1:4099`.
    pub const USUAL: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 4099);
}

impl Default for Admin {
    fn default() -> Self {
        Self { enabled: true, listen: Self::USUAL, tls: false }
    }
}

/// Edition of GraphQL over HTTP for the statuses of `application/graphql-response+json`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Statuses {
    /// The edition of the published audit. This is the default.
    Audited,
    /// The edition of September 2026. It distinguishes syntax errors (400) from invalid requests (422), and success
    /// (200) from partial success (294).
    Fine,
}

/// PEM files of the server's TLS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tls {
    /// Path to the certificate, followed by the intermediate ones.
    pub cert: PathBuf,
    /// Path to the private key of the certificate.
    pub key: PathBuf,
    /// Path to root certificates. If set, clients must have a certificate that one of these signed.
    pub client_ca: Option<PathBuf>,
    /// Interval at which the files are checked for changes. Default: 5 s.
    pub check_every: Duration,
}

/// CSRF protection: headers that prove a preflight.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Csrf {
    /// Names of headers that prove a preflight: no website can send one without it.
    pub headers: Vec<HeaderName>,
    /// Requires such a header on `GET` as well. Default: off.
    pub strict_get: bool,
}

/// CORS: origins whose pages may read answers in a browser. Without origins (the default) no CORS header is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cors {
    /// Origins whose pages may read responses; `*` allows any.
    pub origins: Vec<HeaderValue>,
    /// Allows requests with credentials (`Access-Control-Allow-Credentials`). Default: off.
    pub credentials: bool,
    /// Time for which a browser may cache a preflight. Default: 10 minutes.
    pub max_age: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 4000)),
            path: "/graphql".to_owned(),
            playground: false,
            default_query: "{\n  __typename\n}\n".to_owned(),
            cors: Cors::default(),
            csrf: Csrf::default(),
            statuses: Statuses::Audited,
            batching: None,
            body_limit: 1 << 20,
            body_mode: Mode::Enforce,
            shutdown_grace: Duration::from_secs(10),
            connections: 10_000,
            connections_per_ip: 1_000,
            memory: 512 << 20,
            client_share: 100,
            header_timeout: Duration::from_secs(10),
            body_timeout: Duration::from_secs(30),
            idle_timeout: Duration::from_secs(75),
            access_log: true,
            trusted_proxies: Vec::new(),
            compression: true,
            tls: None,
            trace_sample: 1000,
            metrics: Scrape::default(),
            admin: Admin::default(),
            subscriptions: subscription::Settings::default(),
        }
    }
}

impl Settings {
    /// Returns the maximum size of a request body in bytes. It is larger than `body_limit` if that is only measured.
    pub(super) fn body_bound(&self) -> usize {
        Limit::new(self.body_limit as u64, self.body_mode).bound(LimitName::Body) as usize
    }
}

impl Default for Tls {
    fn default() -> Self {
        Self {
            cert: PathBuf::new(),
            key: PathBuf::new(),
            client_ca: None,
            check_every: Duration::from_secs(5),
        }
    }
}

impl Default for Csrf {
    fn default() -> Self {
        let headers = [
            "x-portcullis-csrf",
            "apollo-require-preflight",
            "x-apollo-operation-name",
            "graphql-preflight",
        ];
        Self { headers: headers.map(HeaderName::from_static).into(), strict_get: false }
    }
}

impl Default for Cors {
    fn default() -> Self {
        Self { origins: Vec::new(), credentials: false, max_age: Duration::from_mins(10) }
    }
}

impl Cors {
    /// Returns `true` if pages of this origin may read answers.
    #[must_use]
    pub fn allows(&self, origin: &HeaderValue) -> bool {
        self.origins.iter().any(|allowed| allowed == origin || allowed == "*")
    }

    /// Returns `true` if every origin is allowed (`*`).
    #[must_use]
    pub fn any_origin(&self) -> bool {
        self.origins.iter().any(|origin| origin == "*")
    }
}
