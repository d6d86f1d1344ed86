//! One `@grpc` binding: encodes the message, sends it, and maps the status.

use super::encode::encode;
use super::refusal::StatusReader;
use super::stream::{self, Listening};
use super::{GrpcSource, Wire};
use crate::connector::failure::{Attempts, Meaning};
use crate::connector::headers::{self, Headers};
use crate::connector::texts::scope;
use crate::connector::tokens::{Tokens, authorized};
use crate::graphql::{ErrorCode, Name};
use crate::mapping::{Failure, Mapping};
use crate::problem::Problem;
use crate::source::{
    Body, Call, Error, ErrorKind, Inputs, Placed, Replies, Reply, ReplyRules, Request, Returned,
};
use crate::upstream::{self, Repeat, Terms, Upstream};
use futures_util::future::{BoxFuture, FutureExt};
use http::header::AUTHORIZATION;
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderValue};
use prost_reflect::{DynamicMessage, MessageDescriptor, SerializeOptions};
use serde_json::Value;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tonic::Code;

/// gRPC code of a success.
pub(super) const OK: u16 = Code::Ok as u16;
/// Status of a server that does not accept the caller's credentials.
const UNAUTHENTICATED: u16 = Code::Unauthenticated as u16;

pub(super) struct GrpcCall {
    pub(super) source: Arc<GrpcSource>,
    /// `/package.Service/Method`
    pub(super) path: PathAndQuery,
    pub(super) message: Option<Mapping>,
    pub(super) metadata: Headers,
    pub(super) select: Option<Mapping>,
    pub(super) rules: ReplyRules,
    /// Reads error statuses.
    pub(super) reading: StatusReader,
    pub(super) references: Vec<Placed>,
    pub(super) warnings: Vec<Problem>,
    pub(super) input: MessageDescriptor,
    pub(super) output: MessageDescriptor,
    /// The method returns a stream.
    pub(super) streams: bool,
    /// Condition under which the call may be repeated.
    pub(super) repeat: Repeat,
}

impl Call for GrpcCall {
    fn source(&self) -> &Name {
        &self.source.settings.name
    }

    fn references(&self) -> &[Placed] {
        &self.references
    }

    fn select(&self) -> Option<&Mapping> {
        self.select.as_ref()
    }

    fn rules(&self) -> &ReplyRules {
        &self.rules
    }

    fn warnings(&self) -> &[Problem] {
        &self.warnings
    }

    fn message(&self) -> Option<&MessageDescriptor> {
        Some(&self.output)
    }

    /// Returns false if the source returns cookies: a cookie belongs to the client whose call it came with.
    fn reusable(&self) -> bool {
        let settings = &self.source.settings;
        settings.reuse && settings.returned.cookies.is_empty()
    }

    fn returned(&self) -> &Returned {
        &self.source.settings.returned
    }

    fn forwards(&self) -> &[http::HeaderName] {
        self.metadata.forwarded()
    }

    fn sends_claims(&self) -> bool {
        self.metadata.sends_claims()
    }

    fn config(&self) -> &Value {
        &self.source.settings.config.value
    }

    fn shown_config(&self, mark: &dyn Fn(&str) -> Value) -> Value {
        self.source.settings.config.shown(mark)
    }

    fn timeout(&self) -> Duration {
        self.source.settings.upstream.timeout
    }

    fn render(&self, inputs: &Inputs<'_>) -> Result<Request, Failure> {
        let own = &self.source.settings.config.value;
        let config = if inputs.config.is_null() { own } else { inputs.config };
        let inputs = &Inputs { config, ..*inputs };
        let body = match &self.message {
            Some(mapping) => match mapping.render(&scope(inputs))? {
                Some(value) if !value.is_null() => encode(&self.input, &value)?,
                // A message without fields.
                _ => Vec::new(),
            },
            None => Vec::new(),
        };
        Ok(Request {
            source: self.source.settings.name.clone(),
            verb: "grpc",
            target: self.path.as_str().to_owned(),
            headers: self.metadata.render(inputs, None)?,
            body: body.into(),
            reading: u32::from(self.reading.wanted),
            trace: inputs.caller.trace.clone(),
        })
    }

    fn send(
        &self,
        request: Arc<Request>,
        deadline: Instant,
    ) -> BoxFuture<'static, Result<Reply, Error>> {
        authorized(
            self.tokens(),
            deadline,
            UNAUTHENTICATED,
            self.asking(request, deadline),
            Asking::run,
        )
    }

    fn streams(&self) -> bool {
        self.streams
    }

    fn subscribe(
        &self,
        request: Arc<Request>,
        deadline: Instant,
    ) -> BoxFuture<'static, Result<Replies, Error>> {
        authorized(
            self.tokens(),
            deadline,
            UNAUTHENTICATED,
            self.asking(request, deadline),
            Asking::open,
        )
    }

    /// Prints the message as JSON, with the names of the `.proto` file.
    fn describe(&self, request: &Request) -> String {
        let mut text = format!("GRPC {}{}", self.source.upstream.site().shown(), request.target);
        headers::describe(&request.headers, self.tokens().is_some(), &mut text);
        text.push('\n');
        text.push_str(&self.message_as_json(request));
        text
    }
}

impl GrpcCall {
    /// Returns the tokens of the source, unless the binding sets credentials itself.
    fn tokens(&self) -> Option<&Arc<Tokens>> {
        self.source.tokens.as_ref().filter(|_| self.metadata.takes_token())
    }

    fn asking(&self, request: Arc<Request>, deadline: Instant) -> Asking {
        Asking {
            upstream: Arc::clone(&self.source.upstream),
            path: self.path.clone(),
            request,
            terms: Terms { deadline, repeat: self.repeat },
            reading: self.reading.clone(),
            shown: self.shown(),
        }
    }

    /// Returns the call for a problem that developers see.
    fn shown(&self) -> Option<String> {
        let shown = || format!("GRPC {}{}", self.source.upstream.site().shown(), self.path);
        self.source.settings.shows_replies.then(shown)
    }

    fn message_as_json(&self, request: &Request) -> String {
        let options = SerializeOptions::new().use_proto_field_name(true).skip_default_fields(true);
        DynamicMessage::decode(self.input.clone(), request.body.clone())
            .ok()
            .and_then(|message| {
                message.serialize_with_options(serde_json::value::Serializer, &options).ok()
            })
            .map_or_else(|| "(not a message)".to_owned(), |value| value.to_string())
    }
}

/// A request that is sent again if its token is refused.
#[derive(Clone)]
struct Asking {
    upstream: Arc<Upstream<Wire>>,
    path: PathAndQuery,
    request: Arc<Request>,
    terms: Terms,
    reading: StatusReader,
    /// The call, for developers.
    shown: Option<String>,
}

impl Asking {
    fn run(self, token: Option<HeaderValue>) -> BoxFuture<'static, Result<Reply, Error>> {
        async move {
            let attempts = Attempts::showing(self.shown);
            self.upstream
                .call(self.terms, |attempt| {
                    let metadata = metadata_of(&self.request, token.as_ref());
                    let call = (self.path.clone(), metadata, Arc::clone(&self.request));
                    let attempt = exchange(attempt, call, (&self.reading, &attempts));
                    // A large future, which would be moved with the call.
                    attempts.run(Box::pin(attempt), meaning_of)
                })
                .await
                .map_err(|failure| attempts.to_error(&failure, meaning_of))
        }
        .boxed()
    }

    /// Opens a stream of replies.
    fn open(self, token: Option<HeaderValue>) -> BoxFuture<'static, Result<Replies, Error>> {
        async move {
            let attempts = Attempts::showing(self.shown);
            let attempt = |attempt| {
                let metadata = metadata_of(&self.request, token.as_ref());
                let call = (self.path.clone(), metadata, Arc::clone(&self.request));
                stream::open(attempt, call, (&self.reading, &attempts))
            };
            let opened = self.upstream.open(self.terms, attempt, Listening::has_begun).await;
            let listening = opened.map_err(|failure| attempts.to_error(&failure, meaning_of))?;
            Ok(stream::replies(listening, meaning_of, self.reading, attempts))
        }
        .boxed()
    }
}

/// Path, metadata and message of an attempt.
pub(super) type Written = (PathAndQuery, HeaderMap, Arc<Request>);

async fn exchange(
    attempt: upstream::Attempt<super::Wire>,
    (path, metadata, request): Written,
    (reading, attempts): (&StatusReader, &Attempts),
) -> Result<Reply, upstream::Failure> {
    let left = attempt.left();
    let wire = &attempt.instance.connection;
    let reply = wire.unary(path, metadata, &request.body, left, attempt.fresh).await;
    let (headers, message) = reply.map_err(|ended| ended.keep(attempts, reading))?;
    let held = wire.hold(message.len())?;
    Ok(Reply { body: Body::Proto(message), status: OK, headers: Arc::new(headers), held })
}

/// Returns the metadata of a request. `token` is the source's; the request then has no `authorization`.
fn metadata_of(request: &Request, token: Option<&HeaderValue>) -> HeaderMap {
    let mut metadata = HeaderMap::with_capacity(request.headers.len() + 2);
    for (name, value) in &request.headers {
        metadata.append(name.clone(), value.clone());
    }
    metadata.extend(token.map(|token| (AUTHORIZATION, token.clone())));
    metadata.extend(request.trace.headers().cloned());
    metadata
}

fn meaning_of(status: u16) -> Meaning {
    let code = Code::from_i32(status.into());
    let kind = match code {
        Code::NotFound => ErrorKind::NotFound,
        Code::InvalidArgument | Code::FailedPrecondition | Code::OutOfRange => ErrorKind::Refused,
        _ => ErrorKind::Failed,
    };
    let is_refusal = matches!(
        code,
        Code::InvalidArgument
            | Code::NotFound
            | Code::AlreadyExists
            | Code::PermissionDenied
            | Code::ResourceExhausted
            | Code::FailedPrecondition
            | Code::Aborted
            | Code::OutOfRange
            | Code::Unimplemented
            | Code::Unauthenticated
    );
    let code = match code {
        // The same code as for a failed connection.
        Code::Unavailable => ErrorCode::UpstreamUnavailable,
        _ => ErrorCode::UpstreamStatus,
    };
    Meaning { code, kind, is_refusal }
}
