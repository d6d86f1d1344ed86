//! Field sets such as `id org { id }`: parsed from a string, and checked against a type.
//!
//! The SDL's parser is not used, because a field set has no aliases, arguments or fragments, and because an error must
//! point inside the string.

use super::FieldSelection;
use super::KeyPath;
use super::words::{Words, leaf_paths};
use crate::problem::{Problem, instead};
use crate::source::Argument;
use apollo_compiler::Schema;
use apollo_compiler::schema::ExtendedType;
use std::ops::Range;

/// Maximum nesting of braces: deeper than any identity, shallow enough for any stack.
const MAX_DEPTH: usize = 16;

/// A name of a field set and its position in the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Parsed {
    pub(super) name: String,
    pub(super) span: Range<usize>,
    pub(super) fields: Vec<Parsed>,
}

/// An error in a text, and its position.
pub(super) type Mistake = (Range<usize>, String);

/// Parses `id org { id }`, with or without braces around it.
pub(super) fn parse(text: &str) -> Result<Vec<Parsed>, Mistake> {
    let mut reader = Reader { text, at: 0 };
    reader.blanks();
    let braced = reader.take('{');
    let fields = reader.fields(0, braced)?;
    if let Some(c) = reader.peek() {
        let at = reader.at;
        return Err((at..at + c.len_utf8(), format!("unexpected `{c}` in a field set")));
    }
    if fields.is_empty() {
        return Err((0..text.len(), "the field set is empty".to_owned()));
    }
    Ok(fields)
}

/// Parses one path: `org.id`, or `org { id }`.
pub(super) fn parse_path(text: &str) -> Result<Vec<Parsed>, Mistake> {
    if !text.contains('.') {
        return parse(text);
    }
    let mut end = text.len();
    let mut fields = Vec::new();
    for step in text.rsplit('.').take(MAX_DEPTH + 1) {
        let start = end - step.len();
        let name = step.trim();
        if !apollo_compiler::Name::is_valid_syntax(name) {
            return Err((
                start..end,
                "this is not a path of field names separated by dots, such as `org.id`".to_owned(),
            ));
        }
        let offset = start + step.len() - step.trim_start().len();
        fields = vec![Parsed { name: name.to_owned(), span: offset..offset + name.len(), fields }];
        end = start.saturating_sub(1);
    }
    if end > 0 { Err((0..text.len(), too_deep())) } else { Ok(fields) }
}

fn too_deep() -> String {
    format!("the field set is nested deeper than {MAX_DEPTH} levels")
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl Reader<'_> {
    fn peek(&self) -> Option<char> {
        self.text[self.at..].chars().next()
    }

    fn blanks(&mut self) {
        let rest = &self.text[self.at..];
        self.at +=
            rest.len() - rest.trim_start_matches(|c: char| c.is_whitespace() || c == ',').len();
    }

    fn take(&mut self, wanted: char) -> bool {
        let found = self.peek() == Some(wanted);
        if found {
            self.at += wanted.len_utf8();
            self.blanks();
        }
        found
    }

    fn fields(&mut self, depth: usize, braced: bool) -> Result<Vec<Parsed>, Mistake> {
        if depth > MAX_DEPTH {
            return Err((self.at..self.at, too_deep()));
        }
        let open = self.at;
        let mut fields = Vec::new();
        loop {
            self.blanks();
            if braced && self.take('}') {
                return if fields.is_empty() {
                    Err((open..self.at, "the braces are empty".to_owned()))
                } else {
                    Ok(fields)
                };
            }
            let rest = &self.text[self.at..];
            let length =
                rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(rest.len());
            if length == 0 {
                return match rest.chars().next() {
                    None if braced => Err((
                        open.saturating_sub(1)..self.at,
                        "this field set has a `{` without a `}`".to_owned(),
                    )),
                    Some(c) if braced => Err((
                        self.at..self.at + c.len_utf8(),
                        format!("expected a field name, found `{c}`"),
                    )),
                    _ => Ok(fields),
                };
            }
            let span = self.at..self.at + length;
            let name = rest[..length].to_owned();
            self.at += length;
            self.blanks();
            let nested = if self.take('{') { self.fields(depth + 1, true)? } else { Vec::new() };
            fields.push(Parsed { name, span, fields: nested });
        }
    }
}

/// Permitted ends of a field set.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Use {
    /// `@key`: scalars only, no lists, no arguments.
    Key,
    /// `@require`, `@provides`: any leaf; with `@provides`, an object includes all its fields.
    Other,
}

/// Checks a parsed set against `parent`. Adds errors to `problems`, and returns `None` if there are any.
pub(super) fn check(
    schema: &Schema,
    parent: &str,
    parsed: &[Parsed],
    argument: &Argument,
    purpose: Use,
    problems: &mut Vec<Problem>,
) -> Option<Vec<FieldSelection>> {
    let before = problems.len();
    let fields = parsed
        .iter()
        .filter_map(|field| check_one(schema, parent, field, argument, purpose, problems))
        .collect();
    (problems.len() == before).then_some(fields)
}

fn check_one(
    schema: &Schema,
    parent: &str,
    field: &Parsed,
    argument: &Argument,
    purpose: Use,
    problems: &mut Vec<Problem>,
) -> Option<FieldSelection> {
    let mut refuse = |message: String, help: Option<String>| {
        let problem =
            Problem::error("invalid-field-set", message).at(argument.place_of(&field.span));
        problems.push(match help {
            Some(help) => problem.help(help),
            None => problem,
        });
    };
    let name = field.name.as_str();
    let Ok(definition) = schema.type_field(parent, name) else {
        let known = Words(schema).fields(parent);
        let help = instead(name, &known, "");
        refuse(format!("`{parent}` has no field `{name}`"), help);
        return None;
    };
    if definition.arguments.iter().any(|argument| argument.is_required()) {
        refuse(
            format!("`{parent}.{name}` has required arguments, which a field set cannot pass"),
            None,
        );
        return None;
    }
    let inner = definition.ty.inner_named_type();
    let composite = match schema.types.get(inner) {
        Some(ExtendedType::Object(_) | ExtendedType::Interface(_)) => true,
        None => return None,
        Some(ExtendedType::Union(_)) => {
            refuse(format!("`{parent}.{name}` is a union, which has no fields of its own"), None);
            return None;
        }
        Some(_) => false,
    };
    if purpose == Use::Key && definition.ty.is_list() {
        refuse(format!("`{parent}.{name}` is a list, which cannot be part of a key"), None);
        return None;
    }
    if !composite && !field.fields.is_empty() {
        refuse(format!("`{parent}.{name}` is of type `{inner}`, which has no fields"), None);
        return None;
    }
    if composite && field.fields.is_empty() {
        refuse(
            format!("`{parent}.{name}` is an object"),
            Some(format!("select its fields: `{name} {{ … }}`")),
        );
        return None;
    }
    let fields = check(schema, inner, &field.fields, argument, purpose, problems)?;
    Some(FieldSelection { name: name.into(), fields })
}

/// Parses and checks the field set in `argument`.
pub(super) fn read(
    schema: &Schema,
    parent: &str,
    argument: &Argument,
    purpose: Use,
    problems: &mut Vec<Problem>,
) -> Option<Vec<FieldSelection>> {
    match parse(argument.text()?) {
        Ok(parsed) => check(schema, parent, &parsed, argument, purpose, problems),
        Err((span, message)) => {
            problems
                .push(Problem::error("invalid-field-set", message).at(argument.place_of(&span)));
            None
        }
    }
}

/// Parses and checks a path to one leaf.
pub(super) fn read_path(
    schema: &Schema,
    parent: &str,
    argument: &Argument,
    problems: &mut Vec<Problem>,
) -> Option<KeyPath> {
    let text = argument.text()?;
    let parsed = match parse_path(text) {
        Ok(parsed) => parsed,
        Err((span, message)) => {
            problems
                .push(Problem::error("invalid-field-set", message).at(argument.place_of(&span)));
            return None;
        }
    };
    let set = check(schema, parent, &parsed, argument, Use::Other, problems)?;
    let mut paths = leaf_paths(&set);
    if paths.len() != 1 {
        problems.push(
            Problem::error("invalid-field-set", "expected one field, found several")
                .at(argument.place_of(&(0..text.len()))),
        );
        return None;
    }
    paths.pop()
}
