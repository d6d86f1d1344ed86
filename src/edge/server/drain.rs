//! The end of serving, without cutting off who was let in.
//!
//! Two things look like nothing to this side of a connection and are a request to the other one: a connection that the
//! system has made and nobody has accepted, and a request that is on its way over an idle connection. The first are
//! accepted before the listener goes. For the second, connections are not closed at once: for a moment each is told
//! `connection: close` with its next answer, after which its client sends nothing more on it. (HTTP/2 needs neither: its
//! GOAWAY says which requests were taken.)

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

/// Longer than a client in use is idle. Whoever has kept a connection for longer must be ready to find it closed anyway.
const LAST_CALL: Duration = Duration::from_secs(1);

/// Ends listening, and accepts what the system has let in until then, as far as there is room.
pub(super) fn waiting(
    listener: TcpListener,
    slots: &Arc<Semaphore>,
) -> Vec<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    let mut waiting = Vec::new();
    let Ok(listener) = listener.into_std() else { return waiting };
    // The first error is that none waits.
    while let Ok(slot) = Arc::clone(slots).try_acquire_owned()
        && let Ok((stream, peer)) = listener.accept()
    {
        let stream = stream.set_nonblocking(true).and_then(|()| TcpStream::from_std(stream));
        waiting.extend(stream.map(|stream| (stream, peer, slot)));
    }
    waiting
}

/// Done a moment after the gateway is told to stop, half of the grace at most: connections that are left are idle, or answer
/// what takes longer.
pub(super) async fn is_over(mut draining: watch::Receiver<bool>, grace: Duration) {
    let _ = draining.wait_for(|draining| *draining).await;
    tokio::time::sleep(LAST_CALL.min(grace / 2)).await;
}
