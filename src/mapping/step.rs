//! Parses the steps of a path: keys, methods with their arguments, and a selection, which is the last one.

use super::calculate::base_of;
use super::cursor::Stop;
use super::parse::{Parser, Tall};
use super::{Expr, ExprKind, Kinds, Method, Span, Variable, method};
use serde_json::Value;

impl Parser<'_> {
    pub(super) fn steps(&mut self, head: Tall) -> Result<Tall, Stop> {
        let mut path = head;
        loop {
            let end = self.cursor.pos;
            self.cursor.trivia();
            let rest = self.cursor.rest();
            if rest.starts_with("??") {
                self.cursor.pos = end;
                return Ok(path);
            }
            let optional = self.cursor.eat("?");
            let sign_end = self.cursor.pos;
            self.cursor.trivia();
            match self.cursor.peek() {
                Some(b'.') => path = self.key(path, optional)?,
                Some(b'-') if self.cursor.peek_at(1) == Some(b'>') => {
                    path = self.method(path, optional)?;
                }
                Some(b'{') if optional => {
                    let path = self.optional(path, sign_end)?;
                    return self.select(path);
                }
                Some(b'{') => return self.select(path),
                _ if optional => {
                    self.cursor.pos = sign_end;
                    path = self.optional(path, sign_end)?;
                }
                _ => {
                    self.cursor.pos = end;
                    return Ok(path);
                }
            }
        }
    }

    /// Wraps a value followed by `?`, which ends at `end`: null counts as absent.
    fn optional(&mut self, of: Tall, end: usize) -> Result<Tall, Stop> {
        let span = of.expr.span.start..end;
        self.grow(ExprKind::Optional { of: Box::new(of.expr) }, span, of.height)
    }

    fn refuse_keys_of_literal(&mut self, of: &Expr) {
        if matches!(of.kind, ExprKind::Literal(_)) {
            let help = "begin a quoted key with its object: `$.\"odd key\".x`".to_owned();
            self.cursor.report(of.span.clone(), "a literal has no keys", Some(help));
        }
    }

    fn key(&mut self, of: Tall, optional: bool) -> Result<Tall, Stop> {
        self.cursor.pos += 1;
        self.refuse_keys_of_literal(&of.expr);
        self.cursor.trivia();
        let mut name: Box<str> = if self.cursor.at_quote() {
            self.cursor.string()?.into()
        } else {
            let Some(name) = self.cursor.identifier(true) else {
                return Err(self.expected("a key after the dot"));
            };
            name.into()
        };
        let headers = [Variable::RequestHeaders, Variable::ResponseHeaders];
        if matches!(of.expr.kind, ExprKind::Variable(variable) if headers.contains(&variable)) {
            name.make_ascii_lowercase();
        }
        let span = of.expr.span.start..self.cursor.pos;
        self.grow(ExprKind::Key { of: Box::new(of.expr), name, optional }, span, of.height)
    }

    pub(super) fn select(&mut self, of: Tall) -> Result<Tall, Stop> {
        self.refuse_keys_of_literal(&of.expr);
        let outer = std::mem::replace(&mut self.has_current, true);
        let fields = self.braced_fields();
        self.has_current = outer;
        let (fields, height) = fields?;
        let span = of.expr.span.start..self.cursor.pos;
        self.grow(ExprKind::Select { of: Box::new(of.expr), fields }, span, of.height.max(height))
    }

    fn method(&mut self, of: Tall, optional: bool) -> Result<Tall, Stop> {
        self.cursor.pos += 2;
        self.cursor.trivia();
        let start = self.cursor.pos;
        let Some(name) = self.cursor.identifier(false) else {
            return Err(self.expected("the name of a method after `->`"));
        };
        let name_span = start..self.cursor.pos;
        let (arguments, height) = if self.cursor.peek() == Some(b'(') {
            self.methods += 1;
            let arguments = self.items(b')');
            self.methods -= 1;
            arguments?
        } else {
            (Vec::new(), 0)
        };
        let Some(method) = Method::named(name) else {
            let (message, help) = method::unknown_method(name);
            self.cursor.report(name_span, message, Some(help));
            return Ok(of);
        };
        self.check_arguments(method, &arguments, start..self.cursor.pos);
        self.check_receiver(method, &of.expr, name_span);
        let span = of.expr.span.start..self.cursor.pos;
        let below = of.height.max(height);
        let kind = ExprKind::Method { of: Box::new(of.expr), method, arguments, optional };
        self.grow(kind, span, below)
    }

    fn check_arguments(&mut self, method: Method, arguments: &[Expr], call: Span) {
        let usage = || Some(method.usage().to_owned());
        if let Some(message) = method.refuses_count(arguments.len()) {
            return self.cursor.report(call, message, usage());
        }
        let takes = method::signature(method).takes;
        for (number, argument) in arguments.iter().enumerate() {
            let is_whole = |argument: &Expr| match &argument.kind {
                ExprKind::Literal(Value::Number(number)) => !number.is_f64(),
                other => !matches!(other, ExprKind::Literal(_)),
            };
            let wrong = match (method, &argument.kind) {
                (Method::Match, ExprKind::List(pair)) if pair.len() == 2 => None,
                (Method::Match, _) => {
                    Some("each argument of `match` must be a pair of a case and a value".to_owned())
                }
                (Method::Slice, ExprKind::Literal(Value::Null)) => None,
                (Method::Slice, _) if !is_whole(argument) => {
                    Some("`slice` takes whole numbers".to_owned())
                }
                (Method::ParseInt, ExprKind::Literal(Value::Number(base))) => {
                    base_of(base).err().map(|failure| failure.to_string())
                }
                (Method::Replace, ExprKind::Literal(Value::String(from)))
                    if number == 0 && from.is_empty() =>
                {
                    Some("`replace` cannot search for an empty string".to_owned())
                }
                _ => wrong_kind(method, takes.get(number).or(takes.last()), argument),
            };
            if let Some(message) = wrong {
                self.cursor.report(argument.span.clone(), message, usage());
            }
        }
    }

    /// Refuses a receiver that can never have a kind that the method accepts.
    fn check_receiver(&mut self, method: Method, receiver: &Expr, name: Span) {
        let (kinds, applies_to) = (receiver.kinds(), method::signature(method).applies_to);
        if kinds != Kinds::NONE && !kinds.meets(applies_to) {
            let message =
                format!("`{}` cannot be applied to {}", method.as_str(), kinds.describe());
            let help = format!("apply it to {}", applies_to.describe());
            self.cursor.report(name, message, Some(help));
        }
    }
}

fn wrong_kind(method: Method, takes: Option<&Kinds>, argument: &Expr) -> Option<String> {
    let (kinds, takes) = (argument.kinds(), *takes?);
    if kinds == Kinds::NONE || kinds.meets(takes) {
        return None;
    }
    let (name, found) = (method.as_str(), kinds.describe());
    Some(match method {
        Method::JoinNotNull => "`joinNotNull` takes a string as separator".to_owned(),
        Method::Slice => "`slice` takes whole numbers".to_owned(),
        Method::Filter | Method::Find => {
            format!("a condition must be a boolean, but this is {found}")
        }
        _ => format!("`{name}` takes {}, but this is {found}", takes.describe()),
    })
}
