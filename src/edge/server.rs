//! The server: accepts connections, gives each to hyper, and drains them when told to stop.
//!
//! Driven here and not by a ready-made loop, because four things must hold: an accept error (out of descriptors) pauses
//! the loop and never ends it, open connections are bounded, a slow or silent client loses its connection, and after
//! the signal requests in flight get their time and no more.

use super::access_log::Line;
use super::connection::{Activity, Watched};
use super::{Edge, Peer, Settings, reply};
use axum::extract::Request;
use axum::response::Response;
use http::StatusCode;
use http::header::HOST;
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tower::Service as _;

/// After an accept error that is not one connection's own.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
const HTTP2_STREAMS: u32 = 256;
const HTTP2_HEADERS: u32 = 64 << 10;
const HTTP2_PING: Duration = Duration::from_secs(30);

/// Serves until `shutdown` is done, then drains for at most the grace. Connections that are still open then are cut.
pub async fn serve(listener: TcpListener, edge: Edge, shutdown: impl Future<Output = ()>) {
    let mut shutdown = pin!(shutdown);
    let slots = Arc::new(Semaphore::new(edge.settings.connections));
    let builder = Arc::new(builder());
    let graceful = GracefulShutdown::new();
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            biased;
            () = &mut shutdown => break,
            accepted = accept(&listener, &slots) => accepted,
        };
        while connections.try_join_next().is_some() {}
        let connection = Connection { accepted, edge: edge.clone(), builder: Arc::clone(&builder) };
        connections.spawn(connection.serve(graceful.watcher()));
    }
    drop(listener);
    edge.draining.store(true, Ordering::Relaxed);
    let open = connections.len();
    if tokio::time::timeout(edge.settings.shutdown_grace, graceful.shutdown()).await.is_err() {
        let open = connections.len().min(open);
        tracing::warn!(connections = open, "the grace is over, closing what is still open");
    }
    connections.shutdown().await;
}

struct Accepted {
    stream: TcpStream,
    peer: SocketAddr,
    slot: Option<OwnedSemaphorePermit>,
}

/// The next connection, as soon as there is room for one.
async fn accept(listener: &TcpListener, slots: &Arc<Semaphore>) -> Accepted {
    // The semaphore is never closed, so there always is a slot in the end.
    let slot = Arc::clone(slots).acquire_owned().await.ok();
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => return Accepted { stream, peer, slot },
            Err(error) if of_one_connection(&error) => {}
            Err(error) => {
                tracing::warn!("a connection cannot be accepted: {error}");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

fn of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

fn builder() -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    // Heads are timed by `Activity`, for both protocols.
    builder.http1().timer(TokioTimer::new()).header_read_timeout(None);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(HTTP2_STREAMS)
        .max_header_list_size(HTTP2_HEADERS)
        .keep_alive_interval(HTTP2_PING);
    builder
}

struct Connection {
    accepted: Accepted,
    edge: Edge,
    builder: Arc<Builder<TokioExecutor>>,
}

impl Connection {
    async fn serve(self, watcher: Watcher) {
        let Accepted { stream, peer, slot } = self.accepted;
        // Without it small answers wait for the client's acknowledgements; where it fails they are late, not wrong.
        let _ = stream.set_nodelay(true);
        let Settings { header_timeout, idle_timeout, .. } = *self.edge.settings;
        let activity = Activity::new(header_timeout, idle_timeout);
        let io = TokioIo::new(Watched::new(stream, Arc::clone(&activity)));
        let requests = Arc::clone(&activity);
        let edge = self.edge;
        let service = hyper::service::service_fn(move |request| {
            let in_flight = requests.begin();
            let edge = edge.clone();
            async move {
                let response = edge.answer(peer, request).await;
                drop(in_flight);
                Ok::<_, Infallible>(response)
            }
        });
        let connection = watcher.watch(self.builder.serve_connection(io, service));
        tokio::select! {
            served = connection => {
                if let Err(error) = served {
                    tracing::debug!("a connection broke: {error}");
                }
            }
            () = activity.expired() => tracing::debug!("a silent connection was closed"),
        }
        drop(slot);
    }
}

impl Edge {
    /// One request of a connection.
    async fn answer(mut self, peer: SocketAddr, request: hyper::Request<Incoming>) -> Response {
        let mut request: Request = request.map(axum::body::Body::new);
        let line = if self.settings.access_log {
            Line::begin(request.method(), request.uri().path())
        } else {
            None
        };
        let response = if request.headers().get_all(HOST).iter().nth(1).is_some() {
            reply::text(StatusCode::BAD_REQUEST, "two `host` headers\n")
        } else {
            request.extensions_mut().insert(Peer(peer));
            match self.router.call(request).await {
                Ok(response) => response,
                Err(never) => match never {},
            }
        };
        if let Some(line) = line {
            line.end(&response);
        }
        response
    }
}
