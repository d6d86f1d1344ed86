//! Comparisons and logic: unknown values stay unknown, so that a rule never holds because a value is missing.

use super::*;
use serde_json::json;

fn given() -> Value {
    json!({
        "id": 7, "ratio": 7.0, "name": "Ada", "nick": null, "on": true, "off": false, "tags": ["a", null, 7],
        "price": { "cents": 250 }, "huge": u64::MAX, "below": i64::MIN,
    })
}

#[test]
fn values_are_compared_as_json() {
    let table = [
        ("$.id->eq(7)", true),
        ("$.id->eq($.ratio)", true),
        ("$.id->eq('7')", false),
        ("$.id->ne('7')", true),
        ("$.name->eq(\"Ada\")", true),
        ("$.price->eq({ cents: 250 })", true),
        ("$.tags->eq(['a', null, 7])", true),
        ("$.id->gt(6)", true),
        ("$.id->gt(7)", false),
        ("$.id->gte(7.0)", true),
        ("$.id->lt(7.5)", true),
        ("$.id->lte(6)", false),
        ("$.name->lt('Bob')", true),
        ("$.huge->gt(-1)", true),
        ("$.huge->gt(18446744073709551614)", true),
        ("$.below->lt($.huge)", true),
        ("$.name->in(['Bob', 'Ada'])", true),
        ("$.name->in($.tags)", false),
        ("$.tags->contains($.id)", true),
        ("$.tags->contains('b')", false),
        ("$.name->contains('da')", true),
        ("$.name->contains('')", true),
        ("$.name->contains('x')", false),
        ("$.on->not", false),
    ];
    for (text, expected) in table {
        assert_eq!(select(text, &given()), Ok(json!(expected)), "{text}");
    }
}

#[test]
fn what_is_compared_with_null_is_not_known() {
    let texts = [
        "$.nick->eq($.nick)",
        "$.nick->eq(null)",
        "$.id->eq($.nick)",
        "$.nick->ne(1)",
        "$.id->ne($.missing)",
        "$.id->ne($.missing)->not",
        "$.missing->gt(1)",
        "$.id->lte($.nick)",
        "$.nick->in(['a', null])",
        "$.id->in($.missing)->not",
        "$.missing->contains(1)",
        "$.tags->contains(null)",
        "$.nick->not",
    ];
    for text in texts {
        assert_eq!(select(text, &given()), Ok(Value::Null), "{text}");
    }
}

#[test]
fn what_is_known_decides_logic() {
    let table = [
        ("$.on->and(true, $.on)", json!(true)),
        ("$.on->and($.nick, false)", json!(false)),
        ("$.on->and($.nick)", Value::Null),
        ("$.nick->and(false)", json!(false)),
        ("$.off->or(false, true)", json!(true)),
        ("$.nick->or(true)", json!(true)),
        ("$.nick->or(false)", Value::Null),
        ("$.off->or($.off)", json!(false)),
        // Once the result is decided, the rest is not evaluated.
        ("$.off->and($.id)", json!(false)),
    ];
    for (text, expected) in table {
        assert_eq!(select(text, &given()), Ok(expected), "{text}");
    }
}

#[test]
fn what_cannot_be_compared_is_a_failure() {
    let receiver = |method, found| Failure::WrongReceiver { method, found };
    let argument = |method, found| Failure::WrongArgument { method, found };
    let table = [
        ("$.price->gt(1)", receiver("gt", "an object")),
        ("$.on->lt(1)", receiver("lt", "a boolean")),
        ("$.id->gt('a')", argument("gt", "a string")),
        ("$.name->gte(1)", argument("gte", "a number")),
        ("$.name->in($.name)", argument("in", "a string")),
        ("$.name->contains(1)", argument("contains", "a number")),
        ("$.price->contains('A')", receiver("contains", "an object")),
        ("$.name->and(true)", receiver("and", "a string")),
        ("$.on->and($.name)", argument("and", "a string")),
        ("$.id->not", receiver("not", "a number")),
    ];
    for (text, expected) in table {
        assert_eq!(select(text, &given()), Err(expected), "{text}");
    }
}
