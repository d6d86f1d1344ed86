//! The reply cache: decisions by table, and whole requests with upstreams that are closures.

mod calls;
mod frames;
mod headers;
mod lifetimes;
mod poison;
mod renewals;

use crate::engine::testing::{Upstream, body};
use crate::engine::{Engine, Request, Settings, SourceCache};
use crate::source::{Body, Caller, Reply};
use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Map, Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

fn headers(lines: &[(&str, &str)]) -> HeaderMap {
    let header = |(name, value): &(&str, &str)| {
        let name: HeaderName = name.parse().unwrap();
        (name, HeaderValue::from_str(value).unwrap())
    };
    lines.iter().map(header).collect()
}

/// The caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Who {
    Anonymous,
    User(u8),
}

impl Who {
    fn caller(self) -> Caller {
        let Self::User(number) = self else { return Caller::default() };
        Caller {
            headers: headers(&[("authorization", &format!("user {number}"))]),
            claims: json!({ "iss": "here", "sub": format!("{number}") }),
            ..Caller::default()
        }
    }
}

fn asked_by(query: &str, caller: Caller) -> Request {
    Request {
        document: query.into(),
        operation_name: None,
        variables: Map::new(),
        caller: Arc::new(caller),
        queries_only: false,
        deadline: Instant::now() + Duration::from_mins(1),
    }
}

/// Answers each call with its number and with these headers.
fn numbered(lines: &'static [(&'static str, &'static str)]) -> Upstream {
    let calls = Arc::new(AtomicUsize::new(0));
    Upstream::slow(move |_| {
        let number = calls.fetch_add(1, Ordering::SeqCst) + 1;
        let reply =
            Reply { headers: Arc::new(headers(lines)), ..Reply::json(&json!({ "n": number })) };
        futures_util::future::ready(Ok(reply))
    })
}

/// Returns an engine whose source `s` has these settings.
fn engine(upstream: &Upstream, sdl: &str, source: SourceCache) -> Engine {
    let mut settings = Settings::default();
    settings.cache.sources.insert("s".into(), source);
    Engine::new(upstream.graph(sdl), settings)
}

const SECOND: Duration = Duration::from_secs(1);

impl Engine {
    fn advance(&self, by: Duration) {
        self.pool.replies.as_ref().expect("something is kept").advance(by);
    }
}

/// Returns the number under `a.n`.
async fn ask(engine: &Engine, who: Who) -> u64 {
    number(&ask_body(engine, who).await)
}

async fn ask_body(engine: &Engine, who: Who) -> Value {
    body(&engine.execute(asked_by("{ a { n } }", who.caller())).await)
}

fn number(body: &Value) -> u64 {
    body["data"]["a"]["n"].as_u64().unwrap_or_else(|| panic!("no number: {body}"))
}

fn json_reply(value: &Value, lines: &[(&str, &str)]) -> Reply {
    Reply { headers: Arc::new(headers(lines)), ..Reply::json(value) }
}

fn not_modified(lines: &[(&str, &str)]) -> Reply {
    let body = Body::Json(bytes::Bytes::new());
    let headers = Arc::new(headers(lines));
    Reply { body, status: 304, headers, held: crate::memory::Held::default() }
}

async fn until(holds: impl Fn() -> bool) {
    let waiting = async {
        while !holds() {
            tokio::task::yield_now().await;
        }
    };
    let waited = tokio::time::timeout(Duration::from_secs(20), waiting).await;
    assert!(waited.is_ok(), "waited in vain");
}
