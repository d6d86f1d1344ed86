//! Compiles a `@rest` directive, or reports everything that is wrong with it.

use super::RestSource;
use super::body::RequestBody;
use super::call::{Constant, RestCall, Target};
use super::query;
use super::reply::ReplyReading;
use crate::connector::headers::Headers;
use crate::connector::texts::{Text, Texts};
use crate::mapping::Mapping;
use crate::problem::Problem;
use crate::source::{Argument, ArgumentValue, BindingSpec, Operation, ReplyRules};
use crate::upstream::Repeat;
use http::HeaderValue;
use http::header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE, USER_AGENT};
use std::sync::Arc;

const VERBS: [&str; 5] = ["GET", "POST", "PUT", "PATCH", "DELETE"];

/// Parts of a directive that do not depend on its source.
struct Parts {
    verb: &'static str,
    target: Text<String>,
    query: Vec<query::Parameter>,
    body: Option<RequestBody>,
    select: Option<Mapping>,
    streams: bool,
}

/// Compiles a directive. `is_read`: the source's settings are known.
pub(super) fn compile(
    spec: &BindingSpec,
    source: &Arc<RestSource>,
    is_read: bool,
) -> Result<RestCall, Vec<Problem>> {
    let mut texts = Texts::default();
    let parts = parts(spec, &mut texts);
    let headers = Headers::compile(spec, "headers", &source.settings, |_| false, &mut texts);
    let rules = ReplyRules::compile(spec, &source.settings, &mut texts);
    if is_read {
        let select = parts.as_ref().and_then(|parts| parts.select.as_ref());
        texts.check_config(&source.settings, spec.argument("select").zip(select));
    }
    let (Some(parts), true) = (parts, texts.problems.is_empty()) else {
        return Err(texts.problems);
    };
    let tokens = source.tokens.as_ref().ok().cloned().flatten();
    let accept = if parts.streams { "text/event-stream" } else { "application/json" };
    let constant = [
        (ACCEPT, accept),
        (USER_AGENT, concat!("portcullis/", env!("CARGO_PKG_VERSION"))),
        (CACHE_CONTROL, if parts.streams { "no-store" } else { "" }),
    ]
    .map(|(name, value)| (name, HeaderValue::from_static(value)));
    let constant = constant.into_iter().filter(|(_, value)| !value.is_empty());
    let accepted = (&*source.settings.accept_types, source.settings.follow);
    let reads_whole = |mapping: &Mapping| mapping.expr().reads().whole;
    let select = parts.select.as_ref().map(reads_whole);
    let reads_whole = if rules.mappings().any(reads_whole) { Some(true) } else { select };
    let reading = ReplyReading::new(spec, parts.verb, accepted, reads_whole);
    let media_type = parts.body.as_ref().map(|body| (CONTENT_TYPE, body.media_type()));
    Ok(RestCall {
        verb: parts.verb,
        target: Target::new(&source.upstream.site().prefix, parts.target),
        query: parts.query,
        media_type: media_type.filter(|(name, _)| !headers.sets(name)),
        body: parts.body,
        select: parts.select,
        rules,
        reading: Arc::new(reading),
        references: texts.references,
        warnings: texts.warnings,
        constant: Arc::new(Constant {
            headers: constant.filter(|(name, _)| !headers.sets(name)).collect(),
            query: query::OfSource::new(&source.settings.credentials.query),
        }),
        tokens: tokens.filter(|_| headers.takes_token()),
        streams: parts.streams,
        repeat: repeat(spec, parts.verb),
        headers,
        source: Arc::clone(source),
    })
}

/// Returns when the call may be repeated: RFC 9110, section 9.2.2, defines it for methods. A mutation is repeated only
/// if its author allows it.
fn repeat(spec: &BindingSpec, verb: &str) -> Repeat {
    let marked = spec.argument("idempotent").map(|argument| &argument.value);
    match (marked, spec.operation) {
        (Some(ArgumentValue::Boolean(true)), _) => Repeat::Always,
        (Some(ArgumentValue::Boolean(false)), _) | (_, Operation::Mutation) => Repeat::IfNotSent,
        _ if matches!(verb, "GET" | "PUT" | "DELETE") => Repeat::Always,
        _ => Repeat::IfNotSent,
    }
}

/// Returns everything else that is wrong with a directive whose source is unknown.
pub(super) fn problems(spec: &BindingSpec) -> Vec<Problem> {
    let mut texts = Texts::default();
    let _ = parts(spec, &mut texts);
    texts.problems
}

fn parts(spec: &BindingSpec, texts: &mut Texts) -> Option<Parts> {
    let streams = streams(spec, texts);
    let method = method(spec, texts);
    let target = method.and_then(|(_, url)| texts.url(url));
    let query = query::compile(spec, texts);
    let verb = method.map(|(verb, _)| verb);
    let body = RequestBody::compile(spec, verb.unwrap_or_default(), texts);
    let select = spec.argument("select").and_then(|select| texts.select(select));
    Some(Parts { verb: verb?, target: target?, query, body, select, streams })
}

/// Checks that a subscription field, and no other, has a stream.
fn streams(spec: &BindingSpec, texts: &mut Texts) -> bool {
    let stream = spec.argument("stream");
    let stream = stream.filter(|stream| matches!(stream.value, ArgumentValue::Enum(_)));
    match (spec.operation, stream) {
        (Operation::Subscription, None) => {
            let message = "a subscription field needs a stream, but this call has one reply";
            texts.problems.push(
                Problem::error("missing-stream", message)
                    .at(spec.place.clone())
                    .help("add `stream: SSE` if the service sends server-sent events"),
            );
        }
        (Operation::Query | Operation::Mutation, Some(stream)) => {
            let message = format!(
                "`{}` is not a subscription field, so its reply cannot be a stream",
                spec.coordinate
            );
            texts.problems.push(
                Problem::error("misplaced-stream", message)
                    .at(stream.place.clone())
                    .help("remove `stream`, or move the field to `Subscription`"),
            );
        }
        _ => {}
    }
    stream.is_some()
}

fn method<'a>(spec: &'a BindingSpec, texts: &mut Texts) -> Option<(&'static str, &'a Argument)> {
    let mut given = VERBS.into_iter().filter_map(|verb| {
        let argument = spec.argument(verb).filter(|argument| argument.text().is_some())?;
        Some((verb, argument))
    });
    let Some(first) = given.next() else {
        texts.problems.push(
            Problem::error("missing-method", "`@rest` has no method and URL")
                .at(spec.place.clone())
                .help("add one of `GET`, `POST`, `PUT`, `PATCH` or `DELETE`, such as `GET: \"/users\"`"),
        );
        return None;
    };
    for (verb, argument) in given {
        let message = format!("`@rest` must have one method, but has `{}` and `{verb}`", first.0);
        texts.problems.push(
            Problem::error("several-methods", message)
                .at(argument.place.clone())
                .help("remove one of them"),
        );
    }
    Some(first)
}
