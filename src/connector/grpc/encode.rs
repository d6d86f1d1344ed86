//! Encodes a mapping's value as a protobuf message (protobuf.dev, "Encoding" and "ProtoJSON Format").
//!
//! More lenient than ProtoJSON where GraphQL needs it: an `ID` of digits fits an integer field, and an integer fits a
//! string field. Fields are written in the order of the mapping, so equal values give equal bytes.

use super::check::{field, is_well_known};
use crate::mapping::Failure;
use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use prost::Message;
use prost::encoding::{WireType, encode_key, encode_varint};
use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, MessageDescriptor};
use serde_json::Value;

/// Maximum depth of messages: the limit of protobuf's own parsers.
const MAX_DEPTH: usize = 100;

/// Encodes a value. Nulls are left out.
///
/// # Errors
/// The message has no field of a name, or its field cannot hold a value.
pub(super) fn encode(message: &MessageDescriptor, value: &Value) -> Result<Vec<u8>, Failure> {
    let mut out = Vec::new();
    write_message(message, value, &mut out, 0)?;
    Ok(out)
}

fn write_message(
    message: &MessageDescriptor,
    value: &Value,
    out: &mut Vec<u8>,
    depth: usize,
) -> Result<(), Failure> {
    if is_well_known(message) {
        let read = DynamicMessage::deserialize(message.clone(), &plain(value));
        let read = read.map_err(|_| Failure::Unencodable(message.name().into()))?;
        out.extend(read.encode_to_vec());
        return Ok(());
    }
    let fields = match value {
        Value::Object(fields) if depth < MAX_DEPTH => fields,
        _ => return Err(Failure::Unencodable(message.name().into())),
    };
    for (name, value) in fields.iter().filter(|(_, value)| !value.is_null()) {
        let field =
            field(message, name).ok_or_else(|| Failure::Unencodable(name.as_str().into()))?;
        write_field(&field, value, out, depth)?;
    }
    Ok(())
}

/// Converts numbers that are not 64-bit integers to floats, which well-known types hold.
fn plain(value: &Value) -> Value {
    match value {
        Value::Number(number) if !number.is_i64() && !number.is_u64() => {
            number.as_f64().map_or(Value::Null, Value::from)
        }
        Value::Array(items) => items.iter().map(plain).collect(),
        Value::Object(fields) => {
            fields.iter().map(|(name, value)| (name.clone(), plain(value))).collect()
        }
        other => other.clone(),
    }
}

fn write_field(
    field: &FieldDescriptor,
    value: &Value,
    out: &mut Vec<u8>,
    depth: usize,
) -> Result<(), Failure> {
    let unfit = || Failure::Unencodable(field.name().into());
    if field.is_map() {
        return write_map(field, value, out, depth);
    }
    if !field.is_list() {
        return write_one(field, value, out, depth);
    }
    let elements = value.as_array().ok_or_else(unfit)?;
    if !field.is_packed() {
        return elements.iter().try_for_each(|element| write_one(field, element, out, depth));
    }
    if elements.is_empty() {
        return Ok(());
    }
    let mut packed = Vec::with_capacity(elements.len());
    for element in elements {
        write_scalar(&field.kind(), element, &mut packed).ok_or_else(unfit)?;
    }
    write_delimited(field.number(), &packed, out);
    Ok(())
}

fn write_one(
    field: &FieldDescriptor,
    value: &Value,
    out: &mut Vec<u8>,
    depth: usize,
) -> Result<(), Failure> {
    let unfit = || Failure::Unencodable(field.name().into());
    match field.kind() {
        Kind::Message(_) if field.is_group() => Err(unfit()),
        Kind::Message(message) => {
            let mut inner = Vec::new();
            write_message(&message, value, &mut inner, depth + 1)?;
            write_delimited(field.number(), &inner, out);
            Ok(())
        }
        kind => {
            encode_key(field.number(), wire_type(&kind), out);
            write_scalar(&kind, value, out).ok_or_else(unfit)
        }
    }
}

fn write_map(
    field: &FieldDescriptor,
    value: &Value,
    out: &mut Vec<u8>,
    depth: usize,
) -> Result<(), Failure> {
    let unfit = || Failure::Unencodable(field.name().into());
    let Kind::Message(entry) = field.kind() else { return Err(unfit()) };
    let (key_field, value_field) = (entry.map_entry_key_field(), entry.map_entry_value_field());
    for (key, value) in value.as_object().ok_or_else(unfit)? {
        let key = match (key_field.kind(), key.as_str()) {
            (Kind::Bool, "true") => Value::Bool(true),
            (Kind::Bool, "false") => Value::Bool(false),
            _ => Value::String(key.clone()),
        };
        let mut inner = Vec::new();
        write_one(&key_field, &key, &mut inner, depth + 1)?;
        write_one(&value_field, value, &mut inner, depth + 1)?;
        write_delimited(field.number(), &inner, out);
    }
    Ok(())
}

fn write_delimited(number: u32, bytes: &[u8], out: &mut Vec<u8>) {
    encode_key(number, WireType::LengthDelimited, out);
    encode_varint(bytes.len() as u64, out);
    out.extend_from_slice(bytes);
}

fn wire_type(kind: &Kind) -> WireType {
    match kind {
        Kind::Double | Kind::Fixed64 | Kind::Sfixed64 => WireType::SixtyFourBit,
        Kind::Float | Kind::Fixed32 | Kind::Sfixed32 => WireType::ThirtyTwoBit,
        Kind::String | Kind::Bytes | Kind::Message(_) => WireType::LengthDelimited,
        _ => WireType::Varint,
    }
}

/// Encodes the value without its key; `None` if it does not fit.
#[expect(
    clippy::cast_sign_loss,
    reason = "two's complement is the wire format of negative numbers"
)]
fn write_scalar(kind: &Kind, value: &Value, out: &mut Vec<u8>) -> Option<()> {
    match kind {
        Kind::Int32 => encode_varint(i64::from(integer::<i32>(value)?) as u64, out),
        Kind::Int64 => encode_varint(integer::<i64>(value)? as u64, out),
        Kind::Uint32 => encode_varint(integer::<u32>(value)?.into(), out),
        Kind::Uint64 => encode_varint(integer::<u64>(value)?, out),
        Kind::Sint32 => encode_varint(zigzag(integer::<i32>(value)?.into()), out),
        Kind::Sint64 => encode_varint(zigzag(integer::<i64>(value)?), out),
        Kind::Fixed32 => out.extend(integer::<u32>(value)?.to_le_bytes()),
        Kind::Fixed64 => out.extend(integer::<u64>(value)?.to_le_bytes()),
        Kind::Sfixed32 => out.extend(integer::<i32>(value)?.to_le_bytes()),
        Kind::Sfixed64 => out.extend(integer::<i64>(value)?.to_le_bytes()),
        Kind::Float => {
            let number = float(value)?;
            let single = number as f32;
            (single.is_finite() || !number.is_finite()).then_some(())?;
            out.extend(single.to_le_bytes());
        }
        Kind::Double => out.extend(float(value)?.to_le_bytes()),
        Kind::Bool => encode_varint(value.as_bool()?.into(), out),
        Kind::String => write_string(value, out)?,
        Kind::Bytes => {
            let text = value.as_str()?;
            let bytes = BASE64_STANDARD.decode(text);
            let bytes =
                bytes.or_else(|_| BASE64_URL_SAFE_NO_PAD.decode(text.trim_end_matches('=')));
            write_bytes(&bytes.ok()?, out);
        }
        Kind::Enum(kind) => {
            let number = match value {
                Value::String(name) => kind.get_value_by_name(name)?.number(),
                number => integer(number)?,
            };
            encode_varint(i64::from(number) as u64, out);
        }
        Kind::Message(_) => return None,
    }
    Some(())
}

fn write_string(value: &Value, out: &mut Vec<u8>) -> Option<()> {
    match value {
        Value::String(text) => write_bytes(text.as_bytes(), out),
        Value::Number(number) if !number.as_str().contains(['.', 'e', 'E']) => {
            write_bytes(number.as_str().as_bytes(), out);
        }
        _ => return None,
    }
    Some(())
}

fn write_bytes(bytes: &[u8], out: &mut Vec<u8>) {
    encode_varint(bytes.len() as u64, out);
    out.extend_from_slice(bytes);
}

fn integer<T: TryFrom<i128>>(value: &Value) -> Option<T> {
    let wide = match value {
        Value::String(text) => text.parse().ok()?,
        Value::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(signed), _) => signed.into(),
            (_, Some(unsigned)) => unsigned.into(),
            _ => whole(number.as_f64()?)?,
        },
        _ => return None,
    };
    T::try_from(wide).ok()
}

fn whole(number: f64) -> Option<i128> {
    (number.fract() == 0.0 && number.abs() < 1e19).then_some(number as i128)
}

fn float(value: &Value) -> Option<f64> {
    match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => match text.as_str() {
            "NaN" => Some(f64::NAN),
            "Infinity" => Some(f64::INFINITY),
            "-Infinity" => Some(f64::NEG_INFINITY),
            digits => digits.parse().ok().filter(|number: &f64| number.is_finite()),
        },
        _ => None,
    }
}

#[expect(clippy::cast_sign_loss, reason = "the bits are what is meant")]
fn zigzag(number: i64) -> u64 {
    ((number << 1) ^ (number >> 63)) as u64
}
