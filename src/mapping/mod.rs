//! The expression language of URL templates, `select`, `body`, `message` and their like.
//!
//! Its syntax is a subset of what Apollo Connectors mappings use, so that what people know carries over. A text is
//! parsed once, at load, into an [`Expr`] tree with spans; evaluation is pure, bounded by the size of its input, and
//! never does IO. This room imports nothing of ours.

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

/// A mistake in a text, at a range of its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParseError {
    pub span: Span,
    /// One lowercase sentence without a final full stop.
    pub message: String,
    pub help: Option<String>,
}

/// Where the values of variables come from. Asked only for variables that the text names.
pub trait Variables {
    /// The value of `variable`; `Value::Null` where it has none.
    fn value(&self, variable: Variable) -> Cow<'_, Value>;
}

/// A path into a variable that a text names, such as `$this.org.id`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    pub variable: Variable,
    /// Keys in order; empty for the variable as a whole.
    pub path: Vec<Box<str>>,
    /// Of the whole reference in the text.
    pub span: Span,
    pub position: Position,
    /// The expression at this position is this path and nothing else: no method and no `??` stands between the value
    /// and its place, so a null or a list arrives there as it is.
    pub bare: bool,
}

/// The kind of place an expression's value goes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Position {
    PathSegment,
    /// The whole value of a query parameter, which a list repeats.
    QueryValue,
    /// A header or metadata value, or a part of a query parameter's value.
    Text,
    /// Inside a mapping.
    Mapping,
}

/// Why a text could not be evaluated for this request. The message names the template's place, never a value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    #[error("a path segment of the URL would be empty")]
    EmptySegment,
    #[error("a path segment of the URL would be `.` or `..`")]
    DotSegment,
    #[error("a list or an object stands where a scalar is due")]
    NotScalar,
    #[error("a header value has a control character")]
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

/// A parsed template: literal text with `{expression}` parts. One kind for URLs, whose values are percent-encoded for
/// the place they stand in, and one for query, header and metadata values, which are not: there `{{` and `}}` are the
/// braces themselves, and a text without braces that begins with `$` is one expression.
#[derive(Debug, Clone, PartialEq)]
pub struct Template {
    text: Box<str>,
    form: Form,
}

/// What an expression is evaluated against.
#[derive(Clone, Copy)]
pub struct Scope<'a> {
    /// `$`: the reply in `select`; null elsewhere.
    pub current: &'a Value,
    pub variables: &'a dyn Variables,
}

/// A reply that an expression is evaluated against as it stands: only what the expression reads is looked at.
#[derive(Clone, Copy)]
pub struct TextScope<'a> {
    /// `$`: valid JSON, at most 128 levels deep.
    pub current: &'a str,
    pub variables: &'a dyn Variables,
    /// The number of values that may be held meanwhile; what is held is taken off.
    pub values: &'a Cell<u64>,
    /// The number of steps that evaluation may take for one reply, beside those that the text's length adds: at first
    /// [`MAX_STEPS`]. What is taken is taken off.
    pub steps: &'a Cell<u64>,
}

impl Mapping {
    /// Parses a mapping: a list of named selections, or one path expression.
    ///
    /// # Errors
    /// Every mistake that could be told apart.
    pub fn parse(text: &str) -> Result<Self, Vec<ParseError>> {
        let mut parser = parse::Parser::new(text, true)?;
        let expr = parser.mapping();
        let errors = parser.cursor.into_errors();
        match expr {
            Ok(expr) if errors.is_empty() => Ok(Self { text: text.into(), expr }),
            _ => Err(errors),
        }
    }

    /// The whole mapping as one expression. A list of named selections is an [`ExprKind::Object`].
    #[must_use]
    pub fn expr(&self) -> &Expr {
        &self.expr
    }

    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Every variable path it names, the deepest ones: of `$args.input { sku }` only `input.sku`.
    #[must_use]
    pub fn references(&self) -> Vec<Reference> {
        let mut collector = Collector::new();
        collector.add(&self.expr, Position::Mapping);
        collector.finish()
    }

    /// The mapping's result. A list of named selections, applied to a list, selects from each element.
    ///
    /// # Errors
    /// Where a method meets a value it is not for, or the fields of something else than an object are to join others.
    pub fn evaluate(&self, scope: &Scope<'_>) -> Result<Value, Failure> {
        self.expr.evaluate(scope)
    }

    /// The value that a request carries: objects have no fields for what is absent, such as an argument that the client
    /// left out. `None`: all of it is absent.
    ///
    /// # Errors
    /// As for [`Mapping::evaluate`].
    pub fn render(&self, scope: &Scope<'_>) -> Result<Option<Value>, Failure> {
        let steps = Cell::new(MAX_STEPS);
        let remaining = Remaining::steps(&steps);
        let found = evaluate(&self.expr, Frame::of_request(scope, &steps))?;
        if found.is_absent() { Ok(None) } else { found.into_owned(remaining).map(Some) }
    }
}

impl Expr {
    /// Evaluates a part of a mapping on its own. Named selections of a list select from each element, and leave an
    /// element that has no fields as it is.
    ///
    /// # Errors
    /// As for [`Mapping::evaluate`].
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
    /// The part of the current value that it reads.
    #[must_use]
    pub fn reads(&self) -> Reads {
        Reads::of(self)
    }

    /// As [`Expr::evaluate`], from text to text. Numbers stay as they were written.
    ///
    /// # Errors
    /// As for [`Mapping::evaluate`]; [`Failure::TooManyValues`], [`Failure::TooManySteps`].
    pub fn evaluate_text<'a>(&'a self, scope: &TextScope<'a>) -> Result<Cow<'a, str>, Failure> {
        let (frame, mut out) = (Frame::of_text(scope), String::new());
        match &self.kind {
            ExprKind::Object(fields) if text::is_container(scope.current) => {
                evaluate::write_each(fields, scope.current, frame, &mut out)?;
            }
            // A part of the text, most of the time.
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
    /// As [`Expr::evaluate_text`], with named selections applied to a list as a whole: in `items: $ { id }`, `$` is the
    /// list.
    ///
    /// # Errors
    /// As for [`Expr::evaluate_text`].
    pub fn evaluate_list_text<'a>(
        &'a self,
        scope: &TextScope<'a>,
    ) -> Result<Cow<'a, str>, Failure> {
        let mut out = String::new();
        evaluate::write(self, Frame::of_text(scope), &mut out)?;
        Ok(Cow::Owned(out))
    }

    /// A field of these named selections is made of the current value itself, as in `items: $ { id }` and `$->size`.
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

/// The place of the expressions in a query parameter's value.
fn in_query(parts: &[Part]) -> Position {
    if parts.len() == 1 { Position::QueryValue } else { Position::Text }
}

impl Template {
    /// Parses a URL template: a path that begins with `/`, and an optional query.
    ///
    /// # Errors
    /// Every mistake that could be told apart.
    pub fn parse_url(text: &str) -> Result<Self, Vec<ParseError>> {
        Ok(Self { form: template::parse_url(text)?, text: text.into() })
    }

    /// Parses the value of a query parameter, a header or a metadata entry.
    ///
    /// # Errors
    /// Every mistake that could be told apart.
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

    /// Path and query of a URL template, every value percent-encoded for its position. A value template is rendered
    /// as the text of one path segment.
    ///
    /// # Errors
    /// A path segment that would be empty, `.` or `..`; a list or an object in the place of a scalar.
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

    /// A value template: the value itself where the whole text is one expression, otherwise the text with the parts
    /// filled in, or null if one of them is null. A URL template: the rendered URL.
    ///
    /// # Errors
    /// As for [`Mapping::evaluate`]; a list or an object in a header or between text; a control character in a header.
    pub fn evaluate(&self, scope: &Scope<'_>) -> Result<Value, Failure> {
        match &self.form {
            Form::Url { .. } => self.render_url(scope).map(Value::String),
            Form::Value { parts, position } => {
                template::fill(parts, *position, Frame::new(scope, &Cell::new(MAX_STEPS)))
            }
        }
    }
}
