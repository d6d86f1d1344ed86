//! Steps of one request: small documents, mutations, reuse of held data, queues, deadlines.

use super::{SHOP, errors, reviews, run, user};
use crate::engine::testing::{Upstream, body, failure, request};
use crate::graphql::ErrorCode;
use crate::memory::EXHAUSTED;
use crate::source::{self, ErrorKind, MutationOutcome, Reply};
use futures_util::FutureExt;
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::Semaphore;

#[tokio::test]
async fn a_request_for_typenames_alone_calls_nothing() {
    let upstream = Upstream::new(|_| panic!("nobody calls"));
    let (body, _) = run(&upstream, SHOP, "{ __typename kind: __typename }").await;
    assert_eq!(body, json!({ "data": { "__typename": "Query", "kind": "Query" } }));
}

#[tokio::test]
async fn objects_of_which_only_the_type_is_asked_are_there_all_the_same() {
    let upstream = Upstream::new(|target| match target {
        "/user/1" => Ok(user("1")),
        "/users?ids=1,2" => Ok(json!([user("1")])),
        _ => Ok(Value::Null),
    });
    for (id, due) in [("1", json!({ "__typename": "User" })), ("2", Value::Null)] {
        let query = format!("{{ user(id: {id}) {{ __typename }} }}");
        let (body, _) = run(&upstream, SHOP, &query).await;
        assert_eq!(body["data"], json!({ "user": due }));
    }
    let query = "{ a: user(id: 1) { __typename } b: user(id: 2) { __typename } }";
    let (body, targets) = run(&upstream, SHOP, query).await;
    assert_eq!(body["data"], json!({ "a": { "__typename": "User" }, "b": null }));
    assert_eq!(targets, ["/users?ids=1,2", "/user/2"]);
    let upstream = Upstream::new(|_| Ok(reviews(2, 2)));
    let (body, targets) = run(&upstream, SHOP, "{ reviews { __typename } }").await;
    let review = json!({ "__typename": "Review" });
    assert_eq!(body["data"]["reviews"], json!([review, review]));
    assert_eq!(targets.len(), 1);
}

const NOTES: &str = r#"
type Query { note(id: ID!): Note @lookup @call(source: "notes", target: "/note/{$args.id}") }
type Mutation {
  add(text: String!): Note @call(source: "notes", target: "/add/{$args.text}", select: "id")
  drop(id: ID!): Note @call(source: "notes", target: "/drop/{$args.id}", select: "id")
}
type Note @key(fields: "id") { id: ID! text: String version: Int }
"#;

#[tokio::test]
async fn mutations_run_one_after_another_and_read_what_they_wrote() {
    let version = AtomicU64::new(0);
    let upstream = Upstream::new(move |target| {
        if !target.starts_with("/note") {
            version.fetch_add(1, Ordering::SeqCst);
            return Ok(json!({ "id": 7 }));
        }
        Ok(json!({ "id": 7, "text": "t", "version": version.load(Ordering::SeqCst) }))
    });
    let query = r#"mutation {
        a: add(text: "x") { version } b: add(text: "x") { version } drop(id: 7) { version }
    }"#;
    let (body, targets) = run(&upstream, NOTES, query).await;
    assert_eq!(targets, ["/add/x", "/note/7", "/add/x", "/note/7", "/drop/7", "/note/7"]);
    let [a, b, drop] = [1, 2, 3].map(|version| json!({ "version": version }));
    assert_eq!(body["data"], json!({ "a": a, "b": b, "drop": drop }));
}

#[tokio::test]
async fn only_a_mutations_own_call_says_whether_it_took_effect() {
    let down = || failure(ErrorCode::UpstreamUnavailable, ErrorKind::Failed);
    let outcomes = |body: &Value| {
        let errors = body["errors"].as_array().cloned().unwrap_or_default();
        errors.iter().map(|error| error["extensions"]["outcome"].clone()).collect::<Vec<_>>()
    };
    let upstream = Upstream::new(move |target| match target {
        "/add/sent" => Err(down()),
        "/add/not" => Err(source::Error { outcome: MutationOutcome::NotSent, ..down() }),
        target if target.starts_with("/add") => Ok(json!({ "id": 7 })),
        _ => Err(down()),
    });
    for (text, code, outcome) in [
        ("sent", "UPSTREAM_OUTCOME_UNKNOWN", json!("UNKNOWN")),
        ("not", "UPSTREAM_UNAVAILABLE", json!("NOT_SENT")),
    ] {
        let query = format!(r#"mutation {{ add(text: "{text}") {{ id }} }}"#);
        let (body, _) = run(&upstream, NOTES, &query).await;
        assert_eq!(errors(&body), [format!(r#"["add"] {code}"#)]);
        assert_eq!(outcomes(&body), [outcome]);
    }
    let below = r#"mutation { add(text: "x") { text } }"#;
    for query in [below, "{ note(id: 1) { text } }"] {
        let (body, _) = run(&upstream, NOTES, query).await;
        assert!(errors(&body)[0].ends_with("UPSTREAM_UNAVAILABLE"), "{body}");
        assert_eq!(outcomes(&body), [Value::Null]);
    }
}

const LOOP: &str = r#"
type Query {
  user(id: ID!): User @lookup @call(source: "users", target: "/user/{$args.id}", select: "id name email")
}
type User @key(fields: "id") { id: ID! name: String email: String
  orders: [Order!]! @call(source: "orders", target: "/orders?user={$this.id}", select: "id buyer: { id: buyer_id }") }
type Order { id: ID! buyer: User }
"#;

#[tokio::test]
async fn what_the_request_holds_is_not_asked_for_again() {
    let upstream = Upstream::new(|target| {
        Ok(match target {
            "/orders?user=1" => json!([{ "id": 1, "buyer_id": 1 }, { "id": 2, "buyer_id": 2 }]),
            "/user/1" => json!({ "id": 1, "name": "a", "email": "a@x" }),
            _ => json!({ "id": 2, "name": "b", "email": "b@x" }),
        })
    });
    let query = "{ user(id: 1) { name orders { buyer { name } } } }";
    let (body, targets) = run(&upstream, LOOP, query).await;
    assert_eq!(targets, ["/user/1", "/orders?user=1", "/user/2"]);
    let orders = json!([{ "buyer": { "name": "a" } }, { "buyer": { "name": "b" } }]);
    assert_eq!(body["data"]["user"]["orders"], orders);
    // A field that the first fetch did not keep.
    let query = "{ user(id: 1) { name orders { buyer { email } } } }";
    let (body, targets) = run(&upstream, LOOP, query).await;
    assert_eq!(body["data"]["user"]["orders"][0]["buyer"]["email"], "a@x");
    assert!(targets.contains(&"/user/2".to_owned()));
}

const WIDE: &str = r#"
type Query { items: [Item!]! @call(source: "items", target: "/items") }
type Item { id: ID! price: Int @call(source: "prices", target: "/price/{$this.id}", select: "$.cents") }
"#;

#[tokio::test]
async fn calls_beyond_the_limit_wait_in_line() {
    let gate = Arc::new(Semaphore::new(0));
    let opened = Arc::clone(&gate);
    let upstream = Upstream::slow(move |request| {
        let gate = Arc::clone(&opened);
        async move {
            if request.target == "/items" {
                let items: Value = (0..600).map(|id| json!({ "id": id })).collect();
                return Ok(Reply::json(&items));
            }
            gate.acquire().await.unwrap().forget();
            Ok(Reply::json(&json!({ "cents": 1 })))
        }
    });
    let engine = upstream.engine(WIDE);
    let mut response = Box::pin(engine.execute(request("{ items { price } }")));
    let mut sent = 0;
    for _ in 0..100 {
        assert!((&mut response).now_or_never().is_none());
        tokio::task::yield_now().await;
        sent += upstream.take().len();
    }
    assert_eq!((upstream.open(), sent), (256, 1 + 256));
    gate.add_permits(1);
    for _ in 0..100 {
        assert!((&mut response).now_or_never().is_none());
        tokio::task::yield_now().await;
        sent += upstream.take().len();
    }
    assert_eq!((upstream.open(), sent), (256, 1 + 257), "as one call ends, another one starts");
    gate.add_permits(599);
    let response = response.await;
    assert_eq!((response.errors, response.upstream_calls), (0, 601));
    assert_eq!(upstream.most(), 256);
    assert_eq!(body(&response)["data"]["items"][599]["price"], 1);
}

#[tokio::test]
async fn calls_beyond_the_bound_are_one_failure() {
    let upstream = Upstream::new(|request| {
        if request == "/items" {
            return Ok((0..10_020).map(|id| json!({ "id": id })).collect());
        }
        Ok(json!({ "cents": 1 }))
    });
    let response = upstream.engine(WIDE).execute(request("{ items { price } }")).await;
    assert_eq!((response.errors, response.upstream_calls), (10, 10_000));
    let answer = body(&response);
    assert_eq!(answer["data"]["items"][9_998]["price"], 1);
    assert_eq!(answer["data"]["items"][9_999]["price"], Value::Null);
    let last = &answer["errors"][9]["extensions"];
    assert_eq!(
        (last["code"].as_str(), last["omitted"].as_u64()),
        (Some("LIMIT_EXCEEDED"), Some(11))
    );
    assert_eq!(last["errorId"], answer["errors"][0]["extensions"]["errorId"]);
}

#[tokio::test]
async fn a_request_that_is_given_up_gives_up_its_calls() {
    let upstream = Upstream::slow(|_| futures_util::future::pending());
    let engine = upstream.engine(SHOP);
    let query = "{ reviews { id } a: user(id: 1) { name } b: usersById(ids: [1]) { name } }";
    let mut response = Box::pin(engine.execute(request(query)));
    assert!((&mut response).now_or_never().is_none());
    assert_eq!(upstream.open(), 3);
    drop(response);
    assert_eq!(upstream.open(), 0);
    assert_eq!(engine.pool.in_flight.as_ref().unwrap().len(), 0);
}

#[tokio::test]
async fn a_call_that_cannot_be_written_fails_alone() {
    let upstream = Upstream::new(|target| {
        Ok(if target.starts_with("/users") { json!([user("1")]) } else { user("1") })
    });
    let query =
        r#"{ a: user(id: "..") { name } b: user(id: "1") { name } c: user(id: "") { name } }"#;
    let (body, targets) = run(&upstream, SHOP, query).await;
    assert_eq!(targets, ["/users?ids=..,1"]);
    assert_eq!(body["data"], json!({ "a": null, "b": { "name": "n1" }, "c": null }));
    assert_eq!(errors(&body), [r#"["a"] INVALID_REQUEST"#, r#"["c"] INVALID_REQUEST"#]);
}

#[tokio::test]
async fn what_is_skipped_is_not_fetched() {
    let upstream = Upstream::new(|target| {
        Ok(if target.starts_with("/reviews") { reviews(1, 1) } else { json!([user("1")]) })
    });
    let engine = upstream.engine(SHOP);
    let query = "query($with: Boolean!) {
        reviews { id author @include(if: $with) { name } } user(id: 1) @skip(if: true) { name }
    }";
    for (with, calls) in [(false, 1), (true, 2)] {
        let mut asked = request(query);
        asked.variables.insert("with".into(), with.into());
        let response = engine.execute(asked).await;
        assert_eq!(upstream.take().len(), calls);
        assert_eq!(body(&response)["data"]["reviews"][0].get("author").is_some(), with);
        assert_eq!(body(&response)["data"].get("user"), None);
    }
}

const BRIEF: &str = r#"
type Query {
  user(id: ID!): User @lookup @onError(do: NULL) @call(source: "users", target: "/user/{$args.id}")
  usersById(ids: [ID!]! @is(field: "id")): [User]! @lookup
    @call(source: "users", target: "/users?ids={$args.ids->joinNotNull(',')}", batch: { max: 10 })
}
type User @key(fields: "id") { id: ID! name: String }
"#;

/// The response and the log stay the same, whatever the service sends.
#[tokio::test]
async fn a_reply_without_room_is_an_error_of_the_gateway() {
    let error = |kind, detail: &str| source::Error {
        kind,
        ..source::Error::new(ErrorCode::Overloaded, detail)
    };
    let no_room = error(ErrorKind::NoRoom, "GET /user/1: no room");
    let upstream = Upstream::new(move |_| Err(no_room.clone()));
    let (body, _) = run(&upstream, BRIEF, "{ user(id: 1) { id } }").await;
    assert_eq!(errors(&body), [r#"["user"] OVERLOADED"#]);
    assert_eq!(body["errors"][0]["message"], EXHAUSTED);
    let (body, targets) = run(&upstream, BRIEF, "{ usersById(ids: [1, 2]) { id } }").await;
    assert!(errors(&body)[0].ends_with("OVERLOADED"), "{body}");
    assert_eq!(targets, ["/users?ids=1,2"], "no smaller batch has room");
    let full = error(ErrorKind::Failed, EXHAUSTED);
    let upstream = Upstream::new(move |_| Err(full.clone()));
    let (body, _) = run(&upstream, BRIEF, "{ user(id: 1) { id } }").await;
    assert_eq!(body, json!({ "data": { "user": null } }));
}
