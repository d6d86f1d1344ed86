//! Whole requests with services that are closures: which calls are made, how often, and the responses.

mod batches;
mod joined;
mod keys;
mod logged;
mod reuse;
mod steps;

use crate::engine::testing::{Upstream, body, request};
use serde_json::{Value, json};

/// A shop whose users come in batches of ten and whose reviews know their author by id only.
const SHOP: &str = r#"
type Query {
  user(id: ID!): User @lookup @call(source: "users", target: "/user/{$args.id}")
  usersById(ids: [ID!]! @is(field: "id")): [User]! @lookup
    @call(source: "users", target: "/users?ids={$args.ids->joinNotNull(',')}", batch: { max: 10 })
  reviews(first: Int = 3): [Review!]! @listSize(slicingArguments: ["first"])
    @call(source: "reviews", target: "/reviews?first={$args.first}", select: "id author: { id: author_id }")
}
type User @key(fields: "id") { id: ID! name: String }
type Review { id: ID! author: User }
"#;

fn user(id: &str) -> Value {
    json!({ "id": id, "name": format!("n{id}") })
}

/// Returns `count` reviews, by authors 1, 2, 3 … `authors` in turn.
fn reviews(count: usize, authors: usize) -> Value {
    (0..count).map(|n| json!({ "id": n, "author_id": n % authors + 1 })).collect()
}

async fn run(upstream: &Upstream, sdl: &str, query: &str) -> (Value, Vec<String>) {
    let response = upstream.engine(sdl).execute(request(query)).await;
    (body(&response), upstream.take())
}

/// Returns `path: code` of each error.
fn errors(body: &Value) -> Vec<String> {
    let errors = body["errors"].as_array().cloned().unwrap_or_default();
    let code = |error: &Value| error["extensions"]["code"].as_str().unwrap_or("none").to_owned();
    errors.iter().map(|error| format!("{} {}", error["path"], code(error))).collect()
}
