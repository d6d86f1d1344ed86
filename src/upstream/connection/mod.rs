//! Connections to one instance: opened when calls need them, reused, and replaced when they are silent.
//!
//! | question | file |
//! |---|---|
//! | how is a connection opened | `dial` |
//! | is there a proxy on the way, or a Unix socket | `route` |
//! | which connection does a call take, and when is one more opened | `pool` |
//! | what does one exchange look like | `http1`, `http2` |
//! | was the request processed | `unsent` |
//! | is a silent connection alive | `awaited` by timeouts, `ping` for endless replies |
//!
//! Built on hyper's HTTP/1.1 connection and the `h2` crate, not on a pooled client. A pooled client opens a connection
//! for each call that finds none idle, even if one becomes idle first. A burst then leaves many more connections than
//! calls. A pooled client also hides which requests were never processed: only the protocol's own errors show that.
//!
//! Never retries a request that may have been processed, never follows a redirect, never inflates a body.

mod awaited;
mod body;
mod dial;
mod http1;
mod http2;
mod ping;
mod pool;
mod route;
mod unsent;

pub use self::body::ReplyBody;
use self::dial::Dialer;
pub use self::dial::Versions;
use self::pool::ConnectionPool;
use self::unsent::Failed;
use super::aging::Aging;
use super::discovery::Address;
use super::{Failure, Settings};
use bytes::Bytes;
use http::{Request, Response, Uri};
use std::sync::Arc;
use std::time::Instant;

/// Maximum number of closed connections that a call may find before it requires a new one.
const STALE_CONNECTIONS: u32 = 2;

/// The connections to one instance.
#[derive(Debug)]
pub struct Connections {
    pool: Aging<Arc<ConnectionPool>>,
    /// Created at the start.
    first: Dialer,
    settings: Settings,
}

enum Dialed {
    Http1(http1::Http1),
    Http2(Arc<http2::Http2>),
}

impl Connections {
    /// Creates the connections of one instance. Calls are addressed to `uri`. If there is a `detour`, connections go
    /// there instead of the URL's host.
    ///
    /// # Errors
    /// The URL is not absolute, not `http` or `https`, or there are no trusted roots; one lowercase sentence.
    pub fn new(
        settings: &Settings,
        uri: &Uri,
        detour: Option<Address>,
        versions: Versions,
    ) -> Result<Self, String> {
        let first = Dialer::new(settings, uri, detour, versions)?;
        Ok(Self { pool: Aging::new(settings.max_age), first, settings: settings.clone() })
    }

    fn pool(&self) -> Arc<ConnectionPool> {
        let make =
            || Arc::new(ConnectionPool::new(self.first.renewed(&self.settings), &self.settings));
        self.pool.get(Instant::now(), make)
    }

    /// Sends a request with an absolute URI, and returns when status and headers are received. `fresh` requires a new
    /// connection.
    ///
    /// # Errors
    /// No connection could be opened, it broke, or the reply is not HTTP.
    pub async fn send(
        &self,
        request: Request<Bytes>,
        fresh: bool,
    ) -> Result<Response<ReplyBody>, Failure> {
        self.exchange(request, fresh, false).await
    }

    /// Like [`Connections::send`], for a reply that has no end: a stream of messages. Over HTTP/2, the connection is
    /// watched while it is silent.
    ///
    /// # Errors
    /// The same as those of [`Connections::send`].
    pub async fn stream(
        &self,
        request: Request<Bytes>,
        fresh: bool,
    ) -> Result<Response<ReplyBody>, Failure> {
        self.exchange(request, fresh, true).await
    }

    async fn exchange(
        &self,
        mut request: Request<Bytes>,
        fresh: bool,
        endless: bool,
    ) -> Result<Response<ReplyBody>, Failure> {
        let pool = self.pool();
        let mut stale = 0;
        loop {
            let fresh = fresh || stale >= STALE_CONNECTIONS;
            let outcome = match pool.checkout(fresh).await? {
                Dialed::Http1(connection) => connection.exchange(request, &pool).await,
                Dialed::Http2(connection) => connection.exchange(request, &pool, endless).await,
            };
            match outcome {
                Ok(reply) => return Ok(reply),
                Err(Failed::Unsent(_, reason)) if fresh => return Err(Failure::Unreached(reason)),
                Err(Failed::Unsent(unsent, _)) => request = *unsent,
                Err(Failed::Final(failure)) => return Err(failure),
            }
            stale += 1;
        }
    }
}

#[cfg(test)]
mod tests;
