//! One HTTP/1.1 connection: one exchange at a time, then back to the pool.

use super::super::Failure;
use super::super::http::sentence;
use super::super::interim::{Interim, Stop, Stoppable};
use super::super::proxy::Proxy;
use super::awaited::AwaitedReply;
use super::body::ReplyBody;
use super::dial::Stream;
use super::pool::ConnectionPool;
use super::route::unauthorized;
use super::unsent::{Failed, of_http1};
use crate::overhead::Overhead;
use bytes::Bytes;
use http::header::{HOST, PROXY_AUTHORIZATION};
use http::uri::PathAndQuery;
use http::{HeaderValue, Request, Response, StatusCode, Uri};
use http_body_util::Full;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use std::sync::Arc;

pub(super) struct Http1 {
    sender: SendRequest<Full<Bytes>>,
    stop: Stop,
    /// Proxy that requests are written for, in absolute form.
    proxy: Option<Arc<Proxy>>,
    overhead: Arc<Overhead>,
}

impl Http1 {
    pub async fn open(stream: Stream, proxy: Option<Arc<Proxy>>) -> Result<Self, Failure> {
        let (stop, overhead) = (Stop::default(), Overhead::new());
        let stream = Stoppable::new(TokioIo::new(stream), &stop, &overhead);
        let opened = handshake(TokioIo::new(stream)).await;
        let (sender, connection) = opened.map_err(|error| Failure::Unreached(sentence(&error)))?;
        // Ends with the sender, or when the service closes. The call reports any error.
        tokio::spawn(async move { drop(connection.await) });
        Ok(Self { sender, stop, proxy, overhead })
    }

    pub fn is_open(&self) -> bool {
        !self.sender.is_closed()
    }

    /// Returns whether it takes a request at once.
    pub fn is_ready(&self) -> bool {
        self.sender.is_ready()
    }

    /// Waits until it takes another request. Returns `false` if it never will.
    pub async fn settled(&mut self) -> bool {
        self.sender.ready().await.is_ok()
    }

    /// Records that bytes of a reply were delivered.
    pub fn delivered(&self, bytes: usize) {
        self.overhead.delivered(bytes);
    }

    pub async fn exchange(
        mut self,
        mut request: Request<Bytes>,
        pool: &Arc<ConnectionPool>,
    ) -> Result<Response<ReplyBody>, Failed> {
        let uri = std::mem::take(request.uri_mut());
        if !request.headers().contains_key(HOST)
            && let Some(host) = host(&uri)
        {
            request.headers_mut().insert(HOST, host);
        }
        if let Some(proxy) = &self.proxy {
            *request.uri_mut() = uri.clone();
            if let Some(authorization) = &proxy.authorization {
                request.headers_mut().insert(PROXY_AUTHORIZATION, authorization.clone());
            }
        } else {
            let target = uri.path_and_query().cloned();
            *request.uri_mut() = target.unwrap_or_else(|| PathAndQuery::from_static("/")).into();
        }
        let body = request.body().clone();
        let waiting = AwaitedReply::begin(pool.patience(), |since| pool.doubt(since));
        let mut request = request.map(Full::new);
        self.overhead.restart();
        let interim = Interim::of(&mut request, &self.stop);
        let exchange = self.sender.try_send_request(request);
        let outcome = interim.bounded(async { Ok(exchange.await) }).await;
        waiting.end();
        // A cancelled connection closes with its sender.
        let mut error = match outcome? {
            Ok(reply) => {
                if let Some(proxy) = &self.proxy
                    && reply.status() == StatusCode::PROXY_AUTHENTICATION_REQUIRED
                {
                    return Err(Failure::Unreached(unauthorized(proxy)).into());
                }
                let pool = Arc::clone(pool);
                return Ok(reply.map(|incoming| ReplyBody::http1(incoming, self, pool)));
            }
            Err(error) => error,
        };
        match error.take_message() {
            Some(unsent) => {
                let mut unsent = unsent.map(|_| body);
                *unsent.uri_mut() = uri;
                Err(Failed::Unsent(Box::new(unsent), sentence(error.error())))
            }
            None => Err(of_http1(error.error()).into()),
        }
    }
}

/// Returns the URL's host, with the port unless it is the scheme's default.
fn host(uri: &Uri) -> Option<HeaderValue> {
    let authority = uri.authority()?;
    let usual = if uri.scheme_str() == Some("https") { 443 } else { 80 };
    let text = match authority.port_u16() {
        Some(port) if port != usual => format!("{}:{port}", authority.host()),
        _ => authority.host().to_owned(),
    };
    HeaderValue::try_from(text).ok()
}
