//! Methods of numbers, and those that parse a number. Arithmetic is exact: see `exact.rs`.

use super::apply::{argument, push_text, refuse, wrong_argument};
use super::evaluate::Frame;
use super::exact::{ExactNumber, Inexact};
use super::found::Found;
use super::{Expr, Failure, Method};
use serde_json::{Number, Value};

/// Applies `add`, `sub`, `mul`, `div` or `mod` with each argument in turn. Null if an argument is null.
pub(super) fn arithmetic<'a>(
    method: Method,
    receiver: &Found<'a>,
    operands: &'a [Expr],
    frame: Frame<'a>,
) -> Result<Found<'a>, Failure> {
    let Some(Value::Number(number)) = receiver.value() else { return refuse(method, receiver) };
    let mut result = number.clone();
    for operand in operands {
        let operand = argument(operand, receiver, frame)?;
        match operand.value() {
            Some(Value::Null) => return Ok(Found::null()),
            Some(Value::Number(operand)) => {
                frame.remaining.read(result.as_str().len() * operand.as_str().len())?;
                result =
                    compute(method, &result, operand).map_err(|why| why.of(method.as_str()))?;
            }
            _ => return wrong_argument(method, &operand),
        }
    }
    Ok(Found::owned(Value::Number(result)))
}

fn compute(method: Method, left: &Number, right: &Number) -> Result<Number, Inexact> {
    if let (Some(left), Some(right)) = (left.as_i64(), right.as_i64()) {
        let small = match method {
            Method::Add => left.checked_add(right),
            Method::Sub => left.checked_sub(right),
            Method::Mul => left.checked_mul(right),
            Method::Mod => left.checked_rem(right),
            _ => None,
        };
        if let Some(result) = small {
            return Ok(result.into());
        }
    }
    let (left, right) = (ExactNumber::parse(left.as_str())?, ExactNumber::parse(right.as_str())?);
    match method {
        Method::Add => left.add(&right),
        Method::Sub => left.sub(&right),
        Method::Mul => left.mul(&right),
        Method::Div => left.div(&right)?,
        _ => left.rem(&right)?,
    }
    .to_number()
}

/// `parseInt`: parses an integer in a base, or returns the integer part of a number.
pub(super) fn parse_int<'a>(
    receiver: &Found<'a>,
    bases: &'a [Expr],
    frame: Frame<'a>,
) -> Result<Found<'a>, Failure> {
    let mut base = 10;
    if let Some(given) = bases.first() {
        let given = argument(given, receiver, frame)?;
        base = match given.value() {
            Some(Value::Null) => return Ok(Found::null()),
            Some(Value::Number(number)) => base_of(number)?,
            _ => return wrong_argument(Method::ParseInt, &given),
        };
    }
    frame.remaining.read(receiver.scalar_bytes() * receiver.scalar_bytes().min(1000))?;
    let parsed = match receiver.value() {
        Some(Value::String(text)) => ExactNumber::parse_integer(text, base),
        Some(Value::Number(number)) => ExactNumber::parse(number.as_str()).and_then(|number| {
            let whole = number.truncated();
            if base == 10 {
                Ok(whole)
            } else {
                ExactNumber::parse_integer(whole.to_number()?.as_str(), base)
            }
        }),
        _ => return refuse(Method::ParseInt, receiver),
    };
    let number = parsed.and_then(|parsed| parsed.to_number());
    let number = number.map_err(|why| why.of(Method::ParseInt.as_str()))?;
    Ok(Found::owned(Value::Number(number)))
}

/// Returns a valid base.
pub(super) fn base_of(number: &Number) -> Result<u32, Failure> {
    let base = number.as_u64().filter(|base| (2..=36).contains(base));
    base.and_then(|base| u32::try_from(base).ok()).ok_or(Failure::UnknownBase)
}

/// `parseFloat`: parses a number with all its digits. A number stays as it is.
pub(super) fn parse_float<'a>(receiver: Found<'a>, frame: Frame<'a>) -> Result<Found<'a>, Failure> {
    let text = match receiver.value() {
        Some(Value::Number(_)) => return Ok(receiver),
        Some(Value::String(text)) => text,
        _ => return refuse(Method::ParseFloat, &receiver),
    };
    frame.remaining.read(text.len() * text.len().min(1000))?;
    let number = ExactNumber::parse(text).and_then(|parsed| parsed.to_number());
    let number = number.map_err(|why| why.of(Method::ParseFloat.as_str()))?;
    Ok(Found::owned(Value::Number(number)))
}

/// `toString`: converts a scalar to text, numbers as they are written.
pub(super) fn to_string(receiver: Found<'_>) -> Result<Found<'_>, Failure> {
    match receiver.value() {
        Some(Value::String(_)) => Ok(receiver),
        Some(scalar @ (Value::Bool(_) | Value::Number(_))) => {
            let mut text = String::new();
            push_text(&mut text, scalar)?;
            Ok(Found::owned(text))
        }
        _ => refuse(Method::ToString, &receiver),
    }
}
