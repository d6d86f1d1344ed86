//! A binding directive as it stands in the SDL, handed to its connector with the place of every part, so that a
//! connector can point at a mistake without knowing the SDL's parser.

use crate::graphql::Name;
use crate::mapping::{ParseError, Span};
use crate::problem::{Place, Problem};

/// One use of a binding directive. Its shape (known arguments, their types, required ones) was already validated
/// against the directive's definition.
#[derive(Debug, Clone)]
pub struct BindingSpec {
    /// The field's coordinate, such as `Query.user`.
    pub coordinate: String,
    pub source: Name,
    /// Of the `source` argument's value.
    pub source_place: Place,
    /// Of the whole directive.
    pub place: Place,
    pub operation: Operation,
    /// The field's type where it is a scalar or an enum, and no list of them.
    pub leaf: Option<Name>,
    /// The field may be null.
    pub nullable: bool,
    /// All arguments but `source` and `batch`.
    pub arguments: Vec<Argument>,
}

/// What kind of root leads to the field.
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
    /// Of the value.
    pub place: Place,
}

#[derive(Debug, Clone)]
pub enum ArgumentValue {
    /// The string's content, quotes and escapes resolved. `content` is its place where every byte of the content
    /// stands in the file as it is, so that offsets into the text are offsets into the file; otherwise `None`.
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
    /// The text of a string argument.
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

    /// The elements of a list; a single value counts as a list of one (GraphQL spec, "List Input Coercion").
    #[must_use]
    pub fn elements(&self) -> &[Argument] {
        match &self.value {
            ArgumentValue::List(elements) => elements,
            ArgumentValue::Null => &[],
            _ => std::slice::from_ref(self),
        }
    }

    /// A field of an input object.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&Argument> {
        match &self.value {
            ArgumentValue::Object(fields) => find(fields, name),
            _ => None,
        }
    }

    /// The place of a range of a string argument's text: exact where the text stands in the file as it is, and in
    /// block strings, whose lines do.
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

    /// The place of a range that lies in one line of a block string: such a line stands in the file behind the
    /// indentation that GraphQL takes away (GraphQL spec, "Block Strings").
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

    /// A mistake in this argument's text as a problem with its place.
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
