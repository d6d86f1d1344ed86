//! Parsing and validation, with the limits before them.

use super::{limits, validate};
use crate::engine::guard::limits::{Exceeded, LimitName, Verdict};
use crate::engine::settings::Limits;
use crate::graph::Graph;
use crate::graphql::{Error, ErrorCode, Location, syntax};
use apollo_compiler::ExecutableDocument;
use apollo_compiler::diagnostic::ToCliReport;
use apollo_compiler::parser::Parser;
use apollo_compiler::validation::{DiagnosticList, Valid};

/// Nesting of brackets of any kind, strings and comments aside.
const MAX_NESTING: usize = 200;

/// Measurements of a document that passed.
pub(in crate::engine) struct Measured {
    /// Limits that it exceeds where they are only measured.
    pub exceeded: Vec<Exceeded>,
    /// Values that the schema's defaults add to it.
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
    // What is ignored is held against what any mode serves.
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
        // What is wrong with it is looked at again below.
        Err(failed) if is_decided_again(&failed.errors) => Valid::assume_valid(failed.partial),
        Err(failed) => return Err(mistakes(text, &failed.errors)),
    };
    let added_values = validate::validate(graph, &document, text, limits)?;
    Ok((document, Measured { exceeded, added_values }))
}

fn is_decided_again(diagnostics: &DiagnosticList) -> bool {
    diagnostics.iter().all(|one| validate::is_decided_here(&one.error.to_string()))
}

/// One syntax error: what follows from the first one helps nobody.
fn syntax_error(at: Location, message: &str) -> Error {
    let message = short(format!("syntax error: {message}"));
    Error { locations: vec![at], ..Error::new(ErrorCode::ParseFailed, message) }
}

/// What the grammar allows and the parser does not.
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

/// A field whose selections are all unknown is also said to have none. Its selections' own mistakes tell the truth.
fn is_echo(text: &str, mistake: &impl ToCliReport) -> bool {
    let field = mistake.location().and_then(|span| text.get(span.offset()..span.end_offset()));
    field.is_some_and(|field| field.ends_with('}'))
        && mistake.to_string().ends_with("must have a subselection set")
}

/// The parser counts columns in bytes, people in characters.
fn location(text: &str, line: usize, column: usize) -> Location {
    let line_text = text.split('\n').nth(line.saturating_sub(1)).unwrap_or_default();
    let before = line_text.get(..column.saturating_sub(1)).unwrap_or(line_text);
    Location { line, column: before.chars().count() + 1 }
}

/// A message may quote the document, and a name in it can be as long as the document.
pub(super) fn short(mut message: String) -> String {
    const LONGEST: usize = 300;
    if let Some((end, _)) = message.char_indices().nth(LONGEST) {
        message.truncate(end);
        message.push('…');
    }
    message
}
