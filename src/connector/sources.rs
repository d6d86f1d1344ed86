//! Finds the source that a binding names.

use super::{Protocol, SourceSettings};
use crate::problem::{Problem, nearest};
use crate::source::BindingSpec;

impl Protocol {
    /// Returns the name as in the YAML.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Rest { .. } => "rest",
            Self::Grpc { .. } => "grpc",
        }
    }
}

/// A source's name and the name of its protocol.
pub(super) type Known = (crate::graphql::Name, &'static str);

pub(super) fn known(sources: &[SourceSettings]) -> Vec<Known> {
    sources.iter().map(|source| (source.name.clone(), source.protocol.name())).collect()
}

pub(super) fn is_known(known: &[Known], name: &str) -> bool {
    known.iter().any(|(known, _)| &**known == name)
}

/// Reports a source that cannot be called as configured.
pub(super) fn trouble(settings: &SourceSettings, reason: &impl std::fmt::Display) -> Problem {
    let reason = reason.to_string();
    let reason = reason.split(" (os error").next().unwrap_or_default();
    let message = format!("source `{}` cannot be called: {reason}", settings.name);
    Problem::error("bad-source", message)
        .at(settings.places.name.clone())
        .help("write certificates and keys as PEM files under `tls`, with paths relative to the configuration file")
}

/// Reports why a binding's source is not among the `wanted` protocol's.
pub(super) fn unknown(spec: &BindingSpec, known: &[Known], wanted: &'static str) -> Problem {
    let name = &*spec.source;
    if let Some((_, protocol)) = known.iter().find(|(known, _)| &**known == name) {
        return Problem::error(
            "unknown-source",
            format!("source `{name}` uses {protocol}, so it cannot be used with `@{wanted}`"),
        )
        .at(spec.source_place.clone())
        .help(format!("use `@{protocol}`, or a source with `{wanted}` in the configuration"));
    }
    let same = known.iter().filter(|(_, protocol)| *protocol == wanted);
    let problem = Problem::error("unknown-source", format!("unknown source `{name}`"))
        .at(spec.source_place.clone());
    match nearest(name, same.map(|(name, _)| &**name)) {
        Some(near) => problem.help(format!("did you mean `{near}`?")),
        None => problem.help(format!(
            "add it to the configuration, under `sources`: `{name}: {}`",
            match wanted {
                "grpc" => "{ grpc: { url: \"http://localhost:50051\", protos: [service.proto] } }",
                _ => "{ rest: { url: \"http://localhost:8080\" } }",
            }
        )),
    }
}
