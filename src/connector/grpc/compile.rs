//! Compiles a `@grpc` directive, or reports everything that is wrong with it.

use super::GrpcSource;
use super::call::GrpcCall;
use super::check;
use super::refusal::StatusReader;
use crate::connector::headers::Headers;
use crate::connector::texts::Texts;
use crate::problem::{Problem, nearest};
use crate::source::{Argument, ArgumentValue, BindingSpec, Operation, ReplyRules};
use crate::upstream::Repeat;
use http::HeaderName;
use http::uri::PathAndQuery;
use prost_reflect::prost_types::MethodOptions;
use prost_reflect::prost_types::method_options::IdempotencyLevel as Level;
use prost_reflect::{DescriptorPool, MethodDescriptor};
use std::sync::Arc;

pub(super) fn compile(
    spec: &BindingSpec,
    source: &Arc<GrpcSource>,
) -> Result<GrpcCall, Vec<Problem>> {
    let mut texts = Texts::default();
    let method = method(spec, source, &mut texts);
    let message = spec.argument("message").and_then(|argument| {
        let mapping = texts.mapping(argument)?;
        if let Some(method) = &method {
            check::message(&mapping, argument, &method.input(), &mut texts.problems);
        }
        Some(mapping)
    });
    let select = spec.argument("select").and_then(|argument| {
        let mapping = texts.select(argument)?;
        if let Some(method) = &method {
            check::select(&mapping, argument, &method.output(), &mut texts.problems);
        }
        Some(mapping)
    });
    let metadata = Headers::compile(spec, "metadata", &source.settings, is_reserved, &mut texts);
    let rules = ReplyRules::compile(spec, &source.settings, &mut texts);
    texts.check_config(&source.settings, spec.argument("select").zip(select.as_ref()));
    let (Some(method), true) = (method, texts.problems.is_empty()) else {
        return Err(texts.problems);
    };
    let target = format!("/{}/{}", method.parent_service().full_name(), method.name());
    let path = PathAndQuery::try_from(target.as_str()).map_err(|error| {
        vec![Problem::error("unknown-method", error.to_string()).at(spec.place.clone())]
    })?;
    Ok(GrpcCall {
        source: Arc::clone(source),
        path,
        message,
        metadata,
        select,
        reading: StatusReader {
            wanted: rules.read_refusals() || rules.shows_replies,
            descriptors: source.descriptors.clone(),
            shows_replies: rules.shows_replies,
        },
        rules,
        references: texts.references,
        warnings: texts.warnings,
        input: method.input(),
        output: method.output(),
        streams: method.is_server_streaming(),
        repeat: repeat(spec, &method),
    })
}

/// Returns when the call may be repeated: as the directive says, or the method's `idempotency_level`
/// (google/protobuf/descriptor.proto). Other queries are repeated if the server reports `UNAVAILABLE`.
fn repeat(spec: &BindingSpec, method: &MethodDescriptor) -> Repeat {
    let marked = spec.argument("idempotent").map(|argument| &argument.value);
    let options = method.method_descriptor_proto().options.as_ref();
    let level = options.map(MethodOptions::idempotency_level);
    let promised = matches!(level, Some(Level::NoSideEffects | Level::Idempotent));
    match marked {
        Some(ArgumentValue::Boolean(true)) => Repeat::Always,
        Some(ArgumentValue::Boolean(false)) => Repeat::IfNotSent,
        _ if promised => Repeat::Always,
        _ if spec.operation == Operation::Mutation => Repeat::IfNotSent,
        _ => Repeat::IfAway,
    }
}

/// Returns whether gRPC itself sets this metadata.
pub(super) fn is_reserved(name: &HeaderName) -> bool {
    name.as_str().starts_with("grpc-") || matches!(name.as_str(), "content-type" | "user-agent")
}

fn method(spec: &BindingSpec, source: &GrpcSource, texts: &mut Texts) -> Option<MethodDescriptor> {
    let argument = spec.argument("method")?;
    let name = argument.text()?;
    let Some(method) = find(&source.descriptors, name) else {
        texts.problems.push(unknown(argument, name, source));
        return None;
    };
    if let Some((code, message, help)) = misfit(spec, name, &method) {
        texts.problems.push(Problem::error(code, message).at(argument.place.clone()).help(help));
        return None;
    }
    Some(method)
}

/// Reports a method that does not fit its field: subscription fields need a method that returns a stream, and other
/// fields one that does not. No method may take a stream.
fn misfit(
    spec: &BindingSpec,
    name: &str,
    method: &MethodDescriptor,
) -> Option<(&'static str, String, &'static str)> {
    let code = "streaming-method";
    if method.is_client_streaming() {
        let message = format!("`{name}` takes a stream of messages, which is not supported");
        return Some((code, message, "use a method without `stream` before its input"));
    }
    match (spec.operation, method.is_server_streaming()) {
        (Operation::Subscription, false) => Some((
            "missing-stream",
            format!("`{name}` does not return a stream, which a subscription field needs"),
            "use a method with `returns (stream …)`",
        )),
        (Operation::Query | Operation::Mutation, true) => Some((
            code,
            format!("`{name}` is a streaming method, which only subscription fields can use"),
            "use a method without `stream` in its `rpc` line, or move the field to `Subscription`",
        )),
        _ => None,
    }
}

fn find(descriptors: &DescriptorPool, name: &str) -> Option<MethodDescriptor> {
    let (service, method) = name.trim_start_matches('/').split_once('/')?;
    let service = descriptors.get_service_by_name(service)?;
    service.methods().find(|found| found.name() == method)
}

fn unknown(argument: &Argument, name: &str, source: &GrpcSource) -> Problem {
    let GrpcSource { descriptors, have_no, .. } = source;
    let known: Vec<String> = descriptors
        .services()
        .flat_map(|service| {
            let methods: Vec<_> = service.methods().collect();
            methods.into_iter().map(move |m| format!("{}/{}", service.full_name(), m.name()))
        })
        .collect();
    let problem = Problem::error("unknown-method", format!("{have_no} method `{name}`"))
        .at(argument.place.clone());
    // `ProductService.GetProduct` and a forgotten package are nearer than their edit distance.
    let last = name.rsplit(['/', '.']).next().unwrap_or(name);
    let same_end = known.iter().find(|method| method.rsplit('/').next() == Some(last));
    let near = same_end.map(String::as_str);
    // Full names of a service's methods differ little, so only the method's own name is compared.
    let is_near = |method: &&String| {
        let own = method.rsplit('/').next().unwrap_or_default();
        nearest(last, [own]).is_some()
    };
    match near.or_else(|| known.iter().find(is_near).map(String::as_str)) {
        Some(near) => problem.help(format!("did you mean `{near}`?")),
        None if known.is_empty() => problem.help(format!("{have_no} service")),
        None => problem.help(format!(
            "write it as `package.Service/Method`; the services are {}",
            known.iter().take(5).map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
        )),
    }
}
