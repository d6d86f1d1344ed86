//! An upstream that answers every call alike: at once, never, or when a test releases it. It counts its calls in
//! flight.

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

pub struct Upstream {
    pub address: SocketAddr,
    count: watch::Receiver<Count>,
    gate: watch::Sender<bool>,
    server: JoinHandle<()>,
}

#[derive(Debug, Clone, Copy, Default)]
pub struct Count {
    /// Number of calls ever made.
    pub came: usize,
    /// Number of calls that are neither answered nor abandoned.
    pub in_flight: usize,
}

struct Visit(Arc<watch::Sender<Count>>);

impl Drop for Visit {
    fn drop(&mut self) {
        self.0.send_modify(|count| count.in_flight -= 1);
    }
}

impl Upstream {
    /// Starts an upstream. `reply` is the JSON of every answer; `None`: it never answers.
    pub async fn start(reply: Option<&'static str>) -> Self {
        let upstream = Self::held(reply.unwrap_or_default()).await;
        if reply.is_some() {
            upstream.release();
        }
        upstream
    }

    /// Starts an upstream whose calls wait until it is released.
    pub async fn held(reply: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("a bound socket has an address");
        let (sender, count) = watch::channel(Count::default());
        let (gate, open) = watch::channel(false);
        let server = tokio::spawn(accept(listener, Arc::new(sender), open, reply));
        Self { address, count, gate, server }
    }

    /// Answers waiting calls, and all later ones.
    pub fn release(&self) {
        self.gate.send_replace(true);
    }

    pub async fn until(&self, holds: impl Fn(Count) -> bool) {
        let mut count = self.count.clone();
        let reached = count.wait_for(|count| holds(*count));
        let reached = tokio::time::timeout(super::PATIENCE, reached).await;
        assert!(reached.is_ok(), "waited in vain; the upstream has {:?}", *self.count.borrow());
    }

    pub fn count(&self) -> Count {
        *self.count.borrow()
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn accept(
    listener: TcpListener,
    count: Arc<watch::Sender<Count>>,
    open: watch::Receiver<bool>,
    reply: &'static str,
) {
    let mut connections = JoinSet::new();
    while let Ok((socket, _)) = listener.accept().await {
        while connections.try_join_next().is_some() {}
        let (count, open) = (Arc::clone(&count), open.clone());
        connections.spawn(async move {
            let service = service_fn(move |_: http::Request<Incoming>| {
                let (count, mut open) = (Arc::clone(&count), open.clone());
                count.send_modify(|count| {
                    count.came += 1;
                    count.in_flight += 1;
                });
                let visit = Visit(count);
                async move {
                    if open.wait_for(|open| *open).await.is_err() {
                        // The test has ended.
                        return std::future::pending().await;
                    }
                    drop(visit);
                    let body = Full::new(Bytes::from_static(reply.as_bytes()));
                    let reply =
                        http::Response::builder().header("content-type", "application/json");
                    reply.body(body)
                }
            });
            // Clients that disconnect are the purpose of this.
            let server = auto::Builder::new(TokioExecutor::new());
            let _ = server.serve_connection(TokioIo::new(socket), service).await;
        });
    }
}
