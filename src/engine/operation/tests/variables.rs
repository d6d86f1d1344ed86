//! Variables as clients send them, and as calls receive them.

use super::SDL;
use crate::engine::Request;
use crate::engine::testing::{Upstream, body, request};
use serde_json::{Map, Value, json};

/// Returns the target of the call, or the code of the refusal.
async fn ask(sdl: &str, query: &str, variables: Value) -> String {
    let upstream = Upstream::new(|_| Ok(json!({ "id": 1, "found": "x" })));
    let engine = upstream.engine(sdl);
    let variables: Map<String, Value> = serde_json::from_value(variables).unwrap();
    let response = engine.execute(Request { variables, ..request(query) }).await;
    match upstream.take().pop() {
        Some(target) => target,
        None => {
            body(&response)["errors"][0]["extensions"]["code"].as_str().unwrap_or("-").to_owned()
        }
    }
}

/// Returns a schema with a field that shows its arguments in its target.
fn shown(ty: &str, shown: &str) -> String {
    format!(
        r#"type Query {{ find(v: {ty}): String @call(source: "s", target: "/find?v={{{shown}}}", select: "$.found") }}
        input Filter {{ name: String! = "x" size: Int = 5 tag: String }} enum Color {{ RED BLUE }} scalar Any"#
    )
}

#[tokio::test]
async fn a_variable_of_the_wrong_type_is_refused() {
    let bad = "BAD_VARIABLES";
    for (ty, value) in [
        ("Int", json!("1")),
        ("Int", json!(1.5)),
        ("Int", json!(2_147_483_648_i64)),
        ("Int", json!(true)),
        ("Int", json!([1])),
        ("Float", json!("1")),
        ("String", json!(1)),
        ("Boolean", json!("true")),
        ("Boolean", json!(0)),
        ("ID", json!(1.5)),
        ("ID", json!(true)),
        ("Color", json!("GREEN")),
        ("Color", json!(1)),
        ("[Int!]", json!([1, null])),
        ("[Int!]", json!(["1"])),
        ("Int!", json!(null)),
        ("Filter", json!({ "nothing": 1 })),
        ("Filter", json!({ "name": null })),
        ("Filter", json!("x")),
    ] {
        let query = format!("query($v: {ty}) {{ find(v: $v) }}");
        let shows = if ty.contains("Filter") {
            "$args.v.name"
        } else if ty.contains('[') {
            "$args.v->joinNotNull(',')"
        } else {
            "$args.v"
        };
        assert_eq!(
            ask(&shown(ty, shows), &query, json!({ "v": value })).await,
            bad,
            "{value} for {ty}"
        );
    }
}

#[tokio::test]
async fn a_variable_that_must_be_there_must_be_there() {
    let query = "query($v: Int!) { find(v: $v) }";
    assert_eq!(ask(&shown("Int", "$args.v"), query, json!({})).await, "BAD_VARIABLES");
    let query = "query($v: Int) { find(v: $v) }";
    assert_eq!(ask(&shown("Int", "$args.v"), query, json!({})).await, "/find");
    assert_eq!(ask(&shown("Int = 3", "$args.v"), query, json!({})).await, "/find?v=3");
    assert_eq!(ask(&shown("Int = 3", "$args.v"), query, json!({ "v": null })).await, "/find");
    let query = "query($v: Int = 4) { find(v: $v) }";
    assert_eq!(ask(&shown("Int = 3", "$args.v"), query, json!({})).await, "/find?v=4");
    assert_eq!(
        ask(&shown("Int", "$args.v"), query, json!({ "v": 5, "unknown": {} })).await,
        "/find?v=5"
    );
}

#[tokio::test]
async fn values_are_coerced_to_their_types() {
    let one = |ty: &str, value: Value| {
        let (sdl, query) = (shown(ty, "$args.v"), format!("query($v: {ty}) {{ find(v: $v) }}"));
        async move { ask(&sdl, &query, json!({ "v": value })).await }
    };
    assert_eq!(one("ID", json!(7)).await, "/find?v=7");
    assert_eq!(one("ID", json!("a b")).await, "/find?v=a%20b");
    assert_eq!(one("Int", json!(-2_147_483_648_i64)).await, "/find?v=-2147483648");
    assert_eq!(one("Float", json!(1)).await.replace(".0", ""), "/find?v=1");
    assert_eq!(one("Color", json!("RED")).await, "/find?v=RED");
    assert_eq!(one("Boolean", json!(false)).await, "/find?v=false");
}

#[tokio::test]
async fn a_single_value_is_a_list_of_one() {
    let sdl = shown("[Int!]", "$args.v->joinNotNull(',')");
    let query = "query($v: [Int!]) { find(v: $v) }";
    assert_eq!(ask(&sdl, query, json!({ "v": 5 })).await, "/find?v=5");
    assert_eq!(ask(&sdl, query, json!({ "v": [5, 6] })).await, "/find?v=5,6");
    assert_eq!(ask(&sdl, "{ find(v: 5) }", json!({})).await, "/find?v=5");
    assert_eq!(
        ask(&sdl, "query($v: Int!) { find(v: [1, $v]) }", json!({ "v": 2 })).await,
        "/find?v=1,2"
    );
}

#[tokio::test]
async fn input_objects_get_their_defaults() {
    let sdl = shown("Filter", "$args.v.name}-{$args.v.size");
    let literal = |literal: &str| format!("{{ find(v: {literal}) }}");
    assert_eq!(ask(&sdl, &literal("{}"), json!({})).await, "/find?v=x-5");
    assert_eq!(ask(&sdl, &literal("{ name: \"y\", size: 6 }"), json!({})).await, "/find?v=y-6");
    let variable = "query($v: Filter) { find(v: $v) }";
    assert_eq!(ask(&sdl, variable, json!({ "v": {} })).await, "/find?v=x-5");
    assert_eq!(ask(&sdl, variable, json!({ "v": { "size": 7 } })).await, "/find?v=x-7");
    let inner = "query($n: String = \"z\", $s: Int) { find(v: { name: $n, size: $s }) }";
    assert_eq!(ask(&sdl, inner, json!({})).await, "/find?v=z-5");
    assert_eq!(ask(&sdl, inner, json!({ "n": "w", "s": 8 })).await, "/find?v=w-8");
    let default = "query($v: Filter = { size: 9 }) { find(v: $v) }";
    assert_eq!(ask(&sdl, default, json!({})).await, "/find?v=x-9");
}

#[tokio::test]
async fn an_id_given_as_a_number_is_a_string() {
    let query = "{ node(id: 7) { id } }";
    assert_eq!(ask(SDL, query, json!({})).await, "/node/7");
    let query = "query($id: ID! = 8) { node(id: $id) { id } }";
    assert_eq!(ask(SDL, query, json!({})).await, "/node/8");
    assert_eq!(ask(SDL, query, json!({ "id": "a/b" })).await, "/node/a%2Fb");
}
