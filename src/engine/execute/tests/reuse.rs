//! Identical safe calls share one execution; different callers never do.

use crate::engine::testing::{Upstream, body, request, request_of};
use crate::engine::{Engine, Request, Settings};
use crate::source::Reply;
use futures_util::FutureExt;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;

const NOTES: &str = r#"
type Query {
  note(id: ID!): Note @call(source: "notes", target: "/note/{$args.id}", forward: "authorization")
  other(id: ID!): Note @call(source: "notes", target: "/note/{$args.id}", forward: "authorization")
  far(id: ID!): Note @call(source: "far", target: "/note/{$args.id}", forward: "authorization")
}
type Mutation { add(id: ID!): Note @call(source: "notes", target: "/note/{$args.id}") }
type Note { id: ID! text: String }
"#;

const NOTE: &str = "{ note(id: 1) { text } }";

/// Serves the caller's name once the semaphore has permits.
fn gated() -> (Upstream, Arc<Semaphore>) {
    let gate = Arc::new(Semaphore::new(0));
    let opened = Arc::clone(&gate);
    let upstream = Upstream::slow(move |request| {
        let gate = Arc::clone(&opened);
        async move {
            gate.acquire().await.unwrap().forget();
            let who = request.headers.first().map(|(_, value)| value.to_str().unwrap().to_owned());
            Ok(Reply::json(&json!({ "id": 1, "text": who.unwrap_or_default() })))
        }
    });
    (upstream, gate)
}

fn in_flight(engine: &Engine) -> usize {
    engine.pool.in_flight.as_ref().map_or(0, |calls| calls.len())
}

const ANN: [(&str, &str); 1] = [("authorization", "ann")];
const BOB: [(&str, &str); 1] = [("authorization", "bob")];

#[tokio::test]
async fn within_a_request_one_call_serves_all_who_ask_the_same() {
    let (upstream, gate) = gated();
    gate.add_permits(10);
    let engine = upstream.engine(NOTES);
    let query = "{
        note(id: 1) { text } other(id: 1) { id } again: note(id: 1) { id } far(id: 1) { id }
    }";
    let response = engine.execute(request(query)).await;
    assert_eq!(upstream.take(), ["/note/1", "/note/1"], "two sources");
    assert_eq!(response.errors, 0);
    assert_eq!(in_flight(&engine), 0);
}

#[tokio::test]
async fn two_requests_of_one_caller_share_a_call_under_way() {
    let (upstream, gate) = gated();
    let engine = upstream.engine(NOTES);
    let mut first = Box::pin(engine.execute(request_of(NOTE, &ANN)));
    let mut second = Box::pin(engine.execute(request_of(NOTE, &ANN)));
    assert!((&mut first).now_or_never().is_none() && (&mut second).now_or_never().is_none());
    assert_eq!((upstream.open(), in_flight(&engine)), (1, 1));
    gate.add_permits(1);
    let (first, second) = (first.await, second.await);
    assert_eq!(first.body, second.body);
    assert_eq!(upstream.take().len(), 1);
    assert_eq!(in_flight(&engine), 0);
    gate.add_permits(1);
    engine.execute(request_of(NOTE, &ANN)).await;
    assert_eq!(upstream.take().len(), 1, "an answer that came is not kept");
}

#[tokio::test]
async fn callers_whose_headers_differ_never_share() {
    let (upstream, gate) = gated();
    let engine = upstream.engine(NOTES);
    let mut ann = Box::pin(engine.execute(request_of(NOTE, &ANN)));
    let mut bob = Box::pin(engine.execute(request_of(NOTE, &BOB)));
    let mut nobody = Box::pin(engine.execute(request(NOTE)));
    assert!((&mut ann).now_or_never().is_none());
    assert!((&mut bob).now_or_never().is_none());
    assert!((&mut nobody).now_or_never().is_none());
    assert_eq!((upstream.open(), in_flight(&engine)), (3, 3));
    gate.add_permits(3);
    let text = |body: Value| body["data"]["note"]["text"].clone();
    assert_eq!(text(body(&ann.await)), "ann");
    assert_eq!(text(body(&bob.await)), "bob");
    assert_eq!(text(body(&nobody.await)), "");
    assert_eq!(in_flight(&engine), 0);
}

#[tokio::test]
async fn headers_that_are_not_forwarded_keep_nobody_apart() {
    let (upstream, gate) = gated();
    let engine = upstream.engine(NOTES);
    let mut first = Box::pin(engine.execute(request_of(NOTE, &[("x-trace", "1")])));
    let mut second = Box::pin(engine.execute(request_of(NOTE, &[("x-trace", "2")])));
    assert!((&mut first).now_or_never().is_none() && (&mut second).now_or_never().is_none());
    assert_eq!(upstream.open(), 1);
    gate.add_permits(1);
    assert_eq!(first.await.body, second.await.body);
}

#[tokio::test]
async fn a_request_that_is_given_up_does_not_take_the_others_with_it() {
    let (upstream, gate) = gated();
    let engine = upstream.engine(NOTES);
    let mut leader = Box::pin(engine.execute(request_of(NOTE, &ANN)));
    let mut follower = Box::pin(engine.execute(request_of(NOTE, &ANN)));
    assert!((&mut leader).now_or_never().is_none() && (&mut follower).now_or_never().is_none());
    drop(leader);
    assert_eq!(upstream.open(), 1);
    gate.add_permits(1);
    let response = tokio::time::timeout(Duration::from_secs(5), follower).await;
    assert_eq!(body(&response.expect("it is woken"))["data"]["note"]["text"], "ann");
    assert_eq!((upstream.take().len(), in_flight(&engine)), (1, 0));
}

#[tokio::test]
async fn a_call_that_everyone_gave_up_is_made_anew() {
    let (upstream, gate) = gated();
    let engine = upstream.engine(NOTES);
    let mut first = Box::pin(engine.execute(request_of(NOTE, &ANN)));
    assert!((&mut first).now_or_never().is_none());
    drop(first);
    assert_eq!((upstream.open(), in_flight(&engine)), (0, 0));
    gate.add_permits(1);
    assert_eq!(engine.execute(request_of(NOTE, &ANN)).await.errors, 0);
    assert_eq!((upstream.take().len(), in_flight(&engine)), (2, 0));
}

#[tokio::test]
async fn a_request_short_of_time_makes_its_own_call() {
    let (upstream, gate) = gated();
    let engine = upstream.engine(NOTES);
    let soon = Instant::now() + Duration::from_secs(1);
    let mut hurried = Box::pin(engine.execute(Request { deadline: soon, ..request(NOTE) }));
    assert!((&mut hurried).now_or_never().is_none());
    assert_eq!(in_flight(&engine), 0, "what it cuts short is cut short for itself only");
    let mut other = Box::pin(engine.execute(request(NOTE)));
    assert!((&mut other).now_or_never().is_none());
    assert_eq!(upstream.open(), 2);
    gate.add_permits(2);
    assert_eq!(hurried.await.errors + other.await.errors, 0);
}

#[tokio::test]
async fn a_mutation_joins_nobody() {
    let (upstream, gate) = gated();
    let engine = upstream.engine(NOTES);
    let add = "mutation { add(id: 1) { text } }";
    let mut reader = Box::pin(engine.execute(request(NOTE)));
    let mut writer = Box::pin(engine.execute(request(add)));
    let mut again = Box::pin(engine.execute(request(add)));
    assert!((&mut reader).now_or_never().is_none());
    assert!((&mut writer).now_or_never().is_none());
    assert!((&mut again).now_or_never().is_none());
    assert_eq!((upstream.open(), in_flight(&engine)), (3, 1));
    gate.add_permits(3);
    assert_eq!(reader.await.errors + writer.await.errors + again.await.errors, 0);
}

#[tokio::test]
async fn reuse_can_be_turned_off() {
    let (upstream, gate) = gated();
    let settings = Settings { reuse: false, ..Settings::default() };
    let engine = Engine::new(upstream.graph(NOTES), settings);
    let query = "{ note(id: 1) { text } other(id: 1) { text } }";
    let mut first = Box::pin(engine.execute(request(query)));
    let mut second = Box::pin(engine.execute(request(query)));
    assert!((&mut first).now_or_never().is_none() && (&mut second).now_or_never().is_none());
    assert_eq!((upstream.open(), in_flight(&engine)), (4, 0));
    gate.add_permits(4);
    assert_eq!(first.await.body, second.await.body);
}
