//! The table of the cost's definition, and what else an estimate must get right. Each case is one operation over one
//! schema: `team` and `orders` are as long as `first` says, `lines` are assumed to be 3.

use crate::engine::Engine;
mod actual;
mod formula;
mod random;
mod slicing;

use crate::engine::testing::Upstream;
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

fn engine(sdl: &str) -> Engine {
    Upstream::new(|_| Ok(Value::Null)).engine(sdl)
}

fn shop(age: &str, unread: &str) -> Engine {
    engine(&SHOP.replace("AGE", age).replace("UNREAD", unread))
}

/// The estimate, and the formula.
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
