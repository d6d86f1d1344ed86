//! Calls a gRPC server over its connection, with bytes in and bytes out.

use super::refusal::{Details, Ended};
use crate::connector::FailureCodes;
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

/// A stream that was requested: completes with its metadata and messages once the server has begun to answer.
pub(super) type Opening = BoxFuture<'static, Result<MessageStream, Ended>>;

/// The metadata of a reply and its messages.
pub(super) struct MessageStream {
    pub metadata: HeaderMap,
    body: Box<Streaming<Bytes>>,
    details: Details,
}

/// One instance's connection, opened by the first call.
#[derive(Debug)]
pub(super) struct Wire {
    connections: Arc<Connections>,
    /// URL that calls are addressed to.
    url: Uri,
    max_reply: usize,
    memory: Memory,
    /// Codes that count against the instance.
    failures: FailureCodes,
}

impl Wire {
    /// Creates the connection of an instance. Calls are addressed to `url`, and connections go to `detour` if there is
    /// one.
    ///
    /// # Errors
    /// The URL is not absolute, not `http` or `https`, or there are no trusted roots; one lowercase sentence.
    pub(super) fn new(
        settings: &Settings,
        url: &Uri,
        detour: Option<Address>,
        failures: FailureCodes,
    ) -> Result<Self, String> {
        let connections = Connections::new(settings, url, detour, Versions::Http2)?;
        let (connections, url) = (Arc::new(connections), url.clone());
        let (max_reply, memory) = (settings.max_reply, settings.memory.clone());
        Ok(Self { connections, url, max_reply, memory, failures })
    }

    /// Makes one unary call. Returns the reply's metadata and its encoded message. `left` is sent as `grpc-timeout`.
    /// `fresh` requires a new connection.
    pub(super) async fn unary(
        &self,
        path: PathAndQuery,
        metadata: HeaderMap,
        message: &[u8],
        left: Duration,
        fresh: bool,
    ) -> Result<(HeaderMap, Bytes), Ended> {
        let mut request = self.request(path, metadata, message)?;
        request.headers_mut().insert(TIMEOUT, timeout(left));
        let reply = self.connections.send(request, fresh).await?;
        let mut messages = messages(reply, self.max_reply, left, self.failures)?;
        let message = self.next(&mut messages, left).await?;
        let message =
            message.ok_or_else(|| Failure::Invalid("success without a message".to_owned()))?;
        // Only the status may follow the message.
        if self.next(&mut messages, left).await?.is_some() {
            return Err(Failure::Invalid("more than one message".to_owned()).into());
        }
        Ok((messages.metadata, message))
    }

    /// Returns the next message; `None` if the server ended the call successfully. `left` is the timeout that was sent.
    pub(super) async fn next(
        &self,
        messages: &mut MessageStream,
        left: Duration,
    ) -> Result<Option<Bytes>, Ended> {
        let message = messages.body.message().await;
        message.map_err(|status| Ended::new(self.broken(&status, left), &status, &messages.details))
    }

    /// Makes a call that is answered with a stream of any length.
    pub(super) fn stream(
        &self,
        path: PathAndQuery,
        metadata: HeaderMap,
        message: &[u8],
        fresh: bool,
    ) -> Opening {
        let request = self.request(path, metadata, message);
        let (connections, max_reply) = (Arc::clone(&self.connections), self.max_reply);
        let failures = self.failures;
        async move {
            let reply = connections.stream(request?, fresh).await?;
            messages(reply, max_reply, Duration::ZERO, failures)
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

    /// Returns why a body gave no message: the status that ends it, or tonic's error.
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
            _ => failure(status, left, self.failures),
        }
    }
}

/// Formats the timeout in the largest unit that keeps it exact enough: at most eight digits.
fn timeout(left: Duration) -> HeaderValue {
    let text = match left.as_micros() {
        micros if micros < 100_000_000 => format!("{micros}u"),
        micros if micros < 100_000_000_000 => format!("{}m", micros / 1_000),
        micros => format!("{}S", (micros / 1_000_000).min(99_999_999)),
    };
    HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static("1S"))
}

/// Returns the metadata of a reply and its messages. If a status comes alone, returns the failure.
fn messages(
    reply: Response<ReplyBody>,
    max_reply: usize,
    left: Duration,
    failures: FailureCodes,
) -> Result<MessageStream, Ended> {
    let (mut parts, body) = reply.into_parts();
    if parts.status == StatusCode::OK && !is_grpc(&parts.headers) {
        let wrong = "its `content-type` is not that of gRPC".to_owned();
        return Err(Failure::Invalid(wrong).into());
    }
    if is_ambiguous(&parts.headers) {
        return Err(Failure::Invalid(TWO_STATUSES.to_owned()).into());
    }
    let details = Details::default();
    details.take_from(&mut parts.headers);
    let status = Status::from_header_map(&parts.headers);
    if status.is_none() && parts.status != StatusCode::OK {
        return Err(foreign(parts.status).into());
    }
    if parts.headers.get(ENCODING).is_some_and(|encoding| encoding != "identity") {
        return Err(Failure::Invalid(
            "it is compressed, though no encoding was offered".to_owned(),
        )
        .into());
    }
    let of_trailers = details.clone();
    let body = body.map_frame(move |frame| checked_frame(of_trailers.take_from_frame(frame)));
    let body = match status {
        Some(status) if status.code() != Code::Ok => {
            return Err(Ended::new(failure(&status, left, failures), &status, &details));
        }
        Some(_) => Streaming::new_empty(Raw, body),
        None => Streaming::new_response(Raw, body, parts.status, None, Some(max_reply)),
    };
    Ok(MessageStream { metadata: parts.headers, body: Box::new(body), details })
}

/// Returns the failure for a reply without a gRPC status, as proxies send it (grpc/grpc, "HTTP to gRPC Status Code
/// Mapping"). The source's own codes do not apply to it.
fn foreign(status: StatusCode) -> Failure {
    let code = match status.as_u16() {
        400 => Code::Internal,
        401 => Code::Unauthenticated,
        403 => Code::PermissionDenied,
        404 => Code::Unimplemented,
        429 | 502..=504 => Code::Unavailable,
        _ => Code::Unknown,
    };
    let failures = FailureCodes::new([Code::Internal, Code::Unavailable, Code::Unknown]);
    let reason = format!("HTTP {status}, and no gRPC status");
    Failure::status(code as u16, reason, fault(code, failures))
}

fn failure(status: &Status, left: Duration, failures: FailureCodes) -> Failure {
    if let Some(failure) = status.source().and_then(|cause| cause.downcast_ref::<Failure>()) {
        return failure.clone();
    }
    let reason = || match status.source() {
        Some(cause) => format!("{}: {}", status.message(), sentence(cause)),
        None => status.message().to_owned(),
    };
    match status.code() {
        Code::DeadlineExceeded => Failure::Timeout(left),
        // A status with a cause is from this side: the connection broke.
        _ if status.source().is_some() => Failure::Unavailable(reason()),
        code => Failure::status(code as u16, reason(), fault(code, failures)),
    }
}

/// Maps gRPC codes to faults like those of HTTP (google/rpc/code.proto), as far as the source counts them as failures.
fn fault(code: Code, failures: FailureCodes) -> Fault {
    match (code, failures.contains(code)) {
        // If the caller did not cancel the call, a service that shuts down cut it.
        (Code::Unavailable | Code::Cancelled, true) => Fault::Away,
        (Code::Unavailable | Code::Cancelled, false) => Fault::Excused,
        (_, true) => Fault::Broken,
        (Code::ResourceExhausted, false) => Fault::Load,
        (_, false) => Fault::Call,
    }
}

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

/// Replaces two statuses in trailers by one error.
fn checked_frame(mut frame: Frame<Bytes>) -> Frame<Bytes> {
    if let Some(trailers) = frame.trailers_mut()
        && is_ambiguous(trailers)
    {
        trailers.insert(STATUS, HeaderValue::from(Code::Internal as i32));
        trailers.insert(MESSAGE, HeaderValue::from_static(TWO_STATUSES));
    }
    frame
}

/// Messages as bytes, decoded elsewhere.
#[derive(Debug, Clone, Copy)]
pub(super) struct Raw;

impl Decoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(buffer.copy_to_bytes(buffer.remaining())))
    }
}
