//! Decodes files within a budget, which is counted on their encoding: two bytes can stand for a message that takes
//! hundreds once it is decoded.

use prost::encoding::{DecodeContext, WireType, decode_key, decode_varint, skip_field};
use prost::{DecodeError, Message as _};
use prost_reflect::prost_types::FileDescriptorProto;
use prost_reflect::{Kind, MessageDescriptor, ReflectMessage as _};

/// Maximum depth of messages, the same as prost's.
const MAX_DEPTH: usize = 100;
/// `FileDescriptorProto.source_code_info`: comments and positions, which are not used.
const SOURCE_INFO: u32 = 9;
/// `FileDescriptorProto.name`.
const NAME: u32 = 1;

/// Budget of one source: the parts that may still be decoded. Parts are messages, fields, enum values, methods, imports
/// and options. While a pool is built, each takes up to 1.5 kB.
#[derive(Debug, Clone, Copy)]
pub(super) struct Parts {
    most: usize,
    left: usize,
}

/// Reasons why a file is not decoded.
#[derive(Debug, thiserror::Error)]
pub(super) enum Undecodable {
    #[error("more than {0} messages, fields, values, methods, imports and options")]
    TooMany(usize),
    #[error("messages within each other over more than {MAX_DEPTH} levels")]
    TooDeep,
    #[error("{0}")]
    Invalid(#[from] DecodeError),
}

impl Parts {
    pub fn new(most: usize) -> Self {
        Self { most, left: most }
    }

    /// Decodes a file without its comments and positions.
    ///
    /// # Errors
    /// The file is invalid, or has more parts than are left. Nothing is decoded then.
    pub fn decode(&mut self, encoded: &[u8]) -> Result<FileDescriptorProto, Undecodable> {
        let (mut kept, mut from, mut fields) = (Vec::new(), 0, Fields(encoded));
        while let Some(field) = fields.next() {
            let to = encoded.len() - fields.0.len();
            if field?.number != SOURCE_INFO {
                kept.extend_from_slice(&encoded[from..to]);
            }
            from = to;
        }
        self.count(&kept, &FileDescriptorProto::default().descriptor(), 0)?;
        Ok(FileDescriptorProto::decode(&*kept)?)
    }

    /// Counts everything for which decoding allocates memory: messages and elements of lists.
    fn count(
        &mut self,
        encoded: &[u8],
        message: &MessageDescriptor,
        depth: usize,
    ) -> Result<(), Undecodable> {
        if depth > MAX_DEPTH {
            return Err(Undecodable::TooDeep);
        }
        for field in Fields(encoded) {
            let RawField { number, content } = field?;
            let Some(field) = message.get_field(number) else { continue };
            let of = match field.kind() {
                Kind::Message(of) => Some(of),
                _ if field.is_list() => None,
                _ => continue,
            };
            // Each byte of packed numbers may be a number.
            let is_text = matches!(field.kind(), Kind::String | Kind::Bytes);
            let packed = content.filter(|_| of.is_none() && !is_text);
            let parts = packed.map_or(1, |content| content.len().max(1));
            self.left = self.left.checked_sub(parts).ok_or(Undecodable::TooMany(self.most))?;
            if let (Some(of), Some(content)) = (of, content) {
                self.count(content, &of, depth + 1)?;
            }
        }
        Ok(())
    }
}

/// Returns the name of an encoded file.
///
/// # Errors
/// The file is invalid, or has no name.
pub(super) fn name(encoded: &[u8]) -> Result<&str, String> {
    let mut name = "";
    for field in Fields(encoded) {
        let field = field.map_err(|error| error.to_string())?;
        if let (NAME, Some(content)) = (field.number, field.content) {
            name = std::str::from_utf8(content).map_err(|error| error.to_string())?;
        }
    }
    if name.is_empty() { Err("a file has no name".to_owned()) } else { Ok(name) }
}

/// Iterates over the fields of an encoded message, in its order. Ends after an error.
pub(super) struct Fields<'e>(pub &'e [u8]);

/// An encoded field.
pub(super) struct RawField<'e> {
    pub number: u32,
    /// Content of a text, bytes, a message or packed numbers; `None` for a single number.
    pub content: Option<&'e [u8]>,
}

impl<'e> Fields<'e> {
    fn read(&mut self) -> Result<RawField<'e>, DecodeError> {
        let (number, wire_type) = decode_key(&mut self.0)?;
        let mut content = self.0;
        skip_field(wire_type, number, &mut self.0, DecodeContext::default())?;
        if wire_type != WireType::LengthDelimited {
            return Ok(RawField { number, content: None });
        }
        decode_varint(&mut content)?;
        let len = content.len() - self.0.len();
        Ok(RawField { number, content: Some(&content[..len]) })
    }
}

impl<'e> Iterator for Fields<'e> {
    type Item = Result<RawField<'e>, DecodeError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let field = self.read();
        if field.is_err() {
            self.0 = &[];
        }
        Some(field)
    }
}
