//! Methods of numbers, texts, members and elements, over a tree and over text alike.

use super::*;
use crate::mapping::{MAX_STEPS, TextScope};
use serde_json::json;
use std::cell::Cell;

const REPLY: &str = r#"{
    "id": 7, "name": "Ada Lovelace", "pad": "  x\n", "nick": null, "on": true, "price": 12.50, "text": "1.50",
    "big": 123456789012345678901234567890, "bigText": "123456789012345678901234567890", "hex": "fF", "csv": "a,b,,c",
    "json": "{\"id\": 1, \"xs\": [1, null]}", "labels": { "b": 1, "a": null, "b": { "x": 2 } }, "empty": {},
    "rows": [{ "id": 1, "ok": true }, { "id": 2, "ok": null }, null, { "id": 3, "ok": true }],
    "nested": [[1], [], [2, [3]], null, 4], "one": { "id": 9 }
}"#;

fn over_text(text: &str) -> Result<String, Failure> {
    over(text, REPLY, &json!({ "args": { "q": "A", "none": null } }), MAX_STEPS)
}

fn over(text: &str, reply: &str, variables: &Value, steps: u64) -> Result<String, Failure> {
    let (mapping, variables) = (mapping(text), Given(variables.clone()));
    let (values, steps) = (Cell::new(1_000_000), Cell::new(steps));
    let scope = TextScope { current: reply, variables: &variables, values: &values, steps: &steps };
    mapping.expr().evaluate_text(&scope).map(Cow::into_owned)
}

fn over_tree(text: &str) -> Result<Value, Failure> {
    let reply = serde_json::from_str(REPLY).unwrap();
    select_with(text, &reply, &json!({ "args": { "q": "A", "none": null } }))
}

/// Evaluates in both ways, which must agree.
fn both(text: &str) -> Result<String, Failure> {
    let of_text = over_text(text);
    let of_text = of_text.map(|text| serde_json::from_str::<Value>(&text).unwrap().to_string());
    assert_eq!(of_text, over_tree(text).map(|value| value.to_string()), "{text}");
    // Independent of its neighbours.
    let beside = over_text(&format!("all: $ it: {text}"));
    let beside = beside.map(|text| serde_json::from_str::<Value>(&text).unwrap()["it"].to_string());
    assert_eq!(beside, of_text, "{text}");
    of_text
}

fn check(table: &[(&str, &str)]) {
    for (text, expected) in table {
        assert_eq!(both(text).as_deref(), Ok(*expected), "{text}");
    }
}

#[test]
fn numbers_are_computed_exactly() {
    check(&[
        ("$.id->add(1)", "8"),
        ("$.id->add(1, 2, 3)", "13"),
        ("$.id->sub(10)", "-3"),
        ("$.id->mul(0.5)", "3.5"),
        ("$.price->mul(100)", "1250"),
        ("$.price->mul(100)->parseInt", "1250"),
        ("$.id->div(2)", "3.5"),
        ("$.id->div(7)", "1"),
        ("$.id->mod(4)", "3"),
        ("$.id->sub(14)->mod(4)", "-3"),
        ("$.price->add(0.1, 0.2)", "12.8"),
        ("$.big->add(1)", "123456789012345678901234567891"),
        ("$.big->sub($.big)", "0"),
        ("$.big->div(10)", "12345678901234567890123456789"),
        ("$(9223372036854775807)->add(1)", "9223372036854775808"),
        ("$(-9223372036854775807)->sub(2)", "-9223372036854775809"),
        ("$(-9223372036854775808)->mod(-1)", "0"),
        ("$(4294967296)->mul(4294967296)", "18446744073709551616"),
        ("$.id->add($.nick)", "null"),
        ("$.nick->add(1)", "null"),
    ]);
    let failure = |text: &str| both(text).unwrap_err();
    assert_eq!(failure("$.id->div(0)"), Failure::DivisionByZero { method: "div" });
    assert_eq!(failure("$.id->mod(0)"), Failure::DivisionByZero { method: "mod" });
    assert_eq!(failure("$.id->mod(0.0)"), Failure::DivisionByZero { method: "mod" });
    assert_eq!(
        failure("$.id->add($.name)"),
        Failure::WrongArgument { method: "add", found: "a string" }
    );
    assert_eq!(
        failure("$.name->add(1)"),
        Failure::WrongReceiver { method: "add", found: "a string" }
    );
    let powers = "->mul($.big)".repeat(40);
    assert_eq!(failure(&format!("$.big{powers}")), Failure::TooManyDigits { method: "mul" });
}

#[test]
fn texts_and_numbers_become_each_other() {
    check(&[
        ("$.bigText->parseInt", "123456789012345678901234567890"),
        ("$('-42')->parseInt", "-42"),
        ("$('+042')->parseInt", "42"),
        ("$.hex->parseInt(16)", "255"),
        ("$('zz')->parseInt(36)", "1295"),
        ("$.price->parseInt", "12"),
        ("$(-1.9)->parseInt", "-1"),
        ("$(20)->parseInt(16)", "32"),
        ("$.big->parseInt", "123456789012345678901234567890"),
        ("$.nick->parseInt", "null"),
        ("$.id->parseInt($.nick)", "null"),
        ("$.text->parseFloat", "1.5"),
        ("$('1e3')->parseFloat", "1000"),
        ("$('-.5')->parseFloat", "-0.5"),
        ("$('0.12345678901234567890123')->parseFloat", "0.12345678901234567890123"),
        ("$.price->parseFloat", "12.50"),
        ("$.price->toString", "\"12.50\""),
        ("$.big->toString", "\"123456789012345678901234567890\""),
        ("$.on->toString", "\"true\""),
        ("$.name->toString", "\"Ada Lovelace\""),
        ("$.nick->toString", "null"),
        ("$.json->jsonParse", r#"{"id":1,"xs":[1,null]}"#),
        ("$($.json->jsonParse).xs->size", "2"),
        ("$.json->jsonParse { id }", r#"{"id":1}"#),
        ("$(' 12345678901234567890 ')->jsonParse", "12345678901234567890"),
        ("$.rows->first->jsonStringify", r#""{\"id\":1,\"ok\":true}""#),
        ("$.price->jsonStringify", "\"12.50\""),
        ("$.name->jsonStringify->jsonParse", "\"Ada Lovelace\""),
        ("$.nick->jsonStringify", "null"),
    ]);
    let failure = |text: &str| both(text).unwrap_err();
    for text in [
        "$.name->parseInt",
        "$.text->parseInt",
        "$('')->parseInt",
        "$(' 1')->parseInt",
        "$('9')->parseInt(8)",
    ] {
        assert_eq!(failure(text), Failure::NotNumber { method: "parseInt" }, "{text}");
    }
    for text in
        ["$.name->parseFloat", "$('')->parseFloat", "$('NaN')->parseFloat", "$('1_0')->parseFloat"]
    {
        assert_eq!(failure(text), Failure::NotNumber { method: "parseFloat" }, "{text}");
    }
    assert_eq!(failure("$.id->parseInt($.id->sub(7))"), Failure::UnknownBase);
    assert_eq!(failure("$.id->parseInt($.price)"), Failure::UnknownBase);
    assert_eq!(
        failure("$.rows->toString"),
        Failure::WrongReceiver { method: "toString", found: "a list" }
    );
    for text in
        ["$.name->jsonParse", "$('')->jsonParse", "$('{')->jsonParse", "$('1 2')->jsonParse"]
    {
        assert_eq!(failure(text), Failure::NotJson, "{text}");
    }
    let deep = format!("$('{}')->jsonParse", "[".repeat(10_000));
    assert_eq!(failure(&deep), Failure::NotJson);
}

#[test]
fn members_are_listed_and_found() {
    check(&[
        ("$.labels->entries", r#"[{"key":"b","value":{"x":2}},{"key":"a","value":null}]"#),
        (
            "$.labels->entries { name: key v: value.x }",
            r#"[{"name":"b","v":2},{"name":"a","v":null}]"#,
        ),
        ("$.labels->keys", r#"["b","a"]"#),
        ("$.labels->values", r#"[{"x":2},null]"#),
        ("$.empty->entries", "[]"),
        ("$.empty->keys", "[]"),
        ("$.nick->values", "null"),
        ("$.json->jsonParse->entries->size", "2"),
        ("$.labels->has('a')", "true"),
        ("$.labels->has('c')", "false"),
        ("$.labels->has(0)", "false"),
        ("$.rows->has(3)", "true"),
        ("$.rows->has(-4)", "true"),
        ("$.rows->has(4)", "false"),
        ("$.rows->has(-5)", "false"),
        ("$.name->has(0)", "true"),
        ("$.id->has('x')", "false"),
        ("$.nick->has('x')", "null"),
        ("$.labels->get('b')", r#"{"x":2}"#),
        ("$.labels->get('c')", "null"),
        ("$.labels->get('c') ?? $.id", "7"),
        ("$.labels->get($.labels->keys->last)", "null"),
        ("$.rows->get(0)", r#"{"id":1,"ok":true}"#),
        ("$.rows->get(-1).id", "3"),
        ("$.rows->get(0) { id }", r#"{"id":1}"#),
        ("$.rows->get(9)", "null"),
        ("$.rows->get(-9)", "null"),
        ("$.name->get(-1)", "\"e\""),
        ("$('né')->get(1)", "\"é\""),
        ("$.rows->get($.nick)", "null"),
    ]);
    let failure = |text: &str| both(text).unwrap_err();
    assert_eq!(
        failure("$.rows->entries"),
        Failure::WrongReceiver { method: "entries", found: "a list" }
    );
    assert_eq!(
        failure("$.name->keys"),
        Failure::WrongReceiver { method: "keys", found: "a string" }
    );
    assert_eq!(
        failure("$.id->get(0)"),
        Failure::WrongReceiver { method: "get", found: "a number" }
    );
    assert_eq!(
        failure("$.rows->get('x')"),
        Failure::WrongArgument { method: "get", found: "a string" }
    );
    assert_eq!(
        failure("$.labels->get(0)"),
        Failure::WrongArgument { method: "get", found: "a number" }
    );
    assert_eq!(
        failure("$.rows->get(1.5)"),
        Failure::WrongArgument { method: "get", found: "a number" }
    );
}

#[test]
fn elements_are_chosen() {
    check(&[
        ("$.rows->filter(@.ok)", r#"[{"id":1,"ok":true},{"id":3,"ok":true}]"#),
        ("$.rows->filter(@.id->gte(2)) { id }", r#"[{"id":2},{"id":3}]"#),
        ("$.rows->filter(@.ok).id", "[1,3]"),
        ("$.rows->filter(@.id->eq(9))", "[]"),
        ("$.one->filter(@.id->eq(9))", r#"[{"id":9}]"#),
        ("$.id->filter(@->gt(9))", "[]"),
        ("$.nick->filter(@->gt(9))", "null"),
        ("$.rows->find(@.id->gt(1))", r#"{"id":2,"ok":null}"#),
        ("$.rows->find(@.id->gt(1)).id->add($.id)", "9"),
        ("$.rows->find(@.id->gt(8))", "null"),
        ("$.one->find(@.id->eq(9)) { id }", r#"{"id":9}"#),
        ("$.nested->flatten", "[1,2,[3],null,4]"),
        ("$.nested->flatten->flatten", "[1,2,3,null,4]"),
        ("$.nick->flatten", "null"),
        ("$.one->toList { id }", r#"[{"id":9}]"#),
        ("$.rows->toList->size", "4"),
        ("$.name->toList", r#"["Ada Lovelace"]"#),
        ("$.nick->toList", "null"),
        ("$.missing->toList ?? $([])", "[]"),
        ("$->echo([@.id, $.on])", "[7,true]"),
        ("$.nick->echo('x')", "\"x\""),
        ("$.rows->first->echo(@.id)", "1"),
    ]);
    let failure = |text: &str| both(text).unwrap_err();
    assert_eq!(
        failure("$.rows->filter(@.id)"),
        Failure::WrongArgument { method: "filter", found: "a number" }
    );
    assert_eq!(
        failure("$.rows->find(@.id)"),
        Failure::WrongArgument { method: "find", found: "a number" }
    );
    assert_eq!(
        failure("$.name->flatten"),
        Failure::WrongReceiver { method: "flatten", found: "a string" }
    );
}

#[test]
fn texts_are_cut_and_changed() {
    check(&[
        ("$.csv->split(',')", r#"["a","b","","c"]"#),
        ("$.csv->split(',', 2)", r#"["a","b"]"#),
        ("$.csv->split(',', 0)", "[]"),
        ("$.csv->split(';')", r#"["a,b,,c"]"#),
        ("$('né')->split('')", r#"["n","é"]"#),
        ("$('')->split('')", "[]"),
        ("$('')->split(',')", r#"[""]"#),
        ("$.csv->split(',')->filter(@->ne(''))->joinNotNull('-')", "\"a-b-c\""),
        ("$.csv->split($.nick)", "null"),
        ("$.name->lower", "\"ada lovelace\""),
        ("$.name->upper", "\"ADA LOVELACE\""),
        ("$.pad->trim", "\"x\""),
        ("$.csv->replace(',', '')", "\"abc\""),
        ("$.csv->replace(',', '\\\\')", r#""a\\b\\\\c""#),
        ("$.csv->replace($.pad->trim, 'y')", "\"a,b,,c\""),
        ("$.csv->replace('a', $.nick)", "null"),
        ("$.name->startsWith('Ada')", "true"),
        ("$.name->startsWith($args.q)", "true"),
        ("$.name->startsWith('ada')", "false"),
        ("$.name->startsWith($args.none)", "null"),
        ("$.name->contains('Love')", "true"),
        ("$.name->contains($args.none)", "null"),
        ("$.nick->lower", "null"),
    ]);
    let failure = |text: &str| both(text).unwrap_err();
    for method in ["lower", "upper", "trim", "split(',')", "replace('a', 'b')", "startsWith('a')"] {
        let name = method.split('(').next().unwrap();
        let failure = failure(&format!("$.id->{method}"));
        assert_eq!(failure.to_string(), format!("`{name}` cannot be applied to a number"));
    }
    assert_eq!(
        failure("$.name->startsWith($.id)"),
        Failure::WrongArgument { method: "startsWith", found: "a number" }
    );
}

#[test]
fn a_question_mark_makes_null_absent() {
    let variables = Given(json!({ "args": { "in": { "name": "Ada", "nick": null } } }));
    let scope = Scope { current: &Value::Null, variables: &variables };
    for (text, expected) in [
        ("a: $args.in.name? b: $args.in.nick? c: $args.in.nick", json!({ "a": "Ada", "c": null })),
        ("a: $args.in.nick?.x b: $args.in.nick.x", json!({ "b": null })),
        ("a: $args.in.nick?->lower b: $args.in.nick->lower", json!({ "b": null })),
        ("a: $args.in.nick? { x } b: $args.in.nick { x }", json!({ "b": null })),
        (
            "a: $args.in.nick? ?? $args.in.name b: $args.in.name?->lower",
            json!({ "a": "Ada", "b": "ada" }),
        ),
    ] {
        assert_eq!(mapping(text).render(&scope), Ok(Some(expected)), "{text}");
    }
    check(&[
        ("$.nick?", "null"),
        ("$.name? ?? $.id", "\"Ada Lovelace\""),
        ("$.one?.id", "9"),
        ("$.nick?.x?.y", "null"),
    ]);
}

#[test]
fn work_is_bounded() {
    let rows = format!("{{\"rows\":[{}0],\"t\":\"{}\"}}", "0,".repeat(2_000), "a".repeat(100_000));
    let reply: Value = serde_json::from_str(&rows).unwrap();
    for text in [
        "$.rows->map($.rows->map($.rows->map(1)->size)->size)",
        "$.rows->filter($.rows->find($.rows->contains(1)))",
        "$.rows->map($.t)",
        "x: $.rows->map($.t)",
        "x: $.rows->map($.t)->slice(0)",
        "$.rows->map($.t)->joinNotNull('')",
        "$.t->replace('a', $.t)",
        "$.rows->map($args.t)",
        "$.rows->map($args.t->lower->size)",
        "$.rows->map($->jsonStringify->size)",
        "x: $.rows->map($.rows->entries)->size y: $.rows->map($->entries->size)",
    ] {
        let variables = json!({ "args": { "t": "x".repeat(1_000_000) } });
        let text_failure = over(text, &rows, &variables, MAX_STEPS).unwrap_err();
        let expected = |failure: &Failure| {
            matches!(failure, Failure::TooManySteps | Failure::TooManyValues)
                || matches!(failure, Failure::WrongReceiver { method: "entries", .. })
        };
        assert!(expected(&text_failure), "{text}: {text_failure}");
        let tree = select_with(text, &reply, &variables).unwrap_err();
        assert!(expected(&tree), "{text}: {tree}");
    }
    // Work that is linear in the reply is never refused, even with no further steps.
    for text in ["$.rows", "x: $.rows->map(@) y: $.t", "$.rows->size", "x: $.t->upper"] {
        let steps = if text.contains("map") || text.contains("upper") { 100_000 } else { 0 };
        assert!(over(text, &rows, &Value::Null, steps).is_ok(), "{text}");
    }
}
