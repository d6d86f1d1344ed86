use crate::engine::testing::{Upstream, body, failure, ids, request, request_of};
use crate::engine::{Answers, Engine, Request, Settings};
use crate::graphql::ErrorCode;
use crate::source::{self, Caller, ErrorKind, Reply};
use futures_util::stream::{BoxStream, StreamExt as _};
use futures_util::{FutureExt as _, stream};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

const CHAT: &str = r#"
type Query {
  usersById(ids: [ID!]! @is(field: "id")): [User]! @lookup
    @call(source: "users", target: "/users?ids={$args.ids->joinNotNull(',')}", batch: {})
}
type Mutation { say: String @call(source: "chat", target: "/say") }
type Subscription {
  said(room: ID! = 7): Message
    @call(source: "chat", target: "/rooms/{$args.room}", select: "text author: { id: by }", stream: true)
}
type Message { text: String! author: User }
type User @key(fields: "id") { id: ID! name: String }
"#;

const SAID: &str = "subscription { said { text author { name } } }";

fn users() -> Upstream {
    Upstream::new(|target| {
        Ok(ids(target).iter().map(|id| json!({ "id": id, "name": format!("n{id}") })).collect())
    })
}

#[expect(clippy::unnecessary_wraps, reason = "as an event of a stream")]
fn said(text: &str, by: u64) -> Result<Reply, source::Error> {
    Ok(Reply::json(&json!({ "text": text, "by": by })))
}

async fn many(engine: &Engine, request: Request) -> BoxStream<'static, crate::engine::Response> {
    match engine.subscribe(request).await {
        Ok(Answers::Many(answers)) => answers,
        Ok(Answers::One(answer)) => panic!("{}", body(&answer)),
        Err(refusal) => panic!("{}", body(&refusal)),
    }
}

async fn all(upstream: &Upstream, query: &str) -> Vec<Value> {
    let answers = many(&upstream.engine(CHAT), request(query)).await;
    answers.map(|answer| body(&answer)).collect().await
}

fn codes(answer: &Value) -> Vec<&str> {
    let errors = answer["errors"].as_array().map(Vec::as_slice).unwrap_or_default();
    errors.iter().map(|error| error["extensions"]["code"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn every_event_is_joined_anew() {
    let upstream = users();
    upstream.stream(Ok(stream::iter([said("a", 1), said("b", 2), said("c", 1)]).boxed()));
    let query = "subscription { s: said(room: 3) { text author { name } } }";
    let answer = |text: &str, name: &str| json!({ "data": { "s": { "text": text, "author": { "name": name } } } });
    assert_eq!(
        all(&upstream, query).await,
        [answer("a", "n1"), answer("b", "n2"), answer("c", "n1")]
    );
    let calls = ["stream /rooms/3", "/users?ids=1", "/users?ids=2", "/users?ids=1"];
    assert_eq!(upstream.take(), calls, "nothing of an earlier event is reused");
}

#[tokio::test]
async fn an_event_that_cannot_be_read_is_an_error_and_the_next_one_is_none() {
    let upstream = users();
    let garbage = Ok(Reply { body: source::Body::Json("{".into()), ..Reply::json(&json!(1)) });
    upstream.stream(Ok(stream::iter([garbage, Ok(Reply::json(&json!({}))), said("b", 2)]).boxed()));
    let answers = all(&upstream, SAID).await;
    assert_eq!(codes(&answers[0]), ["UPSTREAM_INVALID_REPLY"]);
    assert_eq!(answers[0]["errors"][0]["path"], json!(["said"]));
    assert_eq!(codes(&answers[1]), ["NULL_IN_NON_NULL"]);
    assert_eq!(answers[2]["data"]["said"]["text"], "b");
}

#[tokio::test]
async fn a_stream_that_breaks_off_or_cannot_be_opened_ends_with_an_error() {
    let broken = || failure(ErrorCode::UpstreamUnavailable, ErrorKind::Failed);
    let upstream = users();
    upstream.stream(Ok(stream::iter([said("a", 1), Err(broken()), said("b", 2)]).boxed()));
    let answers = all(&upstream, SAID).await;
    assert_eq!(answers.len(), 2, "{answers:?}");
    assert_eq!(codes(&answers[1]), ["UPSTREAM_UNAVAILABLE"]);
    assert_eq!(answers[1]["data"], json!({ "said": null }));
    assert_eq!(answers[1]["errors"][0]["extensions"]["source"], "chat");
    // "Not found" is an error here, although the field is nullable.
    upstream.stream(Err(failure(ErrorCode::UpstreamStatus, ErrorKind::NotFound)));
    let answers = all(&upstream, SAID).await;
    assert_eq!((answers.len(), codes(&answers[0])), (1, vec!["UPSTREAM_STATUS"]));
    upstream.stream(Ok(stream::empty().boxed()));
    assert!(all(&upstream, SAID).await.is_empty(), "a stream may be over at once");
}

/// Access to a message depends on its author and on the caller.
const GUARDED: &str = r#"
type Query {
  usersById(ids: [ID!]! @is(field: "id")): [User]! @lookup
    @call(source: "users", target: "/users?ids={$args.ids->joinNotNull(',')}", batch: {})
}
type Subscription {
  said: Message @call(source: "chat", target: "/rooms", select: "by text author: { id: by }", stream: true)
  closed: Message @requiresScopes(scopes: [["admin"]])
    @call(source: "chat", target: "/closed", select: "by text", stream: true)
}
type Message { by: ID! text: String @allow(if: "$claims.sub->eq($this.by)") author: User }
type User @key(fields: "id") { id: ID! name: String @requiresScopes(scopes: [["users"]]) }
"#;

async fn seen_by(claims: Value, upstream: &Upstream, query: &str) -> Vec<Value> {
    let caller = Arc::new(Caller { claims, ..Caller::default() });
    let answers = many(&upstream.engine(GUARDED), Request { caller, ..request(query) }).await;
    answers.map(|answer| body(&answer)).collect().await
}

#[tokio::test]
async fn every_event_is_held_against_the_rules() {
    let upstream = users();
    let query = "subscription { said { text author { name } } }";
    for (claims, names) in [
        (json!({ "sub": "1" }), [Value::Null, Value::Null, Value::Null]),
        (json!({ "sub": "1", "scope": "users" }), ["n1", "n2", "n1"].map(Value::from)),
    ] {
        upstream.stream(Ok(stream::iter([said("a", 1), said("b", 2), said("c", 1)]).boxed()));
        let answers = seen_by(claims, &upstream, query).await;
        let at = |path: &str| -> Vec<Value> {
            answers.iter().map(|answer| answer.pointer(path).cloned().unwrap()).collect()
        };
        assert_eq!(at("/data/said/text"), [json!("a"), Value::Null, json!("c")]);
        assert_eq!(at("/data/said/author/name"), names);
        assert!(codes(&answers[1]).iter().all(|code| *code == "UNAUTHORIZED_FIELD_OR_TYPE"));
        let users = upstream.take().iter().filter(|call| call.starts_with("/users")).count();
        assert_eq!(users, if names[0].is_null() { 0 } else { 3 }, "nothing is fetched for others");
    }
}

#[tokio::test]
async fn what_the_caller_may_not_see_is_not_listened_to() {
    let upstream = users();
    let query = "subscription { closed { by } }";
    let answers = seen_by(json!({ "sub": "1" }), &upstream, query).await;
    assert_eq!((answers.len(), codes(&answers[0])), (1, vec!["UNAUTHORIZED_FIELD_OR_TYPE"]));
    assert_eq!(upstream.take(), [""; 0]);
    upstream.stream(Ok(stream::iter([said("a", 1)]).boxed()));
    let answers = seen_by(json!({ "scope": "admin" }), &upstream, query).await;
    assert_eq!(answers[0]["data"]["closed"]["by"], "1");
}

#[tokio::test]
async fn a_call_that_cannot_be_written_opens_nothing() {
    let upstream = users();
    let answers = all(&upstream, "subscription { said(room: \"..\") { text } }").await;
    assert_eq!(codes(&answers[0]), ["INVALID_REQUEST"]);
    assert_eq!(upstream.take(), [""; 0]);
}

#[tokio::test]
async fn the_next_event_is_asked_for_when_the_last_answer_was_taken() {
    let upstream = users();
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let source = stream::repeat_with(move || {
        count.fetch_add(1, Ordering::SeqCst);
        said("a", 1)
    });
    upstream.stream(Ok(source.boxed()));
    let mut answers = many(&upstream.engine(CHAT), request(SAID)).await;
    for taken in 0..3 {
        assert_eq!(asked.load(Ordering::SeqCst), taken);
        assert!(answers.next().await.is_some());
    }
}

#[tokio::test]
async fn what_has_one_answer_has_one_here_and_subscriptions_have_none_elsewhere() {
    let upstream = users();
    let engine = upstream.engine(CHAT);
    let answer = match engine.subscribe(request("mutation { say }")).await {
        Ok(Answers::One(answer)) => body(&answer),
        _ => panic!("a mutation has one answer"),
    };
    assert_eq!(answer, json!({ "data": { "say": null }, "errors": answer["errors"] }));
    let refusal = engine.execute(request(SAID)).await;
    assert_eq!(refusal.refusal, Some(ErrorCode::NotAcceptable));
    for query in [
        "subscription { a: said { text } b: said { text } }",
        "subscription { __typename }",
        "subscription { said @skip(if: false) { text } }",
        "subscription ($x: Boolean!) { ... @include(if: $x) { said { text } } }",
    ] {
        let refusal = engine.subscribe(request(query)).await.err().expect(query);
        assert_eq!(refusal.refusal, Some(ErrorCode::ValidationFailed), "{query}");
    }
    assert_eq!(upstream.take().len(), 1, "the mutation's call and no other");
}

#[tokio::test]
async fn it_ends_when_the_token_does() {
    let upstream = users();
    upstream.stream(Ok(stream::iter([said("a", 1)]).chain(stream::pending()).boxed()));
    let engine = upstream.engine(CHAT);
    let expires = Some(SystemTime::now() + Duration::from_millis(500));
    let caller = Arc::new(Caller { expires, ..Caller::default() });
    let mut answers = many(&engine, Request { caller, ..request(SAID) }).await;
    assert_eq!(body(&answers.next().await.unwrap())["data"]["said"]["text"], "a");
    let last = answers.next().await.expect("an end that says why");
    assert_eq!(codes(&body(&last)), ["UNAUTHENTICATED"]);
    assert!(answers.next().await.is_none());
}

#[tokio::test]
async fn an_event_has_a_requests_time_and_the_next_one_has_it_anew() {
    let upstream = Upstream::slow(|_| futures_util::future::pending());
    upstream.stream(Ok(stream::iter([said("a", 1), said("b", 2)]).boxed()));
    let settings = Settings { timeout: Duration::from_millis(30), ..Settings::default() };
    let engine = Engine::new(upstream.graph(CHAT), settings);
    let mut answers = many(&engine, request(SAID)).await;
    for text in ["a", "b"] {
        let before = std::time::Instant::now();
        let answer = body(&answers.next().await.unwrap());
        assert_eq!(answer["data"]["said"], json!({ "text": text, "author": { "name": null } }));
        assert_eq!(codes(&answer), ["UPSTREAM_TIMEOUT"]);
        assert!(before.elapsed() >= Duration::from_millis(30));
    }
}

#[tokio::test]
async fn dropping_the_answers_drops_the_stream() {
    struct Told(tokio::sync::oneshot::Sender<()>);
    let (told, dropped) = tokio::sync::oneshot::channel();
    let told = Told(told);
    let upstream = users();
    let source = stream::pending().inspect(move |_| assert!(!told.0.is_closed()));
    upstream.stream(Ok(source.boxed()));
    let answers = many(&upstream.engine(CHAT), request_of(SAID, &[])).await;
    drop(answers);
    assert!(dropped.await.is_err(), "the sender went with the stream");
}

#[tokio::test]
async fn an_event_shares_no_call_that_was_sent_before_it() {
    let gate = Arc::new(tokio::sync::Semaphore::new(0));
    let opened = Arc::clone(&gate);
    let upstream = Upstream::slow(move |_| {
        let gate = Arc::clone(&opened);
        async move {
            gate.acquire().await.unwrap().forget();
            Ok(Reply::json(&json!([{ "id": 1, "name": "n" }])))
        }
    });
    let engine = upstream.engine(CHAT);
    for _ in 0..2 {
        upstream.stream(Ok(stream::iter([said("a", 1)]).boxed()));
    }
    let mut one = many(&engine, request(SAID)).await;
    let mut other = many(&engine, request(SAID)).await;
    let (mut one, mut other) = (one.next(), other.next());
    assert!((&mut one).now_or_never().is_none());
    assert!((&mut other).now_or_never().is_none());
    assert_eq!(upstream.open(), 2);
    gate.add_permits(2);
    assert!(one.await.is_some() && other.await.is_some());
}
