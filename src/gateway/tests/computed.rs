//! Computed fields, where a client decides how much is computed.

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
type Row { number: Int! copy(text: String!, start: String! = "X"): Boolean @const(value: "$args.text->upper->startsWith($args.start)") double: Int @const(value: "$this.number->mul(2)") }
"#;

async fn answer(query: &str, text: usize) -> Value {
    answer_within(query, text, 1_000_000, Duration::from_mins(1)).await
}

async fn answer_within(query: &str, text: usize, values: u64, left: Duration) -> Value {
    let connectors: Vec<Box<dyn Connector>> = vec![Box::new(Const)];
    let (graph, _) =
        load_with_env(&Sdl::from_texts([("test.graphql", SDL)]), &connectors, &|_| None)
            .unwrap_or_else(|problems| panic!("{}", render(&problems, false)));
    let mut settings = engine::Settings::default();
    settings.limits.reply_values = values;
    let engine = Engine::new(Arc::new(graph), settings);
    let variables = json!({ "ns": (0..2_000).collect::<Vec<_>>(), "ms": (1..2_001).collect::<Vec<_>>(), "text": "x".repeat(text) });
    let Value::Object(variables) = variables else { return Value::Null };
    let used = |(name, _): &(String, Value)| query.contains(&format!("${name}"));
    let variables: Map<String, Value> = variables.into_iter().filter(used).collect();
    let request = Request {
        document: query.into(),
        operation_name: None,
        variables,
        caller: Arc::new(Caller::default()),
        queries_only: false,
        deadline: Instant::now() + left,
    };
    serde_json::from_slice(&engine.execute(request).await.body).unwrap()
}

#[tokio::test]
async fn many_objects_are_computed_without_a_bound_on_their_number() {
    let answer = answer("query ($ns: [Int!]!) { rows(numbers: $ns) { double } }", 0).await;
    let rows = answer["data"]["rows"].as_array().unwrap();
    assert_eq!(rows.len(), 2_000);
    assert_eq!(rows[1_999], json!({ "double": 3_998 }));
    assert_eq!(answer["errors"], Value::Null);
}

#[tokio::test]
async fn an_argument_is_not_repeated_for_each_object_without_end() {
    let query = "query ($ns: [Int!]!, $text: String!) { rows(numbers: $ns) { copy(text: $text) } }";
    let answer = answer(query, 100_000).await;
    let rows = answer["data"]["rows"].as_array().unwrap();
    let copied = rows.iter().filter(|row| row["copy"].is_boolean()).count();
    assert!((10..900).contains(&copied), "100 MB would be made, and {copied} were");
    let errors = answer["errors"].as_array().unwrap();
    assert_eq!(errors.len(), 10, "one kind");
    assert_eq!(errors[0]["extensions"]["code"], "INVALID_REQUEST");
    assert_eq!(errors[0]["extensions"]["source"], Value::Null);
}

#[tokio::test]
async fn fields_of_one_request_share_what_may_be_computed() {
    let copies = async |fields: &str| {
        let query =
            format!("query ($ns: [Int!]!, $text: String!) {{ rows(numbers: $ns) {{ {fields} }} }}");
        let answer = answer(&query, 100_000).await;
        let rows = answer["data"]["rows"].as_array().unwrap().clone();
        let values = rows.iter().flat_map(|row| row.as_object().unwrap().values());
        values.filter(|copy| copy.is_boolean()).count()
    };
    let one = copies("a: copy(text: $text)").await;
    let three = copies(
        r#"a: copy(text: $text, start: "A") b: copy(text: $text, start: "B") c: copy(text: $text, start: "C")"#,
    )
    .await;
    assert!(three < one * 2, "{three} copies in three fields, {one} in one");
    // Each list has 4,000 values: 2,000 elements of one field.
    let list = |values| async move {
        let query = "query ($ns: [Int!]!, $ms: [Int!]!) { a: rows(numbers: $ns) { number } c: rows(numbers: $ms) { number } }";
        answer_within(query, 0, values, Duration::from_mins(1)).await
    };
    assert_eq!(list(10_000).await["errors"], Value::Null);
    let answer = list(6_000).await;
    let error = &answer["errors"][0];
    assert_eq!(error["extensions"]["code"], "INVALID_REQUEST", "{error}");
    assert!(error["message"].as_str().unwrap().contains("6000 values (limits.reply_values)"));
}

#[tokio::test]
async fn computing_ends_at_the_deadline() {
    let query = "query ($ns: [Int!]!) { rows(numbers: $ns) { double } }";
    let answer = answer_within(query, 0, 1_000_000, Duration::ZERO).await;
    let rows = answer["data"]["rows"].as_array().unwrap();
    let computed = rows.iter().filter(|row| row["double"].is_i64()).count();
    assert!((1..1_024).contains(&computed), "{computed} of {}", rows.len());
    assert_eq!(answer["errors"][0]["extensions"]["code"], "UPSTREAM_TIMEOUT");
}
