//! Templates: literal text with expressions in braces, as a URL or as a single value.
//!
//! A URL is split here, at load, into path segments and query parameters, so that rendering knows the position of each
//! value. Literal text is encoded once, here. Text that cannot be encoded validly is an error. Never decodes.

use super::apply::push_text;
use super::cursor::Stop;
use super::evaluate::{Frame, evaluate};
use super::parse::{Parser, Place};
use super::url;
use super::{Expr, Failure, ParseError, Position, Span, spellings};
use serde_json::Value;

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Part {
    /// Text of a URL, percent-encoded as far as necessary.
    Text(Box<str>),
    Value(Expr),
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Form {
    Url { path: Vec<Piece>, query: Vec<Parameter> },
    Value { parts: Vec<Part>, position: Position },
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Piece {
    /// One or more whole segments, each after its slash.
    Text(Box<str>),
    /// A segment with an expression in it, without its slash.
    Segment(Vec<Part>),
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Parameter {
    /// `name=text`, or a name alone.
    Text(Box<str>),
    /// The name includes the `=`.
    Value { name: Box<str>, parts: Vec<Part> },
}

pub(super) fn parse_url(text: &str) -> Result<Form, Vec<ParseError>> {
    let mut parser = Parser::new(text, false)?;
    let form = parser.url();
    finish(parser, form)
}

pub(super) fn parse_value(text: &str, position: Position) -> Result<Form, Vec<ParseError>> {
    let mut parser = Parser::new(text, false)?;
    let whole = text.starts_with('$') && !text.contains(['{', '}']);
    let parts = if whole { parser.whole() } else { Ok(parser.value_parts(position)) };
    let form = parts.map(|parts| Form::Value { parts, position });
    finish(parser, form)
}

fn finish<T>(parser: Parser<'_>, read: Result<T, Stop>) -> Result<T, Vec<ParseError>> {
    let errors = parser.cursor.into_errors();
    match read {
        Ok(form) if errors.is_empty() => Ok(form),
        _ => Err(errors),
    }
}

/// Fills a value template: one expression's value as it is, otherwise text, or null if a part is null.
pub(super) fn fill<'a>(
    parts: &'a [Part],
    position: Position,
    frame: Frame<'a>,
) -> Result<Value, Failure> {
    let value = match parts {
        [Part::Value(expr)] => evaluate(expr, frame)?.into_owned(frame.remaining)?,
        _ => match fill_text(parts, frame)? {
            Some(text) => Value::String(text),
            None => Value::Null,
        },
    };
    let scalar = |value: &Value| !value.is_array() && !value.is_object();
    let fits = match (position, &value) {
        (Position::Mapping, _) => true,
        (Position::QueryValue, Value::Array(items)) => items.iter().all(scalar),
        (Position::Text, Value::String(text)) if text.contains(url::is_control) => {
            return Err(Failure::ControlCharacter);
        }
        _ => scalar(&value),
    };
    if fits { Ok(value) } else { Err(Failure::NotScalar) }
}

fn fill_text<'a>(parts: &'a [Part], frame: Frame<'a>) -> Result<Option<String>, Failure> {
    let mut out = String::new();
    for part in parts {
        match part {
            Part::Text(text) => out.push_str(text),
            Part::Value(expr) => {
                let found = evaluate(expr, frame)?;
                let value = found.scalar()?;
                if value.is_null() {
                    return Ok(None);
                }
                push_text(&mut out, value)?;
            }
        }
    }
    Ok(Some(out))
}

/// Parts collected between two separators.
#[derive(Default)]
struct Gathered {
    parts: Vec<Part>,
    text: String,
    has_value: bool,
}

impl Gathered {
    fn close_text(&mut self) {
        if !self.text.is_empty() {
            self.parts.push(Part::Text(std::mem::take(&mut self.text).into()));
        }
    }

    fn push(&mut self, value: Expr) {
        self.close_text();
        self.parts.push(Part::Value(value));
    }

    fn into_parts(mut self) -> Vec<Part> {
        self.close_text();
        self.parts
    }
}

impl Parser<'_> {
    fn url(&mut self) -> Result<Form, Stop> {
        self.refuse_address()?;
        let path = self.url_path();
        let mut query = Vec::new();
        while self.cursor.eat("?") || self.cursor.eat("&") {
            query.extend(self.parameter());
        }
        Ok(Form::Url { path, query })
    }

    /// Checks that the first byte is a slash, and the second one is not.
    fn refuse_address(&mut self) -> Result<(), Stop> {
        let text = self.cursor.text;
        let scheme = |byte: u8| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte);
        let authority = text.find("://").filter(|at| text[..*at].bytes().all(scheme));
        let authority = authority.map(|at| at + 3).or(text.starts_with("//").then_some(2));
        if let Some(start) = authority {
            let end = text[start..].find(['/', '{', '?', '#']).map_or(text.len(), |at| start + at);
            let rest = &text[end..];
            let path = if rest.starts_with('/') { rest } else { "/path" };
            let help = format!(
                "write only the path, `{path}`; the URL of the service belongs under `sources` in the configuration"
            );
            return Err(self.cursor.stop(
                0..end,
                "a URL template cannot have a scheme or a host",
                &help,
            ));
        }
        if text.starts_with('/') {
            return Ok(());
        }
        let (span, found) = self.cursor.found();
        let help = "write a path, such as `/users/{$args.id}`; the URL of the service belongs under `sources` in the configuration";
        Err(self.cursor.stop(
            span,
            format!("a URL template must begin with `/`, found {found}"),
            help,
        ))
    }

    fn url_path(&mut self) -> Vec<Piece> {
        let (mut path, mut text) = (Vec::new(), String::new());
        while self.cursor.eat("/") {
            let start = self.cursor.pos;
            let segment = self.gather("/?", None);
            let span = start..self.cursor.pos;
            if segment.has_value {
                if !text.is_empty() {
                    path.push(Piece::Text(std::mem::take(&mut text).into()));
                }
                path.push(Piece::Segment(segment.into_parts()));
            } else {
                self.check_segment(&segment.text, span);
                text.push('/');
                text.push_str(&segment.text);
            }
        }
        if !text.is_empty() {
            path.push(Piece::Text(text.into()));
        }
        path
    }

    fn check_segment(&mut self, segment: &str, span: Span) {
        if url::is_dots(segment) {
            let help = "write the path without `.` and `..`".to_owned();
            self.cursor.report(span, "a path segment cannot be `.` or `..`", Some(help));
        } else if let Some(name) = segment.strip_prefix(':').filter(|name| is_word(name)) {
            let help =
                format!("write `{{$args.{name}}}` for an argument, or `%3A` for a literal colon");
            self.cursor.report(
                span,
                format!("`:{name}` is not replaced: values are written in braces"),
                Some(help),
            );
        } else if segment.is_empty() && self.cursor.peek() == Some(b'/') {
            let help = "remove one of the two slashes".to_owned();
            self.cursor.report(span.start - 1..span.end + 1, "a path segment is empty", Some(help));
        }
    }

    /// Parses `name=value` up to the next `&`; `None` if it is empty.
    fn parameter(&mut self) -> Option<Parameter> {
        let start = self.cursor.pos;
        let name = self.gather("=&", Some("the name of a query parameter cannot contain values"));
        if self.cursor.peek() != Some(b'=') {
            return (self.cursor.pos > start).then(|| Parameter::Text(name.text.into()));
        }
        self.cursor.pos += 1;
        if self.cursor.pos == start + 1 {
            let help = "write a name, such as `?limit={$args.first}`".to_owned();
            self.cursor.report(start..start + 1, "a query parameter has no name", Some(help));
        }
        let value = self.gather("&", None);
        let name = format!("{}=", name.text);
        if value.has_value {
            let parts = value.into_parts();
            return Some(Parameter::Value { name: name.into(), parts });
        }
        Some(Parameter::Text((name + &value.text).into()))
    }

    /// Collects text and values of a URL up to one of `ends`. If values are not allowed here, `refusal` is the message.
    fn gather(&mut self, ends: &str, refusal: Option<&str>) -> Gathered {
        let mut gathered = Gathered::default();
        while let Some(char) = self.cursor.rest().chars().next() {
            let start = self.cursor.pos;
            match char {
                _ if ends.contains(char) => break,
                '{' => {
                    let value = self.braced_value();
                    gathered.has_value = true;
                    if let Some(refusal) = refusal {
                        let help = "write `name={…}`".to_owned();
                        self.cursor.report(start..self.cursor.pos, refusal, Some(help));
                    }
                    if let Some(value) = value {
                        gathered.push(value);
                    }
                }
                '$' if self.cursor.peek_at(1) == Some(b'{') => {
                    self.refuse_dollar(start);
                    gathered.has_value = true;
                }
                _ => {
                    self.cursor.pos += char.len_utf8();
                    self.check_url_char(char, start);
                    self.refuse_unbraced(start);
                    url::push_literal(&mut gathered.text, char);
                }
            }
        }
        gathered
    }

    fn check_url_char(&mut self, char: char, start: usize) {
        let hex = |byte: Option<u8>| byte.is_some_and(|byte| byte.is_ascii_hexdigit());
        let (message, help) = match char {
            '#' => ("a URL template cannot have a fragment", "write `%23` for a literal `#`"),
            '}' => ("unexpected `}`", "write `%7D` for a literal `}`"),
            '%' if !hex(self.cursor.peek()) || !hex(self.cursor.peek_at(1)) => {
                ("`%` is not followed by two hexadecimal digits", "write `%25` for a literal `%`")
            }
            _ => return,
        };
        self.cursor.report(start..start + 1, message, Some(help.to_owned()));
    }

    /// Parses `{ expression }`. After an error inside, parsing continues after the closing brace.
    fn braced_value(&mut self) -> Option<Expr> {
        let open = self.cursor.pos;
        if let Some(end) = self.doubled_braces(open) {
            self.cursor.pos = end;
            return None;
        }
        self.cursor.pos += 1;
        let read = self.bracketed(open..open + 1, |parser| {
            parser.cursor.trivia();
            if parser.cursor.peek() == Some(b'}') {
                let end = parser.cursor.pos + 1;
                let help = "write a value, such as `{$args.id}`";
                return Err(parser.cursor.stop(open..end, "these braces are empty", help));
            }
            if parser.cursor.peek().is_none() {
                return Err(parser.expected_in(b'}', open, "a value"));
            }
            let value = parser.expression(Place::Argument)?;
            parser.close(b'}', open)?;
            Ok(value.expr)
        });
        read.map_err(|Stop| self.cursor.pos = after_brace(self.cursor.text, open)).ok()
    }

    /// Reports `{{.args.id}}` at `open`, and returns its end.
    fn doubled_braces(&mut self, open: usize) -> Option<usize> {
        let inner = self.cursor.text.get(open..)?.strip_prefix("{{")?;
        let inner = &inner[..inner.find("}}")?];
        let ours = spellings::doubled(inner)?;
        let end = open + inner.len() + 4;
        let help = format!("write `{{{ours}}}`");
        self.cursor.report(open..end, "a template uses single braces", Some(help));
        Some(end)
    }

    /// Reports `${args.id}` at `start`, and skips it.
    fn refuse_dollar(&mut self, start: usize) {
        let end = after_brace(self.cursor.text, start + 1);
        let inner = self.cursor.text[start + 2..end].trim_end_matches('}');
        let ours = spellings::doubled(inner).unwrap_or_else(|| "$args.id".to_owned());
        let help = format!("write `{{{ours}}}`, or `%24` for a literal `$`");
        self.cursor.report(
            start..end,
            "values are written in braces, without `$` before the braces",
            Some(help),
        );
        self.cursor.pos = end;
    }

    /// Reports `$args.id` outside of braces.
    fn refuse_unbraced(&mut self, start: usize) {
        let Some(path) = spellings::unbraced(&self.cursor.text[start..]) else { return };
        let message = format!("`{path}` is not replaced: values are written in braces");
        let help = format!("write `{{{path}}}`");
        self.cursor.report(start..start + path.len(), message, Some(help));
    }

    /// Parses a value template that is one expression without braces.
    fn whole(&mut self) -> Result<Vec<Part>, Stop> {
        let value = self.expression(Place::Argument)?;
        self.cursor.trivia();
        if self.cursor.peek().is_none() {
            return Ok(vec![Part::Value(value.expr)]);
        }
        let (span, found) = self.cursor.found();
        let help = "a value that begins with `$` is one expression; if text follows, put the expression in braces: `{$args.id} text`";
        Err(self.cursor.stop(
            span,
            format!("expected the end of the expression, found {found}"),
            help,
        ))
    }

    fn value_parts(&mut self, position: Position) -> Vec<Part> {
        let mut gathered = Gathered::default();
        while let Some(char) = self.cursor.rest().chars().next() {
            let start = self.cursor.pos;
            let is_doubled = self.cursor.rest().strip_prefix("{{").is_some_and(|rest| {
                let rest = rest.trim_start();
                let path = rest.trim_start_matches('.');
                let first = path.split(['.', '}', ' ']).next().unwrap_or_default();
                spellings::variable(first).is_some() && path.starts_with(&format!("{first}."))
            });
            if is_doubled && let Some(end) = self.doubled_braces(start) {
                self.cursor.pos = end;
            } else if self.cursor.eat("{{") || self.cursor.eat("}}") {
                gathered.text.push(char);
            } else if char == '{' {
                gathered.has_value = true;
                if let Some(value) = self.braced_value() {
                    gathered.push(value);
                }
            } else {
                self.cursor.pos += char.len_utf8();
                self.refuse_unbraced(start);
                let span = start..self.cursor.pos;
                if char == '}' {
                    let help = "write `}}` for a literal `}`".to_owned();
                    self.cursor.report(span, "unexpected `}`", Some(help));
                } else if position == Position::Text && url::is_control(char) {
                    let help = "write one line of text".to_owned();
                    self.cursor.report(
                        span,
                        "a header value cannot contain control characters",
                        Some(help),
                    );
                }
                gathered.text.push(char);
            }
        }
        gathered.into_parts()
    }
}

fn is_word(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// Returns the end of the braced part that opens at `open`, as well as possible if it is invalid.
fn after_brace(text: &str, open: usize) -> usize {
    let (mut depth, mut quote, mut escaped) = (0_usize, None, false);
    for (at, byte) in text.bytes().enumerate().skip(open) {
        match (quote, byte) {
            (Some(_), _) if escaped => escaped = false,
            (Some(_), b'\\') => escaped = true,
            (Some(open), _) if open == byte => quote = None,
            (None, b'"' | b'\'') => quote = Some(byte),
            (None, b'{') => depth += 1,
            (None, b'}') if depth == 1 => return at + 1,
            (None, b'}') => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    text.len()
}
