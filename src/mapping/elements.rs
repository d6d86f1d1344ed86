//! Methods that select elements of a list. Other values count as a list of one.

use super::apply::{at_item, refuse};
use super::evaluate::Frame;
use super::found::Found;
use super::{Expr, Failure, Method};
use serde_json::Value;

/// `filter`: returns the elements for which the condition is true.
pub(super) fn filter<'a>(
    receiver: Found<'a>,
    condition: &'a Expr,
    frame: Frame<'a>,
) -> Result<Found<'a>, Failure> {
    let mut kept = Vec::new();
    for item in one_or_many(receiver, frame)? {
        if holds(Method::Filter, condition, &item, frame)? {
            kept.push(item);
        }
    }
    Ok(Found::List(kept))
}

/// `find`: returns the first element for which the condition is true, or null.
pub(super) fn find<'a>(
    receiver: Found<'a>,
    condition: &'a Expr,
    frame: Frame<'a>,
) -> Result<Found<'a>, Failure> {
    for item in one_or_many(receiver, frame)? {
        if holds(Method::Find, condition, &item, frame)? {
            return Ok(item);
        }
    }
    Ok(Found::null())
}

/// `toList`: returns a list as it is, and any other value as a list of one.
pub(super) fn to_list<'a>(receiver: Found<'a>, frame: Frame<'a>) -> Result<Found<'a>, Failure> {
    Ok(Found::List(one_or_many(receiver, frame)?))
}

/// `flatten`: returns the elements of the lists in a list, and its other elements as they are.
pub(super) fn flatten<'a>(receiver: Found<'a>, frame: Frame<'a>) -> Result<Found<'a>, Failure> {
    let items = receiver.into_list(frame.remaining)?;
    let items = items.or_else(|other| refuse(Method::Flatten, &other))?;
    let mut flat = Vec::new();
    for item in items {
        frame.remaining.work(1)?;
        match item.into_list(frame.remaining)? {
            Ok(inner) => flat.extend(inner),
            Err(one) => flat.push(one),
        }
    }
    Ok(Found::List(flat))
}

fn one_or_many<'a>(receiver: Found<'a>, frame: Frame<'a>) -> Result<Vec<Found<'a>>, Failure> {
    Ok(receiver.into_list(frame.remaining)?.unwrap_or_else(|one| vec![one]))
}

/// Evaluates a condition. Null is not true.
fn holds<'a>(
    method: Method,
    condition: &'a Expr,
    item: &Found<'a>,
    frame: Frame<'a>,
) -> Result<bool, Failure> {
    let verdict = at_item(condition, item, frame)?.parsed()?;
    match verdict.value() {
        Some(Value::Bool(verdict)) => Ok(*verdict),
        Some(Value::Null) => Ok(false),
        _ => super::apply::wrong_argument(method, &verdict),
    }
}
