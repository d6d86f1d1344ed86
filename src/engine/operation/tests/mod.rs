//! Refusals of operations before any call, and properties of prepared ones.

mod hostile;
mod input;
mod limits;
mod prepare;
mod variables;

use super::Operation;
use crate::engine::testing::Upstream;
use crate::engine::{Limit, Mode, Settings};
use crate::graph::Graph;
use crate::graphql::{Error, ErrorCode};
use serde_json::json;
use std::sync::{Arc, OnceLock};

const SDL: &str = r#"
type Query {
  a: String @call(source: "s", target: "/a", select: "$.a")
  b: String @call(source: "s", target: "/b", select: "$.b")
  node(id: ID!): Node @call(source: "s", target: "/node/{$args.id}")
  find(by: Filter, n: Int, list: [Int!], color: Color, any: Any, f: Float, flag: Boolean): String
    @call(source: "s", target: "/find?n={$args.n}&by={$args.by.name}", select: "$.found")
}
type Mutation { set(id: ID!): Node @call(source: "s", target: "/set/{$args.id}") }
type Node { id: ID! next: Node name: String }
input Filter { name: String! = "x" sizes: [Int!] inner: Filter }
enum Color { RED BLUE }
scalar Any
"#;

fn graph() -> &'static Arc<Graph> {
    static GRAPH: OnceLock<Arc<Graph>> = OnceLock::new();
    GRAPH.get_or_init(|| Upstream::new(|_| Ok(json!({}))).graph(SDL))
}

fn prepare_with(settings: &Settings, text: &str) -> Result<Operation, Vec<Error>> {
    Operation::prepare(graph(), settings, text, None)
}

/// Returns `CODE: message` of each error; empty if the operation is accepted.
fn refusals(settings: &Settings, text: &str) -> Vec<String> {
    let line = |error: &Error| format!("{}: {}", error.code.as_str(), error.message);
    match prepare_with(settings, text) {
        Ok(_) => Vec::new(),
        Err(errors) => errors.iter().map(line).collect(),
    }
}

/// Allows texts of the maximum size, so that only the other limits apply.
fn any_length() -> Settings {
    let mut settings = Settings::default();
    settings.limits.document = Limit::new(1, Mode::Off);
    settings
}

/// Returns the code of the first error, without a limit on the length of the text.
fn refusal(text: &str) -> Option<ErrorCode> {
    prepare_with(&any_length(), text).err().map(|errors| errors[0].code)
}
