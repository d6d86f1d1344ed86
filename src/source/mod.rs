//! The port between the engine and the connectors: what the engine asks of a source, and what comes back.
//!
//! A [`Connector`] compiles a field's directive into a [`Call`] at load. Per fetch the engine renders the call from
//! [`Inputs`] into a [`Request`] (pure, comparable, printable) and sends it. The engine knows no protocol; a connector
//! knows no operation. Tests put a fake `Call` here and run the whole engine without a socket.

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

/// A protocol: knows one binding directive, and compiles its uses.
pub trait Connector: Send + Sync {
    /// Without the `@`, such as `rest`.
    fn directive(&self) -> &'static str;

    /// The SDL of the directive and of the input types and enums that only it uses.
    fn definition(&self) -> &'static str;

    /// The directive names a source. Without one, its bindings make no calls.
    fn has_source(&self) -> bool {
        true
    }

    /// Compiles one use of the directive.
    ///
    /// # Errors
    /// Every problem found, each at its place in the SDL, the caret inside the string where that is possible.
    fn compile(&self, spec: &BindingSpec) -> Result<Arc<dyn Call>, Vec<Problem>>;
}

/// One binding made ready.
pub trait Call: Send + Sync {
    /// The source it goes to.
    fn source(&self) -> &Name;

    /// Every variable path that its texts name, except inside `select`.
    fn references(&self) -> &[Placed];

    /// The parsed `select` argument, if there is one.
    fn select(&self) -> Option<&Mapping>;

    /// There is no call: the field's value is what [`Call::select`] yields, with `$` null. Nothing is rendered or sent.
    fn computed(&self) -> Option<Computed> {
        None
    }

    /// Which replies are a success, and what clients read of the others. What these texts name is among
    /// [`Call::references`].
    fn rules(&self) -> &ReplyRules {
        ReplyRules::NONE
    }

    /// The call has a JSON body. An `ID` that a service wrote as a number is a number in its inputs.
    fn sends_json(&self) -> bool {
        false
    }

    /// What its author should know although it compiles.
    fn warnings(&self) -> &[Problem] {
        &[]
    }

    /// What a reply's [`Body::Proto`] is an encoding of.
    fn message(&self) -> Option<&prost_reflect::MessageDescriptor> {
        None
    }

    /// In-flight and in-request reuse of identical safe calls is on for this source.
    fn reusable(&self) -> bool {
        true
    }

    /// Headers of the client's request that go along as they came, by lower-case name.
    fn forwards(&self) -> &[http::HeaderName] {
        &[]
    }

    /// Claims of the caller go along, beside those that the call's texts name.
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

    /// [`Call::config`] for people: what came out of the environment replaced by `mark` of its name, such as `token`.
    fn shown_config(&self, mark: &dyn Fn(&str) -> serde_json::Value) -> serde_json::Value {
        let _ = mark;
        serde_json::Value::Null
    }

    /// The time one call may take, before the request's own deadline cuts it.
    fn timeout(&self) -> std::time::Duration;

    /// Writes the call for these inputs. Pure: no IO, no clock.
    ///
    /// # Errors
    /// A value that has no place in the call, such as `..` as a path segment; nothing is sent then.
    fn render(&self, inputs: &Inputs<'_>) -> Result<Request, Failure>;

    /// Sends it. Dropping the future cancels the call.
    fn send(
        &self,
        request: Arc<Request>,
        deadline: Instant,
    ) -> BoxFuture<'static, Result<Reply, Error>>;

    /// Asks whether a kept reply is still good (RFC 9110, section 13, "Conditional Requests"): status 304 and no body if
    /// it is, the reply as of [`Call::send`] if not. A protocol without such a question sends the call.
    fn revalidate(
        &self,
        request: Arc<Request>,
        _: &Validators,
        deadline: Instant,
    ) -> BoxFuture<'static, Result<Reply, Error>> {
        self.send(request, deadline)
    }

    /// Replies come one after another: the binding is of a subscription field, and [`Call::subscribe`] opens it.
    fn streams(&self) -> bool {
        false
    }

    /// Opens a stream of replies: done when the source has said yes, which it must by the deadline.
    fn subscribe(
        &self,
        request: Arc<Request>,
        deadline: Instant,
    ) -> BoxFuture<'static, Result<Replies, Error>> {
        let _ = (request, deadline);
        let error = Error::new(ErrorCode::Internal, "the binding has no stream");
        futures_util::future::ready(Err(error)).boxed()
    }

    /// The call as `explain` prints it: one line or more, secrets masked.
    fn describe(&self, request: &Request) -> String;
}

/// The argument under which a `@node` field gets the objects that its IDs name: `__typename` and `id`, or null.
pub const OBJECTS: &str = "objects";

/// What a value that is computed without a call depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Computed {
    /// The caller's claims.
    pub claims: bool,
    /// Headers or the address of the client's request.
    pub request: bool,
}

/// A reference and the place of the text it stands in.
#[derive(Debug, Clone)]
pub struct Placed {
    pub reference: Reference,
    pub place: crate::problem::Place,
}

/// By what a source knows a reply again.
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

/// What a source answered.
#[derive(Debug, Clone)]
pub struct Reply {
    pub body: Body,
    /// HTTP status, or the number of the gRPC code.
    pub status: u16,
    pub headers: Arc<http::HeaderMap>,
    /// Counts the bytes of the body. A reply that a cache keeps is counted by the cache instead.
    pub held: Held,
}

/// The replies of a subscription. It ends where the source ends it, and after an error. Nothing is read ahead of who
/// asks for the next one, beyond what the connection itself holds. Dropping it closes the call.
pub type Replies = BoxStream<'static, Result<Reply, Error>>;

#[derive(Debug, Clone)]
pub enum Body {
    /// JSON text, not yet checked. Empty (204, or no content) reads as null.
    Json(Bytes),
    /// An encoded message of the type [`Call::message`] names, not yet checked.
    Proto(Bytes),
}

/// Why a source gave no reply. What a client may read is the code, the status, the source's name, and what the binding
/// maps for it; `detail` goes to the log only.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}: {detail}", code.as_str())]
pub struct Error {
    pub code: ErrorCode,
    /// HTTP status, or the gRPC code's number, for [`ErrorCode::UpstreamStatus`].
    pub status: Option<u16>,
    pub kind: ErrorKind,
    /// Whether a mutation took effect, as far as anyone can know.
    pub outcome: MutationOutcome,
    pub detail: String,
    /// The reply that said no, where the binding's rules or a developer want to see it.
    pub refusal: Option<Arc<RefusedReply>>,
    /// What clients read instead of the gateway's words.
    pub mapped: Option<Arc<MappedError>>,
}

/// What is known of a mutation whose call failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MutationOutcome {
    /// No service processed it: it may be sent again.
    NotSent,
    /// The service answered that it did not do it.
    Refused,
    /// It may have been done: only the service knows.
    Unknown,
}

impl MutationOutcome {
    /// The text under `extensions.outcome`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotSent => "NOT_SENT",
            Self::Refused => "REFUSED",
            Self::Unknown => "UNKNOWN",
        }
    }

    /// Of an error that no reply and no broken call stands behind.
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

/// What the engine needs to know of an error beside its code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// HTTP 404, gRPC NOT_FOUND: null on a nullable field.
    NotFound,
    /// HTTP 400, 404, 409, 410, 413, 414, 422 and so on, gRPC INVALID_ARGUMENT, FAILED_PRECONDITION, OUT_OF_RANGE:
    /// the source understood and refuses this request, so a smaller batch may pass. Never 401, 403, 408 or 429.
    Refused,
    /// The gateway has no room for the reply (`server.memory`): neither the source nor the call is the reason.
    NoRoom,
    /// Everything else.
    Failed,
}

impl ErrorKind {
    /// The source refuses the call as it is.
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
