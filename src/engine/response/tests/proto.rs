//! Protobuf bodies, with descriptors compiled here.

use super::{Status, general, group, key, leaves, object, row, show};
use crate::engine::response::{
    Leaf, ObjectShape, Shape, Store, Value, leaf::write_leaf, read_proto,
};
use crate::engine::testing::Random;
use bytes::Bytes;
use prost_reflect::{DescriptorPool, DynamicMessage, MessageDescriptor, prost::Message};
use protox::file::{ChainFileResolver, File, FileResolver, GoogleFileResolver};

const PROTO: &str = r#"
syntax = "proto3";
package t;
import "google/protobuf/timestamp.proto";
import "google/protobuf/wrappers.proto";
import "google/protobuf/struct.proto";
import "google/protobuf/any.proto";

message Scalars {
  double double = 1; float float = 2;
  int32 int32 = 3; int64 int64 = 4; uint32 uint32 = 5; uint64 uint64 = 6;
  sint32 sint32 = 7; sint64 sint64 = 8;
  fixed32 fixed32 = 9; fixed64 fixed64 = 10; sfixed32 sfixed32 = 11; sfixed64 sfixed64 = 12;
  bool bool = 13; string string = 14; bytes bytes = 15; Color color = 16;
}
enum Color { RED = 0; BLUE = 5; }
message Lists {
  repeated int32 packed = 1;
  repeated int32 loose = 2 [packed = false];
  repeated string texts = 3;
  repeated double doubles = 4;
  repeated fixed32 fixed = 5;
  repeated Color colors = 6;
  repeated Inner inners = 7;
  repeated uint64 big = 8;
}
message Inner { string name = 1; int64 display_count = 2; Inner inner = 3; float share = 4; }
message Optional { optional int32 number = 1; optional string text = 2; Inner inner = 3; string plain = 4; }
message Maps { map<string, Inner> by_name = 1; map<int32, string> by_number = 2; map<bool, Color> by_flag = 3; }
message Known {
  google.protobuf.Timestamp at = 1;
  google.protobuf.Int64Value count = 2;
  google.protobuf.StringValue text = 3;
  google.protobuf.Struct any = 4;
  repeated google.protobuf.Timestamp times = 5;
}
"#;

struct Texts;

impl FileResolver for Texts {
    fn open_file(&self, name: &str) -> Result<File, protox::Error> {
        if name == "t.proto" {
            File::from_source(name, PROTO)
        } else {
            Err(protox::Error::file_not_found(name))
        }
    }
}

pub(super) fn pool() -> DescriptorPool {
    let mut resolver = ChainFileResolver::new();
    resolver.add(Texts);
    resolver.add(GoogleFileResolver::new());
    let mut compiler = protox::Compiler::with_file_resolver(resolver);
    compiler.include_imports(true).open_file("t.proto").expect("the definitions compile");
    compiler.descriptor_pool()
}

pub(super) fn message(name: &str) -> MessageDescriptor {
    pool().get_message_by_name(&format!("t.{name}")).expect("it is defined")
}

/// Encodes a message from its JSON form.
fn encoded(name: &str, json: &str) -> Vec<u8> {
    let value: serde_json::Value = serde_json::from_str(json).expect(json);
    DynamicMessage::deserialize(message(name), value).expect(json).encode_to_vec()
}

fn read_bytes(name: &str, bytes: &[u8], shape: &Shape) -> String {
    let mut store = Store::new(1_000_000);
    let body = Bytes::copy_from_slice(bytes);
    match read_proto(&mut store, &body, &message(name), shape, &Status) {
        Ok(value) => show(&store, value, shape),
        Err(error) => format!("error: {error}"),
    }
}

fn read(name: &str, json: &str, shape: &Shape) -> String {
    read_bytes(name, &encoded(name, json), shape)
}

const SCALARS: [&str; 16] = [
    "double", "float", "int32", "int64", "uint32", "uint64", "sint32", "sint64", "fixed32",
    "fixed64", "sfixed32", "sfixed64", "bool", "string", "bytes", "color",
];

#[test]
fn every_kind_of_scalar() {
    let low = r#"{"double":-1.5,"float":0.1,"int32":-2147483648,"int64":"-9223372036854775808","uint32":1,
        "uint64":"1","sint32":-2147483648,"sint64":"-9223372036854775808","fixed32":1,"fixed64":"1",
        "sfixed32":-1,"sfixed64":"-1","bool":true,"string":"é\n","bytes":"//8=","color":"BLUE"}"#;
    assert_eq!(
        read("Scalars", low, &leaves(&SCALARS)),
        "(f-1.5 f0.1 i-2147483648 i-9223372036854775808 i1 i1 i-2147483648 i-9223372036854775808 i1 i1 \
         i-1 i-1 btrue 'é\n' '//8=' 'BLUE')"
    );
    let high = r#"{"double":1e300,"float":1e38,"int32":2147483647,"int64":"9223372036854775807",
        "uint32":4294967295,"uint64":"18446744073709551615","sint32":2147483647,"sint64":"9223372036854775807",
        "fixed32":4294967295,"fixed64":"18446744073709551615","sfixed32":2147483647,
        "sfixed64":"9223372036854775807"}"#;
    let shown = read("Scalars", high, &leaves(&SCALARS[2..12]));
    assert_eq!(
        shown,
        "(i2147483647 i9223372036854775807 i4294967295 '18446744073709551615' i2147483647 \
         i9223372036854775807 i4294967295 '18446744073709551615' i2147483647 i9223372036854775807)"
    );
}

#[test]
fn a_field_without_presence_has_its_default() {
    assert_eq!(
        read_bytes("Scalars", b"", &leaves(&SCALARS)),
        "(f0 f0 i0 i0 i0 i0 i0 i0 i0 i0 i0 i0 bfalse '' '' 'RED')"
    );
}

#[test]
fn presence_is_told_from_the_default() {
    let shape = leaves(&["number", "text", "plain", "missing"]);
    assert_eq!(read("Optional", "{}", &shape), "(null null '' null)");
    assert_eq!(read("Optional", r#"{"number":0,"text":""}"#, &shape), "(i0 '' '' null)");
    assert_eq!(read("Optional", "{}", &key("inner", leaves(&["name"]))), "null");
    assert_eq!(read("Optional", r#"{"inner":{}}"#, &key("inner", leaves(&["name"]))), "('')");
}

#[test]
fn numbers_of_32_bits_are_cut_to_them() {
    // Longer than encoders write it: five bytes for a negative int32, six for a uint32.
    let shape = leaves(&["int32", "uint32"]);
    let bytes = [0x18, 0xff, 0xff, 0xff, 0xff, 0x0f, 0x28, 0x81, 0x80, 0x80, 0x80, 0x80, 0x01];
    assert_eq!(read_bytes("Scalars", &bytes, &shape), "(i-1 i1)");
}

#[test]
fn lists_packed_and_loose() {
    let json = r#"{"packed":[1,-2,300],"loose":[4,5],"texts":["a","é"],"doubles":[0.5],"fixed":[7,8],
        "colors":["BLUE","RED"],"inners":[{"name":"x"},{}],"big":["18446744073709551615"]}"#;
    let names = ["packed", "loose", "texts", "doubles", "fixed", "colors", "big"];
    assert_eq!(
        read("Lists", json, &leaves(&names)),
        "([i1 i-2 i300] [i4 i5] ['a' 'é'] [f0.5] [i7 i8] ['BLUE' 'RED'] ['18446744073709551615'])"
    );
    assert_eq!(read("Lists", json, &key("inners", leaves(&["name"]))), "[('x') ('')]");
    assert_eq!(read("Lists", json, &key("inners", key("name", Shape::Leaf))), "['x' '']");
    assert_eq!(read_bytes("Lists", b"", &leaves(&names[..1])), "([])");
    // Packed although declared unpacked, and the reverse, in several parts.
    let mixed = [0x08, 1, 0x0a, 2, 2, 3, 0x12, 2, 4, 5, 0x10, 6];
    assert_eq!(
        read_bytes("Lists", &mixed, &leaves(&["packed", "loose"])),
        "([i1 i2 i3] [i4 i5 i6])"
    );
}

#[test]
fn messages_in_messages_and_groups_of_the_mapping() {
    let inner = row(object(
        2,
        &[("name", &[(0, 0, Shape::Leaf)]), ("inner", &[(0, 1, leaves(&["display_count"]))])],
    ));
    let json = r#"{"inner":{"name":"a","inner":{"displayCount":"5"}}}"#;
    assert_eq!(read("Optional", json, &key("inner", inner)), "('a' (i5))");
    let grouped = ObjectShape {
        groups: vec![group(0, 1, 1, &[])],
        ..object(
            2,
            &[("plain", &[(0, 0, Shape::Leaf)]), ("inner", &[(1, 0, key("name", Shape::Leaf))])],
        )
    };
    let json = r#"{"inner":{"name":"a"},"plain":"p"}"#;
    assert_eq!(read("Optional", json, &row(grouped)), "('p' ('a'))");
}

#[test]
fn a_message_in_pieces_is_merged() {
    let mut bytes = encoded("Optional", r#"{"inner":{"name":"first","displayCount":"7"}}"#);
    bytes.extend(encoded("Optional", r#"{"plain":"between"}"#));
    bytes.extend(encoded("Optional", r#"{"inner":{"name":"last"}}"#));
    let shape = key("inner", leaves(&["name", "display_count"]));
    assert_eq!(read_bytes("Optional", &bytes, &shape), "('last' i7)");
}

#[test]
fn a_field_is_found_by_either_of_its_names() {
    let json = r#"{"displayCount":"5"}"#;
    for names in [["display_count", "displayCount"], ["displayCount", "display_count"]] {
        assert_eq!(read("Inner", json, &leaves(&names)), "(i5 i5)");
    }
}

#[test]
fn maps_as_entries_and_as_json() {
    let json =
        r#"{"byName":{"a":{"name":"x"}},"byNumber":{"-7":"seven"},"byFlag":{"true":"BLUE"}}"#;
    let entries = |name, then| key(name, Shape::Entries(Box::new(then)));
    assert_eq!(read("Maps", json, &entries("by_name", leaves(&["name"]))), "['a' ('x')]");
    assert_eq!(read("Maps", json, &entries("by_number", Shape::Leaf)), "[i-7 'seven']");
    assert_eq!(read("Maps", json, &entries("by_flag", Shape::Leaf)), "[btrue 'BLUE']");
    assert_eq!(read_bytes("Maps", b"", &entries("by_name", Shape::Leaf)), "[]");
    assert_eq!(read("Maps", json, &leaves(&["by_number"])), r#"({"-7":"seven"})"#);
    assert_eq!(read("Maps", json, &key("by_name", key("a", leaves(&["name"])))), r#"("x")"#);
    // An entry without its key or its value has the defaults.
    assert_eq!(read_bytes("Maps", &[0x12, 0], &entries("by_number", Shape::Leaf)), "[i0 '']");
}

#[test]
fn an_unknown_number_of_an_enum_is_a_number() {
    let bytes = [0x80, 0x01, 9];
    assert_eq!(read_bytes("Scalars", &bytes, &leaves(&["color"])), "(i9)");
    let mut out = Vec::new();
    let names = std::sync::Arc::new(["RED".into()].into_iter().collect());
    assert!(
        write_leaf(&mut out, &Store::new(1_000_000), Value::Int(9), &Leaf::Enum(names)).is_err()
    );
}

#[test]
fn well_known_types_are_read_as_their_json() {
    let json = r#"{"at":"2026-01-02T03:04:05.600Z","count":"7","text":"t","any":{"a":[1.5,null]},
        "times":["1970-01-01T00:00:00Z"]}"#;
    let shape = leaves(&["at", "count", "text", "any", "times"]);
    let shown = read("Known", json, &shape);
    assert!(shown.starts_with(r#"("2026-01-02T03:04:05.600"#), "{shown}");
    assert!(
        shown.contains("i7") && shown.contains(r#""t" {"a":[1.5,null]} ["1970-01-01"#),
        "{shown}"
    );
    assert_eq!(read("Known", "{}", &shape), "(null null null null [])");
    assert_eq!(read("Known", json, &key("any", leaves(&["a"]))), "([1.5 null])");
}

#[test]
fn a_computed_value_reads_numbers_as_a_picked_one_does() {
    let json = r#"{"name":"a","displayCount":"9007199254740993","share":0.1,"inner":{"displayCount":"5"}}"#;
    let names = ["display_count", "share", "missing"];
    let picked = read("Inner", json, &leaves(&names));
    let computed = read("Inner", json, &general("display_count share missing", leaves(&names)));
    assert_eq!(picked, "(i9007199254740993 f0.1 null)");
    assert_eq!(computed, "(i9007199254740993 0.1 null)");
    let big = r#"{"big":["18446744073709551615","1"]}"#;
    let listed = read("Lists", big, &general("n: big->slice(0)", leaves(&["n"])));
    assert_eq!(listed, "(['18446744073709551615' i1])");
}

#[test]
fn a_container_of_which_nothing_is_read_is_present_and_has_its_length() {
    let lists = r#"{"inners":[{"name":"x"},{}],"texts":["a"]}"#;
    let optional = r#"{"inner":{"name":"x"}}"#;
    for (name, json, mapping, expected) in [
        ("Lists", lists, "n: $.inners { owner: $('o') }", r#"([{"owner":"o"} {"owner":"o"}])"#),
        ("Lists", lists, "n: $.inners->map('x')", r#"(["x" "x"])"#),
        ("Lists", lists, "n: $.inners->map({ o: $.texts })", r#"([{"o":["a"]} {"o":["a"]}])"#),
        ("Lists", lists, "n: $.inners->first { owner: $('o') }", r#"({"owner":"o"})"#),
        ("Lists", lists, "n: $.inners->slice(1)->map(1)->size", "(i1)"),
        ("Lists", "{}", "n: $.inners->map('x')", "([])"),
        ("Optional", optional, "n: inner { owner: $('o') }", r#"({"owner":"o"})"#),
        ("Optional", optional, "n: inner.inner { owner: $('o') }", "(null)"),
        ("Optional", "{}", "n: inner { owner: $('o') }", "(null)"),
    ] {
        let shown = read(name, json, &general(mapping, leaves(&["n"])));
        assert_eq!(shown, expected, "{mapping} of {json}");
    }
}

#[test]
fn integers_of_64_bits_fit_every_scalar_that_can_hold_them() {
    let mut store = Store::new(1_000_000);
    let body = Bytes::from(encoded("Scalars", r#"{"int64":"7","uint64":"18446744073709551615"}"#));
    let shape = leaves(&["int64", "uint64"]);
    let value = read_proto(&mut store, &body, &message("Scalars"), &shape, &Status).unwrap();
    let Value::Object(row) = value else { panic!("an object") };
    let written = |slot, leaf: &Leaf| {
        let mut out = Vec::new();
        let done = write_leaf(&mut out, &store, store.get(row, slot), leaf);
        done.map(|()| String::from_utf8(out).unwrap()).unwrap_or_default()
    };
    let leaves = [Leaf::String, Leaf::Id, Leaf::Int, Leaf::Float];
    assert_eq!(leaves.each_ref().map(|leaf| written(0, leaf)), ["\"7\"", "\"7\"", "7", "7"]);
    let big = "\"18446744073709551615\"";
    assert_eq!(leaves.each_ref().map(|leaf| written(1, leaf)), [big, big, "", ""]);
}

fn shapes() -> Vec<(&'static str, Shape)> {
    let entries = |name| key(name, Shape::Entries(Box::new(leaves(&["name"]))));
    let inner = row(object(1, &[("inner", &[(0, 0, leaves(&["name", "share"]))])]));
    vec![
        ("Scalars", leaves(&SCALARS)),
        ("Scalars", Shape::Leaf),
        ("Lists", leaves(&["packed", "loose", "texts", "doubles", "fixed", "colors", "big"])),
        ("Lists", key("inners", inner.clone())),
        ("Optional", inner),
        ("Optional", key("plain", leaves(&["x"]))),
        ("Maps", entries("by_name")),
        ("Maps", leaves(&["by_number"])),
        ("Known", leaves(&["at", "count", "text", "any", "times"])),
        ("Lists", general("n: inners->size texts", leaves(&["n", "texts"]))),
    ]
}

/// Returns every message of [`PROTO`] with all fields set, as JSON.
pub(super) fn filled() -> [(&'static str, &'static str); 5] {
    [
        (
            "Scalars",
            r#"{"double":-1.5,"float":0.1,"int32":-1,"string":"é","bytes":"//8=","color":"BLUE"}"#,
        ),
        (
            "Lists",
            r#"{"packed":[1,300],"loose":[4],"texts":["é"],"doubles":[0.5],"inners":[{"name":"x"}]}"#,
        ),
        ("Optional", r#"{"number":0,"inner":{"inner":{"name":"a"}}}"#),
        ("Maps", r#"{"byName":{"a":{"name":"x"}},"byNumber":{"-7":"seven"}}"#),
        ("Known", r#"{"at":"2026-01-02T03:04:05Z","count":"7","any":{"a":[1.5,{"b":null}]}}"#),
    ]
}

/// Returns the same messages, encoded.
fn samples() -> Vec<(&'static str, Vec<u8>)> {
    filled().into_iter().map(|(name, json)| (name, encoded(name, json))).collect()
}

#[test]
fn a_message_cut_short_is_an_error_or_a_shorter_message() {
    for (name, shape) in shapes() {
        let (_, sample) = samples().into_iter().find(|(of, _)| *of == name).unwrap();
        let descriptor = message(name);
        for end in 0..sample.len() {
            let whole = DynamicMessage::decode(descriptor.clone(), &sample[..end]).is_ok();
            let found = read_bytes(name, &sample[..end], &shape);
            // Only fields that are not selected may be invalid without an error.
            assert!(!whole || !found.starts_with("error"), "{end} of {name}: {found}");
        }
        assert!(!read_bytes(name, &sample, &shape).starts_with("error"), "{name}");
    }
    assert!(read_bytes("Scalars", &[0x72, 5, b'a'], &leaves(&["string"])).starts_with("error"));
    assert!(read_bytes("Scalars", &[0x0d, 0, 0], &leaves(&["bool"])).starts_with("error"));
    assert!(read_bytes("Scalars", &[0x72, 1, 0xff], &leaves(&["string"])).starts_with("error"));
    assert!(read_bytes("Scalars", &[0x70, 1], &leaves(&["string"])).starts_with("error"));
}

#[test]
fn whatever_bytes_come_nothing_panics() {
    let mut random = Random(7);
    let shapes = shapes();
    let samples = samples();
    let pool = pool();
    for round in 0..4_000 {
        let (name, shape) = random.pick(&shapes);
        let mut bytes: Vec<u8> = if round % 2 == 0 {
            (0..random.below(40)).map(|_| random.next() as u8).collect()
        } else {
            random.pick(&samples).1.clone()
        };
        for _ in 0..random.below(4) {
            if !bytes.is_empty() {
                let at = random.below(bytes.len());
                bytes[at] = random.next() as u8;
            }
        }
        let message = pool.get_message_by_name(&format!("t.{name}")).unwrap();
        let mut store = Store::new(1_000_000);
        if let Ok(value) = read_proto(&mut store, &bytes.into(), &message, shape, &Status) {
            show(&store, value, shape);
        }
    }
}

#[test]
fn messages_nested_without_end_are_refused_or_skipped() {
    let on_a_small_stack = || {
        let mut bytes = Vec::new();
        // From the inside out: each level is field 3, which contains the inner ones.
        for _ in 0..5_000 {
            let mut outer = vec![0x1a];
            prost::encoding::encode_varint(bytes.len() as u64, &mut outer);
            outer.append(&mut bytes);
            bytes = outer;
        }
        let shape = key("inner", key("inner", leaves(&["name"])));
        assert_eq!(read_bytes("Inner", &bytes, &shape), "('')");
        assert!(read_bytes("Inner", &bytes, &leaves(&["inner"])).starts_with("error"));
        // The messages of a mapping are read only as far as it reads them.
        assert_eq!(read_bytes("Inner", &bytes, &general("name", leaves(&["name"]))), "(\"\")");
        let whole = general("x: inner->size", leaves(&["x"]));
        assert!(read_bytes("Inner", &bytes, &whole).starts_with("error"));
        let groups = vec![0x2b; 100_000];
        assert!(read_bytes("Inner", &groups, &shape).starts_with("error"));
    };
    let thread = std::thread::Builder::new().stack_size(512 << 10).spawn(on_a_small_stack);
    thread.unwrap().join().unwrap();
}
