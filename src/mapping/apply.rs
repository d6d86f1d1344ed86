//! Methods. Each declares the kinds of values that it accepts. None accepts null, and the result is null, with three
//! exceptions: `match` may have a case for null, `and` and `or` may be decided by the other operand, and `echo` ignores
//! its receiver.

use super::calculate::{arithmetic, parse_float, parse_int, to_string};
use super::compare::{combine, compare, member, not};
use super::elements::{filter, find, flatten, to_list};
use super::evaluate::{Current, Frame, evaluate, names, with_members};
use super::found::{Found, NULL, equal};
use super::members::{get, has, listed};
use super::remaining::Remaining;
use super::strings::{json_parse, json_stringify, replace, split, test, transform};
use super::text;
use super::{Expr, ExprKind, Failure, Method};
use serde_json::Value;
use std::fmt::Write as _;

pub(super) fn apply<'a>(
    method: Method,
    receiver: Found<'a>,
    arguments: &'a [Expr],
    frame: Frame<'a>,
) -> Result<Found<'a>, Failure> {
    frame.remaining.read(receiver.scalar_bytes())?;
    let receiver = receiver.parsed()?;
    let takes_null = matches!(method, Method::Match | Method::And | Method::Or | Method::Echo);
    if receiver.is_null() && !takes_null {
        return Ok(receiver);
    }
    match (method, arguments) {
        (Method::Match, pairs) => {
            let otherwise = if receiver.is_absent() { Found::Absent } else { Found::null() };
            let receiver = receiver.into_cow(frame.remaining)?;
            Ok(pick(&receiver, pairs, frame)?.unwrap_or(otherwise))
        }
        (Method::Echo, [value]) => at_item(value, &receiver, frame),
        (Method::And | Method::Or, others) => combine(method, &receiver, others, frame),
        (Method::Not, _) => not(&receiver),
        (Method::Contains, [part]) if receiver.value().is_some_and(Value::is_string) => {
            test(method, &receiver, part, frame)
        }
        (Method::In | Method::Contains, [other]) => member(method, receiver, other, frame),
        (
            Method::Eq | Method::Ne | Method::Gt | Method::Gte | Method::Lt | Method::Lte,
            [other],
        ) => compare(method, receiver, other, frame),
        (Method::Add | Method::Sub | Method::Mul | Method::Div | Method::Mod, operands) => {
            arithmetic(method, &receiver, operands, frame)
        }
        (Method::ParseInt, bases) => parse_int(&receiver, bases, frame),
        (Method::ParseFloat, _) => parse_float(receiver, frame),
        (Method::ToString, _) => to_string(receiver),
        _ => of_parts(method, receiver, arguments, frame),
    }
}

/// Applies methods of lists, objects and texts.
fn of_parts<'a>(
    method: Method,
    receiver: Found<'a>,
    arguments: &'a [Expr],
    frame: Frame<'a>,
) -> Result<Found<'a>, Failure> {
    match (method, arguments) {
        (Method::Map, [body]) => map(receiver, body, frame),
        (Method::First | Method::Last, _) => end(receiver, method, frame.remaining),
        (Method::Size, _) => size(&receiver, frame.remaining),
        (Method::Slice, bounds) => slice(receiver, bounds, frame),
        (Method::JoinNotNull, [separator]) => join(receiver, separator, frame),
        (Method::Filter, [condition]) => filter(receiver, condition, frame),
        (Method::Find, [condition]) => find(receiver, condition, frame),
        (Method::Flatten, _) => flatten(receiver, frame),
        (Method::ToList, _) => to_list(receiver, frame),
        (Method::Entries | Method::Keys | Method::Values, _) => listed(method, receiver, frame),
        (Method::Has, [key]) => has(&receiver, key, frame),
        (Method::Get, [key]) => get(receiver, key, frame),
        (Method::Split, arguments) => split(&receiver, arguments, frame),
        (Method::Replace, [from, to]) => replace(receiver, from, to, frame),
        (Method::StartsWith, [prefix]) => test(method, &receiver, prefix, frame),
        (Method::Lower | Method::Upper | Method::Trim, _) => transform(method, &receiver),
        (Method::JsonParse, _) => json_parse(&receiver, frame),
        (Method::JsonStringify, _) => json_stringify(receiver, frame),
        // The parser accepts no other number of arguments.
        _ => Ok(Found::null()),
    }
}

pub(super) fn wrong_argument<T>(method: Method, argument: &Found<'_>) -> Result<T, Failure> {
    Err(Failure::WrongArgument { method: method.as_str(), found: argument.kind() })
}

pub(super) fn refuse<T>(method: Method, receiver: &Found<'_>) -> Result<T, Failure> {
    Err(Failure::WrongReceiver { method: method.as_str(), found: receiver.kind() })
}

/// Evaluates an argument; `@` in it is the receiver.
pub(super) fn argument<'a>(
    expr: &'a Expr,
    receiver: &Found<'a>,
    frame: Frame<'a>,
) -> Result<Found<'a>, Failure> {
    if let ExprKind::Literal(value) = &expr.kind {
        return Ok(Found::Borrowed(value));
    }
    at_item(expr, receiver, frame)?.parsed()
}

/// Evaluates an expression with `@` as this value.
pub(super) fn at_item<'a>(
    expr: &'a Expr,
    item: &Found<'a>,
    frame: Frame<'a>,
) -> Result<Found<'a>, Failure> {
    let owned =
        |at: &Value| evaluate(expr, frame.with_at(Current::Value(at)))?.detached(frame.remaining);
    match item {
        Found::Borrowed(at) => evaluate(expr, frame.with_at(Current::Value(at))),
        // An object usually has several keys.
        Found::Text(at) if matches!(expr.kind, ExprKind::Object(_)) => with_members(
            at,
            frame.remaining,
            || names([expr]),
            |at| evaluate(expr, frame.with_at(at))?.detached(frame.remaining),
        ),
        Found::Text(at) => evaluate(expr, frame.with_at(Current::Text(at))),
        Found::Owned(at) => owned(at),
        Found::Absent => evaluate(expr, frame.with_at(Current::Value(&NULL))),
        Found::List(_) => owned(&item.to_owned_value(frame.remaining)?),
    }
}

fn end<'a>(
    receiver: Found<'a>,
    method: Method,
    remaining: Remaining<'_>,
) -> Result<Found<'a>, Failure> {
    let first = method == Method::First;
    if let Some(Value::String(text)) = receiver.value() {
        let mut chars = text.chars();
        let char = if first { chars.next() } else { chars.next_back() };
        return Ok(char.map_or(Found::null(), |char| Found::owned(char.to_string())));
    }
    let items = receiver.into_list(remaining)?.or_else(|other| refuse(method, &other))?;
    let mut items = items.into_iter();
    let item = if first { items.next() } else { items.next_back() };
    Ok(item.unwrap_or(Found::null()))
}

fn size<'a>(receiver: &Found<'a>, remaining: Remaining<'_>) -> Result<Found<'a>, Failure> {
    let size = match receiver {
        Found::List(items) => items.len(),
        Found::Text(text) => text::size(text, remaining)?,
        Found::Borrowed(value) => {
            size_of(value).map_or_else(|| refuse(Method::Size, receiver), Ok)?
        }
        Found::Owned(value) => size_of(value).map_or_else(|| refuse(Method::Size, receiver), Ok)?,
        Found::Absent => return Ok(Found::Absent),
    };
    Ok(Found::owned(size))
}

fn size_of(value: &Value) -> Option<usize> {
    match value {
        Value::Array(items) => Some(items.len()),
        Value::Object(object) => Some(object.len()),
        Value::String(text) => Some(text.chars().count()),
        Value::Null | Value::Bool(_) | Value::Number(_) => None,
    }
}

fn slice<'a>(
    receiver: Found<'a>,
    bounds: &'a [Expr],
    frame: Frame<'a>,
) -> Result<Found<'a>, Failure> {
    let mut limits = [0, usize::MAX];
    for (limit, bound) in limits.iter_mut().zip(bounds) {
        if let Some(count) = whole_number(Method::Slice, &argument(bound, &receiver, frame)?)? {
            *limit = count;
        }
    }
    let [start, end] = limits;
    let length = end.saturating_sub(start);
    if let Some(Value::String(text)) = receiver.value() {
        let part: String = text.chars().skip(start).take(length).collect();
        return Ok(Found::owned(part));
    }
    let items = receiver.into_list(frame.remaining)?;
    let items = items.or_else(|other| refuse(Method::Slice, &other))?;
    Ok(Found::List(items.into_iter().skip(start).take(length).collect()))
}

/// Returns a whole number; `None` for null. Negative numbers count as zero.
pub(super) fn whole_number(method: Method, bound: &Found<'_>) -> Result<Option<usize>, Failure> {
    let wrong = || Failure::WrongArgument { method: method.as_str(), found: bound.kind() };
    match bound.value() {
        Some(Value::Null) => Ok(None),
        Some(Value::Number(number)) => match (number.as_u64(), number.as_i64()) {
            (Some(count), _) => Ok(Some(usize::try_from(count).unwrap_or(usize::MAX))),
            (None, Some(_negative)) => Ok(Some(0)),
            (None, None) => Err(wrong()),
        },
        _ => Err(wrong()),
    }
}

fn map<'a>(receiver: Found<'a>, body: &'a Expr, frame: Frame<'a>) -> Result<Found<'a>, Failure> {
    let items = receiver.into_list(frame.remaining)?;
    let items = items.or_else(|other| refuse(Method::Map, &other))?;
    let mapped = items.into_iter().map(|item| at_item(body, &item, frame));
    Ok(Found::List(mapped.collect::<Result<_, _>>()?))
}

/// Returns the value of the first pair whose case equals the receiver.
fn pick<'a>(
    receiver: &Value,
    pairs: &'a [Expr],
    frame: Frame<'a>,
) -> Result<Option<Found<'a>>, Failure> {
    for pair in pairs {
        let ExprKind::List(pair) = &pair.kind else { continue };
        let [case, value] = &**pair else { continue };
        let frame = frame.with_at(Current::Value(receiver));
        let matches = matches!(case.kind, ExprKind::At)
            || equal(&*evaluate(case, frame)?.into_cow(frame.remaining)?, receiver);
        if matches {
            return evaluate(value, frame)?.detached(frame.remaining).map(Some);
        }
    }
    Ok(None)
}

fn join<'a>(
    receiver: Found<'a>,
    separator: &'a Expr,
    frame: Frame<'a>,
) -> Result<Found<'a>, Failure> {
    let separator = argument(separator, &receiver, frame)?;
    let separator = match separator.value() {
        Some(Value::String(text)) => &**text,
        Some(Value::Null) => "",
        _ => {
            let method = Method::JoinNotNull.as_str();
            return Err(Failure::WrongArgument { method, found: separator.kind() });
        }
    };
    let mut out =
        Joined { text: String::new(), started: false, separator, remaining: frame.remaining };
    match receiver {
        Found::Borrowed(value) => out.push_all(value)?,
        Found::Owned(value) => out.push_all(&value)?,
        list => {
            let items = list.into_list(frame.remaining)?;
            let items = items.or_else(|other| refuse(Method::JoinNotNull, &other))?;
            items.into_iter().try_for_each(|item| out.push(item.parsed()?.scalar()?))?;
        }
    }
    Ok(Found::owned(out.text))
}

struct Joined<'s> {
    text: String,
    started: bool,
    separator: &'s str,
    remaining: Remaining<'s>,
}

impl Joined<'_> {
    fn push_all(&mut self, value: &Value) -> Result<(), Failure> {
        match value {
            Value::Array(items) => items.iter().try_for_each(|item| self.push(item)),
            Value::Object(_) => refuse(Method::JoinNotNull, &Found::Borrowed(value)),
            scalar => self.push(scalar),
        }
    }

    fn push(&mut self, scalar: &Value) -> Result<(), Failure> {
        if scalar.is_null() {
            return Ok(());
        }
        let start = self.text.len();
        if self.started {
            self.text.push_str(self.separator);
        }
        self.started = true;
        push_text(&mut self.text, scalar)?;
        self.remaining.written(self.text.len() - start)
    }
}

/// Appends a scalar as text: a string as it is, null as nothing, everything else as in JSON.
pub(super) fn push_text(out: &mut String, scalar: &Value) -> Result<(), Failure> {
    match scalar {
        Value::Null => {}
        Value::String(text) => out.push_str(text),
        Value::Bool(_) | Value::Number(_) => {
            // Writing to a string cannot fail.
            let _ = write!(out, "{scalar}");
        }
        Value::Array(_) | Value::Object(_) => return Err(Failure::NotScalar),
    }
    Ok(())
}
