//! A binding directive as written in the SDL, passed to its connector with the place of every part. So a connector can
//! point at a mistake without the SDL's parser.

use crate::graphql::Name;
use crate::mapping::{ParseError, Span};
use crate::problem::{Place, Problem};

/// One use of a binding directive. Its form (known arguments, their types, required ones) was already validated against
/// the directive's definition.
#[derive(Debug, Clone)]
pub struct BindingSpec {
    /// Coordinate of the field, such as `Query.user`.
    pub coordinate: String,
    pub source: Name,
    /// Place of the `source` argument's value.
    pub source_place: Place,
    /// Place of the whole directive.
    pub place: Place,
    pub operation: Operation,
    /// Type of the field if it is a scalar or an enum, and not a list.
    pub leaf: Option<Name>,
    /// The field may be null.
    pub nullable: bool,
    /// All arguments except `source` and `batch`.
    pub arguments: Vec<Argument>,
}

/// Kind of root that leads to the field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// A field of `Query` or of any type below a root: safe to repeat.
    Query,
    /// A field of `Mutation`.
    Mutation,
    /// A field of `Subscription`.
    Subscription,
}

/// A named argument, or a field of an input object.
#[derive(Debug, Clone)]
pub struct Argument {
    pub name: Name,
    pub value: ArgumentValue,
    /// Place of the value.
    pub place: Place,
}

#[derive(Debug, Clone)]
pub enum ArgumentValue {
    /// Content of a string, with quotes and escapes resolved. `content` is its place if the file contains every byte
    /// literally, so that offsets into the text are offsets into the file; otherwise `None`.
    String {
        text: String,
        content: Option<Place>,
    },
    /// An enum value's name.
    Enum(Name),
    Boolean(bool),
    Int(i64),
    Float(f64),
    Null,
    List(Vec<Argument>),
    Object(Vec<Argument>),
}

impl BindingSpec {
    #[must_use]
    pub fn argument(&self, name: &str) -> Option<&Argument> {
        find(&self.arguments, name)
    }
}

impl Argument {
    /// Returns the text of a string argument.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        match &self.value {
            ArgumentValue::String { text, .. } => Some(text),
            _ => None,
        }
    }

    #[must_use]
    pub fn boolean(&self) -> Option<bool> {
        match self.value {
            ArgumentValue::Boolean(value) => Some(value),
            _ => None,
        }
    }

    /// Returns the elements of a list; a single value counts as a list of one (GraphQL spec, "List Input Coercion").
    #[must_use]
    pub fn elements(&self) -> &[Argument] {
        match &self.value {
            ArgumentValue::List(elements) => elements,
            ArgumentValue::Null => &[],
            _ => std::slice::from_ref(self),
        }
    }

    /// Returns a field of an input object.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&Argument> {
        match &self.value {
            ArgumentValue::Object(fields) => find(fields, name),
            _ => None,
        }
    }

    /// Returns the place of a range of a string argument's text. It is exact if the file contains the text literally,
    /// and within a line of a block string.
    #[must_use]
    pub fn place_of(&self, span: &Span) -> Place {
        match &self.value {
            ArgumentValue::String { content: Some(content), .. } => {
                let start = content.span.start + span.start;
                Place::new(&content.file, start..content.span.start + span.end.max(span.start))
            }
            ArgumentValue::String { text, content: None } => {
                self.place_in_block(text, span).unwrap_or_else(|| self.place.clone())
            }
            _ => self.place.clone(),
        }
    }

    /// Returns the place of a range within one line of a block string. In the file, the line follows the indentation
    /// that GraphQL removes (GraphQL spec, "Block Strings").
    fn place_in_block(&self, text: &str, span: &Span) -> Option<Place> {
        let literal = self.place.file.text.get(self.place.span.clone())?;
        let raw = literal.strip_prefix("\"\"\"")?.strip_suffix("\"\"\"")?;
        let before = text.get(..span.start)?;
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        let line = text.get(line_start..)?.split('\n').next()?;
        let blank = |line: &str| line.trim_matches([' ', '\t', '\r']).is_empty();
        let mut offset = 0;
        let lines = raw.split('\n').map(|line| {
            let start = offset;
            offset += line.len() + 1;
            (start, line.trim_end_matches('\r'))
        });
        let number = before.matches('\n').count();
        let (start, found) = lines.skip_while(|(_, line)| blank(line)).nth(number)?;
        let indentation = found.strip_suffix(line)?.len();
        let start = self.place.span.start + 3 + start + indentation;
        let within = |at: usize| start + at.saturating_sub(line_start).min(line.len());
        Some(Place::new(&self.place.file, within(span.start)..within(span.end.max(span.start))))
    }

    /// Converts a mistake in this argument's text to a problem with its place.
    #[must_use]
    pub fn problem(&self, code: &'static str, error: ParseError) -> Problem {
        let problem = Problem::error(code, error.message).at(self.place_of(&error.span));
        match error.help {
            Some(help) => problem.help(help),
            None => problem,
        }
    }
}

fn find<'a>(arguments: &'a [Argument], name: &str) -> Option<&'a Argument> {
    arguments.iter().find(|argument| &*argument.name == name)
}
