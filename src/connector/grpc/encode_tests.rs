//! Writing messages, checked by an independent reader.

use super::descriptors;
use super::encode::encode;
use crate::connector::testing::shown;
use crate::mapping::Failure;
use prost_reflect::{DynamicMessage, MessageDescriptor, SerializeOptions};
use serde_json::{Value, json};

fn every_kind() -> MessageDescriptor {
    let pool = descriptors::load(
        &super::tests::source(http::Uri::from_static("http://products.test")),
        &crate::connector::DescriptorSource::protos([super::tests::protos()]),
        &super::Reflected::default(),
    );
    let pool = pool.map_err(|found| shown(&found)).expect("the protos compile");
    pool.get_message_by_name("shop.v1.EveryKind").expect("it is there")
}

/// Encodes a value here, and decodes it with an independent parser.
fn read_back(value: &Value) -> Value {
    let descriptor = every_kind();
    let bytes = encode(&descriptor, value).expect("it can be encoded");
    let message = DynamicMessage::decode(descriptor, bytes.as_slice()).expect("a message");
    let options =
        SerializeOptions::new().use_proto_field_name(true).stringify_64_bit_integers(false);
    message.serialize_with_options(serde_json::value::Serializer, &options).expect("JSON")
}

fn unfit(value: &Value) -> String {
    match encode(&every_kind(), value) {
        Err(Failure::Unencodable(field)) => field.into(),
        other => panic!("{value}: {other:?}"),
    }
}

#[test]
fn every_kind_of_field_comes_back_as_it_went() {
    let value = json!({
        "i32": -5, "i64": i64::MIN, "u32": u32::MAX, "u64": u64::MAX, "s32": i32::MIN, "s64": -1,
        "f32": 7, "f64": u64::MAX, "sf32": -7, "sf64": i64::MIN, "single": 1.5, "double": -2.25,
        "flag": true, "text": "é", "raw": "AQI=", "color": "RED",
        "packed": [1, -1, 300], "texts": ["a", ""], "loose": [1, 2],
        "by_number": { "-3": "x" }, "by_flag": { "true": { "i32": 1 } },
        "inner": { "inner": { "text": "deep" } },
        "at": "2026-01-02T03:04:05Z", "maybe": 9, "right": 4, "colors": ["COLD", "RED"],
    });
    assert_eq!(read_back(&value), value);
}

#[test]
fn ids_and_numbers_fit_each_other() {
    let value = json!({ "i64": "12", "u64": "18446744073709551615", "s32": "-4", "i32": 3.0,
        "text": 12, "texts": [1, "2"], "packed": ["1", 2], "double": "2.5", "color": 1,
        "maybe": "5", "raw": "_w" });
    let expected = json!({ "i64": 12, "u64": u64::MAX, "s32": -4, "i32": 3,
        "text": "12", "texts": ["1", "2"], "packed": [1, 2], "double": 2.5, "color": "RED",
        "maybe": 5, "raw": "/w==" });
    assert_eq!(read_back(&value), read_back(&expected),);
    assert_eq!(read_back(&value)["i64"], 12);
    assert_eq!(
        read_back(&json!({ "i32": null, "inner": null, "packed": [], "texts": [] })),
        json!({})
    );
}

#[test]
fn what_does_not_fit_names_its_field() {
    for (value, field) in [
        (json!({ "i32": 2_147_483_648_i64 }), "i32"),
        (json!({ "u32": -1 }), "u32"),
        (json!({ "i32": 1.5 }), "i32"),
        (json!({ "i64": "1e3" }), "i64"),
        (json!({ "single": 1e300 }), "single"),
        (json!({ "flag": "true" }), "flag"),
        (json!({ "text": 1.5 }), "text"),
        (json!({ "text": ["a"] }), "text"),
        (json!({ "raw": "!" }), "raw"),
        (json!({ "color": "BLUE" }), "color"),
        (json!({ "texts": ["a", null] }), "texts"),
        (json!({ "packed": [1, null] }), "packed"),
        (json!({ "inner": { "nope": 1 } }), "nope"),
        (json!({ "inner": 3 }), "EveryKind"),
        (json!({ "by_number": { "x": "y" } }), "key"),
        (json!({ "at": "yesterday" }), "Timestamp"),
        (json!([1]), "EveryKind"),
    ] {
        assert_eq!(unfit(&value), field, "{value}");
    }
}

#[test]
fn nesting_is_bounded() {
    let nest =
        |depth: usize| (0..depth).fold(json!({ "i32": 1 }), |inner, _| json!({ "inner": inner }));
    assert!(encode(&every_kind(), &nest(99)).is_ok());
    assert_eq!(unfit(&nest(100)), "EveryKind");
}
