//! A reply is accepted or refused independently of the parts that are read, exactly as a reader that parses everything
//! would do.

use super::{general, key, leaves, read};
use crate::engine::response::{Shape, valid_json};
use proptest::prelude::*;
use serde_json::Value as Json;

/// Returns every kind of shape that reads all of `{"a": …}`.
fn ways() -> [Shape; 5] {
    [
        Shape::Leaf,
        leaves(&["a"]),
        key("a", Shape::Leaf),
        Shape::Entries(Box::new(Shape::Leaf)),
        general("a: $.a->match(['never', 1], [@, $.a])", leaves(&["a"])),
    ]
}

fn is_accepted(body: &str, shape: &Shape) -> bool {
    !read(body, shape).starts_with("error: ")
}

#[test]
fn lone_surrogates_are_refused_wherever_they_stand() {
    for lone in [
        r"\ud800",
        r"\uDBFF",
        r"\udc00",
        r"\udfff",
        r"\udc00\ud800",
        r"\ud800\ud800",
        r"\ud800x",
        r"\ud800\n",
        r"\ud800\\udc00",
        r"a\\\ud800",
    ] {
        for body in [
            format!(r#"{{"a":"{lone}"}}"#),
            format!(r#"{{"a":[1,{{"b":["{lone}"]}}]}}"#),
            format!(r#"{{"{lone}":1,"a":2}}"#),
            format!(r#"{{"a":{{"{lone}":1}}}}"#),
            format!(r#"{{"unread":"{lone}","a":1}}"#),
        ] {
            assert!(serde_json::from_str::<Json>(&body).is_err(), "{body}");
            assert!(valid_json(body.as_bytes()).is_err(), "{body}");
            for shape in ways() {
                assert!(!is_accepted(&body, &shape), "{body} along {shape:?}");
            }
        }
    }
    for pair in
        [r"\ud83d\ude00", r"\\ud800", r"\uD7FF\uE000", r"\\\\ud800\n", r"\ud83d\ude00\ud83d\ude00"]
    {
        for body in [format!(r#"{{"a":"{pair}"}}"#), format!(r#"{{"{pair}":1,"a":2}}"#)] {
            assert!(serde_json::from_str::<Json>(&body).is_ok(), "{body}");
            for shape in ways() {
                assert!(is_accepted(&body, &shape), "{body} along {shape:?}");
            }
        }
    }
}

#[test]
fn numbers_of_any_size_are_accepted_wherever_they_stand() {
    let long = "9".repeat(400);
    for number in ["1e999", "-1E400", "1e+309", &long, "1e-999", "-0", "[1,{\"b\":1e999}]"] {
        for body in [format!(r#"{{"a":{number}}}"#), format!(r#"{{"unread":{number},"a":1}}"#)] {
            for shape in ways() {
                assert!(is_accepted(&body, &shape), "{body} along {shape:?}");
            }
        }
    }
}

/// Generates valid and invalid JSON.
fn body() -> impl Strategy<Value = String> {
    let pieces = vec![
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        "\"a\"",
        "\"b\"",
        "1",
        "-0",
        "01",
        "1.",
        "1e5",
        "1e999",
        "-",
        "true",
        "nul",
        "null",
        "NaN",
        " ",
        "\t",
        "\u{c}",
        "\"\\ud800\"",
        "\"\\ud83d\\ude00\"",
        "\"\\udc00\\ud83d\"",
        "\"\\x\"",
        "\"\\\\\"",
        "\"\n\"",
        "\"é\"",
        "{\"a\":",
        "{\"a\":1,\"a\":",
        "}}",
        "\u{feff}",
    ];
    prop::collection::vec(prop::sample::select(pieces), 0..8).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]

    #[test]
    fn all_ways_agree_with_a_reader_that_makes_values(inner in body(), bare in any::<bool>()) {
        let body = if bare { inner } else { format!("{{\"a\":{inner}}}") };
        let is_empty = body.bytes().all(|byte| b" \t\r\n".contains(&byte));
        let due = is_empty || serde_json::from_str::<Json>(&body).is_ok();
        prop_assert_eq!(valid_json(body.as_bytes()).is_ok(), due, "{:?}", body);
        prop_assert_eq!(is_accepted(&body, &Shape::Leaf), due, "{:?}", body);
        let is_object = body.trim_start().starts_with('{');
        for shape in ways().iter().filter(|_| is_object) {
            // A duplicate key is read once.
            if !body.contains("1,\"a\"") {
                prop_assert_eq!(is_accepted(&body, shape), due, "{:?} along {:?}", body, shape);
            }
        }
    }
}
