//! The channel to a gRPC server and one unary exchange on it, with bytes in and bytes out.

use crate::upstream::aging::Aging;
use crate::upstream::discovery::Address;
use crate::upstream::http::sentence;
use crate::upstream::{Failure, Fault, Settings, Tls, exhausted};
use bytes::{Buf, BufMut, Bytes};
use futures_util::future::{BoxFuture, MapOk};
use futures_util::{FutureExt, TryFutureExt};
use http::uri::{PathAndQuery, Uri};
use http::{HeaderMap, Request, Response};
use http_body_util::BodyExt;
use http_body_util::combinators::MapFrame;
use hyper::body::Frame;
use std::error::Error;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use tonic::body::Body;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::metadata::MetadataMap;
use tonic::transport::channel::ResponseFuture;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity};
use tonic::{Code, Extensions, Status, Streaming};
use tower::Service;

/// A connection that has been silent this long while a call is open is asked whether it lives.
const PING_AFTER: Duration = Duration::from_secs(20);
const PING_WITHIN: Duration = Duration::from_secs(5);
const TCP_KEEP_ALIVE: Duration = Duration::from_mins(1);

/// How much a server may send ahead: per call, and in all.
const CALL_WINDOW: u32 = 1 << 20;
const CONNECTION_WINDOW: u32 = 4 << 20;

/// A stream that was asked for: its metadata and messages, once the server has begun to answer.
pub(super) type Opening = BoxFuture<'static, Result<(HeaderMap, Streaming<Bytes>), Failure>>;

/// Made on first use, since a channel needs a running runtime; re-made by itself when the connection is lost.
#[derive(Debug)]
pub(super) struct Wire {
    first: Endpoint,
    channel: Aging<Channel>,
    making: Making,
}

/// How connections are made.
#[derive(Debug)]
struct Making {
    /// Where they go.
    target: Uri,
    /// What calls are addressed to.
    url: Uri,
    tls: bool,
    settings: Settings,
}

impl Wire {
    /// Calls are addressed to `url`, and connections go to `detour` if there is one.
    ///
    /// # Errors
    /// The URL is not absolute, not `http` or `https`, or there are no trusted roots; one lowercase sentence.
    pub(super) fn new(
        settings: &Settings,
        url: &Uri,
        detour: Option<Address>,
    ) -> Result<Self, String> {
        let (tls, scheme) = match (url.scheme_str(), url.authority()) {
            (Some("http"), Some(_)) => (false, "http"),
            (Some("https"), Some(_)) => (true, "https"),
            _ => return Err(format!("`{url}` is not an http or https URL")),
        };
        let target = match detour.map(|address| address.authority()) {
            Some(authority) => format!("{scheme}://{authority}")
                .parse()
                .map_err(|error| format!("`{authority}`: {error}"))?,
            None => url.clone(),
        };
        let (url, settings) = (url.clone(), settings.clone());
        let making = Making { target, url, tls, settings };
        Ok(Self { first: making.endpoint()?, channel: Aging::new(making.settings.max_age), making })
    }

    fn channel(&self) -> WithoutDetails {
        let connect = || self.making.anew(&self.first).connect_lazy();
        WithoutDetails(self.channel.get(Instant::now(), connect))
    }

    /// One unary call: the reply's metadata and its encoded message. `left` goes to the server as `grpc-timeout`.
    pub(super) async fn unary(
        &self,
        path: PathAndQuery,
        metadata: HeaderMap,
        message: Bytes,
        left: Duration,
    ) -> Result<(HeaderMap, Bytes), Failure> {
        let mut client = tonic::client::Grpc::new(self.channel())
            .max_decoding_message_size(self.making.settings.max_reply);
        client.ready().await.map_err(|error| Failure::Unavailable(sentence(&error)))?;
        let metadata = MetadataMap::from_headers(metadata);
        let mut request = tonic::Request::from_parts(metadata, Extensions::default(), message);
        request.set_timeout(left);
        // Asked for as a stream of one, so that what the server says can be told from what reading it says.
        let reply = client.server_streaming(request, path, Raw).await;
        let reply = reply.map_err(|status| failure(&status, left, &self.making.target))?;
        let (metadata, mut body, _) = reply.into_parts();
        let message = body.message().await.map_err(|status| self.broken(&status, left))?;
        let message =
            message.ok_or_else(|| Failure::Invalid("success without a message".to_owned()))?;
        // The status comes after the message, and nothing else.
        if body.message().await.map_err(|status| self.broken(&status, left))?.is_some() {
            return Err(Failure::Invalid("more than one message".to_owned()));
        }
        Ok((metadata.into_headers(), message))
    }

    /// A call that is answered with a stream, as long as it may be.
    pub(super) fn stream(
        &self,
        path: PathAndQuery,
        metadata: HeaderMap,
        message: Bytes,
    ) -> Opening {
        let mut client = tonic::client::Grpc::new(self.channel())
            .max_decoding_message_size(self.making.settings.max_reply);
        let target = self.making.target.clone();
        async move {
            client.ready().await.map_err(|error| Failure::Unavailable(sentence(&error)))?;
            let metadata = MetadataMap::from_headers(metadata);
            let request = tonic::Request::from_parts(metadata, Extensions::default(), message);
            let reply = client.server_streaming(request, path, Raw).await;
            let reply = reply.map_err(|status| failure(&status, Duration::ZERO, &target))?;
            let (metadata, messages, _) = reply.into_parts();
            Ok((metadata.into_headers(), messages))
        }
        .boxed()
    }

    /// Why a stream ended before its end.
    pub(super) fn ended(&self, status: &Status) -> Failure {
        self.broken(status, Duration::ZERO)
    }

    /// Why a body gave no message: the status that ends it, or what tonic found wrong with it.
    fn broken(&self, status: &Status, left: Duration) -> Failure {
        let text = status.message();
        match status.code() {
            Code::OutOfRange if text.starts_with("Error, decoded message length too large") => {
                Failure::TooLarge(self.making.settings.max_reply)
            }
            Code::Internal
                if text.starts_with("protocol error") || text.starts_with("Unexpected EOF") =>
            {
                Failure::Invalid(text.to_owned())
            }
            _ => failure(status, left, &self.making.target),
        }
    }
}

impl Making {
    fn endpoint(&self) -> Result<Endpoint, String> {
        let endpoint = Endpoint::from(self.target.clone())
            .origin(self.url.clone())
            .user_agent(concat!("portcullis/", env!("CARGO_PKG_VERSION")))
            .map_err(|error| sentence(&error))?
            .connect_timeout(self.settings.connect_timeout)
            .tcp_keepalive(Some(TCP_KEEP_ALIVE))
            .http2_keep_alive_interval(PING_AFTER)
            .keep_alive_timeout(PING_WITHIN)
            .initial_stream_window_size(CALL_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW);
        if !self.tls {
            return Ok(endpoint);
        }
        endpoint.tls_config(self.tls_config()?).map_err(|error| sentence(&error))
    }

    fn tls_config(&self) -> Result<ClientTlsConfig, String> {
        let files = self.settings.tls.texts()?;
        let config = ClientTlsConfig::new().domain_name(self.url.host().unwrap_or_default());
        let config = match files.ca {
            Some(roots) => config.ca_certificate(Certificate::from_pem(roots)),
            None => config.with_native_roots(),
        };
        Ok(match files.identity {
            Some((cert, key)) => config.identity(Identity::from_pem(cert, key)),
            None => config,
        })
    }

    /// With the files as they are now, if there are any.
    fn anew(&self, first: &Endpoint) -> Endpoint {
        if !self.tls || self.settings.tls == Tls::default() {
            return first.clone();
        }
        self.endpoint().unwrap_or_else(|mistake| {
            tracing::warn!("the certificates of the start stay in use: {mistake}");
            first.clone()
        })
    }
}

/// `target` is where connections go.
fn failure(status: &Status, left: Duration, target: &Uri) -> Failure {
    let reason = || match status.source() {
        Some(cause) => format!("{}: {}", status.message(), sentence(cause)),
        None => status.message().to_owned(),
    };
    let causes = || std::iter::successors(status.source(), |cause| (*cause).source());
    let expired = causes().any(<dyn Error>::is::<tonic::TimeoutExpired>);
    match status.code() {
        _ if causes().any(<dyn Error>::is::<tonic::ConnectError>) => {
            exhausted(status, target.host().unwrap_or_default())
                .unwrap_or_else(|| Failure::Unreached(reason()))
        }
        Code::DeadlineExceeded => Failure::Timeout(left),
        _ if expired => Failure::Timeout(left),
        Code::Unavailable => Failure::Unavailable(reason()),
        // No encoding was offered.
        Code::Unimplemented if status.message().starts_with("Content is compressed with") => {
            Failure::Invalid(reason())
        }
        // A cause is one of this side: the connection broke.
        _ if status.source().is_some() => Failure::Unavailable(reason()),
        code => Failure::status(code as u16, reason(), fault(code)),
    }
}

/// As gRPC's codes are mapped to those of HTTP (google/rpc/code.proto).
fn fault(code: Code) -> Fault {
    match code {
        Code::Unavailable | Code::DeadlineExceeded => Fault::Away,
        Code::ResourceExhausted => Fault::Load,
        Code::Internal | Code::DataLoss | Code::Unknown => Fault::Broken,
        _ => Fault::Call,
    }
}

/// The channel, with `grpc-status-details-bin` taken out of what it answers: nothing reads it, and tonic panics on one
/// that is not base64.
#[derive(Clone)]
struct WithoutDetails(Channel);

type Answer = Response<MapFrame<Body, fn(Frame<Bytes>) -> Frame<Bytes>>>;

const DETAILS: &str = "grpc-status-details-bin";

impl Service<Request<Body>> for WithoutDetails {
    type Response = Answer;
    type Error = tonic::transport::Error;
    type Future = MapOk<ResponseFuture, fn(Response<Body>) -> Answer>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        self.0.call(request).map_ok(without_details)
    }
}

fn without_details(mut answer: Response<Body>) -> Answer {
    answer.headers_mut().remove(DETAILS);
    answer.map(|body| body.map_frame(frame_without_details as fn(Frame<Bytes>) -> Frame<Bytes>))
}

fn frame_without_details(mut frame: Frame<Bytes>) -> Frame<Bytes> {
    if let Some(trailers) = frame.trailers_mut() {
        trailers.remove(DETAILS);
    }
    frame
}

/// Messages as bytes: written and read elsewhere.
#[derive(Debug, Clone, Copy)]
pub(super) struct Raw;

impl Codec for Raw {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        *self
    }

    fn decoder(&mut self) -> Self {
        *self
    }
}

impl Encoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, out: &mut EncodeBuf<'_>) -> Result<(), Status> {
        out.put(item);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(buffer.copy_to_bytes(buffer.remaining())))
    }
}
