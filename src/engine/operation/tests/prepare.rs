//! Operation names, the cache, locations of errors, introspection.

use super::{Operation, SDL, graph, prepare_with, refusal, refusals};
use crate::engine::operation::Operations;
use crate::engine::testing::{Upstream, body, request};
use crate::engine::{Engine, Request, Settings};
use crate::graphql::ErrorCode;
use serde_json::{Value, json};
use std::sync::Arc;

const TWO: &str = "query A { a } query B { b }";

fn named(name: Option<&str>) -> Result<usize, ErrorCode> {
    let prepared = Operation::prepare(graph(), &Settings::default(), TWO, name);
    prepared.map(|operation| operation.plan.fetches.len()).map_err(|errors| errors[0].code)
}

#[test]
fn of_several_operations_one_is_named() {
    assert_eq!(named(Some("A")), Ok(1));
    assert_eq!(named(None), Err(ErrorCode::OperationNotFound));
    assert_eq!(named(Some("C")), Err(ErrorCode::OperationNotFound));
    assert_eq!(named(Some("")), Err(ErrorCode::OperationNotFound));
}

#[tokio::test]
async fn the_cache_tells_operations_apart_by_text_and_name() {
    let settings = Arc::new(Settings::default());
    let operations = Operations::new(&settings);
    let get = async |text: &str, name: Option<&str>| {
        operations.get(graph(), &settings, text, name).await.map_err(|errors| errors[0].code)
    };
    let (a, b) = (get(TWO, Some("A")).await.unwrap(), get(TWO, Some("B")).await.unwrap());
    assert!(Arc::ptr_eq(&a, &get(TWO, Some("A")).await.unwrap()), "kept");
    assert!(Arc::ptr_eq(&b, &get(TWO, Some("B")).await.unwrap()), "kept");
    assert!(!Arc::ptr_eq(&a, &b));
    let coordinate = |operation: &Operation| operation.plan.fetches[0].coordinate.to_string();
    assert_eq!((coordinate(&a), coordinate(&b)), ("Query.a".into(), "Query.b".into()));
    assert!(get(TWO, None).await.is_err());
    let spaced = format!("{TWO} ");
    assert!(!Arc::ptr_eq(&a, &get(&spaced, Some("A")).await.unwrap()), "another text");
    // A refusal is not cached.
    assert_eq!(get("{ nothing }", None).await.err(), Some(ErrorCode::ValidationFailed));
    assert_eq!(get("{ nothing }", None).await.err(), Some(ErrorCode::ValidationFailed));
}

#[tokio::test]
async fn a_long_text_is_prepared_like_a_short_one() {
    let settings = Arc::new(Settings::default());
    let operations = Operations::new(&settings);
    let long = format!("{{ a }} #{}", "x".repeat(10_000));
    let first = operations.get(graph(), &settings, &long, None).await.unwrap();
    let again = operations.get(graph(), &settings, &long, None).await.unwrap();
    assert!(Arc::ptr_eq(&first, &again));
    let wrong = format!("{{ x }} #{}", "x".repeat(10_000));
    assert!(operations.get(graph(), &settings, &wrong, None).await.is_err());
}

#[tokio::test]
async fn the_cache_is_bounded_by_bytes() {
    let settings = Arc::new(Settings { operation_cache: 100_000, ..Settings::default() });
    let operations = Operations::new(&settings);
    for number in 0..200 {
        let text = format!("{{ x{number}: a }}");
        operations.get(graph(), &settings, &text, None).await.unwrap();
    }
    let (kept, bytes) = operations.kept();
    assert!(bytes <= 100_000, "{bytes}");
    assert!((5..=60).contains(&kept), "{kept} kept");
    let none = Arc::new(Settings { operation_cache: 0, ..Settings::default() });
    let operations = Operations::new(&none);
    operations.get(graph(), &none, "{ a }", None).await.unwrap();
    assert_eq!(operations.kept(), (0, 0));
}

#[test]
fn what_introspection_and_defaults_add_is_weighed() {
    let settings = Settings { introspection: true, ..Settings::default() };
    let weight = |text: &str| prepare_with(&settings, text).unwrap().weight;
    let all = "{ __schema { types { name fields { name args { name type { name } } } } } }";
    let answered = prepare_with(&settings, all).unwrap();
    let answer = answered.introspect(graph(), &serde_json::Map::new()).unwrap()[0].len();
    assert!(answer > 1_000, "{answer}");
    assert!(answered.weight >= answered.plan.weight + all.len() * 8 + answer);
    // Cached as a document, because a variable changes the answer.
    let text = format!("query($t: String!) {{ __type(name: $t) {{ {} }} }}", "kind ".repeat(1_000));
    assert!(weight(&text) > 1_000 * 256, "{}", weight(&text));
    assert!(weight("{ find(by: {}) }") > weight("{ find(n:  1) }"), "its name is `x`");
}

#[test]
fn mistakes_come_with_their_places() {
    let errors = |text: &str| prepare_with(&Settings::default(), text).err().unwrap();
    let found = errors("{\n  a\n  nothing\n  node { id }\n}");
    assert!(found.iter().all(|error| error.code == ErrorCode::ValidationFailed));
    let places: Vec<_> =
        found.iter().map(|error| error.locations[0]).map(|at| (at.line, at.column)).collect();
    assert!(places.contains(&(3, 3)) && places.contains(&(4, 3)), "{places:?}");
    let found = errors("{ a");
    assert_eq!(found[0].code, ErrorCode::ParseFailed);
    assert_eq!(found[0].locations.len(), 1);
    let many = errors("{ a1 a2 a3 a4 a5 a6 a7 a8 a9 a10 a11 a12 a13 a14 }");
    assert_eq!(many.len(), 10);
}

#[test]
fn a_misspelt_field_is_one_mistake() {
    let told = |text| refusals(&Settings::default(), text);
    let misspelt = told("{ node(id: 1) { idd } }");
    assert_eq!(misspelt.len(), 1, "{misspelt:?}");
    assert!(misspelt[0].contains("idd"), "{misspelt:?}");
    let bare = told("{ node(id: 1) }");
    assert!(bare.len() == 1 && bare[0].contains("subselection"), "{bare:?}");
}

#[test]
fn what_does_not_fit_the_schema_is_refused() {
    for text in [
        "{ node { id } }",
        "{ node(id: 1) }",
        "{ a { id } }",
        "{ node(id: 1, x: 2) { id } }",
        "query($v: Int) { node(id: $v) { id } }",
        "{ node(id: $v) { id } }",
        "{ a @nothing }",
        "{ ...F }",
        "{ ... on Nothing { a } }",
        "{ node(id: 1) { ... on Query { a } } }",
        "{ find(color: GREEN) }",
        "{ find(n: 1.5) }",
        "{ find(n: 2147483648) }",
        "{ find(by: { size: 1 }) }",
        "{ x: a x: b }",
        "query A { a } query A { b }",
        "query($v: Int) { a }",
        "{ find(by: { name: null }) }",
        "{ a @include }",
        "mutation { a }",
        "{ a } query B { b }",
    ] {
        assert!(refusal(text).is_some(), "accepted: {text}");
    }
}

fn engine(introspection: bool) -> Engine {
    let upstream = Upstream::new(|_| Ok(json!({ "a": "x" })));
    Engine::new(upstream.graph(SDL), Settings { introspection, ..Settings::default() })
}

async fn answer(engine: &Engine, query: &str, variables: Value) -> Value {
    let Value::Object(variables) = variables else { panic!("an object") };
    body(&engine.execute(Request { variables, ..request(query) }).await)
}

#[tokio::test]
async fn introspection_is_answered_only_where_it_is_on() {
    for query in [
        "{ __schema { queryType { name } } }",
        "{ a __type(name: \"Node\") { name } }",
        "{ ...F } fragment F on Query { x: __schema { types { name } } }",
    ] {
        let refused = answer(&engine(false), query, json!({})).await;
        assert_eq!(refused["errors"][0]["extensions"]["code"], "INTROSPECTION_DISABLED", "{query}");
        assert_eq!(refused.get("data"), None);
        let answered = answer(&engine(true), query, json!({})).await;
        assert_eq!(answered.get("errors"), None, "{answered}");
    }
    let typename = answer(&engine(false), "{ __typename }", json!({})).await;
    assert_eq!(typename, json!({ "data": { "__typename": "Query" } }));
}

#[tokio::test]
async fn introspection_and_fields_come_in_the_order_asked() {
    let query = "{ t: __type(name: \"Node\") { name kind } a s: __schema { queryType { name } } n: __type(name: \"No\") { name } }";
    let answered = engine(true).execute(request(query)).await;
    assert_eq!(
        answered.body,
        r#"{"data":{"t":{"name":"Node","kind":"OBJECT"},"a":"x","s":{"queryType":{"name":"Query"}},"n":null}}"#
    );
}

#[tokio::test]
async fn a_type_may_be_named_by_a_variable() {
    let engine = engine(true);
    let query = "query($name: String!, $with: Boolean = true) { __type(name: $name) { name fields @include(if: $with) { name } } }";
    for name in ["Node", "Query", "Nothing"] {
        let answered = answer(&engine, query, json!({ "name": name, "with": false })).await;
        let expected = if name == "Nothing" { Value::Null } else { json!({ "name": name }) };
        assert_eq!(answered["data"]["__type"], expected);
    }
    let refused = answer(&engine, query, json!({})).await;
    assert_eq!(refused["errors"][0]["extensions"]["code"], "BAD_VARIABLES");
}

#[tokio::test]
async fn introspection_shows_what_clients_may_know() {
    let query = "{ __schema { directives { name } types { name fields { name } } } }";
    let answered = answer(&engine(true), query, json!({})).await.to_string();
    assert!(answered.contains("\"node\""));
    for hidden in ["call", "lookup", "BatchRule", "internal"] {
        assert!(!answered.contains(&format!("\"{hidden}\"")), "{hidden} is shown");
    }
}

#[tokio::test]
async fn a_mutation_is_not_run_where_only_queries_are_allowed() {
    let upstream = Upstream::new(|_| Ok(json!({ "id": 1 })));
    let engine = upstream.engine(SDL);
    let refused = engine
        .execute(Request { queries_only: true, ..request("mutation { set(id: 1) { id } }") })
        .await;
    assert_eq!(refused.refusal, Some(ErrorCode::MethodNotAllowed));
    assert!(upstream.take().is_empty());
}
