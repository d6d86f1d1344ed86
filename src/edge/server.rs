//! The server: accepts connections, serves each with hyper, and drains them at shutdown.
//!
//! The accept loop is our own and not a ready-made one, because of these guarantees. An accept error (such as no free
//! descriptors) pauses the loop and never ends it. Open connections are limited, in all and by address. A silent
//! connection makes room for another client. A slow client loses its connection, whether it is slow to send or to read.
//! At shutdown, requests in flight get the grace period and no more.

mod addresses;
mod drain;
mod framing;
mod opening;
mod sent;
mod stalled;
mod tls;
mod unread;

pub(super) use framing::Framing;
pub(super) use opening::PREFACE;
pub(super) use tls::Certificates;

use super::connection::{Activity, InFlight, Watched};
use super::exchange::Exchange;
use super::quota::{self, Quota};
use super::subscription::Here;
use super::trace::{Ids, REQUEST_ID};
use super::{Edge, Peer, Settings, forwarded, reply};
use crate::memory::Account;
use addresses::{Addresses, Counted};
use axum::extract::Request;
use axum::response::Response;
use http::header::{CONNECTION, HOST, HeaderValue};
use http::{StatusCode, Version};
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper_util::rt::{TokioIo, TokioTimer};
use opening::Opened;
use sent::Sent;
use stalled::Streams;
use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tower::Service as _;
use unread::Received;

/// Pause after an accept error that does not concern a single connection.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// Timeout for a slot that was freed, before another connection is closed.
const ROOM_WAIT: Duration = Duration::from_millis(20);
/// Maximum number of streams of one connection, and so of responses that wait in it for a client that does not read.
const HTTP2_STREAMS: u32 = 100;
const HTTP2_HEADERS: u32 = 64 << 10;
const HTTP2_PING: Duration = Duration::from_secs(30);
/// Maximum number of streams that a client opened and reset before they were handled ("rapid reset", CVE-2023-44487).
const HTTP2_PENDING_RESETS: usize = 20;
/// Maximum number of streams that we reset because the client broke the protocol.
const HTTP2_LOCAL_RESETS: usize = 256;
/// Maximum bytes of one stream's response that wait for the client to read.
const HTTP2_SEND_BUFFER: usize = 256 << 10;

/// Serves until `shutdown` completes, then drains for at most the grace period. Connections that are still open then
/// are closed.
pub async fn serve(listener: TcpListener, edge: Edge, shutdown: impl Future<Output = ()>) {
    let mut shutdown = pin!(shutdown);
    if edge.settings.tls.is_some() && edge.certificates.is_none() {
        tracing::error!("nothing is served: TLS is configured, and its files were not read");
        return;
    }
    let slots = Arc::new(Semaphore::new(edge.settings.connections));
    let mut door = Door::new(&edge);
    let mut background = JoinSet::new();
    if let Some(certificates) = edge.certificates.as_ref().filter(|_| !edge.is_beside) {
        background.spawn(Arc::clone(certificates).keep_current());
    }
    loop {
        let (stream, peer) = tokio::select! {
            biased;
            () = &mut shutdown => break,
            accepted = accept(&listener) => accepted,
        };
        let Some(connection) = door.admit(stream, peer) else { continue };
        let slot = tokio::select! {
            biased;
            slot = door.room(&slots, &connection) => slot,
            () = &mut shutdown => {
                door.serve(connection, None);
                break;
            }
        };
        if slot.is_some() {
            door.serve(connection, slot);
        }
    }
    edge.draining.send_replace(true);
    for (stream, peer, slot) in drain::waiting(listener, &slots) {
        if let Some(connection) = door.admit(stream, peer) {
            door.serve(connection, Some(slot));
        }
    }
    door.drain(&slots).await;
}

/// The listener, and the connections that it accepted.
struct Door {
    edge: Edge,
    addresses: Arc<Addresses>,
    protocols: Arc<Protocols>,
    connections: JoinSet<()>,
}

impl Door {
    fn new(edge: &Edge) -> Self {
        Self {
            edge: edge.clone(),
            addresses: Addresses::new(
                edge.settings.connections_per_ip,
                Quota::new(edge.settings.connections, edge.settings.client_share),
            ),
            protocols: Arc::new(Protocols::new(edge.settings.idle_timeout)),
            connections: JoinSet::new(),
        }
    }

    /// Counts a connection. Refuses it if its address has too many.
    fn admit(&mut self, stream: TcpStream, peer: SocketAddr) -> Option<Connection> {
        while self.connections.try_join_next().is_some() {}
        let Settings { header_timeout, idle_timeout, .. } = *self.edge.settings;
        let activity = Activity::new(header_timeout, idle_timeout);
        let counted = if forwarded::is_trusted(peer.ip(), &self.edge.settings.trusted_proxies) {
            self.addresses.admit_proxy(Arc::clone(&activity))
        } else {
            let Some(counted) = self.addresses.admit(peer.ip(), Arc::clone(&activity)) else {
                self.edge.metrics.refused.increment(1);
                tracing::debug!("an address has too many connections, closing its newest");
                return None;
            };
            counted
        };
        let (edge, protocols) = (self.edge.clone(), Arc::clone(&self.protocols));
        Some(Connection { stream, peer, activity, counted: Arc::new(counted), edge, protocols })
    }

    /// Waits for a slot. If all are taken, it closes silent and idle connections for it. Returns `None` if no
    /// connection can be closed and the client has other connections. Then waiting would block the accept loop, and the
    /// next client may be one that a connection can be closed for.
    async fn room(
        &self,
        slots: &Arc<Semaphore>,
        connection: &Connection,
    ) -> Option<OwnedSemaphorePermit> {
        if let Ok(slot) = Arc::clone(slots).try_acquire_owned() {
            return Some(slot);
        }
        loop {
            if !connection.counted.make_room() && connection.counted.is_one_of_many() {
                self.edge.metrics.refused.increment(1);
                tracing::debug!("all connections are taken, closing one of a client with others");
                return None;
            }
            let slot = Arc::clone(slots).acquire_owned();
            if let Ok(slot) = tokio::time::timeout(ROOM_WAIT, slot).await {
                // The semaphore is never closed.
                return slot.ok();
            }
        }
    }

    fn serve(&mut self, connection: Connection, slot: Option<OwnedSemaphorePermit>) {
        self.connections.spawn(connection.serve(slot));
    }

    /// Lets requests in flight finish. Closes what is still open at the end of the grace period.
    async fn drain(mut self, slots: &Semaphore) {
        let settings = &self.edge.settings;
        let open = self.connections.len();
        let all = u32::try_from(settings.connections).unwrap_or(u32::MAX);
        let connections = &mut self.connections;
        let drained = async {
            while connections.join_next().await.is_some() {}
            // WebSockets no longer belong to hyper, but hold their slots until they are closed.
            let _ = slots.acquire_many(all).await;
        };
        if tokio::time::timeout(settings.shutdown_grace, drained).await.is_err() {
            let open = self.connections.len().min(open);
            tracing::warn!(connections = open, "the grace is over, closing what is still open");
        }
        self.connections.shutdown().await;
    }
}

/// Returns the next connection.
async fn accept(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    loop {
        match listener.accept().await {
            Ok(accepted) => return accepted,
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

/// Settings of hyper for each protocol.
struct Protocols {
    http1: http1::Builder,
    http2: http2::Builder<Streams>,
}

impl Protocols {
    fn new(idle_timeout: Duration) -> Self {
        let mut http1 = http1::Builder::new();
        // `Activity` times heads, for both protocols.
        http1.timer(TokioTimer::new()).header_read_timeout(None);
        let mut http2 = http2::Builder::new(Streams::new(idle_timeout));
        http2
            .timer(TokioTimer::new())
            .max_concurrent_streams(HTTP2_STREAMS)
            .max_header_list_size(HTTP2_HEADERS)
            .max_pending_accept_reset_streams(HTTP2_PENDING_RESETS)
            .max_local_error_reset_streams(HTTP2_LOCAL_RESETS)
            .max_send_buf_size(HTTP2_SEND_BUFFER)
            .keep_alive_interval(HTTP2_PING);
        Self { http1, http2 }
    }
}

struct Connection {
    stream: TcpStream,
    peer: SocketAddr,
    activity: Arc<Activity>,
    counted: Arc<Counted>,
    edge: Edge,
    protocols: Arc<Protocols>,
}

impl Connection {
    async fn serve(self, slot: Option<OwnedSemaphorePermit>) {
        let Self { stream, peer, activity, counted, edge, protocols } = self;
        // If the connection becomes a WebSocket, it keeps these.
        let held = (slot, Arc::clone(&counted), edge.metrics.open());
        let here = Here::new(&edge.settings, Arc::new(held));
        // Without it, small responses wait for the client's acknowledgements. If it fails, they are late, not wrong.
        let _ = stream.set_nodelay(true);
        let displaced = edge.metrics.displaced.clone();
        let account = edge.account(peer.ip());
        let talk = Talk { peer, account, here, activity, counted: Arc::clone(&counted), edge };
        talk.activity.serve();
        counted.begin();
        tokio::select! {
            biased;
            () = counted.cut() => {
                displaced.increment(1);
                tracing::debug!("a silent or idle connection was closed for another client");
            }
            () = talk.begin(stream, &protocols) => {}
        }
    }
}

/// The requests of one connection.
struct Talk {
    peer: SocketAddr,
    /// Account of the connection's own address.
    account: Account,
    here: Here,
    activity: Arc<Activity>,
    counted: Arc<Counted>,
    edge: Edge,
}

impl Talk {
    /// Speaks HTTP, over TLS if that is configured.
    async fn begin(self, stream: TcpStream, protocols: &Protocols) {
        let certificates = self.edge.certificates.as_ref();
        let Some(acceptor) = certificates.map(|certificates| certificates.acceptor()) else {
            return self.speak(stream, protocols).await;
        };
        let time = self.edge.settings.header_timeout;
        match tokio::time::timeout(time, acceptor.accept(stream)).await {
            Ok(Ok(stream)) => return self.speak(stream, protocols).await,
            Ok(Err(error)) => tracing::debug!("a TLS handshake failed: {error}"),
            Err(_) => tracing::debug!("a TLS handshake took too long"),
        }
        self.edge.metrics.failed_handshakes.increment(1);
    }

    /// Serves HTTP until the client closes the connection or exceeds a timeout.
    async fn speak(
        self,
        mut stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        protocols: &Protocols,
    ) {
        let Self { peer, account, here, activity, counted, edge } = self;
        let peer = Peer { address: peer.ip().to_canonical(), account };
        let mut over =
            pin!(drain::is_over(edge.draining.subscribe(), edge.settings.shutdown_grace));
        let opening = tokio::select! {
            opening = opening::read(&mut stream) => opening,
            () = activity.expired() => return tracing::debug!("a silent connection was closed"),
            () = &mut over => return,
        };
        let Ok((opened, first)) = opening else { return };
        let received = edge.metrics.received.clone();
        let io = TokioIo::new(Watched::new(stream, first, Arc::clone(&activity), received));
        let requests = Arc::clone(&activity);
        let service = hyper::service::service_fn(move |mut request: hyper::Request<Incoming>| {
            request.extensions_mut().insert(here.clone());
            let in_flight = requests.begin();
            if in_flight.as_ref().is_some_and(InFlight::is_first) {
                counted.heard();
            }
            let (edge, activity, peer) = (edge.clone(), Arc::clone(&requests), peer.clone());
            async move {
                // The connection is about to be closed for another client.
                let Some(in_flight) = in_flight else { return std::future::pending().await };
                let ambiguous = in_flight.is_ambiguous();
                let response = edge.answer(peer, request, ambiguous, activity).await;
                drop(in_flight);
                Ok::<_, Infallible>(response)
            }
        });
        match opened {
            Opened::Http1 => {
                let connection = protocols.http1.serve_connection(io, service).with_upgrades();
                let finish = http1::UpgradeableConnection::graceful_shutdown;
                until_over(connection, finish, over, &activity).await;
            }
            Opened::Http2 => {
                let connection = protocols.http2.serve_connection(io, service);
                let finish = http2::Connection::graceful_shutdown;
                until_over(connection, finish, over, &activity).await;
            }
        }
        // The connection has ended, or belongs to another protocol with timeouts of its own.
        activity.hand_over();
    }
}

/// Drives a connection to its end. Once `over` completes, calls `finish` so that only requests in flight are completed.
async fn until_over<C: Future<Output = hyper::Result<()>>>(
    connection: C,
    finish: impl FnOnce(Pin<&mut C>),
    mut over: Pin<&mut impl Future<Output = ()>>,
    activity: &Activity,
) {
    let mut connection = pin!(connection);
    let mut finish = Some(finish);
    loop {
        tokio::select! {
            served = &mut connection => {
                if let Err(error) = served {
                    tracing::debug!("a connection broke: {error}");
                }
                return;
            }
            () = activity.expired() => return tracing::debug!("a silent connection was closed"),
            () = &mut over, if finish.is_some() => {
                if let Some(finish) = finish.take() {
                    finish(connection.as_mut());
                }
            }
        }
    }
}

impl Edge {
    /// Returns the account that requests from an address are charged to. A trusted proxy has many clients.
    fn account(&self, address: IpAddr) -> Account {
        if forwarded::is_trusted(address, &self.settings.trusted_proxies) {
            self.memory.account_of_many()
        } else {
            self.memory.account(quota::client(address))
        }
    }

    /// Serves one request of a connection.
    async fn answer(
        mut self,
        mut peer: Peer,
        request: hyper::Request<Incoming>,
        ambiguous: bool,
        activity: Arc<Activity>,
    ) -> http::Response<Sent> {
        let mut request: Request = Received::of(request, &activity).map(axum::body::Body::new);
        let trusted = &self.settings.trusted_proxies;
        let is_proxy = forwarded::is_trusted(peer.address, trusted);
        let ids = Ids::take(request.headers(), is_proxy, self.settings.trace_sample);
        let (method, path) = (request.method(), request.uri().path());
        let (logged, version) = (self.settings.access_log, request.version());
        let mut exchange = Exchange::begin(&self.metrics, logged, method, path, &ids);
        let id = ids.request.clone();
        let mut response = if let Some(mistake) = mistake(&request, ambiguous) {
            refuse(mistake, request.version())
        } else {
            if is_proxy {
                peer.address = forwarded::client(peer.address, request.headers(), trusted);
                peer.account = self.account(peer.address);
            }
            request.headers_mut().insert(REQUEST_ID, id.clone());
            request.extensions_mut().insert(peer);
            request.extensions_mut().insert(ids);
            match self.router.call(request).await {
                Ok(response) => response,
                Err(never) => match never {},
            }
        };
        response.headers_mut().insert(REQUEST_ID, id);
        if activity.closes_after_answer() || *self.draining.borrow() {
            say_goodbye(&mut response, version);
        }
        exchange.answered(&mut response);
        response.map(|body| Sent::new(body, activity, exchange))
    }
}

/// Returns the error of a request that hyper accepts but that must not be served (RFC 9112 §3.2, §6.1).
fn mistake(request: &Request, ambiguous: bool) -> Option<&'static str> {
    if request.headers().get_all(HOST).iter().nth(1).is_some() {
        Some("two `host` headers\n")
    } else if ambiguous {
        Some("the body's length is said twice\n")
    } else {
        None
    }
}

/// Refuses a request and closes the connection: the next bytes may be a part of what was refused.
fn refuse(mistake: &'static str, version: Version) -> Response {
    let mut response = reply::text(StatusCode::BAD_REQUEST, mistake);
    say_goodbye(&mut response, version);
    response
}

/// Marks the connection to be closed after this response. HTTP/2 uses GOAWAY instead, and a connection that was handed
/// over is not ours to close.
fn say_goodbye(response: &mut Response, version: Version) {
    if version < Version::HTTP_2 && response.status() != StatusCode::SWITCHING_PROTOCOLS {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
}
