//! Estimates by table, and further cases. Each case is one operation over one schema: `team` and `orders` are as long
//! as `first` says, `lines` are assumed to be 3.

mod actual;
mod formula;
mod random;
mod slicing;

use crate::engine::testing::Upstream;
use crate::engine::{Engine, Settings};
use crate::graphql::ErrorCode;
use serde_json::{Map, Value, json};

const SHOP: &str = r#"
type Query {
  user(id: ID!): User @lookup @call(source: "s", target: "/user/{$args.id}")
  order(id: ID!): Order
    @call(source: "s", target: "/order/{$args.id}", select: "id total buyer: { id: user } lines")
  team(first: Int): [User!] @listSize(slicingArguments: ["first"])
    @call(source: "s", target: "/team?n={$args.first}")
}
type Mutation {
  place(input: Place!): Order
    @call(source: "s", target: "/place", select: "id total buyer: { id: user } lines")
}
type User @key(fields: "id") {
  id: ID!
  name: String
  age: Int AGE
  unread: Int UNREAD
  orders(first: Int): [Order!] @listSize(slicingArguments: ["first"])
    @call(source: "s", target: "/orders?ids={$batch.id->joinNotNull(',')}&n={$args.first}",
      select: "userId: user id total buyer: { id: user } lines",
      batch: { reply: GROUP_BY, key: "userId", max: 50 })
}
type Order { id: ID! total: Int buyer: User lines: [Line!] @listSize(assumedSize: 3) }
type Line { product: Product }
type Product { name: String }
input Place { lines: [PlaceLine!]! }
input PlaceLine { sku: Int! qty: Int! }
"#;

/// Returns an engine that charges for fields alone.
fn engine(sdl: &str) -> Engine {
    engine_with(sdl, 0)
}

fn engine_with(sdl: &str, call_weight: u64) -> Engine {
    let mut settings = Settings::default();
    settings.limits.cost.call_weight = call_weight;
    Engine::new(Upstream::new(|_| Ok(Value::Null)).graph(sdl), settings)
}

fn shop(age: &str, unread: &str) -> Engine {
    engine(&SHOP.replace("AGE", age).replace("UNREAD", unread))
}

/// Returns the estimate, and the formula.
fn estimate(engine: &Engine, query: &str, variables: Value) -> Result<(u64, String), ErrorCode> {
    engine.estimate(query, None, &object(variables)).map_err(|errors| errors[0].code)
}

fn object(value: Value) -> Map<String, Value> {
    let Value::Object(fields) = value else { panic!("an object is due") };
    fields
}

fn cost(engine: &Engine, query: &str) -> u64 {
    estimate(engine, query, json!({})).expect("it is accepted").0
}

#[test]
fn every_vector_of_the_definition_comes_out() {
    let plain = shop("", "");
    assert_eq!(cost(&plain, "{ order(id:1) { total buyer { name } } }"), 2);
    let weighed = shop("@cost(weight: 2)", "@cost(weight: 1)");
    assert_eq!(cost(&weighed, "{ team(first:5) { age } }"), 15);
    let deep =
        "{ team(first:50) { name unread orders(first:5) { total lines { product { name } } } } }";
    assert_eq!(cost(&plain, deep), 1_800);
    assert_eq!(cost(&weighed, deep), 1_850);
    let place = "mutation { place(input: { lines: [{sku:1,qty:1},{sku:2,qty:1}] }) { id } }";
    assert_eq!(cost(&plain, place), 14);
    let without = estimate(&plain, "{ team { age } }", json!({}));
    assert_eq!(without, Err(ErrorCode::CostInvalidSlicingArguments));
    let skipped =
        "query($x: Boolean!) { team(first: 50) { orders(first: 5) @include(if: $x) { id } } }";
    assert_eq!(estimate(&plain, skipped, json!({ "x": false })).unwrap().0, 50);
    assert_eq!(estimate(&plain, skipped, json!({ "x": true })).unwrap().0, 300);
}

#[test]
fn no_alias_is_free() {
    let sdl = r#"
        type Query { price(of: Int!): Int @call(source: "s", target: "/price/{$args.of}") me: User @call(source: "s", target: "/me") }
        type Mutation { login(code: Int!): Boolean @call(source: "s", target: "/login/{$args.code}") }
        type User { id: ID! photo(size: Int!): String @call(source: "s", target: "/photo/{$this.id}/{$args.size}") }
    "#;
    let repeated = |count: u64, field: &str| -> String {
        (0..count).map(|n| format!("a{n}: {} ", field.replace('N', &n.to_string()))).collect()
    };
    let (fields_alone, with_calls) = (engine(sdl), engine_with(sdl, 1));
    for (operation, field, each_field, each_call) in [
        ("mutation", "login(code: N)", 10, 1),
        // Mutations with the same arguments are not merged: each is sent.
        ("mutation", "login(code: 1)", 10, 1),
        ("query", "price(of: N)", 0, 1),
    ] {
        for count in [1, 2, 20] {
            let query = format!("{operation} {{ {} }}", repeated(count, field));
            assert_eq!(cost(&fields_alone, &query), (count * each_field).max(1), "{query}");
            assert_eq!(cost(&with_calls, &query), count * (each_field + each_call), "{query}");
        }
    }
    let nested = format!("{{ me {{ {} }} }}", repeated(20, "photo(size: N)"));
    assert_eq!((cost(&fields_alone, &nested), cost(&with_calls, &nested)), (1, 1 + 1 + 20));
}

#[test]
fn a_mutation_that_is_skipped_costs_nothing() {
    let shop = shop("", "");
    let query = "mutation($x: Boolean!) {
        a: place(input: { lines: [] }) { id }
        b: place(input: { lines: [] }) @include(if: $x) { id }
        __typename
    }";
    let (both, formula) = estimate(&shop, query, json!({ "x": true })).unwrap();
    assert_eq!((both, estimate(&shop, query, json!({ "x": false })).unwrap().0), (24, 12));
    assert_eq!(formula, "a: (10 + 1 + 1) + (if $x: b: (10 + 1 + 1))");
}
