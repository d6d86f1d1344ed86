//! Comparisons and logic, with null as "unknown": a comparison with null yields null, and so does `not`. So an access
//! rule never becomes true because a claim or a field is missing.

use super::apply::argument;
use super::decimal::by_size;
use super::evaluate::Frame;
use super::found::{Found, equal};
use super::{Expr, Failure, Method};
use serde_json::Value;

/// `eq`, `ne`, `gt`, `gte`, `lt`, `lte`: compares two values. Null if either is null.
pub(super) fn compare<'a>(
    method: Method,
    receiver: Found<'a>,
    other: &'a Expr,
    frame: Frame<'a>,
) -> Result<Found<'a>, Failure> {
    let right = argument(other, &receiver, frame)?;
    if right.is_null() {
        return Ok(Found::null());
    }
    if matches!(method, Method::Eq | Method::Ne) {
        let (left, right) = (receiver.into_cow(frame.remaining)?, right.into_cow(frame.remaining)?);
        let equal = equal(&left, &right);
        return Ok(boolean(equal == (method == Method::Eq)));
    }
    let kind = right.kind();
    let Some(left) = receiver.value().filter(|value| value.is_number() || value.is_string()) else {
        return super::apply::refuse(method, &receiver);
    };
    let order = match (left, right.value()) {
        (Value::Number(left), Some(Value::Number(right))) => by_size(left, right),
        (Value::String(left), Some(Value::String(right))) => left.cmp(right),
        _ => return Err(Failure::WrongArgument { method: method.as_str(), found: kind }),
    };
    Ok(boolean(match method {
        Method::Gt => order.is_gt(),
        Method::Gte => order.is_ge(),
        Method::Lt => order.is_lt(),
        _ => order.is_le(),
    }))
}

/// `in` and `contains`: the list is the argument of one and the receiver of the other.
pub(super) fn member<'a>(
    method: Method,
    receiver: Found<'a>,
    other: &'a Expr,
    frame: Frame<'a>,
) -> Result<Found<'a>, Failure> {
    let right = argument(other, &receiver, frame)?;
    if right.is_null() {
        return Ok(Found::null());
    }
    let kind = right.kind();
    let (one, list) = if method == Method::In {
        let wrong = |_| Failure::WrongArgument { method: method.as_str(), found: kind };
        (receiver, right.into_list(frame.remaining)?.map_err(wrong)?)
    } else {
        let list = receiver.into_list(frame.remaining)?;
        let list = list.or_else(|other| super::apply::refuse(method, &other))?;
        (right, list)
    };
    let one = one.into_cow(frame.remaining)?;
    for element in list {
        frame.remaining.walk(&one)?;
        if equal(&*element.into_cow(frame.remaining)?, &one) {
            return Ok(boolean(true));
        }
    }
    Ok(boolean(false))
}

/// `and`, `or`: known operands may decide. `or` of true and null is true, `and` of true and null is null.
pub(super) fn combine<'a>(
    method: Method,
    receiver: &Found<'a>,
    others: &'a [Expr],
    frame: Frame<'a>,
) -> Result<Found<'a>, Failure> {
    let decides = method == Method::Or;
    let mut unknown = match truth(receiver) {
        Ok(Some(value)) if value == decides => return Ok(boolean(decides)),
        Ok(value) => value.is_none(),
        Err(_) => return super::apply::refuse(method, receiver),
    };
    for other in others {
        match truth(&argument(other, receiver, frame)?) {
            Ok(Some(value)) if value == decides => return Ok(boolean(decides)),
            Ok(value) => unknown |= value.is_none(),
            Err(found) => return Err(Failure::WrongArgument { method: method.as_str(), found }),
        }
    }
    Ok(if unknown { Found::null() } else { boolean(!decides) })
}

pub(super) fn not<'a>(receiver: &Found<'a>) -> Result<Found<'a>, Failure> {
    match truth(receiver) {
        Ok(Some(value)) => Ok(boolean(!value)),
        Ok(None) => Ok(Found::null()),
        Err(_) => super::apply::refuse(Method::Not, receiver),
    }
}

/// Returns the truth value; `None` for null. For all other values the error is their kind.
fn truth(value: &Found<'_>) -> Result<Option<bool>, &'static str> {
    match value.value() {
        Some(Value::Bool(value)) => Ok(Some(*value)),
        Some(Value::Null) => Ok(None),
        _ => Err(value.kind()),
    }
}

fn boolean<'a>(value: bool) -> Found<'a> {
    Found::owned(value)
}
