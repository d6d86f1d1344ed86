//! The expression language of URL templates, `select`, `body`, `message` and their like.
//!
//! Its syntax is a subset of what Apollo Connectors mappings use, so that existing knowledge applies. A text is parsed
//! once, at load, into an [`Expr`] tree with spans; evaluation is pure, bounded by the size of its input, and never
//! does IO. This room imports nothing of ours.

mod apply;
mod ast;
mod calculate;
mod compare;
mod cursor;
mod decimal;
mod elements;
mod evaluate;
mod exact;
mod found;
mod kind;
mod members;
mod method;
mod parse;
mod reads;
mod reference;
mod remaining;
mod select;
mod spellings;
mod step;
mod strings;
mod template;
#[cfg(test)]
mod tests;
mod text;
mod url;

pub(crate) use decimal::canonical;

pub use ast::{Expr, ExprKind, Field, Method, Span, Variable};
pub use kind::Kinds;
pub use reads::Reads;
pub use remaining::MAX_STEPS;

use evaluate::{Frame, evaluate};
use exact::MAX_DIGITS;
use reference::Collector;
use remaining::Remaining;
use serde_json::Value;
use std::borrow::Cow;
use std::cell::Cell;
use template::{Form, Parameter, Part, Piece};

/// An error in a text, with its range of bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParseError {
    pub span: Span,
    /// One lowercase sentence without a final full stop.
    pub message: String,
    pub help: Option<String>,
}

/// Source of the variables' values. Only called for variables that the text uses.
pub trait Variables {
    /// Returns the value of `variable`; `Value::Null` if it has none.
    fn value(&self, variable: Variable) -> Cow<'_, Value>;
}

/// A path into a variable that a text uses, such as `$this.org.id`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    pub variable: Variable,
    /// Keys in order; empty for the variable as a whole.
    pub path: Vec<Box<str>>,
    /// Span of the whole reference in the text.
    pub span: Span,
    pub position: Position,
    /// The expression at this position is only this path, without methods and without `??`, so a null or a list is
    /// passed on as it is.
    pub bare: bool,
}

/// Kind of position that receives an expression's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Position {
    PathSegment,
    /// The whole value of a query parameter, which is repeated for a list.
    QueryValue,
    /// A header or metadata value, or a part of a query parameter's value.
    Text,
    /// Inside a mapping.
    Mapping,
}

/// Error of an evaluation for this request. The message names the position in the template, never a value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    #[error("a path segment of the URL would be empty")]
    EmptySegment,
    #[error("a path segment of the URL would be `.` or `..`")]
    DotSegment,
    #[error("a list or an object stands where a scalar is due")]
    NotScalar,
    #[error("a header value cannot contain control characters")]
    ControlCharacter,
    #[error("the message field `{0}` cannot hold the value")]
    Unencodable(Box<str>),
    #[error("`{method}` cannot be applied to {found}")]
    WrongReceiver { method: &'static str, found: &'static str },
    #[error("`{method}` cannot take {found} as an argument")]
    WrongArgument { method: &'static str, found: &'static str },
    #[error("a number is out of range")]
    OutOfRange,
    #[error("more values than are allowed")]
    TooManyValues,
    #[error("evaluating the mapping takes more steps than are allowed")]
    TooManySteps,
    #[error("`{method}` divides by zero")]
    DivisionByZero { method: &'static str },
    #[error("`{method}` is applied to a text that is not a number")]
    NotNumber { method: &'static str },
    #[error("`{method}` meets a number of more than {MAX_DIGITS} digits")]
    TooManyDigits { method: &'static str },
    #[error("`parseInt` reads numbers of base 2 to 36")]
    UnknownBase,
    #[error("`jsonParse` is applied to a text that is not JSON")]
    NotJson,
}

/// A parsed `select`, `body`, `message` or rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mapping {
    text: Box<str>,
    expr: Expr,
}

/// A parsed template: literal text with `{expression}` parts. There are two kinds. In URLs, values are percent-encoded
/// for their position. In query, header and metadata values, they are not; there `{{` and `}}` are literal braces, and
/// a text without braces that begins with `$` is one expression.
#[derive(Debug, Clone, PartialEq)]
pub struct Template {
    text: Box<str>,
    form: Form,
}

/// Inputs of an evaluation.
#[derive(Clone, Copy)]
pub struct Scope<'a> {
    /// Value of `$`: the reply in `select`; null elsewhere.
    pub current: &'a Value,
    pub variables: &'a dyn Variables,
}

/// Inputs of an evaluation over the text of a reply. Only the parts that the expression reads are parsed.
#[derive(Clone, Copy)]
pub struct TextScope<'a> {
    /// Value of `$`: valid JSON, at most 128 levels deep.
    pub current: &'a str,
    pub variables: &'a dyn Variables,
    /// Number of values that may be held meanwhile. Values that are held are deducted.
    pub values: &'a Cell<u64>,
    /// Number of steps that evaluation may take for one reply, in addition to those for the text's length. Initially
    /// [`MAX_STEPS`]. Steps that are taken are deducted.
    pub steps: &'a Cell<u64>,
}

impl Mapping {
    /// Parses a mapping: a list of named selections, or one path expression.
    ///
    /// # Errors
    /// If the text is invalid. Returns all errors that can be distinguished.
    pub fn parse(text: &str) -> Result<Self, Vec<ParseError>> {
        let mut parser = parse::Parser::new(text, true)?;
        let expr = parser.mapping();
        let errors = parser.cursor.into_errors();
        match expr {
            Ok(expr) if errors.is_empty() => Ok(Self { text: text.into(), expr }),
            _ => Err(errors),
        }
    }

    /// Returns the whole mapping as one expression. A list of named selections is an [`ExprKind::Object`].
    #[must_use]
    pub fn expr(&self) -> &Expr {
        &self.expr
    }

    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Returns every variable path that it uses, only the deepest ones: of `$args.input { sku }` only `input.sku`.
    #[must_use]
    pub fn references(&self) -> Vec<Reference> {
        let mut collector = Collector::new();
        collector.add(&self.expr, Position::Mapping);
        collector.finish()
    }

    /// Evaluates the mapping. A list of named selections, applied to a list, selects from each element.
    ///
    /// # Errors
    /// If a method does not accept its value, or a selection that joins an object yields anything other than an object.
    pub fn evaluate(&self, scope: &Scope<'_>) -> Result<Value, Failure> {
        self.expr.evaluate(scope)
    }

    /// Evaluates the mapping for a request: absent values, such as an argument that the client omitted, are left out of
    /// objects. `None` if the whole value is absent.
    ///
    /// # Errors
    /// Like [`Mapping::evaluate`].
    pub fn render(&self, scope: &Scope<'_>) -> Result<Option<Value>, Failure> {
        let steps = Cell::new(MAX_STEPS);
        let remaining = Remaining::steps(&steps);
        let found = evaluate(&self.expr, Frame::of_request(scope, &steps))?;
        if found.is_absent() { Ok(None) } else { found.into_owned(remaining).map(Some) }
    }
}

impl Expr {
    /// Evaluates a part of a mapping on its own. Named selections of a list select from each element, and leave an
    /// element without fields as it is.
    ///
    /// # Errors
    /// Like [`Mapping::evaluate`].
    pub fn evaluate(&self, scope: &Scope<'_>) -> Result<Value, Failure> {
        self.evaluate_within(scope, &Cell::new(MAX_STEPS))
    }

    fn evaluate_within(&self, scope: &Scope<'_>, steps: &Cell<u64>) -> Result<Value, Failure> {
        match (&self.kind, scope.current) {
            (ExprKind::Object(_), Value::Array(elements)) => {
                let select = |current: &Value| match current {
                    Value::Object(_) | Value::Array(_) => {
                        self.evaluate_within(&Scope { current, ..*scope }, steps)
                    }
                    scalar => Ok(scalar.clone()),
                };
                elements.iter().map(select).collect()
            }
            _ => evaluate(self, Frame::new(scope, steps))?.into_owned(Remaining::steps(steps)),
        }
    }
}

impl Expr {
    /// Returns the part of the current value that it reads.
    #[must_use]
    pub fn reads(&self) -> Reads {
        Reads::of(self)
    }

    /// Like [`Expr::evaluate`], from text to text. Numbers stay as they were written.
    ///
    /// # Errors
    /// Like [`Mapping::evaluate`]. Also [`Failure::TooManyValues`] and [`Failure::TooManySteps`].
    pub fn evaluate_text<'a>(&'a self, scope: &TextScope<'a>) -> Result<Cow<'a, str>, Failure> {
        let (frame, mut out) = (Frame::of_text(scope), String::new());
        match &self.kind {
            ExprKind::Object(fields) if text::is_container(scope.current) => {
                evaluate::write_each(fields, scope.current, frame, &mut out)?;
            }
            // Usually a part of the text.
            ExprKind::Current | ExprKind::Key { .. } | ExprKind::Method { .. }
                if !matches!(&self.kind, ExprKind::Method { method: Method::Map, .. }) =>
            {
                match evaluate(self, frame)? {
                    found::Found::Text(text) => return Ok(Cow::Borrowed(text)),
                    other => other.write(&mut out, frame.remaining)?,
                }
            }
            _ => evaluate::write_from(self, scope.current, frame, &mut out)?,
        }
        Ok(Cow::Owned(out))
    }
}

impl Expr {
    /// Like [`Expr::evaluate_text`], with named selections applied to a list as a whole: in `items: $ { id }`, `$` is the
    /// list.
    ///
    /// # Errors
    /// Like [`Expr::evaluate_text`].
    pub fn evaluate_list_text<'a>(
        &'a self,
        scope: &TextScope<'a>,
    ) -> Result<Cow<'a, str>, Failure> {
        let mut out = String::new();
        evaluate::write(self, Frame::of_text(scope), &mut out)?;
        Ok(Cow::Owned(out))
    }

    /// Returns `true` if a field of these named selections uses the current value itself, as in `items: $ { id }` and
    /// `$->size`.
    #[must_use]
    pub fn takes_current_whole(&self) -> bool {
        let ExprKind::Object(fields) = &self.kind else { return false };
        fields.iter().any(|field| field.value.starts_at_current())
    }

    fn starts_at_current(&self) -> bool {
        match &self.kind {
            ExprKind::Current | ExprKind::At => true,
            ExprKind::Select { of, .. }
            | ExprKind::Method { of, .. }
            | ExprKind::Optional { of } => of.starts_at_current(),
            ExprKind::Key { of, .. } => {
                !matches!(of.kind, ExprKind::Current | ExprKind::At) && of.starts_at_current()
            }
            ExprKind::Coalesce { left, right } => {
                left.starts_at_current() || right.starts_at_current()
            }
            ExprKind::Object(fields) => fields.iter().any(|field| field.value.starts_at_current()),
            ExprKind::Variable(_) | ExprKind::Literal(_) | ExprKind::List(_) => false,
        }
    }
}

/// Returns the position of the expressions in a query parameter's value.
fn in_query(parts: &[Part]) -> Position {
    if parts.len() == 1 { Position::QueryValue } else { Position::Text }
}

impl Template {
    /// Parses a URL template: a path that begins with `/`, and an optional query.
    ///
    /// # Errors
    /// If the text is invalid. Returns all errors that can be distinguished.
    pub fn parse_url(text: &str) -> Result<Self, Vec<ParseError>> {
        Ok(Self { form: template::parse_url(text)?, text: text.into() })
    }

    /// Parses the value of a query parameter, a header or a metadata entry.
    ///
    /// # Errors
    /// If the text is invalid. Returns all errors that can be distinguished.
    pub fn parse_value(text: &str, position: Position) -> Result<Self, Vec<ParseError>> {
        Ok(Self { form: template::parse_value(text, position)?, text: text.into() })
    }

    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    #[must_use]
    pub fn references(&self) -> Vec<Reference> {
        let mut collector = Collector::new();
        let mut add = |parts: &[Part], position| {
            for part in parts {
                if let Part::Value(expr) = part {
                    collector.add(expr, position);
                }
            }
        };
        match &self.form {
            Form::Value { parts, position: Position::QueryValue } => add(parts, in_query(parts)),
            Form::Value { parts, position } => add(parts, *position),
            Form::Url { path, query } => {
                for piece in path {
                    if let Piece::Segment(parts) = piece {
                        add(parts, Position::PathSegment);
                    }
                }
                for parameter in query {
                    if let Parameter::Value { parts, .. } = parameter {
                        add(parts, in_query(parts));
                    }
                }
            }
        }
        collector.finish()
    }

    /// Renders path and query of a URL template, with every value percent-encoded for its position. A value template is rendered
    /// as the text of one path segment.
    ///
    /// # Errors
    /// If a path segment would be empty, `.` or `..`, or if a list or an object is used as a scalar.
    pub fn render_url(&self, scope: &Scope<'_>) -> Result<String, Failure> {
        match &self.form {
            Form::Url { path, query } => {
                let steps = Cell::new(MAX_STEPS);
                url::render(path, query, Frame::new(scope, &steps), self.text.len() + 32)
            }
            Form::Value { .. } => {
                let mut text = String::new();
                apply::push_text(&mut text, &self.evaluate(scope)?)?;
                Ok(url::encode_segment(&text))
            }
        }
    }

    /// Evaluates a template. A value template yields the value itself if the whole text is one expression, otherwise the text
    /// with the parts filled in, or null if one of them is null. A URL template yields the rendered URL.
    ///
    /// # Errors
    /// Like [`Mapping::evaluate`]. Also for a list or an object in a header or in text, and for a control character in a header.
    pub fn evaluate(&self, scope: &Scope<'_>) -> Result<Value, Failure> {
        match &self.form {
            Form::Url { .. } => self.render_url(scope).map(Value::String),
            Form::Value { parts, position } => {
                template::fill(parts, *position, Frame::new(scope, &Cell::new(MAX_STEPS)))
            }
        }
    }
}
