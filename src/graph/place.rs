//! Converts the parser's spans to places in our files, and its literals to the arguments that a connector reads.

use crate::problem::{Place, SourceFile};
use crate::source::{Argument, ArgumentValue};
use apollo_compiler::Node;
use apollo_compiler::ast::Value;
use apollo_compiler::parser::{FileId, SourceSpan};
use hashbrown::HashMap;
use std::ops::Range;
use std::sync::Arc;

/// Files of the parser's spans.
#[derive(Default)]
pub(super) struct Places {
    files: HashMap<FileId, Arc<SourceFile>>,
}

impl Places {
    pub(super) fn add(&mut self, id: FileId, file: &Arc<SourceFile>) {
        self.files.insert(id, Arc::clone(file));
    }

    /// Returns the place of a span, without the blanks and commas that the parser includes in a node. `None` for
    /// definitions that are in no file, such as built-in ones of the GraphQL spec.
    pub(super) fn of(&self, span: Option<SourceSpan>) -> Option<Place> {
        let span = span?;
        let file = self.files.get(&span.file_id())?;
        let length = file.text.len();
        let (start, end) = (span.offset().min(length), span.end_offset().min(length));
        let text = file.text.get(start..end).unwrap_or_default();
        let kept = text.trim_end_matches(|c: char| c.is_whitespace() || c == ',').len();
        Some(Place::new(file, start..start + kept))
    }

    /// Converts a literal for connectors. `None` if it is in no file.
    pub(super) fn argument(&self, name: &str, value: &Node<Value>) -> Option<Argument> {
        let mut place = self.of(value.location())?;
        let value = match &**value {
            Value::Null | Value::Variable(_) => ArgumentValue::Null,
            Value::Enum(name) => ArgumentValue::Enum(name.as_str().into()),
            Value::Boolean(value) => ArgumentValue::Boolean(*value),
            Value::String(text) => {
                let literal = place.file.text.get(place.span.clone()).unwrap_or_default();
                place.span.end = place.span.start + literal_length(literal);
                ArgumentValue::String { text: text.clone(), content: content(&place, text) }
            }
            Value::Int(number) => number.as_str().parse().map_or_else(
                |_| ArgumentValue::Float(number.try_to_f64().unwrap_or(f64::MAX)),
                ArgumentValue::Int,
            ),
            Value::Float(number) => ArgumentValue::Float(number.try_to_f64().unwrap_or(f64::MAX)),
            Value::List(values) => ArgumentValue::List(
                values.iter().filter_map(|value| self.argument("", value)).collect(),
            ),
            Value::Object(fields) => ArgumentValue::Object(
                fields.iter().filter_map(|(name, value)| self.argument(name, value)).collect(),
            ),
        };
        Some(Argument { name: name.into(), value, place })
    }
}

/// Returns the number of bytes of the string literal at the beginning of `text`, including quotes.
fn literal_length(text: &str) -> usize {
    let bytes = text.as_bytes();
    let block = text.starts_with("\"\"\"");
    let quotes = if block { 3 } else { 1 };
    let mut at = quotes;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' if block && text.get(at + 1..).is_some_and(|rest| rest.starts_with("\"\"\"")) => {
                at += 4;
            }
            b'\\' if !block => at += 2,
            b'"' if !block => return at + 1,
            b'"' if text.get(at..).is_some_and(|rest| rest.starts_with("\"\"\"")) => return at + 3,
            _ => at += 1,
        }
    }
    text.len()
}

/// Returns the place of the content of a string literal, if it is in the file byte for byte.
fn content(literal: &Place, text: &str) -> Option<Place> {
    let raw = literal.file.text.get(literal.span.clone())?;
    let quotes = if raw.starts_with("\"\"\"") { 3 } else { 1 };
    let inner: Range<usize> = quotes..raw.len().checked_sub(quotes)?;
    let inside = raw.get(inner)?;
    if inside.contains('\\') {
        return None;
    }
    let start =
        literal.span.start + quotes + if text.is_empty() { 0 } else { inside.find(text)? };
    Some(Place::new(&literal.file, start..start + text.len()))
}
