//! The route to an instance: a TCP connection to it, a connection to a forward proxy (with a tunnel if needed), or a
//! Unix socket.

use super::super::discovery::Address;
use super::super::interim::MAX_INTERIM;
use super::super::proxy::Proxy;
use super::super::resolver::Resolver;
use super::super::socket::{self, Socket};
use futures_util::future::{BoxFuture, FutureExt};
use http::Uri;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioIo;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tower::Service;

/// Maximum size of a proxy's answer to CONNECT, in bytes.
const MAX_HEAD: usize = 16 << 10;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

#[derive(Debug, Clone)]
pub(super) struct Route {
    pub tcp: HttpConnector<Resolver>,
    pub hop: Option<Hop>,
    /// Unix socket to use instead of host and port.
    pub socket: Option<Arc<Path>>,
}

/// A proxy on the way.
#[derive(Debug, Clone)]
pub(super) struct Hop {
    pub proxy: Arc<Proxy>,
    /// End of the tunnel; `None`: requests are written for the proxy, in absolute form.
    pub target: Option<Address>,
}

/// Reasons why a proxy gives no connection.
#[derive(Debug, thiserror::Error)]
enum NoWay {
    #[error("no connection to the proxy {0}")]
    Unreached(String, #[source] BoxError),
    #[error("the connection to the proxy {0} broke off during CONNECT")]
    Broken(String, #[source] io::Error),
    #[error("the answer of the proxy {0} to CONNECT is not HTTP, or larger than 16 KiB")]
    Strange(String),
    #[error("the proxy {0} sent more than {MAX_INTERIM} interim replies to CONNECT")]
    Endless(String),
    #[error("the proxy {0} answered CONNECT {1} with status {2}")]
    Refused(String, String, u16),
    #[error("{0}")]
    Unauthorized(String),
}

/// Explains a proxy's 407.
pub(super) fn unauthorized(proxy: &Proxy) -> String {
    let given = if proxy.authorization.is_some() { "other credentials" } else { "credentials" };
    format!("the proxy {} asks for {given} (status 407); see `proxy` of the source", proxy.shown())
}

impl Service<Uri> for Route {
    type Response = TokioIo<Socket>;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Self::Response, BoxError>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.tcp.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        if let Some(path) = self.socket.clone() {
            return async move { Ok(TokioIo::new(socket::connect(&path).await?)) }.boxed();
        }
        let Some(hop) = self.hop.clone() else {
            let connecting = self.tcp.call(uri);
            return async move { Ok(of_tcp(connecting.await?.into_inner())) }.boxed();
        };
        let connecting = hop.proxy.shown().parse().map(|proxy: Uri| self.tcp.call(proxy));
        async move {
            let unreached = |error| NoWay::Unreached(hop.proxy.shown(), error);
            let stream = connecting?.await.map_err(|error| unreached(error.into()))?;
            let mut stream = stream.into_inner();
            let Some(target) = &hop.target else { return Ok(of_tcp(stream)) };
            tunnel(&mut stream, &hop.proxy, target).await?;
            Ok(of_tcp(stream))
        }
        .boxed()
    }
}

fn of_tcp(stream: TcpStream) -> TokioIo<Socket> {
    TokioIo::new(Socket::Tcp(stream))
}

/// Opens a tunnel with CONNECT (RFC 9110, section 9.3.6). The dialer limits its time.
async fn tunnel(stream: &mut TcpStream, proxy: &Proxy, target: &Address) -> Result<(), NoWay> {
    let target = target.authority();
    let mut request = format!("CONNECT {target} HTTP/1.1\r\nhost: {target}\r\n").into_bytes();
    if let Some(authorization) = &proxy.authorization {
        request.extend_from_slice(b"proxy-authorization: ");
        request.extend_from_slice(authorization.as_bytes());
        request.extend_from_slice(b"\r\n");
    }
    request.extend_from_slice(b"\r\n");
    let broken = |error| NoWay::Broken(proxy.shown(), error);
    stream.write_all(&request).await.map_err(broken)?;
    for _ in 0..=MAX_INTERIM {
        let head = read_head(stream).await.map_err(broken)?;
        return match head.as_deref().and_then(status) {
            // Interim replies come before the answer (RFC 9110, section 15.2). 101 is an answer, but opens no tunnel.
            Some(100 | 102..=199) => continue,
            Some(200..=299) => Ok(()),
            Some(407) => Err(NoWay::Unauthorized(unauthorized(proxy))),
            Some(status) => Err(NoWay::Refused(proxy.shown(), target, status)),
            None => Err(NoWay::Strange(proxy.shown())),
        };
    }
    Err(NoWay::Endless(proxy.shown()))
}

/// Reads the head of an answer and nothing after it: over HTTP/2 the service may send first. Returns `None` if the head
/// is too large.
async fn read_head(stream: &mut TcpStream) -> io::Result<Option<Vec<u8>>> {
    let (mut head, mut part) = (Vec::new(), [0; 1024]);
    while head.len() < MAX_HEAD {
        let seen = stream.peek(&mut part).await?;
        if seen == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let before = head.len();
        head.extend_from_slice(&part[..seen]);
        let from = before.saturating_sub(3);
        let end = head[from..].windows(4).position(|four| four == b"\r\n\r\n");
        let taken = end.map_or(seen, |at| from + at + 4 - before);
        stream.read_exact(&mut part[..taken]).await?;
        if end.is_some() {
            head.truncate(before + taken);
            return Ok(Some(head));
        }
    }
    Ok(None)
}

fn status(head: &[u8]) -> Option<u16> {
    let rest = head.strip_prefix(b"HTTP/1.")?;
    let digits = rest.strip_prefix(b"0 ").or_else(|| rest.strip_prefix(b"1 "))?.get(..3)?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}
