//! What of the edge can be set, with defaults that are safe in production.

use http::{HeaderName, HeaderValue};
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
    pub csrf: Csrf,
    /// Under `application/graphql-response+json`, the finer statuses of the edition of September 2026 (294, 422, 408).
    pub draft_status_codes: bool,
    /// How many operations one body may list; `None`: lists are refused.
    pub batching: Option<usize>,
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
            draft_status_codes: false,
            batching: None,
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
