//! Number of calls, and the replies that are served meanwhile.

use super::{
    SECOND, Who, ask, ask_body, asked_by, engine, json_reply, not_modified, number, numbered, until,
};
use crate::engine::testing::{Upstream, body, failure};
use crate::engine::{Engine, Settings, SourceCache};
use crate::graphql::ErrorCode;
use crate::source::{Caller, ErrorKind};
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::Semaphore;

const MINUTE: &str = r#"type Query { a: A @cacheControl(maxAge: 60) @call(source: "s", target: "/a") }
type Mutation { change: A @call(source: "s", target: "/a") }
type A { n: Int }"#;

const NOBODY: Who = Who::Anonymous;

fn keeping(upstream: &Upstream) -> Engine {
    engine(upstream, MINUTE, SourceCache::default())
}

#[tokio::test]
async fn a_reply_serves_until_it_is_old() {
    let upstream = numbered(&[]);
    let engine = keeping(&upstream);
    assert_eq!(ask(&engine, NOBODY).await, 1);
    engine.advance(59 * SECOND);
    assert_eq!(ask(&engine, Who::User(1)).await, 1);
    engine.advance(SECOND);
    assert_eq!(ask(&engine, NOBODY).await, 2);
}

#[tokio::test]
async fn nothing_is_kept_that_nobody_allowed() {
    let upstream = numbered(&[("cache-control", "public, max-age=60")]);
    let sdl = MINUTE.replace("@cacheControl(maxAge: 60)", "");
    let plain = upstream.engine(&sdl);
    assert!(plain.pool.replies.is_none(), "there is not even a place to look");
    assert_eq!((ask(&plain, NOBODY).await, ask(&plain, NOBODY).await), (1, 2));
    let trusting = SourceCache { from_upstream: true, ..SourceCache::default() };
    let trusting = engine(&upstream, &sdl, trusting);
    assert_eq!((ask(&trusting, NOBODY).await, ask(&trusting, NOBODY).await), (3, 3));
    for off in ["reuse", "cache"] {
        let mut settings = Settings { reuse: off != "reuse", ..Settings::default() };
        settings.cache.enabled = off != "cache";
        let engine = Engine::new(upstream.graph(MINUTE), settings);
        assert!(engine.pool.replies.is_none(), "{off}");
    }
}

#[tokio::test]
async fn a_mutation_neither_reads_nor_keeps() {
    let upstream = numbered(&[]);
    let engine = keeping(&upstream);
    let change = || async {
        let request = asked_by("mutation { change { n } }", Caller::default());
        body(&engine.execute(request).await)["data"]["change"]["n"].as_u64()
    };
    assert_eq!(change().await, Some(1));
    assert_eq!(ask(&engine, NOBODY).await, 2);
    assert_eq!(change().await, Some(3));
    assert_eq!(ask(&engine, NOBODY).await, 2);
}

#[tokio::test]
async fn a_type_is_the_default_of_its_calls_and_a_bound_on_what_it_stands_in() {
    let upstream = Upstream::new({
        let calls = AtomicUsize::new(0);
        move |_| {
            let n = calls.fetch_add(1, Ordering::SeqCst) + 1;
            Ok(json!({ "n": n, "price": { "n": n } }))
        }
    });
    let sdl = r#"type Query { a: A @call(source: "s", target: "/a") }
    type A @cacheControl(maxAge: 60) { n: Int price: Price }
    type Price @cacheControl(maxAge: 5) { n: Int }"#;
    let engine = engine(&upstream, sdl, SourceCache::default());
    let priced = || async {
        let request = asked_by("{ a { n price { n } } }", Caller::default());
        let response = engine.execute(request).await;
        (number(&body(&response)), response.cache.max_age())
    };
    assert_eq!(priced().await, (1, 5));
    engine.advance(4 * SECOND);
    assert_eq!(priced().await.0, 1);
    engine.advance(SECOND);
    assert_eq!(ask(&engine, NOBODY).await, 1, "without the price it is still good");
    assert_eq!(priced().await, (2, 5));
    assert_eq!(ask(&engine, NOBODY).await, 2);
}

#[tokio::test]
async fn failures_and_garbage_are_not_kept() {
    let calls = Arc::new(AtomicUsize::new(0));
    let upstream = Upstream::slow(move |_| {
        let answer = match calls.fetch_add(1, Ordering::SeqCst) {
            0 => Err(failure(ErrorCode::UpstreamStatus, ErrorKind::NotFound)),
            1 => Err(failure(ErrorCode::UpstreamUnavailable, ErrorKind::Failed)),
            2 => Ok(crate::source::Reply {
                held: crate::memory::Held::default(),
                body: crate::source::Body::Json("{ \"n\": 3".into()),
                ..json_reply(&json!(null), &[])
            }),
            n => Ok(json_reply(&json!({ "n": n + 1 }), &[])),
        };
        futures_util::future::ready(answer)
    });
    let engine = keeping(&upstream);
    assert_eq!(ask_body(&engine, NOBODY).await["data"]["a"], json!(null));
    for code in ["UPSTREAM_UNAVAILABLE", "UPSTREAM_INVALID_REPLY"] {
        let body = ask_body(&engine, NOBODY).await;
        assert_eq!(body["errors"][0]["extensions"]["code"], code);
    }
    assert_eq!((ask(&engine, NOBODY).await, ask(&engine, NOBODY).await), (4, 4));
}

#[tokio::test]
async fn a_stale_reply_serves_while_one_call_renews_it() {
    let gate = Arc::new(Semaphore::new(1));
    let (opened, calls) = (Arc::clone(&gate), Arc::new(AtomicUsize::new(0)));
    let upstream = Upstream::slow(move |_| {
        let (gate, calls) = (Arc::clone(&opened), Arc::clone(&calls));
        async move {
            gate.acquire().await.unwrap().forget();
            let n = calls.fetch_add(1, Ordering::SeqCst) + 1;
            Ok(json_reply(&json!({ "n": n }), &[]))
        }
    });
    let settings =
        SourceCache { stale_while_revalidate: Some(10 * SECOND), ..SourceCache::default() };
    let engine = engine(&upstream, MINUTE, settings);
    assert_eq!(ask(&engine, NOBODY).await, 1);
    engine.advance(61 * SECOND);
    for _ in 0..3 {
        assert_eq!(ask(&engine, NOBODY).await, 1, "the old one, at once");
    }
    let open = || upstream.open();
    until(|| open() == 1).await;
    assert_eq!(upstream.take().len(), 2, "one call for all of them");
    gate.add_permits(1);
    until(|| open() == 0).await;
    assert_eq!(ask(&engine, NOBODY).await, 2);
    engine.advance(71 * SECOND);
    gate.add_permits(1);
    assert_eq!(ask(&engine, NOBODY).await, 3, "too old to be served");
}

#[tokio::test]
async fn only_so_many_are_renewed_at_once() {
    let gate = Arc::new(Semaphore::new(3));
    let opened = Arc::clone(&gate);
    let upstream = Upstream::slow(move |_| {
        let gate = Arc::clone(&opened);
        async move {
            gate.acquire().await.unwrap().forget();
            Ok(json_reply(&json!({ "n": 1 }), &[]))
        }
    });
    let sdl = r#"type Query { a(id: Int): A @cacheControl(maxAge: 60) @call(source: "s", target: "/a/{$args.id ?? 0}") }
    type A { n: Int }"#;
    let mut settings = Settings::default();
    settings.cache.refreshes = 2;
    let stale = SourceCache { stale_while_revalidate: Some(60 * SECOND), ..SourceCache::default() };
    settings.cache.sources.insert("s".into(), stale);
    let engine = Engine::new(upstream.graph(sdl), settings);
    let all = "{ a(id: 1) { n } b: a(id: 2) { n } c: a(id: 3) { n } }";
    for _ in 0..2 {
        let response = engine.execute(asked_by(all, Caller::default())).await;
        assert_eq!(response.errors, 0);
        engine.advance(61 * SECOND);
    }
    until(|| upstream.open() == 2).await;
    assert_eq!(upstream.take().len(), 5, "three calls, two renewals");
}

#[tokio::test]
async fn a_reply_that_still_holds_is_not_sent_again() {
    let calls = Arc::new(AtomicUsize::new(0));
    let upstream = Upstream::slow(move |request| {
        let n = calls.fetch_add(1, Ordering::SeqCst) + 1;
        let knows = request.headers.iter().any(|(name, value)| {
            *name == http::header::IF_NONE_MATCH && value.as_bytes() == b"\"v1\""
        });
        let reply = match (n, knows) {
            (1 | 4, false) => json_reply(&json!({ "n": n }), &[("etag", "\"v1\"")]),
            (2, true) => not_modified(&[]),
            (3, true) => json_reply(&json!({ "n": n }), &[("cache-control", "no-cache")]),
            other => panic!("asked {other:?}"),
        };
        futures_util::future::ready(Ok(reply))
    });
    let engine = keeping(&upstream);
    assert_eq!(ask(&engine, NOBODY).await, 1);
    engine.advance(61 * SECOND);
    assert_eq!(ask(&engine, NOBODY).await, 1, "it still holds");
    engine.advance(59 * SECOND);
    assert_eq!(ask(&engine, NOBODY).await, 1, "and is fresh again");
    assert_eq!(upstream.take().len(), 2);
    engine.advance(SECOND);
    assert_eq!(ask(&engine, NOBODY).await, 3, "it changed");
}

#[tokio::test]
async fn a_renewal_that_says_nothing_changes_nothing_of_whose_it_is() {
    let upstream = Upstream::slow(move |request| {
        let knows = request.headers.iter().any(|(name, _)| *name == http::header::IF_NONE_MATCH);
        let lines = [("etag", "\"1\""), ("cache-control", "private, max-age=60")];
        let reply = json_reply(&json!({ "n": 1 }), &lines);
        futures_util::future::ready(Ok(if knows { not_modified(&[]) } else { reply }))
    });
    let engine = keeping(&upstream);
    for (who, later, calls) in [(1, 0, 1), (1, 61, 1), (1, 0, 0), (2, 0, 1), (1, 61, 1), (2, 0, 1)]
    {
        engine.advance(later * SECOND);
        ask(&engine, Who::User(who)).await;
        assert_eq!(upstream.take().len(), calls, "user {who} after {later} s");
    }
}

#[tokio::test]
async fn a_stale_reply_stands_in_for_a_failure_for_a_while() {
    let error = Arc::new(std::sync::Mutex::new(None));
    let answers = Arc::clone(&error);
    let upstream = Upstream::slow(move |_| {
        let error: Option<crate::source::Error> = answers.lock().unwrap().clone();
        futures_util::future::ready(error.map_or(Ok(json_reply(&json!({ "n": 1 }), &[])), Err))
    });
    let sdl = MINUTE.replace("maxAge: 60", "maxAge: 60, staleIfError: 100");
    let engine = engine(&upstream, &sdl, SourceCache::default());
    ask(&engine, NOBODY).await;
    engine.advance(61 * SECOND);
    let status = |status| {
        let error = failure(ErrorCode::UpstreamStatus, ErrorKind::Failed);
        crate::source::Error { status: Some(status), ..error }
    };
    for (failed, serves) in [
        (failure(ErrorCode::UpstreamTimeout, ErrorKind::Failed), true),
        (failure(ErrorCode::UpstreamUnavailable, ErrorKind::Failed), true),
        (status(503), true),
        (status(14), true),
        (status(401), false),
        (status(403), false),
        (status(429), false),
        (status(7), false),
        (failure(ErrorCode::UpstreamStatus, ErrorKind::NotFound), false),
        (failure(ErrorCode::InvalidRequest, ErrorKind::Failed), false),
    ] {
        *error.lock().unwrap() = Some(failed.clone());
        let response = engine.execute(asked_by("{ a { n } }", Caller::default())).await;
        let served = body(&response)["data"]["a"]["n"] == json!(1);
        assert_eq!(served, serves, "{failed}");
        assert_eq!(response.cache.max_age(), 0, "nobody keeps it any further");
    }
    *error.lock().unwrap() = Some(status(500));
    engine.advance(99 * SECOND);
    assert_eq!(ask_body(&engine, NOBODY).await["data"]["a"], json!(null), "too old");
}

#[tokio::test]
async fn a_client_may_ask_for_its_own_call_only_where_it_is_allowed() {
    let upstream = numbered(&[]);
    let caller = |value: &str| Caller {
        headers: super::headers(&[("cache-control", value)]),
        ..Caller::default()
    };
    let ask = |engine: Engine, value: &'static str| async move {
        number(&body(&engine.execute(asked_by("{ a { n } }", caller(value))).await))
    };
    let deaf = keeping(&upstream);
    assert_eq!(ask(deaf.clone(), "max-age=0").await, 1);
    assert_eq!(ask(deaf, "no-cache").await, 1);
    let mut settings = Settings::default();
    settings.cache.bypass = true;
    let engine = Engine::new(upstream.graph(MINUTE), settings);
    assert_eq!(ask(engine.clone(), "").await, 2);
    assert_eq!(ask(engine.clone(), "No-Cache").await, 3);
    assert_eq!(ask(engine.clone(), "").await, 3, "what came is kept");
    assert_eq!(ask(engine.clone(), "no-store").await, 4);
    assert_eq!(ask(engine, "").await, 3);
}

#[tokio::test]
async fn the_bound_on_bytes_holds() {
    let filler = "x".repeat(20_000);
    let upstream = Upstream::new(move |_| Ok(json!({ "n": 1, "filler": filler })));
    let sdl = r#"type Query { a(id: Int): A @cacheControl(maxAge: 60) @call(source: "s", target: "/a/{$args.id ?? 0}") }
    type A { n: Int }"#;
    let mut settings = Settings::default();
    settings.cache.size = 200_000;
    let engine = Engine::new(upstream.graph(sdl), settings);
    let held = || engine.pool.replies.as_ref().unwrap().held();
    for id in 0..100 {
        let query = format!("{{ a(id: {id}) {{ n }} }}");
        engine.execute(asked_by(&query, Caller::default())).await;
        assert!(held().1 <= 200_000, "{:?}", held());
    }
    let (entries, bytes) = held();
    assert!(entries > 4 && bytes > 100_000, "{entries} entries, {bytes} bytes");
}

#[tokio::test]
async fn a_reply_that_is_too_large_is_not_kept() {
    let upstream = numbered(&[]);
    let mut settings = Settings::default();
    settings.cache.entry = 5;
    let engine = Engine::new(upstream.graph(MINUTE), settings);
    assert_eq!((ask(&engine, NOBODY).await, ask(&engine, NOBODY).await), (1, 2));
}

#[tokio::test]
async fn batches_that_wait_are_kept_like_others() {
    let upstream = Upstream::new(|target| {
        if target == "/list" {
            return Ok(json!([{ "id": 1 }, { "id": 2 }]));
        }
        Ok(json!([{ "id": 1, "n": 5 }, { "id": 2, "n": 6 }]))
    });
    let sdl = r#"type Query { list: [A!] @cacheControl(maxAge: 9) @call(source: "s", target: "/list", select: "id")
      byIds(ids: [ID!]! @is(field: "id")): [A]! @lookup @internal @cacheControl(maxAge: 60)
        @call(source: "s", target: "/as?ids={$args.ids->joinNotNull(',')}", batch: { waitMs: 1 }) }
    type A @key(fields: "id") { id: ID! n: Int }"#;
    let engine = engine(&upstream, sdl, SourceCache::default());
    for age in [9, 8] {
        let response = engine.execute(asked_by("{ list { n } }", Caller::default())).await;
        assert_eq!(body(&response)["data"]["list"], json!([{ "n": 5 }, { "n": 6 }]));
        assert!((age - 1..=age).contains(&response.cache.max_age()));
        engine.advance(SECOND);
    }
    assert_eq!(upstream.take().len(), 2, "both calls once");
    engine.advance(10 * SECOND);
    engine.execute(asked_by("{ list { n } }", Caller::default())).await;
    assert_eq!(upstream.take(), ["/list"]);
}
