//! The port between the engine and the connectors: requests to a source, and its replies.
//!
//! A [`Connector`] compiles a field's directive into a [`Call`] at load. Per fetch, the engine renders the call from
//! [`Inputs`] into a [`Request`] (pure, comparable, printable) and sends it. The engine does not depend on protocols; a
//! connector does not depend on operations. Tests use a fake `Call` and run the whole engine without a socket.

mod claims;
#[cfg(test)]
pub mod fake;
mod request;
mod returned;
mod rules;
pub mod secrets;
mod spec;
mod trace;

pub use claims::claim;
pub use request::{Caller, Inputs, Request, headers_to_value};
pub use returned::{Returned, ReturnedHeaders};
pub use rules::{
    MAX_MAPPED_ERROR, MappedError, NotFound, OWN_EXTENSIONS, RefusedReply, ReplyRules, excerpt,
};
pub use spec::{Argument, ArgumentValue, BindingSpec, Operation};
pub use trace::Trace;

use crate::graphql::{ErrorCode, Name};
use crate::mapping::{Failure, Mapping, Reference};
use crate::memory::Held;
use crate::problem::Problem;
use bytes::Bytes;
use futures_util::future::{BoxFuture, FutureExt};
use futures_util::stream::BoxStream;
use std::sync::Arc;
use std::time::Instant;

/// A protocol: has one binding directive, and compiles its uses.
pub trait Connector: Send + Sync {
    /// Name without the `@`, such as `rest`.
    fn directive(&self) -> &'static str;

    /// SDL of the directive, and of the input types and enums that only it uses.
    fn definition(&self) -> &'static str;

    /// Returns whether the directive names a source. If not, its bindings make no calls.
    fn has_source(&self) -> bool {
        true
    }

    /// Compiles one use of the directive.
    ///
    /// # Errors
    /// Every problem found, each at its place in the SDL, with the caret inside the string if possible.
    fn compile(&self, spec: &BindingSpec) -> Result<Arc<dyn Call>, Vec<Problem>>;
}

/// One compiled binding.
pub trait Call: Send + Sync {
    /// Source that it calls.
    fn source(&self) -> &Name;

    /// Every variable path in its texts, except inside `select`.
    fn references(&self) -> &[Placed];

    /// The parsed `select` argument, if there is one.
    fn select(&self) -> Option<&Mapping>;

    /// Set if there is no call: the field's value is the result of [`Call::select`], with `$` null. Nothing is rendered
    /// or sent.
    fn computed(&self) -> Option<Computed> {
        None
    }

    /// Rules for which replies are a success, and what clients see of the others. References in these texts are among
    /// [`Call::references`].
    fn rules(&self) -> &ReplyRules {
        ReplyRules::NONE
    }

    /// Returns whether the call has a JSON body. In its inputs, an `ID` that a service wrote as a number is a number.
    fn sends_json(&self) -> bool {
        false
    }

    /// Warnings for the author of a binding that compiles.
    fn warnings(&self) -> &[Problem] {
        &[]
    }

    /// Type of a reply's [`Body::Proto`].
    fn message(&self) -> Option<&prost_reflect::MessageDescriptor> {
        None
    }

    /// Returns whether identical safe calls of this source may be shared, within a request and in flight.
    fn reusable(&self) -> bool {
        true
    }

    /// Client headers that are forwarded unchanged, by lower-case name.
    fn forwards(&self) -> &[http::HeaderName] {
        &[]
    }

    /// Returns whether claims of the caller are sent, beside those that the call's texts name.
    fn sends_claims(&self) -> bool {
        false
    }

    /// Response headers and cookies that clients receive.
    fn returned(&self) -> &Returned {
        Returned::NONE
    }

    /// `$config` of this source's texts: an object, or null.
    fn config(&self) -> &serde_json::Value {
        &serde_json::Value::Null
    }

    /// Like [`Call::config`], for people: values from the environment are replaced by `mark` of their name, such as
    /// `token`.
    fn shown_config(&self, mark: &dyn Fn(&str) -> serde_json::Value) -> serde_json::Value {
        let _ = mark;
        serde_json::Value::Null
    }

    /// Timeout of one call, before the request's own deadline cuts it.
    fn timeout(&self) -> std::time::Duration;

    /// Renders the call for these inputs. Pure: no IO, no clock.
    ///
    /// # Errors
    /// A value is invalid in its position, such as `..` as a path segment. Nothing is sent then.
    fn render(&self, inputs: &Inputs<'_>) -> Result<Request, Failure>;

    /// Sends the request. Dropping the future cancels the call.
    fn send(
        &self,
        request: Arc<Request>,
        deadline: Instant,
    ) -> BoxFuture<'static, Result<Reply, Error>>;

    /// Checks whether a cached reply is still valid (RFC 9110, section 13, "Conditional Requests"). Returns status 304
    /// and no body if it is, otherwise the reply as [`Call::send`] does. If the protocol has no such request, it sends
    /// the call.
    fn revalidate(
        &self,
        request: Arc<Request>,
        _: &Validators,
        deadline: Instant,
    ) -> BoxFuture<'static, Result<Reply, Error>> {
        self.send(request, deadline)
    }

    /// Returns whether replies come one after another: the binding is of a subscription field, and [`Call::subscribe`]
    /// opens it.
    fn streams(&self) -> bool {
        false
    }

    /// Opens a stream of replies. Completes when the source has accepted, which must happen before the deadline.
    fn subscribe(
        &self,
        request: Arc<Request>,
        deadline: Instant,
    ) -> BoxFuture<'static, Result<Replies, Error>> {
        let _ = (request, deadline);
        let error = Error::new(ErrorCode::Internal, "the binding has no stream");
        futures_util::future::ready(Err(error)).boxed()
    }

    /// Formats the call as `explain` prints it: one line or more, secrets masked.
    fn describe(&self, request: &Request) -> String;
}

/// Argument with which a `@node` field gets the objects of its IDs: `__typename` and `id`, or null.
pub const OBJECTS: &str = "objects";

/// Dependencies of a value that is computed without a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Computed {
    /// The caller's claims.
    pub claims: bool,
    /// Headers or the address of the client's request.
    pub request: bool,
}

/// A reference, and the place of its text.
#[derive(Debug, Clone)]
pub struct Placed {
    pub reference: Reference,
    pub place: crate::problem::Place,
}

/// Validators by which a source recognizes a reply.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Validators {
    pub etag: Option<http::HeaderValue>,
    pub last_modified: Option<http::HeaderValue>,
}

impl Validators {
    #[must_use]
    pub fn of(headers: &http::HeaderMap) -> Self {
        Self {
            etag: headers.get(http::header::ETAG).cloned(),
            last_modified: headers.get(http::header::LAST_MODIFIED).cloned(),
        }
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.etag.is_none() && self.last_modified.is_none()
    }
}

/// A reply of a source.
#[derive(Debug, Clone)]
pub struct Reply {
    pub body: Body,
    /// HTTP status, or the number of the gRPC code.
    pub status: u16,
    /// Response headers, or the metadata of gRPC.
    pub headers: Arc<http::HeaderMap>,
    /// Account of the bytes of the body. A reply in a cache is counted by the cache instead.
    pub held: Held,
}

/// Replies of a subscription. The stream ends when the source ends it, and after an error. Nothing is read ahead of the
/// consumer, beyond what the connection itself buffers. Dropping it closes the call.
pub type Replies = BoxStream<'static, Result<Reply, Error>>;

#[derive(Debug, Clone)]
pub enum Body {
    /// JSON text, not yet checked. Empty (204, or no content) reads as null.
    Json(Bytes),
    /// An encoded message of the type that [`Call::message`] returns, not yet checked.
    Proto(Bytes),
}

/// Reason why a source gave no reply. Clients may see the code, the status, the source's name, and what the binding
/// maps for it. `detail` goes only to the log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}: {detail}", code.as_str())]
pub struct Error {
    pub code: ErrorCode,
    /// HTTP status, or the gRPC code's number, for [`ErrorCode::UpstreamStatus`].
    pub status: Option<u16>,
    pub kind: ErrorKind,
    /// Effect of a mutation, as far as it is known.
    pub outcome: MutationOutcome,
    /// Reason for the log, never for clients.
    pub detail: String,
    /// The refused reply, if the binding's rules or a developer need it.
    pub refusal: Option<Arc<RefusedReply>>,
    /// Error that clients see instead of the gateway's own message.
    pub mapped: Option<Arc<MappedError>>,
}

/// Effect of a mutation whose call failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MutationOutcome {
    /// No service processed it, so it may be sent again.
    NotSent,
    /// The service answered that it did not execute it.
    Refused,
    /// It may have been executed: only the service knows.
    Unknown,
}

impl MutationOutcome {
    /// Text under `extensions.outcome`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotSent => "NOT_SENT",
            Self::Refused => "REFUSED",
            Self::Unknown => "UNKNOWN",
        }
    }

    /// Returns the outcome of an error that has neither a reply nor a broken call.
    fn of(code: ErrorCode) -> Self {
        match code {
            ErrorCode::InvalidRequest
            | ErrorCode::LimitExceeded
            | ErrorCode::CircuitOpen
            | ErrorCode::NoInstance
            | ErrorCode::Overloaded => Self::NotSent,
            _ => Self::Unknown,
        }
    }
}

/// Properties of an error, beside its code, that the engine needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// HTTP 404, gRPC NOT_FOUND: null on a nullable field.
    NotFound,
    /// HTTP 400, 404, 409, 410, 413, 414, 422 and so on, gRPC INVALID_ARGUMENT, FAILED_PRECONDITION, OUT_OF_RANGE:
    /// the source understood and refuses this request, so a smaller batch may pass. Never 401, 403, 408 or 429.
    Refused,
    /// The gateway has no memory for the reply (`server.memory`). Neither the source nor the call is the cause.
    NoRoom,
    /// Everything else.
    Failed,
}

impl ErrorKind {
    /// Returns whether the source refuses this call.
    #[must_use]
    pub fn is_refused(self) -> bool {
        matches!(self, Self::NotFound | Self::Refused)
    }
}

impl Error {
    #[must_use]
    pub fn new(code: ErrorCode, detail: impl Into<String>) -> Self {
        let outcome = MutationOutcome::of(code);
        Self {
            code,
            status: None,
            kind: ErrorKind::Failed,
            outcome,
            detail: detail.into(),
            refusal: None,
            mapped: None,
        }
    }
}
