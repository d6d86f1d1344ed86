//! The protobuf wire format (protobuf.dev, "Encoding"): finds fields in a message.

use super::store::Store;
use prost::encoding::{DecodeContext, WireType, decode_key, decode_varint, skip_field};
use prost_reflect::Kind;

/// One occurrence of a field.
#[derive(Clone, Copy)]
pub(super) enum Occurrence<'a> {
    Varint(u64),
    Fixed32(u32),
    Fixed64(u64),
    Bytes(&'a [u8]),
}

/// The value of a scalar field.
pub(super) enum Scalar<'a> {
    Bool(bool),
    Signed(i64),
    Unsigned(u64),
    Float(f32),
    Double(f64),
    Text(&'a str),
    Bytes(&'a [u8]),
    /// Number of an enum's value.
    Enum(i32),
}

/// Returns the occurrences of each field in `numbers`, in order, and counts them. Groups are skipped.
pub(super) fn scan<'a>(
    message: &'a [u8],
    numbers: &[u32],
    store: &Store,
) -> Result<Vec<Vec<Occurrence<'a>>>, String> {
    let mut found = vec![Vec::new(); numbers.len()];
    let mut rest = message;
    while !rest.is_empty() {
        let (number, wire_type) = decode_key(&mut rest).map_err(|error| error.to_string())?;
        match numbers.iter().position(|wanted| *wanted == number) {
            Some(index) if !matches!(wire_type, WireType::StartGroup | WireType::EndGroup) => {
                store.charge(1)?;
                found[index].push(take(&mut rest, wire_type)?);
            }
            _ => skip_field(wire_type, number, &mut rest, DecodeContext::default())
                .map_err(|error| error.to_string())?,
        }
    }
    Ok(found)
}

/// Calls `see` with the number of each field, in the order of the wire.
pub(super) fn each_number(message: &[u8], mut see: impl FnMut(u32)) -> Result<(), String> {
    let mut rest = message;
    while !rest.is_empty() {
        let (number, wire_type) = decode_key(&mut rest).map_err(|error| error.to_string())?;
        see(number);
        skip_field(wire_type, number, &mut rest, DecodeContext::default())
            .map_err(|error| error.to_string())?;
    }
    Ok(())
}

fn take<'a>(rest: &mut &'a [u8], wire_type: WireType) -> Result<Occurrence<'a>, String> {
    Ok(match wire_type {
        WireType::ThirtyTwoBit => Occurrence::Fixed32(u32::from_le_bytes(array(part(rest, 4)?)?)),
        WireType::SixtyFourBit => Occurrence::Fixed64(u64::from_le_bytes(array(part(rest, 8)?)?)),
        WireType::Varint => Occurrence::Varint(varint(rest)?),
        _ => {
            let length = usize::try_from(varint(rest)?).map_err(|error| error.to_string())?;
            Occurrence::Bytes(part(rest, length)?)
        }
    })
}

fn part<'a>(rest: &mut &'a [u8], length: usize) -> Result<&'a [u8], String> {
    let (part, after) = rest.split_at_checked(length).ok_or("the message ends too early")?;
    *rest = after;
    Ok(part)
}

fn varint(rest: &mut &[u8]) -> Result<u64, String> {
    decode_varint(rest).map_err(|error| error.to_string())
}

fn array<const N: usize>(bytes: &[u8]) -> Result<[u8; N], String> {
    bytes.try_into().map_err(|_| "the message ends too early".to_owned())
}

impl<'a> Occurrence<'a> {
    pub(super) fn bytes(self) -> Result<&'a [u8], String> {
        match self {
            Self::Bytes(bytes) => Ok(bytes),
            _ => Err(wrong()),
        }
    }

    /// Decodes a scalar; `None` if a field of this kind is a message.
    pub(super) fn scalar(self, kind: &Kind) -> Result<Option<Scalar<'a>>, String> {
        Ok(Some(match kind {
            Kind::String => {
                let text = std::str::from_utf8(self.bytes()?);
                Scalar::Text(text.map_err(|error| format!("not UTF-8: {error}"))?)
            }
            Kind::Bytes => Scalar::Bytes(self.bytes()?),
            Kind::Enum(_) => Scalar::Enum(self.varint()? as i32),
            Kind::Bool => Scalar::Bool(self.varint()? != 0),
            Kind::Double => Scalar::Double(f64::from_bits(self.fixed64()?)),
            Kind::Float => Scalar::Float(f32::from_bits(self.fixed32()?)),
            Kind::Int32 => Scalar::Signed((self.varint()? as i32).into()),
            Kind::Int64 => Scalar::Signed(self.varint()?.cast_signed()),
            Kind::Uint32 => Scalar::Unsigned((self.varint()? as u32).into()),
            Kind::Uint64 => Scalar::Unsigned(self.varint()?),
            Kind::Sint32 => {
                let zigzag = self.varint()? as u32;
                Scalar::Signed(((zigzag >> 1).cast_signed() ^ -(zigzag & 1).cast_signed()).into())
            }
            Kind::Sint64 => {
                let zigzag = self.varint()?;
                Scalar::Signed((zigzag >> 1).cast_signed() ^ -(zigzag & 1).cast_signed())
            }
            Kind::Fixed32 => Scalar::Unsigned(self.fixed32()?.into()),
            Kind::Fixed64 => Scalar::Unsigned(self.fixed64()?),
            Kind::Sfixed32 => Scalar::Signed(self.fixed32()?.cast_signed().into()),
            Kind::Sfixed64 => Scalar::Signed(self.fixed64()?.cast_signed()),
            Kind::Message(_) => return Ok(None),
        }))
    }

    fn varint(self) -> Result<u64, String> {
        match self {
            Self::Varint(number) => Ok(number),
            _ => Err(wrong()),
        }
    }

    fn fixed32(self) -> Result<u32, String> {
        match self {
            Self::Fixed32(number) => Ok(number),
            _ => Err(wrong()),
        }
    }

    fn fixed64(self) -> Result<u64, String> {
        match self {
            Self::Fixed64(number) => Ok(number),
            _ => Err(wrong()),
        }
    }

    /// Returns the elements of a packed list of numbers; `None` if this is one element.
    pub(super) fn unpack(
        self,
        kind: &Kind,
        store: &Store,
    ) -> Result<Option<Vec<Occurrence<'a>>>, String> {
        let Self::Bytes(mut packed) = self else { return Ok(None) };
        let wire_type = match kind {
            Kind::String | Kind::Bytes | Kind::Message(_) => return Ok(None),
            Kind::Float | Kind::Fixed32 | Kind::Sfixed32 => WireType::ThirtyTwoBit,
            Kind::Double | Kind::Fixed64 | Kind::Sfixed64 => WireType::SixtyFourBit,
            _ => WireType::Varint,
        };
        let mut elements = Vec::new();
        while !packed.is_empty() {
            store.charge(1)?;
            elements.push(take(&mut packed, wire_type)?);
        }
        Ok(Some(elements))
    }
}

/// Joins the bytes of a message that arrives in several parts.
pub(super) fn merged(pieces: &[Occurrence<'_>]) -> Result<Vec<u8>, String> {
    let mut merged = Vec::new();
    for piece in pieces {
        merged.extend_from_slice(piece.bytes()?);
    }
    Ok(merged)
}

fn wrong() -> String {
    "a field's encoding does not fit its type".to_owned()
}
