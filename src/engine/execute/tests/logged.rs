//! Lines of the log about calls name the request, the source and the field; and in development, one line for each key
//! that a mapping does not find.

use crate::engine::testing::{Upstream, body, failure, ids, request};
use crate::engine::{Answers, Engine, Request, Settings};
use crate::graphql::ErrorCode;
use crate::source::{Caller, ErrorKind, Reply, Trace};
use futures_util::{StreamExt as _, stream};
use http::{HeaderName, HeaderValue};
use serde_json::{Value, json};
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use tracing::subscriber::DefaultGuard;

const SHOP: &str = r#"
type Query {
  fail: User @call(source: "users", target: "/fail")
  list: [User] @call(source: "users", target: "/text")
  strict: Strict @call(source: "users", target: "/user", select: "name: full_name")
  user: User @call(source: "users", target: "/user", select: "id name: nmae")
  usersById(ids: [ID!]! @is(field: "id")): [User]! @lookup @internal
    @call(source: "users", target: "/users?ids={$args.ids->joinNotNull(',')}", batch: { max: 100, waitMs: 40 })
  one: Pair @call(source: "pairs", target: "/1")
  two: Pair @call(source: "pairs", target: "/2")
}
type Subscription { said: Strict @call(source: "chat", target: "/chat", select: "name: text", stream: true) }
type Strict { name: String! }
type User @key(fields: "id") { id: ID! name: String rank: Int }
type Pair { user: User }
"#;

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

/// Log lines of this thread.
#[derive(Clone, Default)]
struct LogLines(Arc<Mutex<Vec<u8>>>);

impl io::Write for LogLines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl LogLines {
    fn start() -> (Self, DefaultGuard) {
        let lines = Self::default();
        let writer = lines.clone();
        let subscriber = tracing_subscriber::fmt().json().flatten_event(true);
        let subscriber = subscriber.with_writer(move || writer.clone()).finish();
        (lines, tracing::subscriber::set_default(subscriber))
    }

    /// Returns the warnings since the last call.
    fn take(&self) -> Vec<Value> {
        let bytes = std::mem::take(&mut *self.0.lock().unwrap());
        let lines = String::from_utf8(bytes).unwrap();
        let lines = lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        lines.filter(|line| line["level"] == "WARN").collect()
    }
}

fn upstream() -> Upstream {
    Upstream::new(|target| match target {
        "/user" => Ok(json!({ "id": 1, "name": "Ada", "secret": "hunter2" })),
        "/text" => Ok(json!("text")),
        "/1" | "/2" => Ok(json!({ "user": { "id": target[1..] } })),
        _ if ids(target).is_empty() => Err(failure(ErrorCode::CircuitOpen, ErrorKind::Failed)),
        _ => Err(failure(ErrorCode::UpstreamTimeout, ErrorKind::Failed)),
    })
}

fn of(query: &str, id: &'static str) -> Request {
    let parent = format!("00-{TRACE}-00f067aa0ba902b7-01");
    let parent = HeaderValue::try_from(parent).unwrap();
    let headers = [(HeaderName::from_static("traceparent"), parent)];
    let trace = Trace::new(HeaderValue::from_static(id), headers);
    let caller = Arc::new(Caller { trace, ..Caller::default() });
    Request { caller, ..request(query) }
}

fn names(line: &Value, id: &str, source: &str, coordinate: &str) {
    for (member, value) in
        [("request_id", id), ("trace_id", TRACE), ("source", source), ("coordinate", coordinate)]
    {
        assert_eq!(line[member], value, "{member}: {line}");
    }
}

fn development(upstream: &Upstream) -> Engine {
    let settings = Settings { expose_upstream_errors: true, ..Settings::default() };
    Engine::new(upstream.graph(SHOP), settings)
}

#[tokio::test]
async fn calls_that_fail_and_values_that_do_not_fit() {
    let (log, _guard) = LogLines::start();
    let engine = upstream().engine(SHOP);
    for (query, coordinate, code) in [
        ("{ fail { id } }", "Query.fail", "CIRCUIT_OPEN"),
        ("{ list { id } }", "Query.list", "INVALID_VALUE"),
        ("{ strict { name } }", "Strict.name", "NULL_IN_NON_NULL"),
    ] {
        engine.execute(of(query, "mine")).await;
        let lines = log.take();
        let [line] = lines.as_slice() else { panic!("{query}: {lines:?}") };
        names(line, "mine", "users", coordinate);
        assert_eq!(line["code"], code);
    }
}

#[tokio::test]
async fn a_batch_of_two_requests_that_fails_has_a_line_for_each() {
    let (log, _guard) = LogLines::start();
    let engine = upstream().engine(SHOP);
    let (one, two) =
        (of("{ one { user { rank } } }", "first"), of("{ two { user { rank } } }", "second"));
    tokio::join!(engine.execute(one), engine.execute(two));
    let mut lines = log.take();
    lines.sort_by_key(|line| line["request_id"].to_string());
    let [first, second] = lines.as_slice() else { panic!("{lines:?}") };
    names(first, "first", "users", "Query.usersById");
    names(second, "second", "users", "Query.usersById");
}

#[tokio::test]
async fn an_event_of_a_subscription() {
    let (log, _guard) = LogLines::start();
    let upstream = upstream();
    let events = [
        Ok(Reply::json(&json!({}))),
        Err(failure(ErrorCode::UpstreamUnavailable, ErrorKind::Failed)),
    ];
    upstream.stream(Ok(stream::iter(events).boxed()));
    let engine = upstream.engine(SHOP);
    let answers = engine.subscribe(of("subscription { said { name } }", "opened")).await;
    let Ok(Answers::Many(answers)) = answers else { panic!("a stream") };
    assert_eq!(answers.count().await, 2);
    let lines = log.take();
    let [event, end] = lines.as_slice() else { panic!("{lines:?}") };
    names(event, "opened", "chat", "Strict.name");
    names(end, "opened", "chat", "Subscription.said");
}

#[tokio::test]
async fn a_key_that_no_reply_has_is_logged_once_and_only_in_development() {
    let (log, _guard) = LogLines::start();
    let upstream = upstream();
    let engine = development(&upstream);
    let message = "`name: nmae`: no reply had `nmae`; it had `id`, `name`, `secret`";
    for number in 0..2 {
        let answer = body(&engine.execute(of("{ user { name } }", "mine")).await);
        assert_eq!(answer["extensions"]["mapping"][0]["message"], message);
        assert!(!answer.to_string().contains("hunter2"));
        let lines = log.take();
        assert_eq!(lines.len(), 1 - number, "{lines:?}");
        for line in &lines {
            names(line, "mine", "users", "Query.user");
            assert_eq!(line["message"], message);
        }
    }
    let engine = upstream.engine(SHOP);
    let answer = body(&engine.execute(of("{ user { name } }", "mine")).await);
    assert_eq!((&answer["extensions"], log.take()), (&Value::Null, Vec::new()));
}
