//! Calls of a gRPC server over its connection, with bytes in and bytes out.

use crate::memory::{Held, Memory};
use crate::upstream::connection::{Connections, ReplyBody, Versions};
use crate::upstream::discovery::Address;
use crate::upstream::http::sentence;
use crate::upstream::{Failure, Fault, Settings};
use bytes::{Buf, BufMut, Bytes, BytesMut};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use http::header::{CONTENT_TYPE, HeaderName, TE, USER_AGENT};
use http::uri::{PathAndQuery, Uri};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::BodyExt;
use hyper::body::Frame;
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;
use tonic::codec::{DecodeBuf, Decoder};
use tonic::{Code, Status, Streaming};

const ENCODING: HeaderName = HeaderName::from_static("grpc-encoding");
const MESSAGE: HeaderName = HeaderName::from_static("grpc-message");
const STATUS: HeaderName = HeaderName::from_static("grpc-status");
const TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");

/// Set by the protocol, never by a binding.
const RESERVED: [HeaderName; 5] =
    [CONTENT_TYPE, TE, MESSAGE, HeaderName::from_static("grpc-message-type"), STATUS];

const GRPC: HeaderValue = HeaderValue::from_static("application/grpc");
const TRAILERS: HeaderValue = HeaderValue::from_static("trailers");
const PORTCULLIS: HeaderValue =
    HeaderValue::from_static(concat!("portcullis/", env!("CARGO_PKG_VERSION")));

/// A stream that was asked for: its metadata and messages, once the server has begun to answer.
pub(super) type Opening = BoxFuture<'static, Result<(HeaderMap, Streaming<Bytes>), Failure>>;

/// One instance's connection, opened by the first call.
#[derive(Debug)]
pub(super) struct Wire {
    connections: Arc<Connections>,
    /// Calls are addressed to it.
    url: Uri,
    max_reply: usize,
    memory: Memory,
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
        let connections = Connections::new(settings, url, detour, Versions::Http2)?;
        let (connections, url) = (Arc::new(connections), url.clone());
        let (max_reply, memory) = (settings.max_reply, settings.memory.clone());
        Ok(Self { connections, url, max_reply, memory })
    }

    /// One unary call: the reply's metadata and its encoded message. `left` goes to the server as `grpc-timeout`. `fresh`
    /// requires a new connection.
    pub(super) async fn unary(
        &self,
        path: PathAndQuery,
        metadata: HeaderMap,
        message: &[u8],
        left: Duration,
        fresh: bool,
    ) -> Result<(HeaderMap, Bytes), Failure> {
        let mut request = self.request(path, metadata, message)?;
        request.headers_mut().insert(TIMEOUT, timeout(left));
        let reply = self.connections.send(request, fresh).await?;
        let (metadata, mut body) = messages(reply, self.max_reply, left)?;
        let message = body.message().await.map_err(|status| self.broken(&status, left))?;
        let message =
            message.ok_or_else(|| Failure::Invalid("success without a message".to_owned()))?;
        // The status comes after the message, and nothing else.
        if body.message().await.map_err(|status| self.broken(&status, left))?.is_some() {
            return Err(Failure::Invalid("more than one message".to_owned()));
        }
        Ok((metadata, message))
    }

    /// A call that is answered with a stream, as long as it may be.
    pub(super) fn stream(
        &self,
        path: PathAndQuery,
        metadata: HeaderMap,
        message: &[u8],
        fresh: bool,
    ) -> Opening {
        let request = self.request(path, metadata, message);
        let (connections, max_reply) = (Arc::clone(&self.connections), self.max_reply);
        async move {
            let reply = connections.stream(request?, fresh).await?;
            messages(reply, max_reply, Duration::ZERO)
        }
        .boxed()
    }

    /// Counts a message that has arrived.
    pub(super) fn hold(&self, bytes: usize) -> Result<Held, Failure> {
        let mut arriving = self.memory.begin();
        arriving.add(bytes)?;
        Ok(arriving.finish())
    }

    fn request(
        &self,
        path: PathAndQuery,
        mut metadata: HeaderMap,
        message: &[u8],
    ) -> Result<Request<Bytes>, Failure> {
        let mut parts = self.url.clone().into_parts();
        parts.path_and_query = Some(path);
        let uri = Uri::from_parts(parts).map_err(|error| Failure::NotSent(error.to_string()))?;
        for name in &RESERVED {
            metadata.remove(name);
        }
        metadata.insert(CONTENT_TYPE, GRPC);
        metadata.insert(TE, TRAILERS);
        metadata.entry(USER_AGENT).or_insert(PORTCULLIS);
        let length = u32::try_from(message.len())
            .map_err(|_| Failure::NotSent("the message is larger than 4 GiB".to_owned()))?;
        let mut framed = BytesMut::with_capacity(5 + message.len());
        // Not compressed.
        framed.put_u8(0);
        framed.put_u32(length);
        framed.put_slice(message);
        let mut request = Request::new(framed.freeze());
        *request.method_mut() = Method::POST;
        *request.uri_mut() = uri;
        *request.headers_mut() = metadata;
        Ok(request)
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
                Failure::TooLarge(self.max_reply)
            }
            Code::Internal
                if text.starts_with("protocol error") || text.starts_with("Unexpected EOF") =>
            {
                Failure::Invalid(text.to_owned())
            }
            _ => failure(status, left),
        }
    }
}

/// In the largest unit that keeps it exact enough: at most eight digits.
fn timeout(left: Duration) -> HeaderValue {
    let text = match left.as_micros() {
        micros if micros < 100_000_000 => format!("{micros}u"),
        micros if micros < 100_000_000_000 => format!("{}m", micros / 1_000),
        micros => format!("{}S", (micros / 1_000_000).min(99_999_999)),
    };
    HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static("1S"))
}

/// The metadata of a reply, and its messages. Of a status that comes alone, the failure.
fn messages(
    reply: Response<ReplyBody>,
    max_reply: usize,
    left: Duration,
) -> Result<(HeaderMap, Streaming<Bytes>), Failure> {
    let (mut parts, body) = reply.into_parts();
    if parts.status == StatusCode::OK && !is_grpc(&parts.headers) {
        return Err(Failure::Invalid("its `content-type` is not that of gRPC".to_owned()));
    }
    if is_ambiguous(&parts.headers) {
        return Err(Failure::Invalid(TWO_STATUSES.to_owned()));
    }
    parts.headers.remove(DETAILS);
    let status = Status::from_header_map(&parts.headers);
    if status.is_none() && parts.status != StatusCode::OK {
        return Err(foreign(parts.status));
    }
    if parts.headers.get(ENCODING).is_some_and(|encoding| encoding != "identity") {
        return Err(Failure::Invalid(
            "it is compressed, though no encoding was offered".to_owned(),
        ));
    }
    let body = body.map_frame(checked_frame);
    let messages = match status {
        Some(status) if status.code() != Code::Ok => return Err(failure(&status, left)),
        Some(_) => Streaming::new_empty(Raw, body),
        None => Streaming::new_response(Raw, body, parts.status, None, Some(max_reply)),
    };
    Ok((parts.headers, messages))
}

/// The failure that a reply without a gRPC status stands for, as proxies send it (grpc/grpc, "HTTP to gRPC Status
/// Code Mapping").
fn foreign(status: StatusCode) -> Failure {
    let code = match status.as_u16() {
        400 => Code::Internal,
        401 => Code::Unauthenticated,
        403 => Code::PermissionDenied,
        404 => Code::Unimplemented,
        429 | 502..=504 => Code::Unavailable,
        _ => Code::Unknown,
    };
    Failure::status(code as u16, format!("HTTP {status}, and no gRPC status"), fault(code))
}

fn failure(status: &Status, left: Duration) -> Failure {
    if let Some(failure) = status.source().and_then(|cause| cause.downcast_ref::<Failure>()) {
        return failure.clone();
    }
    let reason = || match status.source() {
        Some(cause) => format!("{}: {}", status.message(), sentence(cause)),
        None => status.message().to_owned(),
    };
    match status.code() {
        Code::DeadlineExceeded => Failure::Timeout(left),
        // A cause is one of this side: the connection broke.
        _ if status.source().is_some() => Failure::Unavailable(reason()),
        code => Failure::status(code as u16, reason(), fault(code)),
    }
}

/// As gRPC's codes are mapped to those of HTTP (google/rpc/code.proto).
fn fault(code: Code) -> Fault {
    match code {
        // A call that the caller did not cancel was cut by a service that shuts down.
        Code::Unavailable | Code::Cancelled => Fault::Away,
        Code::ResourceExhausted => Fault::Load,
        Code::Internal | Code::DataLoss | Code::Unknown => Fault::Broken,
        _ => Fault::Call,
    }
}

/// Nothing reads it, and tonic panics on one that is not base64.
const DETAILS: &str = "grpc-status-details-bin";

/// Begins like tonic's own messages about broken replies.
const TWO_STATUSES: &str = "protocol error: more than one `grpc-status`";

fn is_grpc(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes).unwrap_or_default();
    let rest = kind.get(..GRPC.len()).filter(|kind| kind.eq_ignore_ascii_case(GRPC.as_bytes()));
    rest.is_some() && matches!(kind.get(GRPC.len()), None | Some(b'+' | b';' | b' '))
}

fn is_ambiguous(headers: &HeaderMap) -> bool {
    headers.get_all(STATUS).iter().nth(1).is_some()
}

/// Removes the trailers that must not be read, and replaces two statuses by one error.
fn checked_frame(mut frame: Frame<Bytes>) -> Frame<Bytes> {
    if let Some(trailers) = frame.trailers_mut() {
        trailers.remove(DETAILS);
        if is_ambiguous(trailers) {
            trailers.insert(STATUS, HeaderValue::from(Code::Internal as i32));
            trailers.insert(MESSAGE, HeaderValue::from_static(TWO_STATUSES));
        }
    }
    frame
}

/// Messages as bytes: read elsewhere.
#[derive(Debug, Clone, Copy)]
pub(super) struct Raw;

impl Decoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(buffer.copy_to_bytes(buffer.remaining())))
    }
}
