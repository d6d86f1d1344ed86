//! What of the edge can be set, with defaults that are safe in production.

use http::HeaderValue;
use std::net::{Ipv4Addr, SocketAddr};
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
    /// The largest request body, in bytes.
    pub body_limit: usize,
    /// How long requests in flight may go on after the signal to stop.
    pub shutdown_grace: Duration,
    /// Open connections; further ones wait in the system's queue.
    pub connections: usize,
    /// The time a client may take to send a request's head.
    pub header_timeout: Duration,
    /// The time a client may take to send a request's body.
    pub body_timeout: Duration,
    /// How long a connection is kept between two requests.
    pub idle_timeout: Duration,
    /// One log line per request.
    pub access_log: bool,
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
            body_limit: 1 << 20,
            shutdown_grace: Duration::from_secs(10),
            connections: 10_000,
            header_timeout: Duration::from_secs(10),
            body_timeout: Duration::from_secs(30),
            idle_timeout: Duration::from_secs(75),
            access_log: true,
        }
    }
}

impl Default for Cors {
    fn default() -> Self {
        Self { origins: Vec::new(), credentials: false, max_age: Duration::from_mins(10) }
    }
}

impl Cors {
    #[must_use]
    pub fn any_origin(&self) -> bool {
        self.origins.iter().any(|origin| origin == "*")
    }
}
