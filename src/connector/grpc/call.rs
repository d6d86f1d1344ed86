//! One `@grpc` binding: writing the message, sending it, and telling what a status means.

use super::GrpcSource;
use super::encode::encode;
use super::refusal::StatusReader;
use super::stream::{self, Listening};
use crate::connector::failure::{Attempts, Meaning};
use crate::connector::headers::{self, Headers};
use crate::connector::texts::scope;
use crate::graphql::{ErrorCode, Name};
use crate::mapping::{Failure, Mapping};
use crate::problem::Problem;
use crate::source::{
    Body, Call, Error, ErrorKind, Inputs, Placed, Replies, Reply, ReplyRules, Request, Returned,
};
use crate::upstream::{self, Repeat, Terms};
use futures_util::future::{BoxFuture, FutureExt};
use http::HeaderMap;
use http::uri::PathAndQuery;
use prost_reflect::{DynamicMessage, MessageDescriptor, SerializeOptions};
use serde_json::Value;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tonic::Code;

/// gRPC's code for a success.
pub(super) const OK: u16 = Code::Ok as u16;

pub(super) struct GrpcCall {
    pub(super) source: Arc<GrpcSource>,
    /// `/package.Service/Method`
    pub(super) path: PathAndQuery,
    pub(super) message: Option<Mapping>,
    pub(super) metadata: Headers,
    pub(super) select: Option<Mapping>,
    pub(super) rules: ReplyRules,
    /// How a status is read that says no.
    pub(super) reading: StatusReader,
    pub(super) references: Vec<Placed>,
    pub(super) warnings: Vec<Problem>,
    pub(super) input: MessageDescriptor,
    pub(super) output: MessageDescriptor,
    /// The method returns a stream.
    pub(super) streams: bool,
    /// When it may be made again.
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

    /// A cookie is for the client whose call it came with.
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
        let (upstream, path) = (Arc::clone(&self.source.upstream), self.path.clone());
        let terms = Terms { deadline, repeat: self.repeat };
        let (reading, shown) = (self.reading.clone(), self.shown());
        async move {
            let attempts = Attempts::showing(shown);
            upstream
                .call(terms, |attempt| {
                    let inspected = (&reading, &attempts);
                    let attempt = exchange(attempt, path.clone(), Arc::clone(&request), inspected);
                    // It is large, and would be moved with the call.
                    attempts.run(Box::pin(attempt), meaning_of)
                })
                .await
                .map_err(|failure| attempts.to_error(&failure, meaning_of))
        }
        .boxed()
    }

    fn streams(&self) -> bool {
        self.streams
    }

    fn subscribe(
        &self,
        request: Arc<Request>,
        deadline: Instant,
    ) -> BoxFuture<'static, Result<Replies, Error>> {
        let (upstream, path) = (Arc::clone(&self.source.upstream), self.path.clone());
        let terms = Terms { deadline, repeat: self.repeat };
        let (reading, shown) = (self.reading.clone(), self.shown());
        async move {
            let attempts = Attempts::showing(shown);
            let attempt = |attempt| {
                let inspected = (&reading, &attempts);
                stream::open(attempt, path.clone(), Arc::clone(&request), inspected)
            };
            let opened = upstream.open(terms, attempt, Listening::has_begun).await;
            let listening = opened.map_err(|failure| attempts.to_error(&failure, meaning_of))?;
            Ok(stream::replies(listening, meaning_of, reading, attempts))
        }
        .boxed()
    }

    /// The message is printed as JSON with the names of the `.proto` file.
    fn describe(&self, request: &Request) -> String {
        let mut text = format!("GRPC {}{}", self.source.upstream.site().shown(), request.target);
        headers::describe(&request.headers, &mut text);
        text.push('\n');
        text.push_str(&self.message_as_json(request));
        text
    }
}

impl GrpcCall {
    /// The call in a problem that a developer is shown.
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

async fn exchange(
    attempt: upstream::Attempt<super::Wire>,
    path: PathAndQuery,
    request: Arc<Request>,
    (reading, attempts): (&StatusReader, &Attempts),
) -> Result<Reply, upstream::Failure> {
    let metadata = metadata_of(&request);
    let left = attempt.left();
    let wire = &attempt.instance.connection;
    let reply = wire.unary(path, metadata, &request.body, left, attempt.fresh).await;
    let (headers, message) = reply.map_err(|ended| ended.keep(attempts, reading))?;
    let held = wire.hold(message.len())?;
    Ok(Reply { body: Body::Proto(message), status: OK, headers: Arc::new(headers), held })
}

pub(super) fn metadata_of(request: &Request) -> HeaderMap {
    let mut metadata = HeaderMap::with_capacity(request.headers.len() + 1);
    for (name, value) in &request.headers {
        metadata.append(name.clone(), value.clone());
    }
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
