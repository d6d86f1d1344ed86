//! `isSuccess`, `errors` and `notFound` of a binding, joined with the rules of its source.

use super::SourceSettings;
use super::texts::Texts;
use crate::mapping::{Expr, ExprKind, Kinds, Mapping};
use crate::problem::{Place, Problem};
use crate::source::{
    Argument, ArgumentValue, BindingSpec, NotFound, OWN_EXTENSIONS, Operation, Placed, ReplyRules,
};

/// `is_success` and `errors` of a source.
#[derive(Debug, Clone, Default)]
pub struct SourceRules {
    pub is_success: Option<SourceText>,
    pub message: Option<SourceText>,
    pub extensions: Option<SourceText>,
}

/// A mapping of the configuration, and its place.
#[derive(Debug, Clone)]
pub struct SourceText {
    pub mapping: Mapping,
    pub place: Place,
}

impl ReplyRules {
    /// Compiles the rules of the directive. The source's texts apply where the directive has none.
    pub(super) fn compile(spec: &BindingSpec, source: &SourceSettings, texts: &mut Texts) -> Self {
        let of_source = &source.rules;
        let own = spec.argument("isSuccess").and_then(|argument| success(argument, texts));
        let is_success = own.or_else(|| shared(of_source.is_success.as_ref(), texts));
        let errors = spec.argument("errors");
        let field = |name| errors.and_then(|errors| errors.field(name));
        let own = field("message").and_then(|argument| message(argument, texts));
        let message = own.or_else(|| shared(of_source.message.as_ref(), texts));
        let own = field("extensions").and_then(|argument| extensions(argument, texts));
        let shared = shared(of_source.extensions.as_ref(), texts);
        let not_found = not_found(spec, is_success.is_some(), texts);
        let extensions = shared.into_iter().chain(own).collect();
        let shows_replies = source.shows_replies;
        Self { is_success, message, extensions, not_found, shows_replies }
    }
}

fn shared(text: Option<&SourceText>, texts: &mut Texts) -> Option<Mapping> {
    let SourceText { mapping, place } = text?;
    let placed = |reference| Placed { reference, place: place.clone() };
    texts.references.extend(mapping.references().into_iter().map(placed));
    Some(mapping.clone())
}

fn success(argument: &Argument, texts: &mut Texts) -> Option<Mapping> {
    let mapping = texts.of_reply(argument)?;
    if let Some((message, help)) = no_condition(mapping.expr()) {
        let at = argument.place_of(&mapping.expr().span);
        texts.problems.push(Problem::error("invalid-mapping", message).at(at).help(help));
    }
    Some(mapping)
}

/// Describes an expression that can never be `true`, and how to fix it.
#[must_use]
pub fn no_condition(expr: &Expr) -> Option<(&'static str, String)> {
    if expr.may_be_boolean() {
        return None;
    }
    let name = match &expr.kind {
        ExprKind::Object(fields) if fields.len() == 1 => fields[0].name.as_deref(),
        _ => None,
    };
    let help = match name {
        Some(name) => format!("write `$.{name}` for a key of the reply"),
        None => "write a condition, such as `$status->in([200, 404])` or `$.ok`".to_owned(),
    };
    Some(("this is never a boolean, so no reply would be a success", help))
}

fn message(argument: &Argument, texts: &mut Texts) -> Option<Mapping> {
    let mapping = texts.of_reply(argument)?;
    if let Some((message, help)) = no_text(mapping.expr()) {
        let at = argument.place_of(&mapping.expr().span);
        texts.problems.push(Problem::error("invalid-mapping", message).at(at).help(help));
    }
    Some(mapping)
}

/// Describes an expression that can never be a message, and how to fix it.
#[must_use]
pub fn no_text(expr: &Expr) -> Option<(&'static str, String)> {
    let kinds = expr.kinds();
    if kinds == Kinds::NONE || kinds.meets(Kinds::SCALAR) {
        return None;
    }
    let help = match &expr.kind {
        ExprKind::Object(fields) if fields.len() == 1 => {
            let name = fields[0].name.as_deref().unwrap_or_default();
            format!("write only the value: `{name}: $.text` is an object, `$.text` is a string")
        }
        _ => "write one value, such as `$.error.message`".to_owned(),
    };
    Some(("this is never a string, so no error would have this message", help))
}

fn extensions(argument: &Argument, texts: &mut Texts) -> Option<Mapping> {
    let mapping = texts.of_reply(argument)?;
    if let Some((span, message)) = kept_extension(&mapping) {
        let problem = Problem::warning("kept-extension", message).at(argument.place_of(&span));
        texts.warnings.push(problem.help("remove it, or use another name"));
    }
    Some(mapping)
}

/// Returns a member of `extensions` that a mapping sets although the gateway writes it itself.
#[must_use]
pub fn kept_extension(mapping: &Mapping) -> Option<(crate::mapping::Span, String)> {
    let ExprKind::Object(fields) = &mapping.expr().kind else { return None };
    let kept = |name: &str| OWN_EXTENSIONS.contains(&name);
    let field = fields.iter().find(|field| field.name.as_deref().is_some_and(kept))?;
    let name = field.name.as_deref().unwrap_or_default();
    let message = format!("`extensions.{name}` is set by the gateway and cannot be replaced");
    Some((field.name_span.clone(), message))
}

/// Reports `notFound: NULL` on a field that cannot be null.
fn no_null(spec: &BindingSpec, said: &Argument, texts: &mut Texts) {
    let coordinate = &spec.coordinate;
    let (message, help) = match spec.operation {
        Operation::Subscription => (
            format!("`{coordinate}` is a stream, so `notFound: NULL` does not apply"),
            "remove `notFound`: a stream that cannot be opened is an error".to_owned(),
        ),
        _ if !spec.nullable => (
            format!("`{coordinate}` is not nullable, so `notFound: NULL` cannot return null"),
            "remove `notFound`, or remove the `!` from the field's type".to_owned(),
        ),
        _ => return,
    };
    texts
        .problems
        .push(Problem::error("invalid-not-found", message).at(said.place.clone()).help(help));
}

/// Returns the meaning of "not found": null for queries. A mutation was not executed, and a missing stream has no
/// events.
fn not_found(spec: &BindingSpec, has_success: bool, texts: &mut Texts) -> NotFound {
    let said = match spec.argument("notFound").map(|said| (said, &said.value)) {
        Some((said, ArgumentValue::Enum(name))) => Some((said, &**name)),
        _ => None,
    };
    if let Some((said, _)) = said.filter(|_| has_success) {
        let message = "`notFound` has no effect, because `isSuccess` decides for every status";
        texts.warnings.push(
            Problem::warning("unused-not-found", message)
                .at(said.place.clone())
                .help("remove `notFound`, or change `isSuccess` so that it is true for 404"),
        );
    }
    if let Some((said, "NULL")) = said {
        no_null(spec, said, texts);
    }
    match said {
        _ if has_success => NotFound::Error,
        Some((_, "NULL")) => NotFound::Null,
        None if spec.operation == Operation::Query => NotFound::Null,
        Some(_) | None => NotFound::Error,
    }
}
