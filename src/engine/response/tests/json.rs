//! JSON bodies along every form of shape.

use super::{general, group, key, leaves, object, read, row};
use crate::engine::response::{Constant, ObjectShape, Shape, Store, read_json};
use bytes::Bytes;

#[test]
fn a_leaf_is_the_text_as_it_came() {
    for text in [
        "1",
        "-0",
        "1.50",
        "1e3",
        "9223372036854775808",
        "true",
        "\"a\"",
        "\"\\u00e9\\n\"",
        "\"é\"",
        "{\"a\":[1, 2]}",
        "[ ]",
    ] {
        assert_eq!(read(text, &Shape::Leaf), text);
        assert_eq!(read(&format!(" \n{text}\t "), &Shape::Leaf), text);
    }
    assert_eq!(read("null", &Shape::Leaf), "null");
}

#[test]
fn an_empty_body_is_null() {
    for body in ["", " ", "\r\n"] {
        assert_eq!(read(body, &Shape::Leaf), "null");
        assert_eq!(read(body, &leaves(&["a"])), "null");
        assert_eq!(read(body, &general("a", Shape::Leaf)), "null");
    }
}

#[test]
fn an_object_fills_slots_and_skips_the_rest() {
    let shape = leaves(&["a", "b"]);
    assert_eq!(read(r#"{"x":{"a":[{}]},"b":2,"a":"1"}"#, &shape), r#"("1" 2)"#);
    assert_eq!(read("{}", &shape), "(null null)");
    assert_eq!(read(r#"{"a":null}"#, &shape), "(null null)");
}

#[test]
fn of_equal_keys_the_last_one_counts() {
    assert_eq!(read(r#"{"a":1,"b":2,"a":3}"#, &leaves(&["a", "b"])), "(3 2)");
    assert_eq!(read(r#"{"a":1,"a":null}"#, &leaves(&["a"])), "(null)");
    assert_eq!(read(r#"{"a":1,"a":2}"#, &key("a", Shape::Leaf)), "2");
}

#[test]
fn keys_are_compared_unescaped() {
    assert_eq!(read(r#"{"\u0061":1}"#, &leaves(&["a"])), "(1)");
    assert_eq!(read(r#"{"\u0061":1}"#, &key("a", Shape::Leaf)), "1");
    assert_eq!(read(r#"{"a\"b":1}"#, &leaves(&["a\"b"])), "(1)");
}

#[test]
fn lists_are_followed_wherever_they_come() {
    let shape = leaves(&["a"]);
    assert_eq!(read(r#"[{"a":1},null,{}]"#, &shape), "[(1) null (null)]");
    assert_eq!(read(r#"[[{"a":1}],[]]"#, &shape), "[[(1)] []]");
    assert_eq!(read(r#"[{"k":1},{"k":[2,3]},null]"#, &key("k", Shape::Leaf)), "[1 [2,3] null]");
    let deep = key("k", key("l", Shape::Leaf));
    assert_eq!(read(r#"{"k":[{"l":1},{"l":2}]}"#, &deep), "[1 2]");
    assert_eq!(read(r#"{"k":{"x":0,"l":{"a":1}}}"#, &key("k", key("l", leaves(&["a"])))), "(1)");
}

#[test]
fn lists_within_objects_within_lists_keep_their_elements_apart() {
    let inner = object(1, &[("b", &[(0, 0, leaves(&["c"]))])]);
    let shape = row(object(1, &[("a", &[(0, 0, row(inner))])]));
    let body = r#"[{"a":[{"b":[{"c":1},{"c":2}]},{"b":[]}]},{"a":[{"b":[{"c":3}]}]}]"#;
    assert_eq!(read(body, &shape), "[([([(1) (2)]) ([])]) ([([(3)])])]");
}

#[test]
fn a_scalar_in_the_place_of_an_object_is_a_misfit() {
    for scalar in ["1", "-1", "1.5", "true", "\"a\""] {
        assert_eq!(read(scalar, &leaves(&["a"])), "misfit", "{scalar}");
        assert_eq!(read(&format!("[{scalar}]"), &leaves(&["a"])), "[misfit]");
        assert_eq!(read(scalar, &Shape::Entries(Box::new(Shape::Leaf))), "misfit");
    }
    assert_eq!(read("null", &leaves(&["a"])), "null");
}

#[test]
fn a_scalar_has_no_keys() {
    for scalar in ["1", "-1", "1.5", "true", "\"a\"", "null"] {
        assert_eq!(read(scalar, &key("a", Shape::Leaf)), "null", "{scalar}");
        assert_eq!(read(&format!("[{scalar}]"), &key("a", leaves(&["b"]))), "[null]");
    }
}

#[test]
fn one_key_fills_several_slots() {
    let targets = [(0, 0, Shape::Leaf), (0, 1, leaves(&["b"])), (0, 2, key("b", Shape::Leaf))];
    let shape = row(object(3, &[("a", &targets)]));
    assert_eq!(read(r#"{"a": {"b":1} }"#, &shape), r#"({"b":1} (1) 1)"#);
    assert_eq!(read(r#"{"a": [{"b":1}] }"#, &shape), r#"([{"b":1}] [(1)] [1])"#);
    assert_eq!(read(r#"{"a":null}"#, &shape), "(null null null)");
    assert_eq!(read(r#"{"a":{"b":1,"a":{"b":2}}}"#, &shape), r#"({"b":1,"a":{"b":2}} (1) 1)"#);
    assert!(read(r#"{"a":{"b":}}"#, &shape).starts_with("error: "));
}

#[test]
fn groups_are_rows_of_their_own() {
    let shape = ObjectShape {
        groups: vec![group(0, 1, 2, &[]), group(1, 1, 1, &[])],
        ..object(
            2,
            &[
                ("id", &[(0, 0, Shape::Leaf)]),
                ("cents", &[(1, 0, Shape::Leaf)]),
                ("note", &[(2, 0, Shape::Leaf)]),
            ],
        )
    };
    let body = r#"{"note":"n","id":1,"cents":5}"#;
    assert_eq!(read(body, &row(shape.clone())), r#"(1 (5 ("n")))"#);
    assert_eq!(read("{}", &row(shape.clone())), "(null (null (null)))");
    assert_eq!(read("[{\"id\":1},null]", &row(shape)), "[(1 (null (null))) null]");
}

#[test]
fn a_stub_without_its_key_is_null() {
    let shape = ObjectShape {
        identity: vec![0, 1],
        groups: vec![group(0, 2, 1, &[0])],
        ..object(
            3,
            &[
                ("a", &[(0, 0, Shape::Leaf)]),
                ("b", &[(0, 1, Shape::Leaf)]),
                ("u", &[(1, 0, Shape::Leaf)]),
            ],
        )
    };
    let shape = row(shape);
    assert_eq!(read(r#"{"a":1,"u":7}"#, &shape), "(1 null (7))");
    assert_eq!(read(r#"{"b":1,"u":null}"#, &shape), "(null 1 null)");
    assert_eq!(read(r#"{"u":7}"#, &shape), "null");
    assert_eq!(read(r#"[{"a":null,"b":null},{"a":{},"b":1}]"#, &shape), "[null ({} 1 null)]");
}

#[test]
fn constants_stand_whatever_the_reply_says() {
    let constant = |frame, slot, json: &str| Constant { frame, slot, json: json.into() };
    let shape = ObjectShape {
        groups: vec![group(0, 1, 1, &[])],
        constants: vec![constant(0, 0, "\"order\""), constant(1, 0, "7"), constant(0, 2, "null")],
        ..object(3, &[])
    };
    assert_eq!(read(r#"[{"x":1},{}]"#, &row(shape)), r#"[("order" (7) null) ("order" (7) null)]"#);
}

#[test]
fn entries_come_as_key_and_value_in_turn() {
    let entries = |then| Shape::Entries(Box::new(then));
    assert_eq!(read(r#"{"a":1,"b\n":null}"#, &entries(Shape::Leaf)), "['a' 1 'b\n' null]");
    assert_eq!(read(r#"{"a":{"x":1}}"#, &entries(leaves(&["x"]))), "['a' (1)]");
    assert_eq!(read("{}", &entries(Shape::Leaf)), "[]");
    assert_eq!(read("null", &entries(Shape::Leaf)), "null");
    assert_eq!(read(r#"{"m":{"a":[{"x":1}]}}"#, &key("m", entries(leaves(&["x"])))), "['a' [(1)]]");
}

#[test]
fn a_mapping_with_methods_is_evaluated_first() {
    let first = general("rows->first", leaves(&["a"]));
    assert_eq!(read(r#"{"rows":[{"a":1},{"a":2}]}"#, &first), "(1)");
    assert_eq!(read(r#"{"rows":[]}"#, &first), "null");
    let named = general("n: rows->size s: $status", leaves(&["s", "n"]));
    assert_eq!(read(r#"{"rows":[1,2]}"#, &named), "(200 2)");
    assert_eq!(read(r#"[{"rows":[1]},null,{}]"#, &named), "[(200 1) null (200 null)]");
    assert_eq!(read("null", &named), "null");
    assert_eq!(read("7", &named), "misfit");
    let below = row(object(2, &[("a", &[(0, 0, Shape::Leaf)]), ("b", &[(0, 1, named)])]));
    assert_eq!(read(r#"{"a":"é","b":{"rows":5}}"#, &below).split(':').next(), Some("error"));
    assert_eq!(read(r#"{"a":"é","b":{"rows":[0]}}"#, &below), r#"("é" (200 1))"#);
}

#[test]
fn half_a_body_is_an_error() {
    let whole = r#"{"a":[{"b":"x\u0041"},{"b":-1.5e3}],"c":true,"d":null}"#;
    let inner = row(object(1, &[("b", &[(0, 0, Shape::Leaf)])]));
    let shapes = [
        Shape::Leaf,
        leaves(&["a", "c", "d"]),
        row(object(1, &[("a", &[(0, 0, inner)])])),
        key("a", key("b", Shape::Leaf)),
        Shape::Entries(Box::new(Shape::Leaf)),
        general("a->first", Shape::Leaf),
        leaves(&[]),
    ];
    for shape in &shapes {
        assert!(!read(whole, shape).starts_with("error"), "{shape:?}");
        for end in 1..whole.len() {
            assert!(read(&whole[..end], shape).starts_with("error: "), "{end} of {shape:?}");
        }
        assert!(read(&format!("{whole}{whole}"), shape).starts_with("error: "));
    }
}

#[test]
fn a_body_that_is_not_utf8_is_an_error() {
    let mut store = Store::new(1_000_000);
    for body in [&b"\"\xff\""[..], b"{\"x\":\"\xc3\"}", b"\xfe\xff\x00{"] {
        let body = Bytes::copy_from_slice(body);
        let error = read_json(&mut store, &body, &leaves(&["a"]), &super::Status);
        let error = error.unwrap_err().to_string();
        assert!(error.starts_with("not UTF-8"), "{error}");
    }
}

#[test]
fn a_body_that_is_not_json_is_an_error() {
    for body in
        ["<html>", "{a:1}", "{'a':1}", "[1,]", "01", "+1", "nul", "\"\t\"", "NaN", "\u{feff}{}"]
    {
        for shape in [Shape::Leaf, leaves(&["a"]), key("a", Shape::Leaf), general("a", Shape::Leaf)]
        {
            assert!(read(body, &shape).starts_with("error: "), "{body} {shape:?}");
        }
    }
}

#[test]
fn a_body_of_any_depth_is_read_or_refused_but_never_overflows() {
    const DEPTH: usize = 100_000;
    let on_a_small_stack = || {
        let inner = row(object(1, &[("a", &[(0, 0, Shape::Leaf)])]));
        let shapes = [
            Shape::Leaf,
            leaves(&["a"]),
            key("a", Shape::Leaf),
            Shape::Entries(Box::new(Shape::Leaf)),
            general("a", Shape::Leaf),
            general("a", inner),
        ];
        let bodies = [
            "[".repeat(DEPTH) + &"]".repeat(DEPTH),
            "[".repeat(DEPTH),
            "{\"a\":".repeat(DEPTH) + "1" + &"}".repeat(DEPTH),
            "{\"a\":".repeat(DEPTH),
            "{\"a\":".to_owned() + &"[".repeat(DEPTH) + &"]".repeat(DEPTH) + "}",
            "[{\"a\":".repeat(DEPTH) + "1" + &"}]".repeat(DEPTH),
        ];
        for (number, body) in bodies.iter().enumerate() {
            for shape in &shapes {
                let found = read(body, shape);
                assert!(found.starts_with("error: "), "body {number} was read along {shape:?}");
            }
        }
    };
    let thread = std::thread::Builder::new().stack_size(512 << 10).spawn(on_a_small_stack);
    thread.unwrap().join().unwrap();
}

#[test]
fn leaves_may_nest_as_deep_as_anything_else() {
    let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
    assert_eq!(read(&nested(100), &Shape::Leaf), nested(100));
    assert_eq!(
        read(&format!("{{\"a\":{}}}", nested(100)), &leaves(&["a"])),
        format!("({})", nested(100))
    );
    // Brackets in strings are not nesting.
    let text = format!("[\"{}\\\"{}\"]", "[".repeat(500), "{".repeat(500));
    assert_eq!(read(&text, &Shape::Leaf), text);
    assert!(read(&nested(129), &Shape::Leaf).starts_with("error: "));
}
