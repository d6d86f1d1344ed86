//! What of the edge can be set, with defaults that are safe in production.

use super::subscription;
use crate::engine::{Limit, LimitName, Mode};
use http::{HeaderName, HeaderValue};
use ipnet::IpNet;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    pub listen: SocketAddr,
    /// Of the GraphQL endpoint.
    pub path: String,
    /// GraphiQL at `/`.
    pub playground: bool,
    /// What the playground opens with.
    pub default_query: String,
    pub cors: Cors,
    pub csrf: Csrf,
    pub statuses: Statuses,
    /// How many operations one body may list; `None`: lists are refused.
    pub batching: Option<usize>,
    /// The largest request body, in bytes.
    pub body_limit: usize,
    /// What becomes of a larger one.
    pub body_mode: Mode,
    /// How long requests in flight may go on after the signal to stop.
    pub shutdown_grace: Duration,
    /// Open connections; further ones wait in the system's queue.
    pub connections: usize,
    /// Open connections of one client address; further ones are closed at once.
    pub connections_per_ip: usize,
    /// Maximum bytes of replies and answers that requests hold, in the whole process.
    pub memory: usize,
    /// Share of connections, of subscriptions and of `memory` that one client may hold once more than half is taken;
    /// in thousandths.
    pub client_share: u16,
    /// The time a client may take to send a request's head; the first one is due from when the connection is accepted.
    pub header_timeout: Duration,
    /// The time a client may take to send a request's body.
    pub body_timeout: Duration,
    /// How long a connection is kept between two requests.
    pub idle_timeout: Duration,
    /// One log line per request.
    pub access_log: bool,
    /// Whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpNet>,
    /// Bodies are compressed for clients that ask for it, and may come compressed.
    pub compression: bool,
    pub tls: Option<Tls>,
    /// Of traces that begin here, those in a thousand that are marked to be recorded.
    pub trace_sample: u16,
    pub metrics: Scrape,
    pub admin: Admin,
    pub subscriptions: subscription::Settings,
}

/// Where `/metrics` is served, if anywhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Scrape {
    /// On the address of the endpoint.
    pub public: bool,
    /// On an address of its own.
    pub listen: Option<SocketAddr>,
    /// The address of its own speaks TLS, with the certificate of the endpoint.
    pub tls: bool,
}

/// Where the admin page is served, if anywhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Admin {
    pub enabled: bool,
    /// Nowhere, where this is [`Admin::USUAL`] and taken.
    pub listen: SocketAddr,
    /// It speaks TLS, with the certificate of the endpoint.
    pub tls: bool,
}

impl Admin {
    pub const USUAL: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 4099);
}

impl Default for Admin {
    fn default() -> Self {
        Self { enabled: true, listen: Self::USUAL, tls: false }
    }
}

/// Which edition of GraphQL over HTTP names the statuses of `application/graphql-response+json`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Statuses {
    /// That of the published audit.
    Audited,
    /// That of September 2026, which tells apart what cannot be parsed (400) from what makes no sense (422), and what
    /// worked from what partly did (294).
    Fine,
}

/// PEM files that clients are served TLS with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tls {
    /// The certificate, and those between it and the root.
    pub cert: PathBuf,
    pub key: PathBuf,
    /// Clients must have a certificate of one of these roots.
    pub client_ca: Option<PathBuf>,
    /// How often the files are looked at.
    pub check_every: Duration,
}

/// Which requests a browser may send on behalf of a website that was never asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Csrf {
    /// No website can send one of these without a preflight.
    pub headers: Vec<HeaderName>,
    /// A `GET` needs such a header as well.
    pub strict_get: bool,
}

/// Which web pages may read answers in a browser. Closed while there is no origin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cors {
    pub origins: Vec<HeaderValue>,
    pub credentials: bool,
    /// How long a browser may remember a preflight.
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
    /// Bytes that a request body may have: more than `body_limit` where that is only measured.
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
    /// Pages of this origin may read answers.
    #[must_use]
    pub fn allows(&self, origin: &HeaderValue) -> bool {
        self.origins.iter().any(|allowed| allowed == origin || allowed == "*")
    }

    #[must_use]
    pub fn any_origin(&self) -> bool {
        self.origins.iter().any(|origin| origin == "*")
    }
}
