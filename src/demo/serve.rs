//! Accepts connections for one service and serves them until it is dropped.
//!
//! All connections belong to the one future, so that stopping it stops everything: `axum::serve` would leave its
//! connections running.

use super::failing::HangUp;
use axum::Router;
use axum::body::Body;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use std::io;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tower::ServiceExt;

/// Maximum number of connections. Further ones wait in the kernel's queue.
const CONNECTIONS_MAX: usize = 8_192;
/// Maximum number of concurrent calls on one HTTP/2 connection: a gateway under load may have only one.
const STREAMS_MAX: u32 = 1_024;
/// Wait after a failed accept, which happens when file descriptors run out.
const PAUSE: Duration = Duration::from_millis(50);

pub(super) async fn serve(listener: TcpListener, router: Router) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept(), if connections.len() < CONNECTIONS_MAX => match accepted {
                Ok((stream, _)) => { connections.spawn(answer(stream, router.clone())); }
                Err(_) => tokio::time::sleep(PAUSE).await,
            },
            Some(_) = connections.join_next(), if !connections.is_empty() => {}
        }
    }
}

/// Serves HTTP/1.1 and HTTP/2 without TLS, as the client begins.
async fn answer(stream: TcpStream, router: Router) {
    // Small replies must not wait for each other; without this they are only slower.
    let _ = stream.set_nodelay(true);
    let service = hyper::service::service_fn(move |request: hyper::Request<_>| {
        let answering = router.clone().oneshot(request.map(Body::new));
        async move {
            let response = answering.await.map_err(io::Error::other)?;
            match response.extensions().get::<HangUp>() {
                Some(HangUp) => Err(io::Error::from(io::ErrorKind::ConnectionAborted)),
                None => Ok(response),
            }
        }
    });
    let mut server = Builder::new(TokioExecutor::new());
    server.http2().max_concurrent_streams(STREAMS_MAX);
    // A broken connection has no client to report to.
    let _ = server.serve_connection(TokioIo::new(stream), service).await;
}
