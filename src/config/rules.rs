//! `is_success`, `errors` and `failures` of a source.

use super::section::Section;
use super::values::{self, Mistake};
use super::yaml::Node;
use crate::connector::{
    FailureCodes, GRPC_CODES, SourceRules, SourceText, kept_extension, no_condition, no_text,
};
use crate::mapping::{Mapping, Variable};
use crate::problem::{Place, nearest};

pub(super) fn read(section: &Section<'_>) -> SourceRules {
    let is_success = section.get("is_success").and_then(|node| text(section, node));
    if let Some(text) = &is_success
        && let Some((message, help)) = no_condition(text.mapping.expr())
    {
        let mistake = Mistake { message: message.to_owned(), help: Some(help) };
        section.reading.problem("invalid-mapping", &text.place.span, mistake);
    }
    let (mut message, mut extensions) = (None, None);
    if let Some(section) = section.section("errors") {
        section.check_keys();
        message = section.get("message").and_then(|node| text(&section, node));
        if let Some(text) = &message
            && let Some((message, help)) = no_text(text.mapping.expr())
        {
            let mistake = Mistake { message: message.to_owned(), help: Some(help) };
            section.reading.problem("invalid-mapping", &text.place.span, mistake);
        }
        extensions = section.get("extensions").and_then(|node| text(&section, node));
        if let Some(text) = &extensions
            && let Some((_, message)) = kept_extension(&text.mapping)
        {
            let help = Some("remove it, or use another name".to_owned());
            let mistake = Mistake { message, help };
            section.reading.warning("kept-extension", &text.place.span, mistake);
        }
    }
    SourceRules { is_success, message, extensions }
}

/// Reads a mapping that is evaluated for every binding of the source.
fn text(section: &Section<'_>, node: &Node) -> Option<SourceText> {
    let text = section.scalar(node, values::text)?;
    let refuse = |message: String, help: Option<String>| {
        section.reading.problem("invalid-mapping", &node.span, Mistake { message, help });
    };
    let mapping = match Mapping::parse(&text) {
        Ok(mapping) => mapping,
        Err(errors) => {
            for error in errors {
                refuse(error.message, error.help);
            }
            return None;
        }
    };
    let of_binding =
        mapping.references().into_iter().find_map(|reference| match reference.variable {
            Variable::Args => Some("$args"),
            Variable::This => Some("$this"),
            Variable::Batch => Some("$batch"),
            _ => None,
        });
    if let Some(name) = of_binding {
        let help = "`$args`, `$this` and `$batch` belong to one binding: write this mapping in that binding";
        refuse(format!("`{name}` is not available here"), Some(help.to_owned()));
        return None;
    }
    let place = Place::new(section.reading.file, node.span.clone());
    Some(SourceText { mapping, place })
}

/// Reads the gRPC codes that count against an instance.
pub(super) fn failures(section: &Section<'_>) -> FailureCodes {
    let mut codes = Vec::new();
    section.read_list("failures", &mut codes, |scalar| {
        let found = GRPC_CODES.iter().find(|(name, _)| *name == scalar.text);
        found.map(|(_, code)| *code).ok_or_else(|| {
            let names = GRPC_CODES.map(|(name, _)| name);
            let help = match nearest(&scalar.text, names) {
                Some(name) => format!("did you mean `{name}`?"),
                None => format!("valid here: {}", names.join(", ")),
            };
            Mistake { message: "this is not a gRPC error code".to_owned(), help: Some(help) }
        })
    });
    if section.get("failures").is_some() {
        FailureCodes::new(codes)
    } else {
        FailureCodes::default()
    }
}

/// Refuses `failures` of a REST source, which has no such codes.
pub(super) fn refuse_failures(section: &Section<'_>) {
    let Some(node) = section.get("failures") else { return };
    let message = "`failures` applies only to gRPC sources".to_owned();
    let help = Some("remove it: for REST sources, HTTP 5xx count as failures".to_owned());
    section.reading.problem("wrong-value", &node.span, Mistake { message, help });
}
