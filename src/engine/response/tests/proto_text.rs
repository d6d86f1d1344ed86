//! Messages as text, compared with the output of prost-reflect.

use super::Status;
use super::proto::{filled, message, pool};
use crate::engine::response::{Shape, Store, Unreadable, proto_to_json, read_proto};
use bytes::Bytes;
use prost::Message as _;
use prost::encoding::encode_varint;
use prost_reflect::{DynamicMessage, SerializeOptions};
use serde_json::Value as Json;

fn reference(name: &str, bytes: &[u8]) -> Option<Json> {
    let decoded = DynamicMessage::decode(message(name), bytes).ok()?;
    let options = SerializeOptions::new()
        .use_proto_field_name(true)
        .skip_default_fields(false)
        .stringify_64_bit_integers(false);
    let mut text = Vec::new();
    decoded.serialize_with_options(&mut serde_json::Serializer::new(&mut text), &options).ok()?;
    serde_json::from_slice(&text).ok()
}

/// Encodes a field of bytes.
fn field(number: u32, content: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    encode_varint(u64::from(number << 3 | 2), &mut out);
    encode_varint(content.len() as u64, &mut out);
    out.extend_from_slice(content);
    out
}

#[test]
fn messages_are_the_json_that_prost_reflect_makes_of_them() {
    for (name, json) in filled() {
        let value: Json = serde_json::from_str(json).expect(json);
        let bytes = DynamicMessage::deserialize(message(name), value).expect(json);
        let bytes = bytes.encode_to_vec();
        let text = proto_to_json(&message(name), &bytes, 1_000).expect(json);
        let found: Json = serde_json::from_str(&text).expect(&text);
        assert_eq!(Some(found), reference(name, &bytes), "{name} {json}");
        // Two copies in a row: the last scalar counts, lists are joined, messages are merged.
        let twice = [&bytes[..], &bytes].concat();
        let text = proto_to_json(&message(name), &twice, 1_000).expect(json);
        let found: Json = serde_json::from_str(&text).expect(&text);
        assert_eq!(Some(found), reference(name, &twice), "{name} {json} twice");
    }
}

#[test]
fn an_any_within_an_any_without_end_is_refused() {
    let on_a_small_stack = || {
        let mut bytes = Vec::new();
        for _ in 0..20_000 {
            let url = field(1, b"type.googleapis.com/google.protobuf.Any");
            bytes = [url, field(2, &bytes)].concat();
        }
        let any = pool().get_message_by_name("google.protobuf.Any").unwrap();
        let refused = proto_to_json(&any, &bytes, 1_000_000);
        assert!(matches!(refused, Err(Unreadable::Invalid(_))), "{refused:?}");
    };
    let thread = std::thread::Builder::new().stack_size(512 << 10).spawn(on_a_small_stack);
    thread.unwrap().join().unwrap();
}

#[test]
fn values_without_end_are_refused() {
    let on_a_small_stack = || {
        // A `ListValue` in a `Value`, nested many times.
        let mut bytes = Vec::new();
        for _ in 0..20_000 {
            bytes = field(6, &field(1, &bytes));
        }
        let value = pool().get_message_by_name("google.protobuf.Value").unwrap();
        let refused = proto_to_json(&value, &bytes, 1_000_000);
        assert!(matches!(refused, Err(Unreadable::Invalid(_))), "{refused:?}");
    };
    let thread = std::thread::Builder::new().stack_size(512 << 10).spawn(on_a_small_stack);
    thread.unwrap().join().unwrap();
}

#[test]
fn messages_that_take_two_bytes_each_are_counted() {
    // `repeated Inner inners`, all of them empty: each would be written with its defaults.
    let inners = message("Lists").get_field_by_name("inners").unwrap().number();
    let bytes: Bytes = field(inners, b"").repeat(10_000).into();
    for shape in [Shape::Leaf, super::general("n: inners->size", super::leaves(&["n"]))] {
        let mut store = Store::new(5_000);
        let refused = read_proto(&mut store, &bytes, &message("Lists"), &shape, &Status);
        assert_eq!(refused, Err(Unreadable::TooManyValues(5_000)), "{shape:?}");
    }
}
