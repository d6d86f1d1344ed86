//! Rules on input values, and the values that reach a service.

use crate::engine::testing::{Upstream, body, request};
use crate::engine::{Engine, Request, Settings};
use serde_json::{Map, Value, json};

const SDL: &str = r#"
type Query {
  show(
    int: Int, req: Int! = 1, ints: [Int!], nulls: [Int], lists: [[Int]], id: ID, float: Float, text: String,
    in: In, by: By, any: Any, color: Color = RED, flag: Boolean
  ): Any @call(source: "s", target: "/show", select: "$.found")
  strict(v: Any!): Any @call(source: "s", target: "/strict", select: "$.found")
  must(id: ID!): String @call(source: "s", target: "/must?id={$args.id}", select: "$.found")
  users(ids: [ID!] = []): [User!]! @call(source: "s", target: "/users?ids={$args.ids->joinNotNull(',')}")
  hello: String @call(source: "s", target: "/hello", select: "$.found")
}
type Mutation { incr(by: Int! = 1): Int @call(source: "s", target: "/incr?by={$args.by}", select: "$.n") }
type User { id: ID! name: String! friend(n: Int! = 1): User @call(source: "s", target: "/friend?n={$args.n}") }
input In { req: Int! opt: Int = 5 one: Int! = 1 list: [In!] = {req: 2, list: []} color: Color! = BLUE any: Any text: [String] id: ID = 7 float: Float = 1 }
input By @oneOf { id: ID name: String in: In list: [Int] }
enum Color { RED BLUE }
scalar Any
"#;

fn upstream() -> Upstream {
    Upstream::new(|target| match target.split('?').next() {
        Some("/users") => Ok(json!([{ "id": 1, "name": "a" }, { "id": 2, "name": "b" }])),
        Some("/friend") => Ok(json!({ "id": 3, "name": "c" })),
        Some("/incr") => Ok(json!({ "n": 1 })),
        _ => Ok(json!({ "found": "x" })),
    })
}

async fn answer(engine: &Engine, query: &str, variables: Value) -> Value {
    let variables: Map<String, Value> = serde_json::from_value(variables).unwrap();
    body(&engine.execute(Request { variables, ..request(query) }).await)
}

/// Returns the code of the refusal, `-` for a request without errors.
async fn verdict(query: &str, variables: Value) -> String {
    let answer = answer(&upstream().engine(SDL), query, variables).await;
    match answer.get("errors") {
        None => "-".to_owned(),
        Some(errors) => errors[0]["extensions"]["code"].as_str().unwrap().to_owned(),
    }
}

const INVALID: &str = "GRAPHQL_VALIDATION_FAILED";
const SYNTAX: &str = "GRAPHQL_PARSE_FAILED";
const VARIABLES: &str = "BAD_VARIABLES";

#[tokio::test]
async fn invalid_documents_are_refused() {
    for (expected, query) in [
        // All Variable Usages Are Allowed, with defaults and inside of literals.
        (INVALID, "query($x: ID = null) { must(id: $x) }"),
        (INVALID, "query($x: Int) { show(ints: [1, $x]) }"),
        (INVALID, "query($x: Int = null) { show(ints: [1, $x]) }"),
        (INVALID, "query($x: Int) { show(in: {req: $x}) }"),
        (INVALID, "query($x: Int) { show(in: {req: 1, list: [{req: $x}]}) }"),
        (INVALID, "query($x: [Int!]) { show(ints: [$x]) }"),
        (INVALID, "query($x: [Int]) { show(ints: $x) }"),
        (INVALID, "query($x: Int) { show(lists: [$x]) }"),
        (INVALID, "query($x: String) { show(in: {req: 1, opt: $x}) }"),
        (INVALID, "query($x: Boolean) { hello @include(if: $x) }"),
        (INVALID, "query($x: Boolean = null) { hello @skip(if: $x) }"),
        (INVALID, "query A($x: ID) { ...F } fragment F on Query { must(id: $x) }"),
        // All Variable Uses Defined.
        (INVALID, "{ show(any: {a: [$x]}) }"),
        (INVALID, "{ show(in: {req: 1, any: {a: $x}}) }"),
        // Values of Correct Type.
        (INVALID, "{ show(in: {req: null}) }"),
        (INVALID, "{ show(in: {req: 1, one: null}) }"),
        (INVALID, "{ show(ints: [1, null]) }"),
        (INVALID, "{ show(int: 1.0) }"),
        (INVALID, "{ show(int: 2147483648) }"),
        (INVALID, "{ show(color: \"RED\") }"),
        (INVALID, "{ show(color: GREEN) }"),
        (INVALID, "{ show(in: {}) }"),
        (INVALID, "{ show(id: 1.5) }"),
        (INVALID, "query($x: Int = \"abc\") { show(int: $x) }"),
        (INVALID, "query($x: Int! = null) { show(int: $x) }"),
        (INVALID, "query($x: Color = GREEN) { show(color: $x) }"),
        (INVALID, "query($x: In = {req: 1, z: 2}) { show(in: $x) }"),
        (INVALID, "query($x: In = {}) { show(in: $x) }"),
        (INVALID, "query($x: Int = 3000000000) { show(int: $x) }"),
        // Input Object Field Uniqueness.
        (INVALID, "{ show(in: {req: 1, req: 1}) }"),
        (INVALID, "{ show(in: {req: 1, list: [{req: 1, opt: 1, opt: 2}]}) }"),
        (INVALID, "{ show(any: {x: 1, x: 2}) }"),
        (INVALID, "{ show(any: [{a: {x: 1, x: 1}}]) }"),
        (INVALID, "query($x: Any = {x: 1, x: 2}) { show(any: $x) }"),
        (INVALID, "{ strict(v: {x: 1, y: [{x: 1, x: 2}]}) }"),
        // Null, of a custom scalar too.
        (INVALID, "{ strict(v: null) }"),
        (INVALID, "query($x: Any! = null) { strict(v: $x) }"),
        (INVALID, "{ hello @skip(if: null) }"),
        (INVALID, "{ __type(name: \"In\") { inputFields(includeDeprecated: null) { name } } }"),
        // @oneOf.
        (INVALID, "{ show(by: {}) }"),
        (INVALID, "{ show(by: {id: 1, name: \"x\"}) }"),
        (INVALID, "{ show(by: {id: null}) }"),
        (INVALID, "query($x: ID) { show(by: {id: $x}) }"),
        (INVALID, "query($x: ID = 1) { show(by: {id: $x}) }"),
        (INVALID, "query($x: ID!) { show(by: {id: $x, name: \"x\"}) }"),
        (INVALID, "query($x: By = {}) { show(by: $x) }"),
        // Field Selection Merging.
        (INVALID, "{ show(ints: [1]) show(ints: [1, 2]) }"),
        (INVALID, "{ show(ints: [1, 2]) ... on Query { show(ints: [1]) } }"),
        (
            INVALID,
            "{ show(in: {req: 1, text: []}) ...F } fragment F on Query { show(in: {req: 1, text: [\"a\"]}) }",
        ),
        (
            INVALID,
            "{ users(ids: [1]) { id } a: users(ids: []) { id } users(ids: [1, 2]) { name } }",
        ),
        (INVALID, "{ show(ints: 1) show(ints: [1]) }"),
        (INVALID, "{ a: must(id: \"x\") a: must(id: \"\"\"x\"\"\") }"),
        (INVALID, "{ show(any: {a: [\"x\"]}) ... on Query { show(any: {a: [\"\"\"x\"\"\"]}) } }"),
        // Syntax.
        (SYNTAX, "{ users(ids) { id } }"),
        (SYNTAX, "{ show(in: {req}) }"),
        (SYNTAX, "{ hello @skip(if) }"),
        (SYNTAX, "{ hello @skip(if: false false) }"),
        (SYNTAX, "query($x) { hello }"),
        (SYNTAX, "{ }"),
    ] {
        assert_eq!(verdict(query, json!({})).await, expected, "{query}");
    }
}

#[tokio::test]
async fn valid_documents_are_answered() {
    for (query, variables) in [
        ("{,... , on ,Query,{,hello,},}", json!({})),
        ("{ hello, hello,, }", json!({})),
        ("\"What it is for.\" query Q(\"One.\" $x: Int) { show(int: $x) }", json!({})),
        ("{ ...F } \"\"\"Of it.\"\"\" fragment F on Query { hello }", json!({})),
        ("query($x: Int) { show(req: $x) }", json!({})),
        ("query($x: Int = 1) { show(ints: [1, $x]) }", json!({})),
        ("query($x: Int) { show(in: {req: 1, one: $x, opt: $x}, nulls: [$x]) }", json!({})),
        ("query($x: [Int]) { show(lists: [$x, [1], 2]) }", json!({ "x": null })),
        ("query($x: ID!) { show(by: {id: $x}) }", json!({ "x": 1 })),
        ("query($x: By) { show(by: $x) }", json!({ "x": { "id": 1 } })),
        ("query($x: By) { show(by: $x) }", json!({ "x": null })),
        ("query($x: Any, $y: Int) { show(any: {a: [$x], b: $y}) }", json!({ "y": 1 })),
        ("query($x: Boolean = true) { hello @skip(if: $x) }", json!({})),
        ("{ show(ints: [1, 2]) ... on Query { show(ints: [1, 2]) } }", json!({})),
        ("{ show(ints: [1]) a: show(ints: [1, 2]) }", json!({})),
        ("{ a: must(id: \"\"\"x\"\"\") a: must(id: \"\"\"x\"\"\") b: must(id: \"x\") }", json!({})),
        ("{ strict(v: [1, null]) a: strict(v: [null]) b: strict(v: [[null]]) }", json!({})),
        ("{ strict(v: {a: null}) }", json!({})),
        ("query($x: Any! = [1, null]) { strict(v: $x) }", json!({})),
        ("query($x: Any!) { strict(v: $x) }", json!({ "x": [null] })),
        ("{ show(float: 1, id: 1, lists: 1, color: BLUE, any: E) }", json!({})),
    ] {
        assert_eq!(verdict(query, variables).await, "-", "{query}");
    }
}

#[tokio::test]
async fn numbers_in_variables_are_judged_by_their_value() {
    let query = |ty: &str, name: &str| format!("query($x: {ty}) {{ show({name}: $x) }}");
    for (ty, name, value, expected) in [
        ("Int", "int", "1.0", "-"),
        ("Int", "int", "-0", "-"),
        ("Int", "int", "-0.0", "-"),
        ("Int", "int", "2e0", "-"),
        ("Int", "int", "-2147483648", "-"),
        ("Int", "int", "2147483648", VARIABLES),
        ("Int", "int", "2147483648.0", VARIABLES),
        ("Int", "int", "1e300", VARIABLES),
        ("Int", "int", "0.5", VARIABLES),
        ("Float", "float", "9007199254740993", "-"),
        ("Float", "float", "18446744073709551615", "-"),
        ("Float", "float", "1e300", "-"),
        ("Float", "float", "\"1\"", VARIABLES),
        ("ID", "id", "-0", "-"),
        ("ID", "id", "1.0", "-"),
        ("ID", "id", "9223372036854775807", "-"),
        ("ID", "id", "18446744073709551615", "-"),
        ("ID", "id", "1.5", VARIABLES),
        ("ID", "id", "184467440737095516150", "-"),
        ("ID", "id", "18446744073709551616", "-"),
        ("ID", "id", "-9223372036854775809", "-"),
        ("Float", "float", "1e400", VARIABLES),
        // A float rounds it.
        ("ID", "id", "9007199254740993.0", VARIABLES),
        ("ID", "id", "9007199254740992.0", VARIABLES),
        ("ID", "id", "-9007199254740992e0", VARIABLES),
        ("ID", "id", "1e300", VARIABLES),
    ] {
        let variables = json!({ "x": serde_json::from_str::<Value>(value).unwrap() });
        assert_eq!(verdict(&query(ty, name), variables).await, expected, "{value} for {ty}");
    }
    for (value, expected) in [
        ("9223372036854775807", "9223372036854775807"),
        ("18446744073709551615", "18446744073709551615"),
        ("-9223372036854775808", "-9223372036854775808"),
        ("-0", "0"),
        ("1.0", "1"),
        ("9007199254740991.0", "9007199254740991"),
        ("-9007199254740991e0", "-9007199254740991"),
        ("9007199254740993", "9007199254740993"),
        ("-9223372036854775809", "-9223372036854775809"),
        ("184467440737095516150", "184467440737095516150"),
        ("1e3", "1000"),
    ] {
        let (upstream, value) = (upstream(), serde_json::from_str::<Value>(value).unwrap());
        let query = "query($x: ID!) { must(id: $x) }";
        answer(&upstream.engine(SDL), query, json!({ "x": value })).await;
        assert_eq!(upstream.take(), [format!("/must?id={expected}")]);
    }
}

#[tokio::test]
async fn variables_that_do_not_fit_are_refused() {
    for (ty, name, value) in [
        ("By", "by", json!({})),
        ("By", "by", json!({ "id": 1, "name": "x" })),
        ("By", "by", json!({ "id": null })),
        ("By", "by", json!({ "id": 1, "name": null })),
        ("[Int!]", "ints", json!([1, null])),
        ("In", "in", json!({})),
        ("In", "in", json!({ "req": null })),
        ("In", "in", json!({ "req": 1, "one": null })),
        ("In", "in", json!({ "req": 1, "list": [{}] })),
        ("In", "in", json!([{ "req": 1 }])),
        ("Color", "color", json!("red")),
        ("Int", "int", json!([1])),
    ] {
        let query = format!("query($x: {ty}) {{ show({name}: $x) }}");
        assert_eq!(verdict(&query, json!({ "x": value })).await, VARIABLES, "{value} for {ty}");
    }
}

#[tokio::test]
async fn defaults_are_coerced_wherever_they_come_from() {
    let filled = json!({
        "req": 2, "opt": 5, "one": 1, "color": "BLUE", "id": "7", "float": 1, "list": [],
    });
    let mut whole = filled.clone();
    whole["req"] = json!(1);
    whole["list"] = json!([filled]);
    let sdl = SDL.replace("/show\", select: \"$.found\"", "/show\", select: \"$args.in\"");
    for (query, variables) in [
        ("{ show(in: {req: 1}) }", json!({})),
        ("query($x: In) { show(in: $x) }", json!({ "x": { "req": 1 } })),
        ("query($x: In = {req: 1}) { show(in: $x) }", json!({})),
        ("query($x: Int!, $y: Int) { show(in: {req: $x, opt: $y}) }", json!({ "x": 1.0 })),
    ] {
        let answer = answer(&upstream().engine(&sdl), query, variables).await;
        assert_eq!(answer["data"]["show"], whole, "{query}: {answer}");
    }
}

#[tokio::test]
async fn null_never_reaches_a_service_where_a_value_is_due() {
    let null = json!({ "x": null });
    for (query, data, path) in [
        ("mutation($x: Int) { incr(by: $x) }", json!({ "incr": null }), json!(["incr"])),
        (
            "mutation($x: Int) { a: incr(by: $x) b: incr(by: 2) }",
            json!({ "a": null, "b": 1 }),
            json!(["a"]),
        ),
        (
            "query($x: Int) { show(req: $x) hello }",
            json!({ "show": null, "hello": "x" }),
            json!(["show"]),
        ),
        ("query($x: Int = 1) { show(ints: [$x]) }", json!({ "show": null }), json!(["show"])),
        (
            "query($x: Int) { show(in: {req: 1, one: $x}) }",
            json!({ "show": null }),
            json!(["show"]),
        ),
        (
            "query($x: Int) { users { id friend(n: $x) { id } } }",
            json!({ "users": [{ "id": "1", "friend": null }, { "id": "2", "friend": null }] }),
            json!(["users", 0, "friend"]),
        ),
        ("query($x: Boolean = true) { hello @include(if: $x) }", Value::Null, Value::Null),
        (
            "query($x: Boolean = false) { hello ... @skip(if: $x) { hello } }",
            Value::Null,
            Value::Null,
        ),
        (
            "query($x: Boolean = true) { hello users { id name @include(if: $x) } }",
            Value::Null,
            json!(["users", 0]),
        ),
        (
            "query($x: Boolean = true) { hello users { id friend { name @include(if: $x) } } }",
            json!({ "hello": "x", "users": [{ "id": "1", "friend": null }, { "id": "2", "friend": null }] }),
            json!(["users", 0, "friend"]),
        ),
    ] {
        let upstream = upstream();
        let answer = answer(&upstream.engine(SDL), query, null.clone()).await;
        let sent = upstream.take();
        let is_null = |target: &String| {
            target.starts_with("/show")
                || ["/incr", "/friend"].contains(&&**target)
                || target.ends_with("by=")
                || target.ends_with("n=")
        };
        assert!(!sent.iter().any(is_null), "{query}: {sent:?}");
        assert_eq!(answer["data"], data, "{query}: {answer}");
        let error = &answer["errors"][0];
        assert_eq!(error["extensions"]["code"], "BAD_VARIABLES", "{query}");
        assert_eq!(error.get("path").cloned().unwrap_or_default(), path, "{query}");
    }
}

#[tokio::test]
async fn a_variable_left_out_takes_the_default_of_its_place() {
    for (query, expected) in [
        ("mutation($x: Int) { incr(by: $x) }", "/incr?by=1"),
        ("mutation($x: Int = 3) { incr(by: $x) }", "/incr?by=3"),
    ] {
        let upstream = upstream();
        answer(&upstream.engine(SDL), query, json!({})).await;
        assert_eq!(upstream.take(), [expected], "{query}");
    }
}

#[tokio::test]
async fn one_syntax_error_is_told_in_words() {
    let answer = answer(&upstream().engine(SDL), "{\n  users(ids) { id }\n}", json!({})).await;
    assert_eq!(
        answer["errors"],
        json!([{
            "message": "syntax error: expected `:`, found `)`",
            "locations": [{ "line": 2, "column": 12 }],
            "extensions": { "code": SYNTAX },
        }])
    );
}

#[tokio::test]
async fn errors_of_fields_say_where_they_were_asked_for() {
    let upstream = Upstream::new(|_| Ok(json!([{ "id": 1, "name": null }])));
    let query = "{\n  ü: users { id\r\n    name }\n}";
    let answer = answer(&upstream.engine(SDL), &query.replace('ü', "u"), json!({})).await;
    assert_eq!(answer["errors"][0]["path"], json!(["u", 0, "name"]));
    assert_eq!(answer["errors"][0]["locations"], json!([{ "line": 3, "column": 5 }]));
    let refused = self::answer(
        &upstream.engine(SDL),
        "query(\n $x: Int) { show(int: $x) }",
        json!({ "x": "y" }),
    )
    .await;
    assert_eq!(refused["errors"][0]["locations"], json!([{ "line": 2, "column": 2 }]));
    assert_eq!(refused["errors"][0]["message"], "`$x`: `Int` takes a whole number, not a string");
}

#[tokio::test]
async fn an_error_at_the_root_says_which_selections_cannot_be_decided() {
    let query = "query($s: Boolean = true, $t: Boolean = true) {\n  hello @skip(if: $s)\n  ... @include(if: $t) { must(id: 1) }\n}";
    let engine = upstream().engine(SDL);
    let answer = answer(&engine, query, json!({ "s": null, "t": null })).await;
    assert_eq!(answer["data"], Value::Null);
    let places = json!([{ "line": 2, "column": 3 }, { "line": 3, "column": 3 }]);
    assert_eq!(answer["errors"][0]["locations"], places);
    assert_eq!(answer["errors"][0].get("path"), None);
}

#[tokio::test]
async fn introspection_has_the_arguments_of_the_specification() {
    let query = "{
      __type(name: \"__Type\") { fields { name args { name defaultValue type { kind ofType { name } } } } }
      field: __type(name: \"__Field\") { fields { name args { name defaultValue type { kind ofType { name } } } } }
      directive: __type(name: \"__Directive\") { fields { name args { name defaultValue type { kind ofType { name } } } } }
      __schema { directives { name args { name defaultValue type { kind ofType { name } } } } }
    }";
    let settings = Settings { introspection: true, ..Settings::default() };
    let engine = Engine::new(upstream().graph(SDL), settings);
    let data = answer(&engine, query, json!({})).await["data"].take();
    let of = |of: &Value, name: &str| {
        let named = |one: &&Value| one["name"] == name;
        of.as_array().unwrap().iter().find(named).unwrap()["args"].clone()
    };
    let include = json!([{
        "name": "includeDeprecated", "defaultValue": "false",
        "type": { "kind": "NON_NULL", "ofType": { "name": "Boolean" } },
    }]);
    for field in ["fields", "enumValues", "inputFields"] {
        assert_eq!(of(&data["__type"]["fields"], field), include, "{field}");
    }
    assert_eq!(of(&data["field"]["fields"], "args"), include);
    assert_eq!(of(&data["directive"]["fields"], "args"), include);
    let reason = json!([{
        "name": "reason", "defaultValue": "\"No longer supported\"",
        "type": { "kind": "NON_NULL", "ofType": { "name": "String" } },
    }]);
    assert_eq!(of(&data["__schema"]["directives"], "deprecated"), reason);
    let query = "query($with: Boolean = true) { __type(name: \"By\") { inputFields(includeDeprecated: $with) { name } } }";
    let with = answer(&engine, query, json!({})).await;
    assert_eq!(with["data"]["__type"]["inputFields"][0], json!({ "name": "id" }), "{with}");
    let null = answer(&engine, query, json!({ "with": null })).await;
    assert_eq!(null["errors"][0]["extensions"]["code"], VARIABLES, "{null}");
    let query = "query($by: Int = 1, $with: Boolean = true) { show(req: $by) \
                 __type(name: \"By\") { inputFields(includeDeprecated: $with) { name } } }";
    let other = answer(&engine, query, json!({ "by": null })).await;
    let type_of = &other["data"]["__type"];
    assert_eq!(type_of["inputFields"][0], json!({ "name": "id" }), "of another field: {other}");
}

#[tokio::test]
async fn a_subscription_may_select_its_one_field_twice() {
    let sdl = format!(
        "{SDL} type Subscription {{ ticks: Int @call(source: \"s\", target: \"/ticks\", stream: true) other: Int @call(source: \"s\", target: \"/other\", stream: true) }}"
    );
    let graph = upstream().graph(&sdl);
    let refusals = |text: &str| {
        let prepared = super::Operation::prepare(&graph, &Settings::default(), text, None);
        prepared
            .err()
            .map_or_else(Vec::new, |errors| errors.into_iter().map(|error| error.message).collect())
    };
    assert!(
        refusals("subscription { ticks ...F } fragment F on Subscription { ticks }").is_empty()
    );
    assert!(refusals("subscription { ticks ... on Subscription { ticks } }").is_empty());
    for text in [
        "subscription { ticks other }",
        "subscription { ticks again: ticks }",
        "subscription { ticks ...F } fragment F on Subscription { other }",
        "subscription { ticks @include(if: true) }",
        "subscription { ticks @skip(if: false) ticks }",
        "subscription { __typename }",
    ] {
        assert_eq!(refusals(text).len(), 1, "{text}");
    }
}

#[tokio::test]
async fn introspection_tells_which_input_objects_are_one_of() {
    let settings = Settings { introspection: true, ..Settings::default() };
    let engine = Engine::new(upstream().graph(SDL), settings);
    let query = "query($with: Boolean = true) { __type(name: \"By\") { isOneOf one: isOneOf name ...F } other: __type(name: \"In\") { isOneOf }
        object: __type(name: \"User\") { isOneOf } __schema { directives { name } } }
        fragment F on __Type { inputFields { type { isOneOf @include(if: $with) name } } }";
    let answer = answer(&engine, query, json!({})).await;
    let null = json!({ "isOneOf": null });
    assert_eq!(answer["data"]["other"], json!({ "isOneOf": false }), "{answer}");
    assert_eq!(answer["data"]["object"], null);
    let by = &answer["data"]["__type"];
    assert_eq!([&by["isOneOf"], &by["one"]], [true, true]);
    assert_eq!(by.as_object().unwrap().keys().next().unwrap(), "isOneOf");
    assert_eq!(by["inputFields"][2]["type"], json!({ "isOneOf": false, "name": "In" }));
    assert_eq!(by["inputFields"][3]["type"], json!({ "isOneOf": null, "name": null }));
    assert!(answer["data"]["__schema"]["directives"].to_string().contains("\"oneOf\""));
}

#[tokio::test]
async fn defaults_that_a_document_adds_are_counted() {
    let fields: Vec<String> = (0..200).map(|n| format!("f{n}: Int = {n}")).collect();
    let sdl = format!(
        "type Query {{ a(in: [Big!]): Int @call(source: \"s\", target: \"/a\") }} input Big {{ {} }}",
        fields.join(" ")
    );
    let engine = upstream().engine(&sdl);
    let literal = |times: usize| format!("{{ a(in: [{}]) }}", "{} ".repeat(times));
    let code = |answer: Value| answer["errors"][0]["extensions"]["code"].clone();
    assert_eq!(code(answer(&engine, &literal(99), json!({})).await), "INVALID_VALUE");
    assert_eq!(code(answer(&engine, &literal(101), json!({})).await), "LIMIT_EXCEEDED");
    let query = "query($x: [Big!]) { a(in: $x) }";
    let objects = |times| json!({ "x": vec![json!({}); times] });
    assert_eq!(code(answer(&engine, query, objects(99)).await), "INVALID_VALUE");
    assert_eq!(code(answer(&engine, query, objects(101)).await), "LIMIT_EXCEEDED");
}
