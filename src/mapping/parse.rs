//! Parses expressions: the beginning of a path, literals, and `??`. `step.rs` parses the steps of a path, `select.rs`
//! field lists, `template.rs` the text around the braces of a template.
//!
//! Two limits keep every recursion over the tree within the stack. The nesting of brackets is checked on the way in.
//! The height of the tree is checked on the way out (`a.b.c` needs no bracket, but its tree is as high as it is long).

use super::cursor::{Cursor, Stop, is_name_start};
use super::{Expr, ExprKind, Field, ParseError, Span, Variable, method, spellings};
use serde_json::Value;

/// Maximum size of one text, in bytes.
const MAX_TEXT: usize = 64 * 1024;
/// Maximum nesting of brackets of any kind.
const MAX_BRACKETS: usize = 64;
/// Maximum nesting of expressions.
const MAX_HEIGHT: usize = 128;

/// Position of an expression. It decides the meaning of quotes and bare names.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// The value of a selection: a name and a quoted name are keys.
    Selection,
    /// Right of `??` in a selection: a name is a key, a quoted text a string.
    Fallback,
    /// Method arguments, `$(…)`, lists, and the braces of a template: a quoted text is a string.
    Argument,
}

/// An expression, and its height.
pub(super) struct Tall {
    pub(super) expr: Expr,
    pub(super) height: usize,
}

pub(super) struct Parser<'t> {
    pub(super) cursor: Cursor<'t>,
    /// Number of open brackets.
    depth: usize,
    /// Number of open method arguments, in which `@` has a meaning.
    pub(super) methods: usize,
    /// `$` and bare keys have a meaning here. In a template only inside `path { … }`.
    pub(super) has_current: bool,
}

impl<'t> Parser<'t> {
    pub(super) fn new(text: &'t str, has_current: bool) -> Result<Self, Vec<ParseError>> {
        if text.len() <= MAX_TEXT {
            return Ok(Self { cursor: Cursor::new(text), depth: 0, methods: 0, has_current });
        }
        Err(vec![ParseError {
            span: text.floor_char_boundary(MAX_TEXT)..text.len(),
            message: format!("this text has {} bytes, but the maximum is {MAX_TEXT}", text.len()),
            help: None,
        }])
    }

    /// Calls `read` inside one more bracket.
    pub(super) fn bracketed<T>(
        &mut self,
        open: Span,
        read: impl FnOnce(&mut Self) -> Result<T, Stop>,
    ) -> Result<T, Stop> {
        if self.depth == MAX_BRACKETS {
            return Err(self.too_deep(open));
        }
        self.depth += 1;
        let read = read(self);
        self.depth -= 1;
        read
    }

    /// Creates every expression: `below` is the height of the highest subexpression.
    pub(super) fn grow(&mut self, kind: ExprKind, span: Span, below: usize) -> Result<Tall, Stop> {
        if below >= MAX_HEIGHT {
            return Err(self.too_deep(span));
        }
        Ok(Tall { expr: Expr { kind, span }, height: below + 1 })
    }

    fn too_deep(&mut self, span: Span) -> Stop {
        let message = format!(
            "this is nested too deeply: the maximum is {MAX_BRACKETS} brackets and {MAX_HEIGHT} steps inside each other"
        );
        self.cursor.stop(span, message, "")
    }

    /// Parses `path`, or `path ?? path ?? …`, of which the first one that is not null counts.
    pub(super) fn expression(&mut self, place: Place) -> Result<Tall, Stop> {
        let left = self.path(place)?;
        self.fallbacks(left, place)
    }

    pub(super) fn fallbacks(&mut self, mut left: Tall, place: Place) -> Result<Tall, Stop> {
        let right_place = if place == Place::Selection { Place::Fallback } else { place };
        loop {
            let end = self.cursor.pos;
            self.cursor.trivia();
            if !self.cursor.eat("??") {
                self.cursor.pos = end;
                return Ok(left);
            }
            let right = self.path(right_place)?;
            let span = left.expr.span.start..right.expr.span.end;
            let below = left.height.max(right.height);
            let kind =
                ExprKind::Coalesce { left: Box::new(left.expr), right: Box::new(right.expr) };
            left = self.grow(kind, span, below)?;
        }
    }

    fn path(&mut self, place: Place) -> Result<Tall, Stop> {
        self.cursor.trivia();
        let head = self.head(place)?;
        self.steps(head)
    }

    fn head(&mut self, place: Place) -> Result<Tall, Stop> {
        let start = self.cursor.pos;
        let Some(byte) = self.cursor.peek() else { return Err(self.expected("a value")) };
        match byte {
            b'$' => self.dollar(),
            b'@' => {
                self.cursor.pos += 1;
                if self.methods == 0 {
                    self.require_current(start..start + 1, "@");
                }
                self.grow(ExprKind::At, start..start + 1, 0)
            }
            b'"' | b'\'' => {
                let text = self.cursor.string()?;
                let span = start..self.cursor.pos;
                if place == Place::Selection {
                    return self.key_of_current(text.into(), span);
                }
                self.grow(ExprKind::Literal(Value::String(text)), span, 0)
            }
            b'{' if place == Place::Selection => self.group(),
            b'{' => self.object(),
            b'[' => {
                let list = self.list()?;
                self.refuse_bare_literal(place, &list.expr.span);
                Ok(list)
            }
            _ if self.cursor.at_number() => {
                let number = self.cursor.number()?;
                let span = start..self.cursor.pos;
                self.refuse_bare_literal(place, &span);
                self.grow(ExprKind::Literal(number), span, 0)
            }
            _ if is_name_start(byte) => self.word(place),
            _ => Err(self.expected("a value")),
        }
    }

    /// Records that `due` was expected here.
    pub(super) fn expected(&mut self, due: &str) -> Stop {
        let (span, found) = self.cursor.found();
        let help = match self.cursor.peek() {
            Some(b'-') => "put a name with a dash in quotes: `'x-tenant'`",
            Some(byte) if !byte.is_ascii() => {
                "put a name with characters other than ASCII letters in quotes"
            }
            Some(b'(') => "call a method with `->`, and write a literal as `$(…)`",
            _ => "",
        };
        self.cursor.stop(span, format!("expected {due}, found {found}"), help)
    }

    fn refuse_bare_literal(&mut self, place: Place, span: &Span) {
        if place == Place::Selection {
            let help = format!("write `$({})`", &self.cursor.text[span.clone()]);
            self.cursor.report(span.clone(), "a literal must be inside `$(…)` here", Some(help));
        }
    }

    /// Parses `true`, `false`, `null`, or a key of the current object.
    fn word(&mut self, place: Place) -> Result<Tall, Stop> {
        let start = self.cursor.pos;
        let name = self.cursor.identifier(false).unwrap_or_default();
        let span = start..self.cursor.pos;
        let literal = match name {
            "true" => Some(Value::Bool(true)),
            "false" => Some(Value::Bool(false)),
            "null" => Some(Value::Null),
            _ => None,
        };
        if let Some(value) = literal {
            self.refuse_bare_literal(place, &span);
            return self.grow(ExprKind::Literal(value), span, 0);
        }
        if self.has_current && place == Place::Argument && !self.at_step() {
            let mut help = format!(
                "write `'{name}'` for the string, or `$.{name}` for a key of the current object"
            );
            if self.methods > 0 {
                help = format!(
                    "write `'{name}'` for the string, `@.{name}` for a key of the value that the method is applied to, or `$.{name}` for a key of the current object"
                );
            }
            self.cursor.report(
                span.clone(),
                format!("`{name}` alone is not a value here"),
                Some(help),
            );
        }
        self.key_of_current(name.into(), span)
    }

    fn at_step(&mut self) -> bool {
        let end = self.cursor.pos;
        self.cursor.trivia();
        let rest = self.cursor.rest();
        let step = [".", "->", "?", "{"].iter().any(|token| rest.starts_with(token));
        self.cursor.pos = end;
        step
    }

    pub(super) fn key_of_current(&mut self, name: Box<str>, span: Span) -> Result<Tall, Stop> {
        if !self.has_current {
            let help = match spellings::variable(&name).filter(|_| self.at_step()) {
                Some(variable) => format!("write `{variable}`"),
                None => format!(
                    "write `$args.{name}` for an argument, or `$this.{name}` for a field of the parent"
                ),
            };
            self.cursor.report(span.clone(), format!("`{name}` is not a variable"), Some(help));
        }
        let current = self.grow(ExprKind::Current, span.start..span.start, 0)?;
        let kind = ExprKind::Key { of: Box::new(current.expr), name, optional: false };
        self.grow(kind, span, current.height)
    }

    fn require_current(&mut self, span: Span, sign: &str) {
        if !self.has_current {
            let help = "use a variable, such as `$args.id` or `$this.id`";
            self.cursor.report(span, format!("`{sign}` has no value here"), Some(help.to_owned()));
        }
    }

    /// Parses `$`, `$(…)` or a variable.
    fn dollar(&mut self) -> Result<Tall, Stop> {
        let start = self.cursor.pos;
        self.cursor.pos += 1;
        match self.cursor.peek() {
            Some(b'(') => {
                self.cursor.pos += 1;
                let mut inner = self.bracketed(start..start + 2, |parser| {
                    let inner = parser.expression(Place::Argument)?;
                    parser.close(b')', start + 1)?;
                    Ok(inner)
                })?;
                inner.expr.span = start..self.cursor.pos;
                Ok(inner)
            }
            Some(byte) if is_name_start(byte) => self.variable(start),
            _ => {
                self.require_current(start..start + 1, "$");
                self.grow(ExprKind::Current, start..start + 1, 0)
            }
        }
    }

    fn variable(&mut self, start: usize) -> Result<Tall, Stop> {
        let name = self.cursor.identifier(false).unwrap_or_default();
        let span = start..self.cursor.pos;
        let known = match name {
            "request" => self.part(
                start,
                &[("headers", Variable::RequestHeaders), ("ip", Variable::RequestIp)],
            )?,
            "response" => self.part(start, &[("headers", Variable::ResponseHeaders)])?,
            _ => method::variable(name),
        };
        if known == Some(Variable::Env) && !self.at_key() {
            let help = "write `$env.NAME`".to_owned();
            self.cursor.report(
                span.clone(),
                "`$env` needs the name of an environment variable",
                Some(help),
            );
        }
        let Some(variable) = known else {
            if method::variable(name).is_none() && !matches!(name, "request" | "response") {
                let (message, help) = method::unknown_variable(name);
                self.cursor.report(span.clone(), message, Some(help));
            }
            return self.grow(ExprKind::Current, span, 0);
        };
        self.grow(ExprKind::Variable(variable), start..self.cursor.pos, 0)
    }

    fn at_key(&self) -> bool {
        self.cursor.rest().starts_with('.') || self.cursor.rest().starts_with("?.")
    }

    /// Parses the part after the dot of `$request` and `$response`. If the part is unknown, records the error and
    /// returns `None`.
    fn part(&mut self, start: usize, parts: &[(&str, Variable)]) -> Result<Option<Variable>, Stop> {
        let whole = &self.cursor.text[start..self.cursor.pos];
        let choices: Vec<String> =
            parts.iter().map(|part| format!("`{whole}.{}`", part.0)).collect();
        let help = format!("write {}", choices.join(" or "));
        if !self.cursor.eat("?.") && !self.cursor.eat(".") {
            let span = start..self.cursor.pos;
            self.cursor.report(span, format!("`{whole}` alone is not a value"), Some(help));
            return Ok(None);
        }
        let part_start = self.cursor.pos;
        let Some(name) = self.cursor.identifier(true) else { return Err(self.expected("a name")) };
        let known = parts.iter().find(|part| part.0 == name).map(|part| part.1);
        if known.is_none() {
            let span = part_start..self.cursor.pos;
            self.cursor.report(span, format!("`{whole}` has no `{name}`"), Some(help));
        }
        Ok(known)
    }

    fn list(&mut self) -> Result<Tall, Stop> {
        let start = self.cursor.pos;
        let (items, height) = self.items(b']')?;
        self.grow(ExprKind::List(items), start..self.cursor.pos, height)
    }

    /// Parses comma-separated values, from the opening bracket to the closing one.
    pub(super) fn items(&mut self, close: u8) -> Result<(Vec<Expr>, usize), Stop> {
        let open = self.cursor.pos;
        self.cursor.pos += 1;
        self.bracketed(open..open + 1, |parser| {
            let (mut items, mut height) = (Vec::new(), 0);
            loop {
                parser.cursor.trivia();
                if parser.cursor.peek() == Some(close) {
                    parser.cursor.pos += 1;
                    return Ok((items, height));
                }
                let item = parser.expression(Place::Argument)?;
                height = height.max(item.height);
                items.push(item.expr);
                parser.cursor.trivia();
                if !parser.cursor.eat(",") {
                    parser.close(close, open)?;
                    return Ok((items, height));
                }
            }
        })
    }

    /// Parses `{ a: 1 }` among literals: every value has a name.
    fn object(&mut self) -> Result<Tall, Stop> {
        let open = self.cursor.pos;
        self.cursor.pos += 1;
        let (fields, height) =
            self.bracketed(open..open + 1, |parser| parser.object_fields(open))?;
        self.grow(ExprKind::Object(fields), open..self.cursor.pos, height)
    }

    fn object_fields(&mut self, open: usize) -> Result<(Vec<Field>, usize), Stop> {
        let (mut fields, mut height) = (Vec::new(), 0);
        loop {
            self.cursor.trivia();
            if self.cursor.eat("}") {
                self.refuse_twins(&fields);
                return Ok((fields, height));
            }
            let start = self.cursor.pos;
            let Some(name) = self.name()? else {
                return Err(self.expected_in(b'}', open, "a name"));
            };
            let name_span = start..self.cursor.pos;
            self.cursor.trivia();
            if !self.cursor.eat(":") {
                let help = "write an object inside `$(…)` as `{ name: value }`";
                return Err(self.cursor.stop(name_span, format!("`{name}` has no value"), help));
            }
            let value = self.expression(Place::Argument)?;
            height = height.max(value.height);
            fields.push(Field { name: Some(name), name_span, value: value.expr });
            self.cursor.trivia();
            self.cursor.eat(",");
        }
    }

    /// Consumes `close`, which belongs to the bracket at `open`.
    pub(super) fn close(&mut self, close: u8, open: usize) -> Result<(), Stop> {
        self.cursor.trivia();
        if self.cursor.peek() == Some(close) {
            self.cursor.pos += 1;
            return Ok(());
        }
        Err(self.expected_in(close, open, &format!("`{}`", char::from(close))))
    }

    /// Records an error. At the end of the text it is the bracket that was left open.
    pub(super) fn expected_in(&mut self, close: u8, open: usize, due: &str) -> Stop {
        if self.cursor.peek().is_some() {
            return self.expected(due);
        }
        let bracket = char::from(self.cursor.text.as_bytes()[open]);
        let help = format!("add `{}`", char::from(close));
        self.cursor.stop(open..open + 1, format!("unclosed `{bracket}`"), &help)
    }
}
