//! `waitMs`: keys of several requests in one call, as long as they belong to one caller.

use super::errors;
use crate::engine::Request;
use crate::engine::testing::{Upstream, body, failure, ids, request, request_of};
use crate::graphql::ErrorCode;
use crate::source::{Caller, ErrorKind};
use futures_util::FutureExt;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::{Duration, Instant};

const SHOP: &str = r#"
type Query {
  usersById(ids: [ID!]! @is(field: "id"), lang: String): [User]! @lookup
    @call(source: "users", target: "/users?ids={$args.ids->joinNotNull(',')}&lang={$args.lang}",
      forward: "authorization", batch: { max: 100, waitMs: 40 })
  orders(first: Int!): [Order!]! @listSize(slicingArguments: ["first"])
    @call(source: "orders", target: "/orders/{$args.first}", select: "buyer: { id: buyer_id }")
}
type User @key(fields: "id") { id: ID! name: String }
type Order { buyer: User }
"#;

/// No user has the id 404, and a call with the id 13 fails.
fn upstream() -> Upstream {
    Upstream::new(|target| {
        if let Some(first) = target.strip_prefix("/orders/") {
            return Ok(json!([{ "buyer_id": first }, { "buyer_id": "9" }]));
        }
        let ids = ids(target);
        if ids.iter().any(|id| id == "13") {
            return Err(failure(ErrorCode::UpstreamUnavailable, ErrorKind::Failed));
        }
        let known = ids.iter().filter(|id| *id != "404");
        Ok(known.map(|id| json!({ "id": id, "name": format!("n{id}") })).collect())
    })
}

fn query(ids: &str) -> String {
    format!("{{ usersById(ids: [{ids}]) {{ name }} }}")
}

/// Returns the ids of each call, sorted.
fn asked(upstream: &Upstream) -> Vec<Vec<String>> {
    let targets = upstream.take();
    let users = targets.iter().filter(|target| target.starts_with("/users"));
    let mut calls: Vec<Vec<String>> = users.map(|target| ids(target)).collect();
    for ids in &mut calls {
        ids.sort();
    }
    calls.sort();
    calls
}

#[tokio::test]
async fn keys_of_two_requests_of_one_caller_go_out_in_one_call() {
    let upstream = upstream();
    let engine = upstream.engine(SHOP);
    let (one, two) = (query("1, 2"), query("2, 3, 404"));
    let (one, two) = tokio::join!(engine.execute(request(&one)), engine.execute(request(&two)));
    assert_eq!(asked(&upstream), [["1", "2", "3", "404"]]);
    let names = |body: Value| body["data"]["usersById"].clone();
    assert_eq!(names(body(&one)), json!([{ "name": "n1" }, { "name": "n2" }]));
    assert_eq!(names(body(&two)), json!([{ "name": "n2" }, { "name": "n3" }, null]));
}

#[tokio::test]
async fn a_lookup_within_a_plan_joins_as_well() {
    let upstream = upstream();
    let engine = upstream.engine(SHOP);
    let orders = "{ orders(first: 5) { buyer { name } } }";
    let users = query("6");
    let (orders, _) =
        tokio::join!(engine.execute(request(orders)), engine.execute(request(&users)));
    assert_eq!(asked(&upstream), [["5", "6", "9"]]);
    let buyers = json!([{ "buyer": { "name": "n5" } }, { "buyer": { "name": "n9" } }]);
    assert_eq!(body(&orders)["data"]["orders"], buyers);
}

#[tokio::test]
async fn keys_of_callers_with_other_headers_go_out_apart() {
    let upstream = upstream();
    let engine = upstream.engine(SHOP);
    let (one, two, three) = (query("1"), query("2"), query("3"));
    let (ann, bob) = ([("authorization", "ann")], [("authorization", "bob")]);
    tokio::join!(
        engine.execute(request_of(&one, &ann)),
        engine.execute(request_of(&two, &bob)),
        engine.execute(request_of(&three, &ann)),
    );
    assert_eq!(asked(&upstream), [vec!["1", "3"], vec!["2"]]);
}

#[tokio::test]
async fn keys_of_callers_with_other_claims_go_out_apart() {
    let upstream = upstream();
    let engine = upstream.engine(SHOP);
    let (one, two, three) = (query("1"), query("2"), query("3"));
    let of = |query: &str, sub: &str| Request {
        caller: Arc::new(Caller { claims: json!({ "sub": sub }), ..Caller::default() }),
        ..request(query)
    };
    tokio::join!(
        engine.execute(of(&one, "ann")),
        engine.execute(of(&two, "bob")),
        engine.execute(of(&three, "ann")),
    );
    assert_eq!(asked(&upstream), [vec!["1", "3"], vec!["2"]]);
}

#[tokio::test]
async fn keys_with_other_arguments_go_out_apart() {
    let upstream = upstream();
    let engine = upstream.engine(SHOP);
    let german = r#"{ usersById(ids: [2], lang: "de") { name } }"#;
    let one = query("1");
    tokio::join!(engine.execute(request(&one)), engine.execute(request(german)));
    assert_eq!(asked(&upstream), [["1"], ["2"]]);
}

#[tokio::test]
async fn a_failure_is_told_to_everyone_whose_key_was_in_the_call() {
    let upstream = upstream();
    let engine = upstream.engine(SHOP);
    let (one, two) = (query("1"), query("13"));
    let (one, two) = tokio::join!(engine.execute(request(&one)), engine.execute(request(&two)));
    for response in [one, two] {
        assert_eq!(errors(&body(&response)), [r#"["usersById",0] UPSTREAM_UNAVAILABLE"#]);
    }
}

#[tokio::test]
async fn who_waits_longer_than_the_deadline_gets_a_timeout() {
    let upstream = Upstream::slow(|_| futures_util::future::pending());
    let engine = upstream.engine(SHOP);
    let (one, deadline) = (query("1"), Instant::now() + Duration::from_millis(80));
    let response = engine.execute(Request { deadline, ..request(&one) }).await;
    assert_eq!(errors(&body(&response)), [r#"["usersById",0] UPSTREAM_TIMEOUT"#]);
}

#[tokio::test]
async fn a_request_given_up_while_it_waits_leaves_the_others_their_keys() {
    let upstream = upstream();
    let engine = upstream.engine(SHOP);
    let (one, two) = (query("1"), query("2"));
    let mut gone = Box::pin(engine.execute(request(&one)));
    assert!((&mut gone).now_or_never().is_none());
    let mut stays = Box::pin(engine.execute(request(&two)));
    assert!((&mut stays).now_or_never().is_none());
    drop(gone);
    assert_eq!(body(&stays.await)["data"]["usersById"], json!([{ "name": "n2" }]));
    assert_eq!(asked(&upstream).len(), 1);
}

#[tokio::test]
async fn a_key_that_is_refused_takes_none_of_another_request_with_it() {
    let upstream = Upstream::new(|target| {
        let ids = ids(target);
        if ids.iter().any(|id| id == "13") {
            return Err(failure(ErrorCode::UpstreamStatus, ErrorKind::Refused));
        }
        Ok(ids.iter().map(|id| json!({ "id": id, "name": format!("n{id}") })).collect())
    });
    let engine = upstream.engine(SHOP);
    let (one, two) = (query("1, 2, 3"), query("4, 13"));
    let (one, two) = tokio::join!(engine.execute(request(&one)), engine.execute(request(&two)));
    assert_eq!(one.errors, 0);
    assert_eq!(errors(&body(&two)), [r#"["usersById",1] UPSTREAM_STATUS"#]);
    assert_eq!(body(&two)["data"]["usersById"], json!([{ "name": "n4" }, null]));
    assert!(asked(&upstream).len() <= 1 + 2 * 3);
}
