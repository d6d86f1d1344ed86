//! Result coercion: every scalar of the schema with every value that a reply can hold.

use crate::engine::response::leaf::write_leaf;
use crate::engine::response::{Leaf, Store, Value, key_text, to_json};
use crate::graphql::Name;
use hashbrown::HashSet;
use std::sync::Arc;

fn color() -> Leaf {
    let names: HashSet<Name> = ["RED", "BLUE"].map(Name::from).into_iter().collect();
    Leaf::Enum(Arc::new(names))
}

fn written(store: &Store, value: Value, leaf: &Leaf) -> String {
    let mut out = Vec::new();
    match write_leaf(&mut out, store, value, leaf) {
        Ok(()) => String::from_utf8(out).unwrap(),
        Err(_) => "-".into(),
    }
}

/// Returns the output for each leaf in the order Int, Float, String, ID, Boolean, Enum, Custom; `-` if it is refused.
fn row(store: &Store, value: Value) -> String {
    let leaves =
        [Leaf::Int, Leaf::Float, Leaf::String, Leaf::Id, Leaf::Boolean, color(), Leaf::Custom];
    leaves.map(|leaf| written(store, value, &leaf)).join(" ")
}

#[test]
fn json_as_each_scalar() {
    let table = [
        ("0", r#"0 0 - "0" - - 0"#),
        ("-7", r#"-7 -7 - "-7" - - -7"#),
        ("-0", r"0 -0 - - - - -0"),
        ("2147483647", r#"2147483647 2147483647 - "2147483647" - - 2147483647"#),
        ("2147483648", r#"- 2147483648 - "2147483648" - - 2147483648"#),
        ("-2147483648", r#"-2147483648 -2147483648 - "-2147483648" - - -2147483648"#),
        ("-2147483649", r#"- -2147483649 - "-2147483649" - - -2147483649"#),
        (
            "18446744073709551616",
            r#"- 18446744073709551616 - "18446744073709551616" - - 18446744073709551616"#,
        ),
        ("3.0", "3 3.0 - - - - 3.0"),
        ("3e2", "300 3e2 - - - - 3e2"),
        ("3.5", "- 3.5 - - - - 3.5"),
        ("0.1", "- 0.1 - - - - 0.1"),
        ("1e400", "- - - - - - 1e400"),
        ("true", "- - - - true - true"),
        ("false", "- - - - false - false"),
        ("\"\"", r#"- - "" "" - - """#),
        ("\"7\"", r#"- - "7" "7" - - "7""#),
        ("\"true\"", r#"- - "true" "true" - - "true""#),
        ("\"RED\"", r#"- - "RED" "RED" - "RED" "RED""#),
        ("\"R\\u0045D\"", r#"- - "R\u0045D" "R\u0045D" - "RED" "R\u0045D""#),
        ("\"red\"", r#"- - "red" "red" - - "red""#),
        ("[1]", "- - - - - - [1]"),
        ("{}", "- - - - - - {}"),
    ];
    for (text, expected) in table {
        let mut store = Store::new(1_000_000);
        let value = Value::Json(store.scratch(text));
        assert_eq!(row(&store, value), expected, "of {text}");
    }
}

#[test]
fn decoded_values_as_each_scalar() {
    let mut store = Store::new(1_000_000);
    let text = |store: &mut Store, text: &str| Value::Text(store.scratch(text));
    let row_id = store.row(1);
    let list = store.list([Value::Int(1), Value::Null]);
    let table = [
        (Value::Bool(true), "- - - - true - true"),
        (Value::Int(7), r#"7 7 "7" "7" - - 7"#),
        (Value::Int(1 << 31), r#"- 2147483648 "2147483648" "2147483648" - - 2147483648"#),
        (
            Value::Int(i64::MIN),
            r#"- -9223372036854775808 "-9223372036854775808" "-9223372036854775808" - - -9223372036854775808"#,
        ),
        (Value::Float(3.0), "3 3.0 - - - - 3.0"),
        (Value::Float(0.1), "- 0.1 - - - - 0.1"),
        (Value::Float(f64::NAN), "- - - - - - null"),
        (Value::Float(f64::INFINITY), "- - - - - - null"),
        (text(&mut store, "RED"), r#"- - "RED" "RED" - "RED" "RED""#),
        (
            text(&mut store, "a\"\n\u{1}é"),
            r#"- - "a\"\n\u0001é" "a\"\n\u0001é" - - "a\"\n\u0001é""#,
        ),
        (text(&mut store, "7"), r#"- - "7" "7" - - "7""#),
        (list, "- - - - - - [1,null]"),
        (Value::Misfit, "- - - - - - null"),
        (Value::Object(row_id), "- - - - - - null"),
    ];
    for (value, expected) in table {
        assert_eq!(row(&store, value), expected, "of {value:?}");
    }
}

#[test]
fn a_number_and_its_text_are_one_key() {
    let mut store = Store::new(1_000_000);
    let key = |store: &Store, value| {
        let mut out = Vec::new();
        key_text(store, value, &mut out).then(|| String::from_utf8(out).unwrap())
    };
    for (json, expected) in [
        ("7", Some("7")),
        ("\"7\"", Some("7")),
        ("\"a\\u0062\"", Some("ab")),
        ("\"\\\\\"", Some("\\")),
        ("true", Some("true")),
        ("1.50", Some("0.15e1")),
        ("1e2", Some("100")),
        ("100.0", Some("100")),
        ("-0", Some("0")),
        ("\"\"", Some("")),
        ("[7]", None),
        ("{}", None),
        ("\"\\ud800\"", None),
    ] {
        let value = Value::Json(store.scratch(json));
        assert_eq!(key(&store, value).as_deref(), expected, "{json}");
    }
    let text = Value::Text(store.scratch("7"));
    assert_eq!(key(&store, text).as_deref(), Some("7"));
    assert_eq!(key(&store, Value::Int(7)).as_deref(), Some("7"));
    for nothing in [Value::Null, Value::Misfit, Value::Hole(0), Value::Object(store.row(1))] {
        assert_eq!(key(&store, nothing), None);
    }
}

#[test]
fn leaves_are_values_for_templates() {
    let mut store = Store::new(1_000_000);
    let json = Value::Json(store.scratch("{\"a\":[1.5,null]}"));
    let text = Value::Text(store.scratch("é\""));
    let list = store.list([json, text, Value::Bool(true), Value::Misfit]);
    assert_eq!(to_json(&store, list).to_string(), r#"[{"a":[1.5,null]},"é\"",true,null]"#);
}
