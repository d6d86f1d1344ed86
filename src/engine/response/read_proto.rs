//! Reads protobuf replies into slots: the wire format is walked along the shape, and fields that are not selected are
//! skipped. Strings are not copied.
//!
//! Well-known types, and messages that become a leaf or a computed value, take the general path. They are written and
//! read as the JSON of the proto3 JSON mapping, with field names as in the `.proto` file.

use super::proto_text::json_text;
use super::read_json::{Rows, read_general, read_made};
use super::shape::{General, ObjectShape, Shape};
use super::store::{Store, Unreadable, Value};
use super::wire::{Occurrence, Scalar, merged, scan};
use crate::mapping::Variables;
use base64::Engine as _;
use bytes::Bytes;
use prost_reflect::{FieldDescriptor, Kind, MessageDescriptor};

/// Reads an encoded message.
///
/// # Errors
/// If the encoding is invalid, there are too many values, or a mapping could not be evaluated.
pub(in crate::engine) fn read_proto(
    store: &mut Store,
    body: &Bytes,
    message: &MessageDescriptor,
    shape: &Shape,
    variables: &dyn Variables,
) -> Result<Value, Unreadable> {
    store.read_reply(|store| read_message(store, body, message, shape, variables))
}

fn read_message(
    store: &mut Store,
    body: &Bytes,
    message: &MessageDescriptor,
    shape: &Shape,
    variables: &dyn Variables,
) -> Result<Value, String> {
    if u32::try_from(body.len()).is_err() {
        return Err("the body is larger than 4 GiB".into());
    }
    let number = store.keep(body.clone());
    Reader { store, number, body, variables }.message(message, body, shape)
}

struct Reader<'a> {
    store: &'a mut Store,
    number: u32,
    body: &'a Bytes,
    variables: &'a dyn Variables,
}

impl Reader<'_> {
    fn message(
        &mut self,
        message: &MessageDescriptor,
        bytes: &[u8],
        shape: &Shape,
    ) -> Result<Value, String> {
        if message.full_name().starts_with("google.protobuf.") {
            return self.as_json(message, bytes, shape);
        }
        match shape {
            Shape::Object(shape) => self.object(message, bytes, shape),
            Shape::Key { key, then } => {
                let Some(field) = field(message, key) else { return Ok(Value::Null) };
                let found = scan(bytes, &[field.number()], self.store)?;
                self.field(message, &field, &found[0], then, bytes)
            }
            Shape::Leaf | Shape::Entries(_) => self.as_json(message, bytes, shape),
            Shape::General(general) => self.general(message, bytes, general),
            // A message is not a list.
            Shape::OneOfWhole(one) => self.message(message, bytes, &one.then),
        }
    }

    fn object(
        &mut self,
        message: &MessageDescriptor,
        bytes: &[u8],
        shape: &ObjectShape,
    ) -> Result<Value, String> {
        let rows = Rows::open(self.store, shape)?;
        let fields: Vec<_> = shape.keys.iter().map(|wanted| field(message, &wanted.key)).collect();
        let numbers: Vec<u32> =
            fields.iter().map(|field| field.as_ref().map_or(0, FieldDescriptor::number)).collect();
        let found = scan(bytes, &numbers, self.store)?;
        for (wanted, field) in shape.keys.iter().zip(&fields) {
            let Some(field) = field else { continue };
            // A field may be selected under both of its names; results are stored at the first one.
            let first = numbers.iter().position(|number| *number == field.number());
            let found = &found[first.unwrap_or_default()];
            for target in &wanted.targets {
                let value = self.field(message, field, found, &target.shape, bytes)?;
                self.store.set(rows.frame(target.frame), target.slot, value);
            }
        }
        Ok(rows.close(self.store, shape))
    }

    fn field(
        &mut self,
        message: &MessageDescriptor,
        field: &FieldDescriptor,
        found: &[Occurrence<'_>],
        shape: &Shape,
        whole: &[u8],
    ) -> Result<Value, String> {
        if field.is_map() {
            return self.map(message, field, found, shape, whole);
        }
        if field.is_list() {
            return self.list(field, found, shape);
        }
        match (field.kind(), found) {
            (Kind::Message(_), []) => Ok(Value::Null),
            (Kind::Message(inner), [one]) => self.message(&inner, one.bytes()?, shape),
            (Kind::Message(inner), pieces) => {
                read_message(self.store, &merged(pieces)?.into(), &inner, shape, self.variables)
            }
            (_, []) if field.supports_presence() => Ok(Value::Null),
            (kind, []) => Ok(self.default(&kind)),
            (kind, [.., last]) => self.scalar(&kind, *last, shape),
        }
    }

    fn list(
        &mut self,
        field: &FieldDescriptor,
        found: &[Occurrence<'_>],
        shape: &Shape,
    ) -> Result<Value, String> {
        let kind = field.kind();
        let opened = self.store.open_list();
        for occurrence in found {
            if let Kind::Message(inner) = &kind {
                let element = self.message(inner, occurrence.bytes()?, shape)?;
                self.store.push(element);
                continue;
            }
            let packed = occurrence.unpack(&kind, self.store)?;
            for element in packed.as_deref().unwrap_or(std::slice::from_ref(occurrence)) {
                let element = self.scalar(&kind, *element, shape)?;
                self.store.push(element);
            }
        }
        Ok(self.store.close_list(opened))
    }

    fn map(
        &mut self,
        message: &MessageDescriptor,
        field: &FieldDescriptor,
        found: &[Occurrence<'_>],
        shape: &Shape,
        whole: &[u8],
    ) -> Result<Value, String> {
        let Shape::Entries(then) = shape else {
            let path = Shape::Key { key: field.name().into(), then: Box::new(shape.clone()) };
            return self.as_json(message, whole, &path);
        };
        let Kind::Message(entry) = field.kind() else { return Ok(Value::Null) };
        let (key, value) = (entry.map_entry_key_field(), entry.map_entry_value_field());
        let opened = self.store.open_list();
        for occurrence in found {
            let bytes = occurrence.bytes()?;
            let found = scan(bytes, &[key.number(), value.number()], self.store)?;
            let key = self.field(&entry, &key, &found[0], &Shape::Leaf, bytes)?;
            let value = self.field(&entry, &value, &found[1], then, bytes)?;
            self.store.push(key);
            self.store.push(value);
        }
        Ok(self.store.close_list(opened))
    }

    fn scalar(
        &mut self,
        kind: &Kind,
        occurrence: Occurrence<'_>,
        shape: &Shape,
    ) -> Result<Value, String> {
        if !matches!(shape, Shape::Leaf) {
            return Ok(shape.of_scalar());
        }
        Ok(match occurrence.scalar(kind)? {
            Some(Scalar::Bool(value)) => Value::Bool(value),
            Some(Scalar::Signed(number)) => Value::Int(number),
            Some(Scalar::Unsigned(number)) => self.unsigned(number),
            Some(Scalar::Float(number)) => Value::Float(widen(number)),
            Some(Scalar::Double(number)) => Value::Float(number),
            Some(Scalar::Text(text)) => self.text(text.as_bytes()),
            Some(Scalar::Bytes(bytes)) => {
                let text = base64::engine::general_purpose::STANDARD.encode(bytes);
                Value::Text(self.store.scratch(&text))
            }
            Some(Scalar::Enum(number)) => match kind {
                Kind::Enum(definition) => match definition.get_value(number) {
                    Some(value) => Value::Text(self.store.scratch(value.name())),
                    None => Value::Int(number.into()),
                },
                _ => Value::Int(number.into()),
            },
            None => Value::Misfit,
        })
    }

    /// Returns the value of a field without presence that is not on the wire.
    fn default(&mut self, kind: &Kind) -> Value {
        match kind {
            Kind::String | Kind::Bytes => Value::Text(self.store.scratch("")),
            Kind::Enum(definition) => {
                Value::Text(self.store.scratch(definition.default_value().name()))
            }
            Kind::Bool => Value::Bool(false),
            Kind::Double | Kind::Float => Value::Float(0.0),
            _ => Value::Int(0),
        }
    }

    /// Returns a string of the body, or of a copy of a part of it.
    fn text(&mut self, bytes: &[u8]) -> Value {
        let offset = (bytes.as_ptr() as usize).checked_sub(self.body.as_ptr() as usize);
        if let Some(offset) = offset.filter(|offset| offset + bytes.len() <= self.body.len()) {
            return Value::Text(Store::slice(self.number, offset, bytes.len()));
        }
        let number = self.store.keep(Bytes::copy_from_slice(bytes));
        Value::Text(Store::slice(number, 0, bytes.len()))
    }

    fn unsigned(&mut self, number: u64) -> Value {
        match i64::try_from(number) {
            Ok(number) => Value::Int(number),
            Err(_) => Value::Text(self.store.scratch(&number.to_string())),
        }
    }

    fn general(
        &mut self,
        message: &MessageDescriptor,
        bytes: &[u8],
        general: &General,
    ) -> Result<Value, String> {
        let text = json_text(self.store, message, bytes, Some(&general.reads))?;
        read_general(self.store, text, general, self.variables)
    }

    fn as_json(
        &mut self,
        message: &MessageDescriptor,
        bytes: &[u8],
        shape: &Shape,
    ) -> Result<Value, String> {
        let text = json_text(self.store, message, bytes, None)?;
        read_made(self.store, text, shape, self.variables)
    }
}

/// Converts a `float` by its shortest decimal: 0.1, not 0.10000000149011612.
fn widen(number: f32) -> f64 {
    number.to_string().parse().unwrap_or_else(|_| number.into())
}

/// Finds a field by its name in the `.proto` file, or by its JSON name.
pub(super) fn field(message: &MessageDescriptor, name: &str) -> Option<FieldDescriptor> {
    message.get_field_by_name(name).or_else(|| message.get_field_by_json_name(name))
}

/// Returns a message as JSON text of at most this many values, with field names as in the `.proto` file.
///
/// # Errors
/// Like [`read_proto`].
pub(in crate::engine) fn json_of(
    message: &MessageDescriptor,
    bytes: &[u8],
    most_values: u64,
) -> Result<String, Unreadable> {
    Store::new(most_values).read_reply(|store| json_text(store, message, bytes, None))
}
