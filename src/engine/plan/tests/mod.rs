//! Plans as `explain` prints them, over the storefront's graph with another directive, and what else holds for plans.

mod explained;
mod same;

use crate::engine::Engine;
use crate::engine::testing::{Upstream, body, request};
use serde_json::{Map, Value};
use std::sync::OnceLock;

const STOREFRONT: &str = r#"
type Query {
  user(id: ID!): User @lookup
    @call(source: "users", target: "/users/{$args.id}", select: "id name: full_name email address { city }")
  users(first: Int! = 20): [User!]! @listSize(slicingArguments: ["first"])
    @call(source: "users", target: "/users?first={$args.first}", select: "$.users { id name: full_name email address { city } }")
  usersById(ids: [ID!]! @is(field: "id")): [User]! @lookup @internal
    @call(source: "users", target: "/users?ids={$args.ids->joinNotNull(',')}",
      select: "$.users { id name: full_name email address { city } }", batch: { max: 100 })
  order(id: ID!): Order @lookup
    @call(source: "orders", target: "/orders/{$args.id}", select: "id status total: { cents: total_cents } buyer: { id: user_id } lines: items { quantity: qty product: { id: sku } }")
  products(first: Int! = 20): [Product!]! @listSize(slicingArguments: ["first"])
    @call(source: "products", target: "/products?first={$args.first}", select: "$.products { id name weight: grams }")
  productsById(ids: [ID!]! @is(field: "id")): [Product]! @lookup @internal
    @call(source: "products", target: "/products?ids={$args.ids->joinNotNull(',')}",
      select: "$.products { id name weight: grams }", batch: { max: 50 })
  nodes: [Node!]! @call(source: "users", target: "/nodes", select: "__typename: kind id")
}
type Mutation {
  createUser(name: String!): User! @call(source: "users", target: "/create/{$args.name}", select: "id")
  drop(id: ID!): User @call(source: "users", target: "/drop/{$args.id}", select: "id")
}
interface Node { id: ID! }
type User implements Node @key(fields: "id") {
  id: ID! name: String! email: String address: Address
  orders(first: Int! = 10): [Order!]! @listSize(slicingArguments: ["first"])
    @call(source: "orders", target: "/orders?users={$batch.id->joinNotNull(',')}&first={$args.first}",
      select: "$.rows { userId: user_id id status total: { cents: total_cents } buyer: { id: user_id } lines: items { quantity: qty product: { id: sku } } }",
      batch: { reply: GROUP_BY, key: "userId", max: 50 })
  score: Int @call(source: "scores", target: "/scores?ids={$batch.id->joinNotNull(',')}", select: "$.by_user", batch: { reply: MAP, max: 50 })
}
type Address { city: String! }
type Order implements Node @key(fields: "id") {
  id: ID! status: String! total: Money! buyer: User! lines: [Line!]! @listSize(assumedSize: 5)
}
type Money { cents: Int! }
type Line { quantity: Int! product: Product }
type Product @key(fields: "id") {
  id: ID! name: String! weight: Int!
  rank: Rank @call(source: "ranks", target: "/ranks?ids={$batch.id->joinNotNull(',')}", batch: { reply: POSITIONAL, max: 20 })
  shipping(country: String! = "DE", grams: Int @require(field: "weight")): Int
    @call(source: "orders", target: "/shipping?to={$args.country}&grams={$args.grams}", select: "$.cents")
}
type Rank { place: Int! }
"#;

/// The longest chain of requirements that a load allows.
#[tokio::test]
async fn a_long_chain_of_requirements_is_planned_on_a_stack_of_usual_size() {
    let mut links = String::new();
    for at in 1..=100 {
        let before = at - 1;
        let rule = if at % 7 == 0 {
            format!("@allow(if: \"$this.f{before}->eq(1)\")")
        } else {
            String::new()
        };
        links += &match at % 3 {
            0 => format!(
                "f{at}: Int {rule} @call(source: \"s\", target: \"/p?w={{$this.f{before}}}\")\n"
            ),
            _ => format!(
                "f{at}(w: Int @require(field: \"f{before}\")): Int {rule} @call(source: \"s\", target: \"/p?w={{$args.w}}\")\n"
            ),
        };
    }
    let sdl = format!(
        "type Query {{ t(id: ID!): T @lookup @call(source: \"s\", target: \"/t/{{$args.id}}\", select: \"id f0: x\") }}\n\
         type T @key(fields: \"id\") {{ id: ID! f0: Int next: T @call(source: \"s\", target: \"/n?f={{$this.f99}}\", select: \"id f0: x\")\n{links} }}"
    );
    let upstream = Upstream::new(|target| {
        let object = || serde_json::json!({ "id": 1, "x": 1 });
        Ok(if target.starts_with("/p") { Value::from(1) } else { object() })
    });
    let engine = upstream.engine(&sdl);
    let answer = engine.execute(request("{ t(id: 1) { next { next { f100 } } } }")).await;
    assert_eq!(
        body(&answer),
        serde_json::json!({ "data": { "t": { "next": { "next": { "f100": 1 } } } } })
    );
}

fn engine() -> &'static Engine {
    static ENGINE: OnceLock<Engine> = OnceLock::new();
    ENGINE.get_or_init(|| Upstream::new(|_| Ok(Value::Null)).engine(STOREFRONT))
}

fn explain(query: &str) -> String {
    explain_with(query, &Map::new())
}

fn explain_with(query: &str, variables: &Map<String, Value>) -> String {
    match engine().explain(query, None, variables, None) {
        Ok(explanation) => explanation.to_string(),
        Err(errors) => format!("refused: {}", errors[0].message),
    }
}
