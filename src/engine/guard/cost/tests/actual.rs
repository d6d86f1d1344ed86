//! Actual cost of operations, and its report in responses.

use super::{SHOP, object};
use crate::engine::testing::{Upstream, body, failure, request};
use crate::engine::{CostReport, Engine, Limits, Mode, Request, Response, Settings, UpstreamCalls};
use crate::graphql::ErrorCode;
use crate::source::ErrorKind;
use serde_json::{Value, json};

/// Serves two users; each has one order of two lines.
fn upstream() -> Upstream {
    let order = |id: i32, user: i32| json!({ "user": user, "id": id, "total": 5, "lines": [{ "product": { "name": "x" } }, { "product": null }] });
    Upstream::new(move |target| {
        Ok(match target {
            "/user/1" => json!({ "id": 1, "name": "n" }),
            "/order/1" => order(1, 1),
            target if target.starts_with("/team") => json!([{ "id": 1 }, { "id": 2 }]),
            target if target.starts_with("/orders") => json!([order(1, 1), order(2, 2)]),
            "/place" => order(3, 1),
            _ => return Err(failure(ErrorCode::UpstreamStatus, ErrorKind::Failed)),
        })
    })
}

fn shop(change: impl Fn(&mut Limits)) -> (Engine, Upstream) {
    let upstream = upstream();
    let sdl = SHOP.replace("AGE", "@cost(weight: 2)").replace("UNREAD", "");
    let mut settings = Settings::default();
    settings.limits.cost.call_weight = 0;
    change(&mut settings.limits);
    (Engine::new(upstream.graph(&sdl), settings), upstream)
}

async fn run(engine: &Engine, query: &str) -> Response {
    engine.execute(request(query)).await
}

fn report(requested: u64, actual: u64, bound: u64, calls: u64) -> CostReport {
    CostReport {
        requested_query_cost: requested,
        actual_query_cost: actual,
        upstream_calls: UpstreamCalls { bound, actual: calls },
        throttle_status: None,
    }
}

const DEEP: &str =
    "{ team(first: 50) { age orders(first: 5) { total lines { product { name } } } } }";

#[tokio::test]
async fn lists_count_as_long_as_they_are() {
    let (engine, _) = shop(|_| {});
    let response = run(&engine, DEEP).await;
    // Two users, one order each, two lines each, one of them with a product. No user has an age.
    assert_eq!(response.cost, Some(report(50 * (1 + 2 + 5 * 7), 2 * (1 + 1 + 2 + 1), 2, 2)));
    assert!(body(&response).get("extensions").is_none(), "not told where nobody asked for it");
}

#[tokio::test]
async fn a_mutation_and_what_it_is_given_count_in_the_end_too() {
    let (engine, _) = shop(|_| {});
    let query = "mutation { place(input: { lines: [{ sku: 1, qty: 1 }] }) { id buyer { id } } }";
    let response = run(&engine, query).await;
    assert_eq!(response.cost, Some(report(10 + 2 + 2, 10 + 2 + 2, 1, 1)));
}

#[tokio::test]
async fn calls_count_where_they_have_a_weight() {
    let (engine, _) = shop(|limits| limits.cost.call_weight = 5);
    let query = "{ a: user(id: 1) { name } b: user(id: 9) { name } }";
    let response = run(&engine, query).await;
    // The second one does not exist: its call is made and charged all the same.
    assert_eq!(response.cost, Some(report(2 + 2 * 5, 1 + 2 * 5, 2, 2)));
    let (engine, _) = shop(|limits| {
        limits.cost.call_weight = 5;
        limits.cost.limit = 11.into();
    });
    let refused = run(&engine, query).await;
    let message = body(&refused)["errors"][0]["message"].as_str().unwrap().to_owned();
    assert_eq!(
        message,
        "the operation costs 12; 11 is allowed (limits.cost.max): a: 1 + b: 1 + 5 × 2 calls"
    );
}

#[tokio::test]
async fn only_calls_that_were_made_are_charged() {
    let (engine, upstream) = shop(|limits| limits.cost.call_weight = 5);
    // The same user once as a key of an order and once by id: fetched once.
    let query = "{ order(id: 1) { buyer { name } } user(id: 1) { name } }";
    let response = run(&engine, query).await;
    let calls = upstream.take().len() as u64;
    assert_eq!((calls, response.cost), (2, Some(report(3 + 3 * 5, 3 + 2 * 5, 3, 2))));
}

#[tokio::test]
async fn each_mutation_that_was_sent_is_charged_whatever_came_of_it() {
    let upstream = Upstream::new(|target| match target {
        "/drop/1" => Ok(json!(true)),
        _ => Err(failure(ErrorCode::UpstreamStatus, ErrorKind::Failed)),
    });
    let sdl = r#"
        type Query { a: Int @call(source: "s", target: "/a") }
        type Mutation { drop(id: Int!): Boolean @call(source: "s", target: "/drop/{$args.id}")
          closed: Boolean @authenticated @call(source: "s", target: "/closed") }
    "#;
    let engine = upstream.engine(sdl);
    let response = run(&engine, "mutation { a: drop(id: 1) b: drop(id: 2) closed }").await;
    assert_eq!(
        response.cost,
        Some(report(22, 22, 2, 2)),
        "nothing is sent for what is not allowed"
    );
}

#[tokio::test]
async fn an_answer_tells_its_cost_where_that_is_set() {
    let (engine, _) = shop(|limits| limits.cost.expose = true);
    let response = run(&engine, "{ order(id: 1) { total buyer { name } } }").await;
    let text = std::str::from_utf8(&response.body).unwrap();
    assert_eq!(
        text,
        r#"{"data":{"order":{"total":5,"buyer":{"name":"n"}}},"extensions":{"cost":{"requestedQueryCost":2,"actualQueryCost":2,"upstreamCalls":{"bound":2,"actual":2}}}}"#
    );
}

#[tokio::test]
async fn an_operation_that_costs_too_much_makes_no_call() {
    let (engine, upstream) = shop(|limits| {
        limits.cost.limit = 1_899.into();
        limits.cost.expose = true;
    });
    let response = run(&engine, DEEP).await;
    assert_eq!(response.refusal, Some(ErrorCode::CostLimitExceeded));
    assert_eq!(response.cost, Some(report(1_900, 1, 2, 0)));
    assert_eq!(upstream.take(), Vec::<String>::new());
    assert_eq!(
        body(&response),
        json!({
            "errors": [{
                "message": "the operation costs 1900; 1899 is allowed (limits.cost.max): \
                    team: 50 × (1 + age: 2 + orders: 5 × (1 + lines: 3 × (1 + product: 1)))",
                "extensions": { "code": "COST_LIMIT_EXCEEDED" },
            }],
            "extensions": { "cost": {
                "requestedQueryCost": 1900,
                "actualQueryCost": 1,
                "upstreamCalls": { "bound": 2, "actual": 0 },
            } },
        })
    );
    let (engine, _) = shop(|limits| limits.cost.limit = 1_900.into());
    assert_eq!(run(&engine, DEEP).await.refusal, None, "at the limit");
}

#[tokio::test]
async fn an_operation_that_could_make_too_many_calls_makes_none() {
    let lookups = "query($n: Int) { team(first: $n) { orders(first: 1) { buyer { name } } } }";
    let of = |n: u64| Request { variables: object(json!({ "n": n })), ..request(lookups) };
    for (mode, refusal) in
        [(Mode::Enforce, Some(ErrorCode::LimitExceeded)), (Mode::Measure, None), (Mode::Off, None)]
    {
        let (engine, upstream) =
            shop(|limits| limits.fan_out = crate::engine::Limit::new(12, mode));
        // One call for the team, one for the orders of each fifty users, and one for each buyer.
        let most = engine.execute(of(10)).await;
        assert_eq!(most.cost.unwrap().upstream_calls.bound, 12);
        assert_eq!(most.refusal, None);
        upstream.take();
        let past = engine.execute(of(11)).await;
        assert_eq!(past.refusal, refusal, "{mode:?}");
        assert_eq!(upstream.take().is_empty(), refusal.is_some());
        if refusal.is_some() {
            let message =
                "the operation can come to 13 calls to sources; 12 are allowed (limits.fan_out)";
            assert_eq!(body(&past)["errors"][0]["message"], message);
        }
    }
}

#[tokio::test]
async fn a_cost_that_is_only_measured_changes_no_answer() {
    let answer = run(&shop(|_| {}).0, DEEP).await.body;
    for mode in [Mode::Measure, Mode::Off] {
        let (engine, _) = shop(|limits| limits.cost.limit = crate::engine::Limit::new(1, mode));
        let response = run(&engine, DEEP).await;
        assert_eq!((response.refusal, &response.body), (None, &answer), "{mode:?}");
    }
}

#[tokio::test]
async fn what_is_null_costs_nothing_and_what_became_null_does() {
    let sdl = r#"
        type Query { a: A @call(source: "s", target: "/a") b: B @call(source: "s", target: "/b") }
        type A { id: ID! }
        type B { a: A c: C! }
        type C { id: ID! }
    "#;
    let upstream = Upstream::new(|target| {
        Ok(if target == "/a" { Value::Null } else { json!({ "a": { "id": 1 }, "c": null }) })
    });
    let response =
        upstream.engine(sdl).execute(request("{ a { id } b { a { id } c { id } } }")).await;
    assert_eq!(body(&response)["data"], json!({ "a": null, "b": null }));
    // `b` and its `a` were fetched, although they are not in the response.
    assert_eq!(response.cost, Some(report(4 + 2, 2 + 2, 2, 2)));
}

#[tokio::test]
async fn introspection_costs_the_least_there_is() {
    let graph = upstream().graph(&SHOP.replace("AGE", "").replace("UNREAD", ""));
    let engine = {
        let mut settings = Settings { introspection: true, ..Settings::default() };
        settings.limits.cost.call_weight = 0;
        Engine::new(graph, settings)
    };
    for query in
        ["{ __typename }", "{ __schema { types { name } } }", "{ user(id: 1) { name } __typename }"]
    {
        assert_eq!(run(&engine, query).await.cost.unwrap().actual_query_cost, 1, "{query}");
    }
}
