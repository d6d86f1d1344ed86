//! Opens a connection: resolves the name, connects TCP, performs TLS, and determines the protocol.

use super::super::discovery::Address;
use super::super::http::sentence;
use super::super::proxy::Proxy;
use super::super::resolver::Resolver;
use super::super::socket::Socket;
use super::super::tls::{Tls, trusting_nobody};
use super::super::{Failure, Settings, exhausted};
use super::Dialed;
use super::http1::Http1;
use super::http2::Http2;
use super::route::{Hop, Route};
use http::Uri;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder, MaybeHttpsStream};
use hyper_util::client::legacy::connect::{Connection as _, HttpConnector};
use hyper_util::rt::TokioIo;
use std::error::Error;
use std::future::poll_fn;
use std::sync::Arc;
use std::time::Duration;
use tower::Service as _;

const TCP_KEEP_ALIVE: Duration = Duration::from_mins(1);

const REMOVE: &str = "remove `http2` from the source's `rest`";
const CHECK: &str = "gRPC needs HTTP/2: check host and port of the source's `url`";

/// Text that `rustls` reports if ALPN finds no common protocol.
const NO_PROTOCOL: &str = "NoApplicationProtocol";

pub(super) type Stream = MaybeHttpsStream<TokioIo<Socket>>;

/// HTTP versions to use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Versions {
    /// HTTP/1.1, or HTTP/2 if TLS negotiates it.
    Negotiated,
    /// HTTP/2 only, also without TLS (prior knowledge).
    Http2,
}

#[derive(Debug, Clone)]
pub(super) struct Dialer {
    uri: Uri,
    https: bool,
    detour: Option<Address>,
    versions: Versions,
    /// Shown if the service does not speak HTTP/2.
    advice: &'static str,
    /// Proxy or socket on the way to the instance.
    hop: Option<Hop>,
    connector: HttpsConnector<Route>,
    /// Time limit of all steps together: name, TCP, tunnel, TLS.
    timeout: Duration,
}

impl Dialer {
    pub fn new(
        settings: &Settings,
        uri: &Uri,
        detour: Option<Address>,
        versions: Versions,
    ) -> Result<Self, String> {
        let https = match (uri.scheme_str(), uri.authority()) {
            (Some("http"), Some(_)) => false,
            (Some("https"), Some(_)) => true,
            _ => return Err(format!("`{uri}` is not an http or https URL")),
        };
        let config = if https { settings.tls.client_config()? } else { trusting_nobody()? };
        let socket = detour.as_ref().and_then(|address| address.socket.as_deref().map(Arc::from));
        let proxy = settings.proxies.for_url(uri).filter(|_| socket.is_none()).map(Arc::clone);
        let hop = match proxy {
            Some(proxy) => {
                let tunnels = https || versions == Versions::Http2;
                let target = match (tunnels, &detour) {
                    (true, Some(detour)) => Some(detour.clone()),
                    (true, None) => Some(super::super::Site::at(uri)?.example()?),
                    (false, _) => None,
                };
                Some(Hop { proxy, target })
            }
            None => None,
        };
        let beside = detour.clone().filter(|_| hop.is_none());
        let mut tcp = HttpConnector::new_with_resolver(Resolver::new(beside));
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_keepalive(Some(TCP_KEEP_ALIVE));
        tcp.set_connect_timeout(Some(settings.connect_timeout));
        let route = Route { tcp, hop: hop.clone(), socket };
        let builder = HttpsConnectorBuilder::new().with_tls_config(config).https_or_http();
        let connector = match versions {
            Versions::Negotiated => builder.enable_all_versions().wrap_connector(route),
            Versions::Http2 => builder.enable_http2().wrap_connector(route),
        };
        let advice = if settings.http2 { REMOVE } else { CHECK };
        let (uri, timeout) = (uri.clone(), settings.connect_timeout);
        Ok(Self { uri, https, detour, versions, advice, hop, connector, timeout })
    }

    /// Returns the same dialer with the certificate files read again, if there are any.
    pub fn renewed(&self, settings: &Settings) -> Self {
        if !self.https || settings.tls == Tls::default() {
            return self.clone();
        }
        Self::new(settings, &self.uri, self.detour.clone(), self.versions).unwrap_or_else(|error| {
            tracing::warn!("the certificates of the start stay in use: {error}");
            self.clone()
        })
    }

    /// Returns whether calls share one connection; `None` if TLS decides.
    pub fn is_shared(&self) -> Option<bool> {
        match self.versions {
            Versions::Http2 => Some(true),
            Versions::Negotiated if self.https => None,
            Versions::Negotiated => Some(false),
        }
    }

    /// Returns the proxy that requests are addressed to in absolute form.
    fn asked(&self) -> Option<Arc<Proxy>> {
        let hop = self.hop.as_ref().filter(|hop| hop.target.is_none())?;
        Some(Arc::clone(&hop.proxy))
    }

    /// Opens a connection.
    ///
    /// # Errors
    /// No connection could be opened; nothing was sent.
    pub async fn dial(&self) -> Result<Dialed, Failure> {
        let opening = tokio::time::timeout(self.timeout, self.connect());
        opening.await.unwrap_or_else(|_| {
            let limit = self.timeout.as_millis();
            let by =
                self.hop.as_ref().map(|hop| format!(" through the proxy {}", hop.proxy.shown()));
            let by = by.unwrap_or_default();
            Err(Failure::Unreached(format!("no connection{by} within {limit} ms")))
        })
    }

    async fn connect(&self) -> Result<Dialed, Failure> {
        let direct = || self.detour.as_ref().map(|address| address.host.as_str());
        let proxy = self.hop.as_ref().map(|hop| hop.proxy.address.host.as_str());
        let host = proxy.or_else(direct).or(self.uri.host());
        let unreached = |error: Box<dyn Error + Send + Sync>| {
            exhausted(&*error, host.unwrap_or_default()).unwrap_or_else(|| {
                let text = sentence(&*error);
                let is_refused = self.versions == Versions::Http2 && text.contains(NO_PROTOCOL);
                if is_refused { self.not_negotiated() } else { Failure::Unreached(text) }
            })
        };
        let mut connector = self.connector.clone();
        poll_fn(|context| connector.poll_ready(context)).await.map_err(&unreached)?;
        let stream = connector.call(self.uri.clone()).await.map_err(&unreached)?;
        let is_http2 = stream.connected().is_negotiated_h2();
        match self.versions {
            Versions::Http2 if self.https && !is_http2 => Err(self.not_negotiated()),
            Versions::Http2 => Ok(Dialed::Http2(Http2::open(stream, self.advice).await?)),
            Versions::Negotiated if is_http2 => {
                Ok(Dialed::Http2(Http2::open(stream, self.advice).await?))
            }
            Versions::Negotiated => Ok(Dialed::Http1(Http1::open(stream, self.asked()).await?)),
        }
    }
    fn not_negotiated(&self) -> Failure {
        Failure::Unreached(format!("TLS did not negotiate HTTP/2; {}", self.advice))
    }
}
