//! HTTP/1.1 and HTTP/2 to an upstream: one exchange at a time, over the connections of one instance.
//!
//! Callers see only [`HttpClient`]. It never follows a redirect, never retries, never asks for compression, and never
//! holds more of a reply than the settings allow, compressed or not. [`connection`](super::connection) manages the
//! connections.

use super::connection::{Connections, ReplyBody, Versions};
use super::discovery::Address;
use super::inflate::inflate;
use super::{Failure, Settings};
use crate::memory::{Arriving, Held, Memory};
use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH};
use http::{HeaderMap, HeaderValue, Request, StatusCode, Uri};
use http_body_util::BodyExt;
use hyper::body::Body as _;

/// Maximum bytes that are read from an unwanted body so that the connection can be reused.
const MAX_DISCARDED: usize = 64 << 10;

/// Calls one instance with the settings of its source.
#[derive(Debug)]
pub struct HttpClient {
    connections: Connections,
    max_reply: usize,
    memory: Memory,
}

/// Status and headers of a reply whose body is not read yet. If it is dropped before the body's end, it closes the
/// connection (HTTP/1.1) or the stream (HTTP/2).
#[derive(Debug)]
pub struct HttpReply {
    pub status: StatusCode,
    pub headers: HeaderMap,
    body: ReplyBody,
    max_reply: usize,
    memory: Memory,
}

impl HttpClient {
    /// Creates a client for addresses such as `uri`. The system's trusted roots are read only if it is `https`. If
    /// there is a `detour`, connections go there instead of the URL's host.
    ///
    /// # Errors
    /// The URL is not absolute, not `http` or `https`, or there are no trusted roots; one lowercase sentence.
    pub fn new(settings: &Settings, uri: &Uri, detour: Option<Address>) -> Result<Self, String> {
        let versions = if settings.http2 { Versions::Http2 } else { Versions::Negotiated };
        let connections = Connections::new(settings, uri, detour, versions)?;
        Ok(Self { connections, max_reply: settings.max_reply, memory: settings.memory.clone() })
    }

    /// Sends a request with an absolute URI, and returns when status and headers are received.
    ///
    /// # Errors
    /// No connection could be opened, it broke, or the reply is not HTTP.
    pub async fn send(&self, request: Request<Bytes>) -> Result<HttpReply, Failure> {
        self.send_over(request, false).await
    }

    /// Like [`HttpClient::send`], over a new connection if `fresh`.
    ///
    /// # Errors
    /// The same as those of [`HttpClient::send`].
    pub async fn send_over(
        &self,
        mut request: Request<Bytes>,
        fresh: bool,
    ) -> Result<HttpReply, Failure> {
        let length = request.body().len();
        if length > 0 && !request.headers().contains_key(CONTENT_LENGTH) {
            request.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(length));
        }
        let (parts, body) = self.connections.send(request, fresh).await?.into_parts();
        Ok(HttpReply {
            status: parts.status,
            headers: parts.headers,
            body,
            max_reply: self.max_reply,
            memory: self.memory.clone(),
        })
    }
}

impl HttpReply {
    /// Returns whether it is known already that there is no body.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.body.is_end_stream()
    }

    /// Checks that the body is not compressed.
    ///
    /// # Errors
    /// The body is compressed.
    pub fn expect_plain(&self) -> Result<(), Failure> {
        match self.headers.get(CONTENT_ENCODING) {
            Some(coding) if !coding.as_bytes().eq_ignore_ascii_case(b"identity") => Err(
                Failure::Invalid(format!("content-encoding {coding:?}, though none was asked for")),
            ),
            _ => Ok(()),
        }
    }

    /// Reads the whole body, which counts as held until the last clone of [`Held`] is dropped.
    ///
    /// # Errors
    /// The body is larger than allowed (then nothing is read if the headers give its length), is not what its
    /// `content-encoding` says, breaks off, or there is no room for it.
    pub async fn read(mut self) -> Result<(HeaderMap, Bytes, Held), Failure> {
        let mut arriving = self.memory.begin();
        let body = read_body(&mut self.body, self.max_reply, &mut arriving).await?;
        let body = inflate(&mut self.headers, body, self.max_reply, &mut arriving)?;
        Ok((self.headers, body, arriving.finish()))
    }

    /// Counts a part of the body that is kept.
    ///
    /// # Errors
    /// There is no room for it.
    pub fn hold(&self, bytes: usize) -> Result<Held, Failure> {
        let mut arriving = self.memory.begin();
        arriving.add(bytes)?;
        Ok(arriving.finish())
    }

    /// Returns the next part of a body that is read as it arrives; `None` at its end.
    ///
    /// # Errors
    /// The body breaks off.
    pub async fn part(&mut self) -> Result<Option<Bytes>, Failure> {
        while let Some(frame) = self.body.frame().await {
            if let Ok(part) = frame?.into_data() {
                return Ok(Some(part));
            }
        }
        Ok(None)
    }

    /// Reads a body of at most `limit` bytes. Beyond that the rest is not read, and the connection is closed.
    ///
    /// # Errors
    /// The same as those of [`HttpReply::read`].
    pub async fn read_at_most(self, limit: usize) -> Result<(HeaderMap, Bytes, Held), Failure> {
        let limit = limit.min(self.max_reply);
        Self { max_reply: limit, ..self }.read().await
    }

    /// Gives the connection back to the pool if little is left to read; otherwise closes it.
    pub async fn discard(mut self) {
        let mut arriving = self.memory.begin();
        let _ = read_body(&mut self.body, MAX_DISCARDED, &mut arriving).await;
    }
}

async fn read_body(
    body: &mut ReplyBody,
    limit: usize,
    arriving: &mut Arriving,
) -> Result<Bytes, Failure> {
    let announced = body.size_hint().exact();
    if announced.is_some_and(|length| length > limit as u64) {
        return Err(Failure::TooLarge(limit));
    }
    let mut only = Bytes::new();
    let mut joined = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(part) = frame?.into_data() else { continue };
        if only.len() + joined.len() + part.len() > limit {
            return Err(Failure::TooLarge(limit));
        }
        arriving.add(part.len())?;
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

/// Formats an error with its causes, outermost first.
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
