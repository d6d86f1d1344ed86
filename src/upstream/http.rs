//! HTTP/1.1 and HTTP/2 to an upstream: one pool of connections, one exchange at a time.
//!
//! [`HttpClient`] is all that callers see, so that what stands behind it can change in this one file. Never follows a
//! redirect, never retries, never inflates (no `accept-encoding` is sent), and never holds more of a reply than the
//! settings allow.
//!
//! Behind it stands hyper-util's pooled client, not reqwest: the same loopback call with a 1 KiB reply and 64 at a time
//! cost 14 to 17 µs of CPU with it and 23 to 32 µs with reqwest 0.13, which parses each URL anew and adds layers
//! (redirects, retries, cookies) that are off here anyway.

use super::aging::Aging;
use super::discovery::Address;
use super::resolver::Resolver;
use super::tls::{Tls, trusting_nobody};
use super::{Failure, Settings, exhausted};
use bytes::{Bytes, BytesMut};
use http::header::CONTENT_ENCODING;
use http::{HeaderMap, Request, StatusCode, Uri};
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Incoming};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::{Client, Error};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use std::time::{Duration, Instant};

/// Idle connections kept per instance. More calls than this may be under way; their connections are then closed.
const MAX_IDLE: usize = 1024;

/// Of a reply whose body nobody wants, what is read so that the connection can be used again.
const MAX_DISCARDED: usize = 64 << 10;

const TCP_KEEP_ALIVE: Duration = Duration::from_mins(1);

type Connector = HttpsConnector<HttpConnector<Resolver>>;
type Pool = Client<Connector, Full<Bytes>>;

/// A pool of connections with the settings of one source.
#[derive(Debug)]
pub struct HttpClient {
    pool: Aging<Pool>,
    /// The first one.
    connector: Connector,
    making: Making,
    max_reply: usize,
}

/// How connections are made.
#[derive(Debug)]
struct Making {
    https: bool,
    detour: Option<Address>,
    /// Connections go to this host.
    host: String,
    settings: Settings,
}

/// Status and headers of a reply whose body is still on the wire. Dropping it closes the connection.
#[derive(Debug)]
pub struct HttpReply {
    pub status: StatusCode,
    pub headers: HeaderMap,
    body: Incoming,
    max_reply: usize,
}

impl HttpClient {
    /// A client for addresses such as `uri`; the system's trusted roots are read only if it is `https`. Connections go to
    /// `detour` instead of the URL's host, where there is one.
    ///
    /// # Errors
    /// The URL is not absolute, not `http` or `https`, or there are no trusted roots; one lowercase sentence.
    pub fn new(settings: &Settings, uri: &Uri, detour: Option<Address>) -> Result<Self, String> {
        let https = match (uri.scheme_str(), uri.authority()) {
            (Some("http"), Some(_)) => false,
            (Some("https"), Some(_)) => true,
            _ => return Err(format!("`{uri}` is not an http or https URL")),
        };
        let host = detour.as_ref().map(|address| &*address.host).or(uri.host());
        let host = host.unwrap_or_default().to_owned();
        let making = Making { https, detour, host, settings: settings.clone() };
        Ok(Self {
            pool: Aging::new(settings.max_age),
            connector: making.connector()?,
            max_reply: settings.max_reply,
            making,
        })
    }

    fn pool(&self) -> Pool {
        self.pool.get(Instant::now(), || {
            Client::builder(TokioExecutor::new())
                .pool_timer(TokioTimer::new())
                .timer(TokioTimer::new())
                .pool_idle_timeout(self.making.settings.keep_alive)
                .pool_max_idle_per_host(MAX_IDLE)
                .build(self.making.anew(&self.connector))
        })
    }

    /// Sends a request with an absolute URI, and returns when status and headers are here.
    ///
    /// # Errors
    /// No connection, a broken one, or something that is not HTTP.
    pub async fn send(&self, request: Request<Bytes>) -> Result<HttpReply, Failure> {
        let reply = self
            .pool()
            .request(request.map(Full::new))
            .await
            .map_err(|error| self.failure(&error))?;
        let (parts, body) = reply.into_parts();
        Ok(HttpReply {
            status: parts.status,
            headers: parts.headers,
            body,
            max_reply: self.max_reply,
        })
    }

    fn failure(&self, error: &Error) -> Failure {
        if error.is_connect()
            && let Some(failure) = exhausted(error, &self.making.host)
        {
            return failure;
        }
        failure(error)
    }
}

impl Making {
    fn connector(&self) -> Result<Connector, String> {
        let config =
            if self.https { self.settings.tls.client_config()? } else { trusting_nobody()? };
        let mut tcp = HttpConnector::new_with_resolver(Resolver::new(self.detour.clone()));
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_keepalive(Some(TCP_KEEP_ALIVE));
        tcp.set_connect_timeout(Some(self.settings.connect_timeout));
        Ok(HttpsConnectorBuilder::new()
            .with_tls_config(config)
            .https_or_http()
            .enable_all_versions()
            .wrap_connector(tcp))
    }

    /// With the files as they are now, if there are any.
    fn anew(&self, first: &Connector) -> Connector {
        if !self.https || self.settings.tls == Tls::default() {
            return first.clone();
        }
        self.connector().unwrap_or_else(|mistake| {
            tracing::warn!("the certificates of the start stay in use: {mistake}");
            first.clone()
        })
    }
}

impl HttpReply {
    /// It is known already that there is no body.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.body.is_end_stream()
    }

    /// The body is as the service wrote it.
    ///
    /// # Errors
    /// It is compressed.
    pub fn expect_plain(&self) -> Result<(), Failure> {
        match self.headers.get(CONTENT_ENCODING) {
            Some(coding) if !coding.as_bytes().eq_ignore_ascii_case(b"identity") => Err(
                Failure::Invalid(format!("content-encoding {coding:?}, though none was asked for")),
            ),
            _ => Ok(()),
        }
    }

    /// The whole body.
    ///
    /// # Errors
    /// It is larger than allowed (nothing is read if the headers say so), compressed, or breaks off.
    pub async fn read(mut self) -> Result<(HeaderMap, Bytes), Failure> {
        self.expect_plain()?;
        let body = read_body(&mut self.body, self.max_reply).await?;
        Ok((self.headers, body))
    }

    /// The next part of a body that is read as it comes; `None` at its end.
    ///
    /// # Errors
    /// The body breaks off.
    pub async fn part(&mut self) -> Result<Option<Bytes>, Failure> {
        while let Some(frame) = self.body.frame().await {
            let frame = frame.map_err(|error| Failure::Unavailable(sentence(&error)))?;
            if let Ok(part) = frame.into_data() {
                return Ok(Some(part));
            }
        }
        Ok(None)
    }

    /// Gives the connection back if little is left to read, and closes it otherwise.
    pub async fn discard(mut self) {
        let _ = read_body(&mut self.body, MAX_DISCARDED).await;
    }
}

async fn read_body(body: &mut Incoming, limit: usize) -> Result<Bytes, Failure> {
    let announced = body.size_hint().exact();
    if announced.is_some_and(|length| length > limit as u64) {
        return Err(Failure::TooLarge(limit));
    }
    let mut only = Bytes::new();
    let mut joined = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| Failure::Unavailable(sentence(&error)))?;
        let Ok(part) = frame.into_data() else { continue };
        if only.len() + joined.len() + part.len() > limit {
            return Err(Failure::TooLarge(limit));
        }
        if only.is_empty() && joined.is_empty() {
            only = part;
            continue;
        }
        if joined.is_empty() {
            joined.reserve(announced.map_or(2 * only.len(), |length| length as usize));
            joined.extend_from_slice(&std::mem::take(&mut only));
        }
        joined.extend_from_slice(&part);
    }
    Ok(if joined.is_empty() { only } else { joined.freeze() })
}

fn failure(error: &Error) -> Failure {
    let text = sentence(error);
    if error.is_connect() {
        return Failure::Unreached(text);
    }
    match std::error::Error::source(error).and_then(|source| source.downcast_ref::<hyper::Error>())
    {
        Some(hyper) if hyper.is_parse() => Failure::Invalid(text),
        Some(hyper) if hyper.is_user() => Failure::NotSent(text),
        _ => Failure::Unavailable(text),
    }
}

/// An error with what caused it, outermost first.
pub fn sentence(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let next = error.to_string();
        if !text.ends_with(&next) {
            text.push_str(": ");
            text.push_str(&next);
        }
        cause = error.source();
    }
    text
}
