//! Fields that are computed, where a client decides how much is computed.

use crate::connector::Const;
use crate::engine::{self, Engine, Request};
use crate::graph::{Sdl, load_with_env};
use crate::problem::render;
use crate::source::{Caller, Connector};
use serde_json::{Map, Value, json};
use std::sync::Arc;
use std::time::{Duration, Instant};

const SDL: &str = r#"
type Query { rows(numbers: [Int!]!): [Row!]! @const(value: "$args.numbers->map({ number: @ })") }
type Row { number: Int! copy(text: String!): Boolean @const(value: "$args.text->upper->startsWith('X')") double: Int @const(value: "$this.number->mul(2)") }
"#;

async fn answer(query: &str, text: usize) -> Value {
    let connectors: Vec<Box<dyn Connector>> = vec![Box::new(Const)];
    let (graph, _) =
        load_with_env(&Sdl::from_texts([("test.graphql", SDL)]), &connectors, &|_| None)
            .unwrap_or_else(|problems| panic!("{}", render(&problems, false)));
    let engine = Engine::new(Arc::new(graph), engine::Settings::default());
    let variables = json!({ "ns": (0..1_000).collect::<Vec<_>>(), "text": "x".repeat(text) });
    let Value::Object(variables) = variables else { return Value::Null };
    let used = |(name, _): &(String, Value)| query.contains(&format!("${name}"));
    let variables: Map<String, Value> = variables.into_iter().filter(used).collect();
    let request = Request {
        document: query.into(),
        operation_name: None,
        variables,
        caller: Arc::new(Caller::default()),
        queries_only: false,
        deadline: Instant::now() + Duration::from_mins(1),
    };
    serde_json::from_slice(&engine.execute(request).await.body).unwrap()
}

#[tokio::test]
async fn many_objects_are_computed_without_a_bound_on_their_number() {
    let answer = answer("query ($ns: [Int!]!) { rows(numbers: $ns) { double } }", 0).await;
    let rows = answer["data"]["rows"].as_array().unwrap();
    assert_eq!(rows.len(), 1_000);
    assert_eq!(rows[999], json!({ "double": 1_998 }));
    assert_eq!(answer["errors"], Value::Null);
}

#[tokio::test]
async fn an_argument_is_not_repeated_for_each_object_without_end() {
    let query = "query ($ns: [Int!]!, $text: String!) { rows(numbers: $ns) { copy(text: $text) } }";
    let answer = answer(query, 100_000).await;
    let rows = answer["data"]["rows"].as_array().unwrap();
    let copied = rows.iter().filter(|row| row["copy"].is_boolean()).count();
    assert!((100..900).contains(&copied), "100 MB would be made, and {copied} were");
    let errors = answer["errors"].as_array().unwrap();
    assert_eq!(errors.len(), 10, "one kind");
    assert_eq!(errors[0]["extensions"]["code"], "INVALID_REQUEST");
    assert_eq!(errors[0]["extensions"]["source"], Value::Null);
}
