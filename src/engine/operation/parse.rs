//! Parses and validates documents. Size limits are checked first.

use super::{limits, validate};
use crate::engine::guard::limits::{Exceeded, LimitName, Verdict};
use crate::engine::settings::Limits;
use crate::graph::Graph;
use crate::graphql::{Error, ErrorCode, Location, syntax};
use apollo_compiler::ExecutableDocument;
use apollo_compiler::diagnostic::ToCliReport;
use apollo_compiler::parser::Parser;
use apollo_compiler::validation::{DiagnosticList, Valid};

/// Maximum nesting of brackets of any kind, outside of strings and comments.
const MAX_NESTING: usize = 200;

/// Measurements of a document that passed.
pub(in crate::engine) struct Measured {
    /// Limits that it exceeds, but that are only measured.
    pub exceeded: Vec<Exceeded>,
    /// Number of values that the schema's defaults add to it.
    pub added_values: u64,
}

pub(in crate::engine) fn parse(
    graph: &Graph,
    limits: &Limits,
    text: &str,
) -> Result<(Valid<ExecutableDocument>, Measured), Vec<Error>> {
    let mut verdict = Verdict::default();
    verdict.hold(LimitName::Document, limits.document, text.len() as u64, || {
        format!("the document has more than {} bytes (limits.document)", limits.document.max)
    });
    if !verdict.errors.is_empty() {
        return Err(verdict.errors);
    }
    let most = usize::try_from(limits.tokens.bound(LimitName::Tokens)).unwrap_or(usize::MAX);
    let extent = limits::extent(text, most);
    if extent.nesting > MAX_NESTING {
        let message = format!("the document nests brackets more than {MAX_NESTING} deep");
        return Err(vec![Error::new(ErrorCode::LimitExceeded, message)]);
    }
    // Ignored pieces are limited by the largest text that any mode serves.
    let tokens = if extent.exceeds(most) { most.saturating_add(1) } else { extent.tokens };
    verdict.hold(LimitName::Tokens, limits.tokens, tokens as u64, || {
        format!("the document has more than {} tokens (limits.tokens)", limits.tokens.max)
    });
    if !verdict.errors.is_empty() {
        return Err(verdict.errors);
    }
    let strict = syntax::executable(text).map_err(|error| {
        vec![syntax_error(Location::of(text, error.span.start), &error.message)]
    })?;
    let mut parser = Parser::new().recursion_limit(MAX_NESTING + 50);
    let parsed = parser.parse_ast(&*strict, "operation.graphql");
    let document = parsed.map_err(|invalid| vec![unreadable(text, &invalid.errors)])?;
    limits::check(&document, limits, &mut verdict)?;
    let exceeded = verdict.finish()?;
    let document = match document.to_executable_validate(&graph.api_schema) {
        Ok(document) => document,
        // Its errors are checked again below.
        Err(failed) if is_decided_again(&failed.errors) => Valid::assume_valid(failed.partial),
        Err(failed) => return Err(mistakes(text, &failed.errors)),
    };
    let added_values = validate::validate(graph, &document, text, limits)?;
    Ok((document, Measured { exceeded, added_values }))
}

fn is_decided_again(diagnostics: &DiagnosticList) -> bool {
    diagnostics.iter().all(|one| validate::is_decided_here(&one.error.to_string()))
}

/// Returns one syntax error. Those that follow from the first one are dropped.
fn syntax_error(at: Location, message: &str) -> Error {
    let message = short(format!("syntax error: {message}"));
    Error { locations: vec![at], ..Error::new(ErrorCode::ParseFailed, message) }
}

/// Returns the error of a text that the grammar allows and the parser does not.
fn unreadable(text: &str, diagnostics: &DiagnosticList) -> Error {
    let first = diagnostics.iter().next().and_then(|first| first.error.location());
    let at = Location::of(text, first.map_or(0, |span| span.offset()));
    syntax_error(at, "this cannot be parsed")
}

fn mistakes(text: &str, diagnostics: &DiagnosticList) -> Vec<Error> {
    diagnostics
        .iter()
        .filter(|diagnostic| !validate::is_decided_here(&diagnostic.error.to_string()))
        .filter(|diagnostic| !is_echo(text, diagnostic.error))
        .take(validate::LISTED)
        .map(|diagnostic| {
            let error = diagnostic.to_json();
            let locations = error.locations.iter().map(|at| location(text, at.line, at.column));
            Error {
                locations: locations.collect(),
                ..Error::new(ErrorCode::ValidationFailed, short(error.message))
            }
        })
        .collect()
}

/// Returns `true` for the error "no selections" of a field whose selections are all unknown. The errors of its
/// selections are the real cause.
fn is_echo(text: &str, mistake: &impl ToCliReport) -> bool {
    let field = mistake.location().and_then(|span| text.get(span.offset()..span.end_offset()));
    field.is_some_and(|field| field.ends_with('}'))
        && mistake.to_string().ends_with("must have a subselection set")
}

/// Converts a location: the parser counts columns in bytes, clients in characters.
fn location(text: &str, line: usize, column: usize) -> Location {
    let line_text = text.split('\n').nth(line.saturating_sub(1)).unwrap_or_default();
    let before = line_text.get(..column.saturating_sub(1)).unwrap_or(line_text);
    Location { line, column: before.chars().count() + 1 }
}

/// Shortens a message. It may quote the document, and a name in it can be as long as the document.
pub(super) fn short(mut message: String) -> String {
    const LONGEST: usize = 300;
    if let Some((end, _)) = message.char_indices().nth(LONGEST) {
        message.truncate(end);
        message.push('…');
    }
    message
}
