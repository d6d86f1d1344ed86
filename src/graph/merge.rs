//! Merges many files into one schema, and reports all syntax and type system errors at once.
//!
//! apollo-compiler provides the parser and the rules of the type system. Its errors are translated into our messages
//! and places. It continues after an error, so that later checks can report in the same load.

use super::directive;
use super::place::Places;
use super::sdl::Sdl;
use super::spellings;
use super::{input, type_system};
use crate::graphql::syntax;
use crate::problem::{Place, Problem, SourceFile, listed, nearest};
use crate::source::Connector;
use apollo_compiler::Schema;
use apollo_compiler::diagnostic::ToCliReport;
use apollo_compiler::parser::Parser;
use apollo_compiler::schema::SchemaBuilder;
use apollo_compiler::validation::DiagnosticList;
use std::sync::Arc;

/// Maximum nesting of values and types. Each level needs stack in the parser.
const MAX_RECURSION: usize = 200;
/// Maximum number of problems with suggested names: each suggestion needs a walk over all names.
const MAX_SUGGESTIONS: usize = 100;

/// The files as one schema, as far as they could be read.
pub(super) struct Merged {
    pub(super) schema: Schema,
    pub(super) places: Places,
    /// `false` if some text could not be parsed. Missing definitions may be in it.
    pub(super) whole: bool,
    broken: Vec<Place>,
}

impl Merged {
    /// Removes problems after the syntax error of a text: they come from guesses of the parser.
    pub(super) fn drop_guesses(&self, problems: &mut Vec<Problem>) {
        let is_behind = |place: &Place| {
            self.broken.iter().any(|broken| {
                Arc::ptr_eq(&broken.file, &place.file) && place.span.end > broken.span.start
            })
        };
        problems.retain(|problem| {
            problem.code == "invalid-syntax" || !problem.place.as_ref().is_some_and(is_behind)
        });
    }
}

/// Returns the first word of a place's line.
fn first_word(place: &Place) -> &str {
    let text = place.file.text.as_str();
    let start = text.get(..place.span.start).and_then(|before| before.rfind('\n'));
    let line = text.get(start.map_or(0, |newline| newline + 1)..).unwrap_or_default();
    line.split_whitespace().next().unwrap_or_default()
}

/// Parses, merges and validates.
pub(super) fn merge(
    sdl: &Sdl,
    connectors: &[Box<dyn Connector>],
    problems: &mut Vec<Problem>,
) -> Merged {
    problems.extend(sdl.problems.iter().cloned());
    let mut merging = Merging {
        places: Places::default(),
        broken: Vec::new(),
        lacks_files: !sdl.problems.is_empty(),
        problems,
    };
    let built_in =
        SourceFile { name: directive::FILE.into(), text: directive::definitions(connectors) };
    let mut builder = merging.add(Schema::builder(), &Arc::new(built_in));
    let specified = SourceFile { name: "<specification>".into(), text: directive::ONE_OF.into() };
    if !sdl.files.iter().any(|file| directive::defines_one_of(&file.text)) {
        builder = merging.add(builder, &Arc::new(specified));
    }
    for file in &sdl.files {
        builder = merging.add(builder, file);
    }
    let (mut schema, found) = match builder.build() {
        Ok(schema) => (schema, None),
        Err(failed) => (failed.partial, Some(failed.errors)),
    };
    if let Some(found) = found {
        merging.report(&schema, &found);
    }
    merging.refuse_later_definitions(&schema);
    type_system::update(&mut schema);
    type_system::check(&schema, &merging.places, merging.problems);
    let schema = match schema.validate() {
        Ok(schema) => schema.into_inner(),
        Err(failed) => {
            merging.report(&failed.partial, &failed.errors);
            failed.partial
        }
    };
    merging.drop_follow_ups();
    let whole = merging.is_whole();
    Merged { schema, places: merging.places, whole, broken: merging.broken }
}

struct Merging<'a> {
    places: Places,
    /// Syntax errors, one for each file that has any.
    broken: Vec<Place>,
    /// Some file could not be read.
    lacks_files: bool,
    problems: &'a mut Vec<Problem>,
}

impl Merging<'_> {
    fn add(&mut self, builder: SchemaBuilder, file: &Arc<SourceFile>) -> SchemaBuilder {
        if file.text.trim().is_empty() {
            return builder;
        }
        let strict = syntax::type_system(&file.text);
        if strict.is_err() && syntax::executable(&file.text).is_ok() {
            self.refuse_operations(file);
            return builder;
        }
        // A text with an error is parsed all the same, to find its other errors too.
        let text = strict.as_deref().unwrap_or(&file.text);
        let mut parser = Parser::new().recursion_limit(MAX_RECURSION);
        let (document, failed) = match parser.parse_ast(text, &file.name) {
            Ok(document) => (document, None),
            Err(failed) => (failed.partial, Some(failed.errors)),
        };
        for id in document.sources.keys() {
            self.places.add(*id, file);
        }
        let mistake = match strict {
            Err(error) => Some((error.message, Place::new(file, error.span))),
            Ok(_) => failed.as_ref().and_then(|errors| errors.iter().next()).map(|first| {
                let place = self.places.of(first.error.location());
                let place = place.unwrap_or_else(|| Place::new(file, 0..0));
                ("this cannot be parsed, or is nested too deeply".to_owned(), place)
            }),
        };
        if let Some((message, place)) = mistake {
            self.broken.push(place.clone());
            let problem = Problem::error("invalid-syntax", message).at(place);
            let line = problem.place.as_ref().map_or("", first_word);
            self.problems.push(match syntax::advice(&problem.message, line) {
                Some(advice) => problem.help(advice),
                None => problem,
            });
        }
        builder.add_ast(&document)
    }

    fn report(&mut self, schema: &Schema, found: &DiagnosticList) {
        for one in found.iter() {
            let place = self.places.of(one.error.location());
            let message = one.error.to_string();
            if self.is_doubtful(place.as_ref(), &message) || input::is_misread(&message) {
                continue;
            }
            let suggest = self.problems.len() < MAX_SUGGESTIONS;
            self.problems.push(translate(schema, &message, suggest).at(place));
        }
    }

    fn is_whole(&self) -> bool {
        self.broken.is_empty() && !self.lacks_files
    }

    /// Returns `true` if the problem may follow from a syntax error, or from a file that could not be read.
    fn is_doubtful(&self, place: Option<&Place>, message: &str) -> bool {
        if self.is_whole() {
            return false;
        }
        let Some(place) = place else { return true };
        message.starts_with("cannot find type")
            || message.contains("undefined type")
            || self.broken.iter().any(|broken| Arc::ptr_eq(&broken.file, &place.file))
    }

    /// Removes follow-ups: an input object with an unknown field lacks the field that was meant.
    fn drop_follow_ups(&mut self) {
        let unknown: Vec<Place> = self
            .problems
            .iter()
            .filter(|problem| {
                problem.message.starts_with("field `")
                    && problem.message.contains("` does not exist on `")
            })
            .filter_map(|problem| problem.place.clone())
            .collect();
        let holds = |outer: &Place, inner: &Place| {
            Arc::ptr_eq(&outer.file, &inner.file)
                && outer.span.start <= inner.span.start
                && inner.span.end <= outer.span.end
        };
        self.problems.retain(|problem| {
            !problem.message.starts_with("the required field `")
                || !problem
                    .place
                    .as_ref()
                    .is_some_and(|place| unknown.iter().any(|inner| holds(place, inner)))
        });
    }

    /// Refuses documents of operations. They are often kept beside the schema, but are not part of it.
    fn refuse_operations(&mut self, file: &Arc<SourceFile>) {
        let start = file.text.len() - file.text.trim_start().len();
        let end =
            file.text[start..].find(['\n', '{', '(']).map_or(file.text.len(), |at| start + at);
        let message = format!("`{}` contains operations, not type definitions", file.name);
        self.problems.push(
            Problem::error("schema-file", message)
                .at(Place::new(file, start..end.max(start + 1)))
                .help("move the file to another folder, or change the patterns of `schema` in the configuration so that they do not match it"),
        );
    }

    fn refuse_later_definitions(&mut self, schema: &Schema) {
        for (name, definition) in &schema.directive_definitions {
            if let Some(lack) = directive::later(name) {
                let place = self.places.of(definition.name.location());
                self.problems.push(later_problem(name, lack).at(place));
            }
        }
    }
}

fn later_problem(name: &str, lack: &str) -> Problem {
    Problem::error(
        "not-in-this-version",
        format!("this version {lack}, so `@{name}` cannot be used"),
    )
    .help(format!("remove `@{name}`"))
}

/// Translates an error of the compiler into our words. For an unknown name, it suggests the nearest known one.
fn translate(schema: &Schema, message: &str, suggest: bool) -> Problem {
    let quoted: Vec<&str> = message.split('`').skip(1).step_by(2).collect();
    let first = quoted.first().copied().unwrap_or_default();
    let second = quoted.get(1).copied().unwrap_or_default();
    if message.starts_with("cannot find directive") {
        let name = first.trim_start_matches('@');
        if let Some(ours) = spellings::directive(name) {
            let message = format!("unknown directive `@{name}`");
            return Problem::error("unknown-directive", message).help(ours);
        }
        if let Some(lack) = directive::later(name) {
            return later_problem(name, lack);
        }
        let known = schema.directive_definitions.keys().map(apollo_compiler::Name::as_str);
        let problem = Problem::error("unknown-directive", format!("unknown directive `@{name}`"));
        return with_nearest(problem, name, "@", known, suggest);
    }
    if message.starts_with("cannot find type") {
        let known = schema.types.iter().filter(|(name, _)| !name.starts_with("__"));
        let known = known.map(|(name, _)| name.as_str());
        let problem = Problem::error("unknown-type", format!("unknown type `{first}`"));
        return with_nearest(problem, first, "", known, suggest);
    }
    let problem = Problem::error("invalid-schema", lowercase(message));
    if let Some(ours) = spellings::argument(first, second, message) {
        return problem.help(ours);
    }
    if let Some(help) = spellings::rule(message) {
        return problem.help(help);
    }
    let known: Vec<&str> = if message.starts_with("the argument ") {
        let definition = schema.directive_definitions.get(second.trim_start_matches('@'));
        definition.map_or_else(Vec::new, |definition| {
            definition.arguments.iter().map(|argument| argument.name.as_str()).collect()
        })
    } else if let Some(input) = schema.get_input_object(second) {
        input.fields.keys().map(apollo_compiler::Name::as_str).collect()
    } else if let Some(values) = schema.get_enum(second) {
        values.values.keys().map(apollo_compiler::Name::as_str).collect()
    } else {
        Vec::new()
    };
    with_nearest(problem, first, "", known, suggest)
}

fn with_nearest<'a>(
    problem: Problem,
    unknown: &str,
    sigil: &str,
    known: impl IntoIterator<Item = &'a str>,
    suggest: bool,
) -> Problem {
    let known: Vec<&str> = known.into_iter().collect();
    match suggest.then(|| nearest(unknown, known.iter().copied())).flatten() {
        Some(near) => problem.help(format!("did you mean `{sigil}{near}`?")),
        None if suggest => match listed(&known, sigil) {
            Some(names) => problem.help(format!("valid here: {names}")),
            None => problem,
        },
        None => problem,
    }
}

fn lowercase(message: &str) -> String {
    let mut chars = message.chars();
    let first = chars.next().map(|c| c.to_ascii_lowercase());
    first.into_iter().chain(chars).collect()
}
