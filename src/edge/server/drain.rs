//! Graceful shutdown, without cutting off clients that were accepted.
//!
//! Two kinds of requests are invisible on this side. One is on a connection that the system has established but the
//! server has not accepted yet. The other is on its way over an idle connection. So waiting connections are accepted
//! before the listener is closed. Idle connections are not closed at once: for a moment each gets `connection: close`
//! with its next response, after which its client sends nothing more on it. (HTTP/2 needs neither: its GOAWAY reports
//! which requests were processed.)

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

/// Longer than a client in use is idle. A client that keeps a connection for longer must expect to find it closed
/// anyway.
const LAST_CALL: Duration = Duration::from_secs(1);

/// Stops listening. Accepts the connections that the system has established until then, as far as there are slots.
pub(super) fn waiting(
    listener: TcpListener,
    slots: &Arc<Semaphore>,
) -> Vec<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    let mut waiting = Vec::new();
    let Ok(listener) = listener.into_std() else { return waiting };
    // The first error means that none is waiting.
    while let Ok(slot) = Arc::clone(slots).try_acquire_owned()
        && let Ok((stream, peer)) = listener.accept()
    {
        let stream = stream.set_nonblocking(true).and_then(|()| TcpStream::from_std(stream));
        waiting.extend(stream.map(|stream| (stream, peer, slot)));
    }
    waiting
}

/// Returns a moment after shutdown begins, after at most half of the grace period. Connections that remain are idle, or
/// serve a request that takes longer.
pub(super) async fn is_over(mut draining: watch::Receiver<bool>, grace: Duration) {
    let _ = draining.wait_for(|draining| *draining).await;
    tokio::time::sleep(LAST_CALL.min(grace / 2)).await;
}
