//! Whole requests: the tokens that remain after each outcome.

use super::{allowance, rate};
use crate::engine::testing::{Upstream, body, failure, request};
use crate::engine::{Engine, Rate, Request, Response, Settings};
use crate::graphql::ErrorCode;
use crate::source::{ErrorKind, Reply};
use futures_util::FutureExt;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

const SDL: &str = r#"
type Query {
  users(first: Int!): [User] @listSize(slicingArguments: ["first"]) @call(source: "s", target: "/users")
  slow: User @call(source: "s", target: "/slow")
}
type Mutation { make: User @call(source: "s", target: "/make") }
type User { id: ID! }
"#;

/// Returns an engine with a bucket of 100 that hardly refills.
fn engine(upstream: &Upstream) -> Engine {
    let rate = Rate { allowance: allowance(100, 1), ..rate(&["$request.ip"]) };
    let mut settings = Settings { rate: Some(rate), introspection: true, ..Settings::default() };
    settings.limits.cost.expose = true;
    settings.limits.cost.call_weight = 0;
    Engine::new(upstream.graph(SDL), settings)
}

/// Answers every query with two users; `/slow` never answers.
fn upstream() -> Upstream {
    Upstream::slow(|request| match request.target.as_str() {
        "/slow" => futures_util::future::pending().boxed(),
        "/make" => futures_util::future::ready(Ok(Reply::json(&json!({ "id": 1 })))).boxed(),
        _ => {
            let users = json!([{ "id": 1 }, { "id": 2 }]);
            futures_util::future::ready(Ok(Reply::json(&users))).boxed()
        }
    })
}

fn left(response: &Response) -> Option<u64> {
    response.throttle.as_ref().map(|throttle| throttle.available)
}

#[tokio::test]
async fn what_was_not_spent_flows_back() {
    let engine = engine(&upstream());
    let response = engine.execute(request("{ users(first: 50) { id } }")).await;
    assert_eq!(left(&response), Some(98));
    let cost = &body(&response)["extensions"]["cost"];
    assert_eq!((&cost["requestedQueryCost"], &cost["actualQueryCost"]), (&json!(50), &json!(2)));
    let status = &cost["throttleStatus"];
    let told = (&status["maximumAvailable"], &status["currentlyAvailable"]);
    assert_eq!(told, (&json!(100), &json!(98)));
    let rate = status["restoreRate"].as_f64().unwrap();
    assert!((rate * 3600.0 - 1.0).abs() < 1e-9, "{rate}");
    let response = engine.execute(request("mutation { make { id } }")).await;
    assert_eq!(left(&response), Some(87));
}

#[tokio::test]
async fn a_source_that_fails_leaves_the_floor() {
    let failing =
        Upstream::new(|_| Err(failure(ErrorCode::UpstreamUnavailable, ErrorKind::Failed)));
    let response = engine(&failing).execute(request("{ users(first: 50) { id } }")).await;
    assert_eq!((left(&response), response.refusal), (Some(99), None));
    assert_eq!(response.errors, 1);
}

#[tokio::test]
async fn a_request_that_runs_into_its_deadline_is_settled() {
    let late = Request {
        deadline: Instant::now() + Duration::from_millis(50),
        ..request("{ slow { id } users(first: 50) { id } }")
    };
    let response = engine(&upstream()).execute(late).await;
    assert_eq!(response.refusal, None);
    assert!(left(&response) >= Some(97), "{:?}", response.throttle);
}

#[tokio::test]
async fn a_client_that_hangs_up_has_spent_the_estimate() {
    let upstream = upstream();
    let engine = engine(&upstream);
    let query = "{ slow { id } users(first: 50) { id } }";
    {
        let mut running = Box::pin(engine.execute(request(query)));
        // Until the request waits for its source.
        while upstream.open() == 0 {
            assert!((&mut running).now_or_never().is_none());
        }
    }
    assert_eq!(upstream.open(), 0, "its calls are gone with it");
    assert_eq!(left(&engine.execute(request("{ __typename }")).await), Some(48));
}

#[tokio::test]
async fn introspection_and_refusals_cost_the_floor() {
    let engine = engine(&upstream());
    for (index, query) in
        ["{ __typename }", "{", "{ nobody }", "{ users { id } }", "{ users(first: 1000) { id } }"]
            .into_iter()
            .enumerate()
    {
        let response = engine.execute(request(query)).await;
        assert_eq!(left(&response), Some(99 - index as u64), "{query}");
    }
    let response = engine.execute(request("{ users(first: 1000) { id } }")).await;
    assert_eq!(response.refusal, Some(ErrorCode::CostLimitExceeded));
    let message = body(&response)["errors"][0]["message"].clone();
    assert_eq!(
        message,
        "the operation costs 1000; 100 is what you may ever spend at once (limits.rate): users: 1000 × 1"
    );
}

#[tokio::test]
async fn a_throttled_operation_calls_nothing_and_takes_nothing() {
    let upstream = upstream();
    let engine = engine(&upstream);
    let response =
        engine.execute(request("{ users(first: 90) { id } a: users(first: 8) { id } }")).await;
    assert_eq!(left(&response), Some(96));
    upstream.take();
    let response = engine.execute(request("{ users(first: 97) { id } }")).await;
    assert_eq!((response.refusal, left(&response)), (Some(ErrorCode::Throttled), Some(96)));
    assert_eq!(upstream.take(), Vec::<String>::new());
    let told = body(&response);
    assert_eq!(told["errors"][0]["extensions"]["retryAfter"], 3600);
    let cost = &told["extensions"]["cost"];
    assert_eq!((&cost["requestedQueryCost"], &cost["actualQueryCost"]), (&json!(97), &json!(0)));
    assert_eq!(cost["throttleStatus"]["currentlyAvailable"], 96);
}

#[tokio::test]
async fn without_a_rate_nothing_is_told() {
    let engine = Engine::new(upstream().graph(SDL), Settings::default());
    let response = engine.execute(request("{ users(first: 90) { id } }")).await;
    assert_eq!(response.throttle, None);
    assert_eq!(body(&response)["extensions"], Value::Null);
}
