//! Leaves: result coercion of scalars and enums (GraphQL spec, section 3.5 "Scalars" and "Result Coercion"), and leaves
//! as keys and as values of templates.
//!
//! Stricter than the spec where it leaves a choice: strings are not coerced to numbers, nor numbers to strings or
//! booleans. Errors of a service should be visible, not passed on.

use super::store::{Store, Value};
use super::view::Leaf;
use crate::graph::EnumAliases;
use crate::graphql::{Name, ScalarFormat};
use crate::mapping::canonical;
use hashbrown::HashSet;
use std::borrow::Cow;

/// Writes a leaf as JSON.
///
/// # Errors
/// If the value has another type. The error names the expected type, for the message. `out` may hold a part of the value then.
pub(super) fn write_leaf(
    out: &mut Vec<u8>,
    store: &Store,
    value: Value,
    leaf: &Leaf,
) -> Result<(), &'static str> {
    match leaf {
        Leaf::Int => write_int(out, store, value),
        Leaf::Float => write_float(out, store, value),
        Leaf::String => write_string(out, store, value),
        Leaf::Id => write_id(out, store, value),
        Leaf::GlobalId(prefix) => write_global_id(out, store, value, prefix),
        Leaf::Boolean => write_boolean(out, store, value),
        Leaf::Enum(names) => write_enum(out, store, value, names),
        Leaf::AliasedEnum(aliases) => write_aliased(out, store, value, aliases),
        Leaf::Formatted(format) => write_formatted(out, store, value, *format),
        Leaf::Custom => {
            write_any(out, store, value);
            Ok(())
        }
    }
}

fn write_int(out: &mut Vec<u8>, store: &Store, value: Value) -> Result<(), &'static str> {
    const DUE: &str = "an integer of at most 32 bits";
    let number = match value {
        Value::Int(number) => number,
        Value::Float(number) => whole(number).ok_or(DUE)?,
        Value::Json(slice) => {
            let bytes = store.bytes(slice);
            if is_plain_integer(bytes) && bytes.len() <= 9 {
                out.extend_from_slice(bytes);
                return Ok(());
            }
            parse_number(bytes).and_then(whole).ok_or(DUE)?
        }
        _ => return Err(DUE),
    };
    let number = i32::try_from(number).map_err(|_| DUE)?;
    out.extend_from_slice(number.to_string().as_bytes());
    Ok(())
}

fn write_float(out: &mut Vec<u8>, store: &Store, value: Value) -> Result<(), &'static str> {
    const DUE: &str = "a finite number";
    match value {
        Value::Int(number) => out.extend_from_slice(number.to_string().as_bytes()),
        Value::Float(number) if number.is_finite() => write_json(out, &number),
        Value::Json(slice) => {
            let bytes = store.bytes(slice);
            parse_number(bytes).filter(|number| number.is_finite()).ok_or(DUE)?;
            out.extend_from_slice(bytes);
        }
        _ => return Err(DUE),
    }
    Ok(())
}

fn write_string(out: &mut Vec<u8>, store: &Store, value: Value) -> Result<(), &'static str> {
    match value {
        Value::Json(slice) if store.bytes(slice).starts_with(b"\"") => {
            out.extend_from_slice(store.bytes(slice));
        }
        Value::Text(slice) => write_json(out, text(store.bytes(slice))),
        // Only protobuf replies have integers here, and those of 64 bits fit no other scalar.
        Value::Int(number) => write_json(out, &number.to_string()),
        _ => return Err("a string"),
    }
    Ok(())
}

fn write_id(out: &mut Vec<u8>, store: &Store, value: Value) -> Result<(), &'static str> {
    const DUE: &str = "an ID, that is a string or an integer";
    match value {
        Value::Json(slice) if is_plain_integer(store.bytes(slice)) => {
            out.push(b'"');
            out.extend_from_slice(store.bytes(slice));
            out.push(b'"');
        }
        _ => write_string(out, store, value).map_err(|_| DUE)?,
    }
    Ok(())
}

fn write_global_id(
    out: &mut Vec<u8>,
    store: &Store,
    value: Value,
    prefix: &str,
) -> Result<(), &'static str> {
    let start = out.len();
    write_id(out, store, value)?;
    // Every ID begins with a quotation mark, and no character of a prefix needs an escape.
    out.splice(start + 1..=start, prefix.bytes());
    Ok(())
}

fn write_boolean(out: &mut Vec<u8>, store: &Store, value: Value) -> Result<(), &'static str> {
    match value {
        Value::Bool(boolean) => write_json(out, &boolean),
        Value::Json(slice) if matches!(store.bytes(slice), b"true" | b"false") => {
            out.extend_from_slice(store.bytes(slice));
        }
        _ => return Err("a boolean"),
    }
    Ok(())
}

fn write_enum(
    out: &mut Vec<u8>,
    store: &Store,
    value: Value,
    names: &HashSet<Name>,
) -> Result<(), &'static str> {
    const DUE: &str = "one of the enum's values";
    let name = string(store, value).filter(|name| names.contains(&**name)).ok_or(DUE)?;
    write_json(out, &name);
    Ok(())
}

/// Writes an enum value that has an alias. An alias may be the text of a number.
fn write_aliased(
    out: &mut Vec<u8>,
    store: &Store,
    value: Value,
    aliases: &EnumAliases,
) -> Result<(), &'static str> {
    let mut said = Vec::new();
    let found = key_text(store, value, &mut said).then(|| aliases.read.get(text(&said))).flatten();
    write_json(out, &**found.ok_or("one of the enum's values, or its alias")?);
    Ok(())
}

fn write_formatted(
    out: &mut Vec<u8>,
    store: &Store,
    value: Value,
    format: ScalarFormat,
) -> Result<(), &'static str> {
    let fits = match value {
        Value::Int(number) => format.accepts_number(&number.to_string()),
        Value::Float(_) => {
            let mut digits = Vec::new();
            key_text(store, value, &mut digits) && format.accepts_number(text(&digits))
        }
        Value::Json(slice) if !store.bytes(slice).starts_with(b"\"") => {
            format.accepts_number(text(store.bytes(slice)))
        }
        _ => string(store, value).is_some_and(|text| format.accepts_text(&text)),
    };
    if !fits {
        return Err(format.expected());
    }
    write_any(out, store, value);
    Ok(())
}

fn write_any(out: &mut Vec<u8>, store: &Store, value: Value) {
    match value {
        Value::Json(slice) => out.extend_from_slice(store.bytes(slice)),
        other => write_json(out, &to_json(store, other)),
    }
}

fn write_json<T: serde::Serialize + ?Sized>(out: &mut Vec<u8>, value: &T) {
    serde_json::to_writer(out, value).expect("plain values serialise, and a Vec takes every byte");
}

fn is_plain_integer(bytes: &[u8]) -> bool {
    let digits = bytes.strip_prefix(b"-").unwrap_or(bytes);
    !digits.is_empty() && digits.iter().all(u8::is_ascii_digit) && bytes != b"-0"
}

/// Parses a JSON number; `None` for any other JSON.
fn parse_number(bytes: &[u8]) -> Option<f64> {
    let number = bytes.first().is_some_and(|byte| *byte == b'-' || byte.is_ascii_digit());
    if number { text(bytes).parse().ok() } else { None }
}

/// Converts a number without a fraction, such as `3`, `3.0` or `3e2`; `None` for others.
fn whole(number: f64) -> Option<i64> {
    let fits = number.abs() <= f64::from(i32::MAX) + 1.0;
    (number.fract() == 0.0 && fits).then_some(number as i64)
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("readers check bodies before they slice them")
}

/// Returns the content of a string, copied only if it has escapes; `None` for other values and for a lone surrogate.
fn string(store: &Store, value: Value) -> Option<Cow<'_, str>> {
    match value {
        Value::Text(slice) => Some(Cow::Borrowed(text(store.bytes(slice)))),
        Value::Json(slice) => match store.bytes(slice) {
            [b'"', content @ .., b'"'] if !content.contains(&b'\\') => {
                Some(Cow::Borrowed(text(content)))
            }
            quoted @ [b'"', ..] => serde_json::from_slice(quoted).ok().map(Cow::Owned),
            _ => None,
        },
        _ => None,
    }
}

/// Appends a scalar's text as a key: a string's content, a number's or boolean's JSON. Thus `7` and `"7"` are the same
/// key, as they are the same `ID`. For everything else, returns `false` and appends nothing.
pub(in crate::engine) fn key_text(store: &Store, value: Value, out: &mut Vec<u8>) -> bool {
    match value {
        Value::Bool(boolean) => write_json(out, &boolean),
        Value::Int(number) => out.extend_from_slice(number.to_string().as_bytes()),
        Value::Float(number) => number_key(number.to_string().as_bytes(), out),
        Value::Text(slice) => out.extend_from_slice(store.bytes(slice)),
        Value::Json(slice) => match store.bytes(slice) {
            [b'{' | b'[', ..] => return false,
            [b'"', content @ .., b'"'] if !content.contains(&b'\\') => {
                out.extend_from_slice(content);
            }
            quoted @ [b'"', ..] => match serde_json::from_slice::<String>(quoted) {
                Ok(content) => out.extend_from_slice(content.as_bytes()),
                // A lone surrogate is not text, so there is no key.
                Err(_) => return false,
            },
            boolean @ (b"true" | b"false") => out.extend_from_slice(boolean),
            number => number_key(number, out),
        },
        Value::Null | Value::List { .. } | Value::Object(_) | Value::Misfit | Value::Hole(_) => {
            return false;
        }
    }
    true
}

/// Appends a JSON number as a key: all spellings of a number give the same key.
pub(in crate::engine) fn number_key(json: &[u8], out: &mut Vec<u8>) {
    if is_plain_integer(json) {
        out.extend_from_slice(json);
    } else {
        canonical(text(json), out);
    }
}

/// Returns a leaf, or a list of leaves, as a value for templates. Objects become null.
pub(in crate::engine) fn to_json(store: &Store, value: Value) -> serde_json::Value {
    match value {
        Value::Bool(boolean) => boolean.into(),
        Value::Int(number) => number.into(),
        Value::Float(number) => number.into(),
        Value::Text(slice) => text(store.bytes(slice)).into(),
        Value::Json(slice) => serde_json::from_slice(store.bytes(slice)).unwrap_or_default(),
        Value::List { start, len } => {
            store.items(start, len).iter().map(|element| to_json(store, *element)).collect()
        }
        Value::Null | Value::Object(_) | Value::Misfit | Value::Hole(_) => serde_json::Value::Null,
    }
}
