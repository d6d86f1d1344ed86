//! Converts messages to JSON text (protobuf.dev, "ProtoJSON Format"), with field names as in the `.proto` file and
//! integers as numbers. It reads the wire format directly: only fields that are read are written, and no tree is built.

use super::store::Store;
use super::wire::{Occurrence, Scalar, merged, scan};
use crate::mapping::Reads;
use base64::Engine as _;
use indexmap::IndexMap;
use prost_reflect::{
    DynamicMessage, FieldDescriptor, Kind, MessageDescriptor, SerializeOptions, Value,
};

/// Maximum nesting of messages, the same as in protobuf's own decoders.
const MAX_DEPTH: usize = 100;

/// Returns the fields of a message that `reads` names as JSON text; all fields if it names none.
///
/// # Errors
/// If the encoding is invalid, with a message for the log, or if there are too many values.
pub(super) fn json_text(
    store: &Store,
    message: &MessageDescriptor,
    bytes: &[u8],
    reads: Option<&Reads>,
) -> Result<String, String> {
    let mut text = Text { store, out: String::new(), depth: 0 };
    text.message(message, bytes, reads)?;
    Ok(text.out)
}

struct Text<'a> {
    /// Counts the values.
    store: &'a Store,
    out: String,
    depth: usize,
}

impl Text<'_> {
    fn message(
        &mut self,
        message: &MessageDescriptor,
        bytes: &[u8],
        reads: Option<&Reads>,
    ) -> Result<(), String> {
        self.descend()?;
        self.store.charge(1)?;
        match well_known(message) {
            None => {
                self.out.push('{');
                self.fields(message, bytes, reads.filter(|reads| !reads.whole), true)?;
                self.out.push('}');
            }
            Some("Any") => self.any(message, bytes)?,
            Some("Struct") => self.structure(message, bytes)?,
            Some("ListValue") => self.list_value(message, bytes)?,
            Some("Value") => self.value(message, bytes)?,
            Some(name) => self.decoded(name, message, bytes)?,
        }
        self.depth -= 1;
        Ok(())
    }

    /// Enters a nested message.
    fn descend(&mut self) -> Result<(), String> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(format!("messages nest more than {MAX_DEPTH} levels deep"));
        }
        Ok(())
    }

    fn fields(
        &mut self,
        message: &MessageDescriptor,
        bytes: &[u8],
        reads: Option<&Reads>,
        mut first: bool,
    ) -> Result<(), String> {
        let below = |field: &FieldDescriptor| match reads {
            None => Some(None),
            Some(reads) => {
                let known = reads.below.iter().find(|(key, _)| **key == *field.name());
                known.map(|(_, reads)| Some(reads))
            }
        };
        let fields: Vec<_> =
            message.fields().filter_map(|field| Some((below(&field)?, field))).collect();
        let numbers: Vec<u32> = fields.iter().map(|(_, field)| field.number()).collect();
        let found = scan(bytes, &numbers, self.store)?;
        // Of several members of a `oneof`, the last one on the wire counts: see `last_of_oneofs`.
        let last = last_of_oneofs(message, bytes)?;
        for ((reads, field), found) in fields.iter().zip(&found) {
            let is_superseded = field
                .containing_oneof()
                .is_some_and(|oneof| last.get(oneof.name()) != Some(&field.number()));
            if field.supports_presence() && (found.is_empty() || is_superseded) {
                continue;
            }
            self.store.charge(1)?;
            self.comma(&mut first);
            self.string(field.name());
            self.out.push(':');
            self.field(field, found, *reads)?;
        }
        Ok(())
    }

    fn field(
        &mut self,
        field: &FieldDescriptor,
        found: &[Occurrence<'_>],
        reads: Option<&Reads>,
    ) -> Result<(), String> {
        let kind = field.kind();
        if field.is_map() {
            return self.map(&kind, found);
        }
        if !field.is_list() {
            return match (&kind, found) {
                (Kind::Message(inner), [one]) => self.message(inner, one.bytes()?, reads),
                (Kind::Message(inner), pieces) => self.message(inner, &merged(pieces)?, reads),
                (_, []) => {
                    self.default(&kind, &field.default_value());
                    Ok(())
                }
                (_, [.., last]) => self.scalar(&kind, *last),
            };
        }
        let (mut first, no_unpacking) = (true, matches!(kind, Kind::Message(_)));
        self.out.push('[');
        for occurrence in found {
            if let (true, Kind::Message(inner)) = (no_unpacking, &kind) {
                self.comma(&mut first);
                self.message(inner, occurrence.bytes()?, reads)?;
                continue;
            }
            let packed = occurrence.unpack(&kind, self.store)?;
            for element in packed.as_deref().unwrap_or(std::slice::from_ref(occurrence)) {
                self.comma(&mut first);
                self.scalar(&kind, *element)?;
            }
        }
        self.out.push(']');
        Ok(())
    }

    fn map(&mut self, kind: &Kind, found: &[Occurrence<'_>]) -> Result<(), String> {
        let Kind::Message(entry) = kind else { return Err("a map without entries".to_owned()) };
        let (key, value) = (entry.map_entry_key_field(), entry.map_entry_value_field());
        // Of equal keys the last one counts.
        let mut entries: IndexMap<String, Vec<Occurrence<'_>>> = IndexMap::new();
        for occurrence in found {
            let numbers = [key.number(), value.number()];
            let mut found = scan(occurrence.bytes()?, &numbers, self.store)?;
            let (mut name, values) = (Text { out: String::new(), ..*self }, found.pop());
            name.field(&key, found.first().map_or(&[], Vec::as_slice), None)?;
            let name =
                if name.out.starts_with('"') { name.out } else { format!("\"{}\"", name.out) };
            entries.insert(name, values.unwrap_or_default());
        }
        let mut first = true;
        self.out.push('{');
        for (name, found) in entries {
            self.comma(&mut first);
            self.out.push_str(&name);
            self.out.push(':');
            self.field(&value, &found, None)?;
        }
        self.out.push('}');
        Ok(())
    }

    fn scalar(&mut self, kind: &Kind, occurrence: Occurrence<'_>) -> Result<(), String> {
        if let Kind::Message(inner) = kind {
            return self.message(inner, occurrence.bytes()?, None);
        }
        match occurrence.scalar(kind)? {
            Some(Scalar::Bool(value)) => self.json(value),
            Some(Scalar::Signed(number)) => self.json(number),
            Some(Scalar::Unsigned(number)) => self.json(number),
            Some(Scalar::Float(number)) => self.float(number.into(), Some(number)),
            Some(Scalar::Double(number)) => self.float(number, None),
            Some(Scalar::Text(text)) => self.string(text),
            Some(Scalar::Bytes(bytes)) => self.base64(bytes),
            Some(Scalar::Enum(number)) => self.enum_value(kind, number),
            None => {}
        }
        Ok(())
    }

    /// Writes the value of a field that is not on the wire.
    fn default(&mut self, kind: &Kind, value: &Value) {
        match value {
            Value::EnumNumber(number) => self.enum_value(kind, *number),
            Value::Bool(value) => self.json(*value),
            Value::I32(value) => self.json(*value),
            Value::I64(value) => self.json(*value),
            Value::U32(value) => self.json(*value),
            Value::U64(value) => self.json(*value),
            Value::F32(value) => self.float((*value).into(), Some(*value)),
            Value::F64(value) => self.float(*value, None),
            Value::String(value) => self.string(value),
            Value::Bytes(value) => self.base64(value),
            _ => self.out.push_str("null"),
        }
    }

    fn enum_value(&mut self, kind: &Kind, number: i32) {
        let Kind::Enum(definition) = kind else { return };
        if definition.full_name() == "google.protobuf.NullValue" {
            self.out.push_str("null");
            return;
        }
        match definition.get_value(number) {
            Some(value) => self.string(value.name()),
            None => self.json(number),
        }
    }

    fn base64(&mut self, bytes: &[u8]) {
        let text = base64::engine::general_purpose::STANDARD.encode(bytes);
        self.string(&text);
    }

    /// Writes a `google.protobuf.Any`: the fields of its message after the type's name.
    fn any(&mut self, any: &MessageDescriptor, bytes: &[u8]) -> Result<(), String> {
        let found = scan(bytes, &[1, 2], self.store)?;
        let url = found[0].last().map_or(Ok(&[][..]), |url| url.bytes())?;
        let url = std::str::from_utf8(url).map_err(|error| format!("not UTF-8: {error}"))?;
        let payload = found[1].last().map_or(Ok(&[][..]), |value| value.bytes())?;
        let name = url.rsplit_once('/').map(|(_, name)| name).ok_or("an `Any` without a type")?;
        let message = any.parent_pool().get_message_by_name(name);
        let message = message.ok_or_else(|| format!("an `Any` of the unknown type `{name}`"))?;
        self.out.push_str("{\"@type\":");
        self.string(url);
        if well_known(&message).is_some() {
            self.out.push_str(",\"value\":");
            self.message(&message, payload, None)?;
        } else {
            self.descend()?;
            self.fields(&message, payload, None, false)?;
            self.depth -= 1;
        }
        self.out.push('}');
        Ok(())
    }

    /// Writes a `google.protobuf.Struct`: its one field is a map.
    fn structure(&mut self, message: &MessageDescriptor, bytes: &[u8]) -> Result<(), String> {
        let fields = message.get_field(1).ok_or("a `Struct` without fields")?;
        let found = scan(bytes, &[1], self.store)?;
        self.map(&fields.kind(), &found[0])
    }

    fn list_value(&mut self, message: &MessageDescriptor, bytes: &[u8]) -> Result<(), String> {
        let values = message.get_field(1).ok_or("a `ListValue` without values")?;
        let found = scan(bytes, &[1], self.store)?;
        self.field(&values, &found[0], None)
    }

    /// Writes a `google.protobuf.Value`: the one member of its `oneof`.
    fn value(&mut self, message: &MessageDescriptor, bytes: &[u8]) -> Result<(), String> {
        let last = last_of_oneofs(message, bytes)?;
        let field = last.values().next().and_then(|number| message.get_field(*number));
        let Some(field) = field else {
            self.out.push_str("null");
            return Ok(());
        };
        let found = scan(bytes, &[field.number()], self.store)?;
        if let [.., last] = &found[0][..]
            && let Some(Scalar::Double(number)) = last.scalar(&field.kind())?
            && !number.is_finite()
        {
            return Err("a `Value` that is not a finite number".to_owned());
        }
        self.field(&field, &found[0], None)
    }

    /// Writes another well-known type by decoding it: they are small.
    fn decoded(
        &mut self,
        name: &str,
        message: &MessageDescriptor,
        bytes: &[u8],
    ) -> Result<(), String> {
        if name == "FieldMask" {
            // A path takes two bytes.
            self.store.charge(bytes.len() as u64 / 2)?;
        }
        let decoded =
            DynamicMessage::decode(message.clone(), bytes).map_err(|error| error.to_string())?;
        let options = SerializeOptions::new().stringify_64_bit_integers(false);
        let mut text = Vec::new();
        decoded
            .serialize_with_options(&mut serde_json::Serializer::new(&mut text), &options)
            .map_err(|error| error.to_string())?;
        self.out.push_str(std::str::from_utf8(&text).map_err(|error| error.to_string())?);
        Ok(())
    }

    fn comma(&mut self, first: &mut bool) {
        if !std::mem::take(first) {
            self.out.push(',');
        }
    }

    fn float(&mut self, number: f64, short: Option<f32>) {
        match (number.is_finite(), short) {
            // The shortest decimal of a `float` stays as it is: 0.1, not 0.10000000149011612.
            (true, Some(short)) => self.json(short),
            (true, None) => self.json(number),
            _ if number.is_nan() => self.string("NaN"),
            _ => self.string(if number > 0.0 { "Infinity" } else { "-Infinity" }),
        }
    }

    fn string(&mut self, text: &str) {
        self.json(text);
    }

    fn json<T: serde::Serialize>(&mut self, value: T) {
        // Plain values always serialise.
        self.out.push_str(&serde_json::to_string(&value).unwrap_or_default());
    }
}

/// Returns the short name of a type with a JSON form of its own.
fn well_known(message: &MessageDescriptor) -> Option<&'static str> {
    const NAMES: [&str; 17] = [
        "Any",
        "Timestamp",
        "Duration",
        "Struct",
        "Value",
        "ListValue",
        "FieldMask",
        "Empty",
        "FloatValue",
        "DoubleValue",
        "Int32Value",
        "Int64Value",
        "UInt32Value",
        "UInt64Value",
        "BoolValue",
        "StringValue",
        "BytesValue",
    ];
    let short = message.full_name().strip_prefix("google.protobuf.")?;
    NAMES.into_iter().find(|name| *name == short)
}

/// Returns the last member of each `oneof` on the wire.
fn last_of_oneofs(
    message: &MessageDescriptor,
    bytes: &[u8],
) -> Result<IndexMap<String, u32>, String> {
    let mut last = IndexMap::new();
    if message.oneofs().len() == 0 {
        return Ok(last);
    }
    super::wire::each_number(bytes, |number| {
        if let Some(oneof) = message.get_field(number).and_then(|field| field.containing_oneof()) {
            last.insert(oneof.name().to_owned(), number);
        }
    })?;
    Ok(last)
}
