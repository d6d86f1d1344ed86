//! A minimal Consul agent for drills: the health of one service, by blocking queries.

use super::instance::Instance;
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use std::convert::Infallible;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

/// Stops when dropped.
pub struct Consul {
    pub address: SocketAddr,
    listed: Arc<watch::Sender<Listed>>,
    task: JoinHandle<()>,
}

struct Listed {
    index: u64,
    instances: Vec<Value>,
}

impl Consul {
    pub async fn start(instances: &[Instance]) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let first = Listed { index: 1, instances: entries(instances) };
        let listed = Arc::new(watch::Sender::new(first));
        let task = tokio::spawn(serve(listener, Arc::clone(&listed)));
        Ok(Self { address, listed, task })
    }

    /// Replaces the list of instances.
    pub fn list(&self, instances: &[Instance]) {
        self.listed.send_modify(|listed| {
            listed.index += 1;
            listed.instances = entries(instances);
        });
    }
}

impl Drop for Consul {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn entries(instances: &[Instance]) -> Vec<Value> {
    let entry = |address: SocketAddr| {
        json!({
            "Node": { "Node": "drill", "Address": address.ip() },
            "Service": {
                "ID": address, "Service": "service", "Address": address.ip(), "Port": address.port(),
                "Weights": { "Passing": 1, "Warning": 1 },
            },
            "Checks": [{ "CheckID": "drill", "Status": "passing" }],
        })
    };
    instances.iter().map(|it| entry(it.address)).collect()
}

async fn serve(listener: TcpListener, listed: Arc<watch::Sender<Listed>>) {
    let mut connections = JoinSet::new();
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        while connections.try_join_next().is_some() {}
        let listed = Arc::clone(&listed);
        let service = service_fn(move |request| answer(request, listed.subscribe()));
        connections.spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
    }
}

/// Answers at once if the request has no index, or an old one; otherwise when something changes. The client has its own
/// timeout.
async fn answer(
    request: Request<Incoming>,
    mut listed: watch::Receiver<Listed>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let query = request.uri().query().unwrap_or_default();
    let known = query.split('&').find_map(|it| it.strip_prefix("index="));
    let known: u64 = known.and_then(|index| index.parse().ok()).unwrap_or_default();
    let (index, body) = match listed.wait_for(|listed| listed.index > known).await {
        Ok(listed) => (listed.index, Value::from(listed.instances.clone()).to_string()),
        Err(_) => (0, "[]".to_owned()),
    };
    let mut response = Response::new(Full::from(body));
    response.headers_mut().insert("x-consul-index", index.into());
    Ok(response)
}
