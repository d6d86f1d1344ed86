//! Automatic persisted queries in memory: stored and refused documents, and their errors.

use super::apq::{Apq, Origin};
use super::tests::{SDL, ask, hash, sha};
use super::{ApqSettings, Digest, Settings, Trust};
use crate::engine::testing::{Upstream, body, request};
use crate::engine::{self, Engine, Limits, Request};
use crate::graphql::ErrorCode;
use crate::shared;
use serde_json::json;
use std::time::Duration;

const NOT_FOUND: ErrorCode = ErrorCode::PersistedQueryNotFound;

fn engine_with(mode: Trust, limits: Limits) -> Engine {
    let graph = Upstream::new(|_| Ok(json!(1))).graph(SDL);
    let apq = ApqSettings { enabled: true, ..Default::default() };
    let settings =
        engine::Settings { persisted: Settings { mode, apq }, limits, ..Default::default() };
    Engine::new(graph, settings).with_documents(&[]).unwrap()
}

fn engine() -> Engine {
    engine_with(Trust::Allow, Limits::default())
}

#[tokio::test]
async fn a_document_is_registered_once_and_named_from_then_on() {
    let engine = engine();
    let (text, one) = ("{ a }", json!({ "a": 1 }));
    let unknown = Request { document: hash(sha(text), None), ..request("") };
    let answer = body(&engine.execute(unknown).await);
    assert_eq!(answer["errors"][0]["message"], "PersistedQueryNotFound");
    assert_eq!(answer["errors"][0]["extensions"]["code"], "PERSISTED_QUERY_NOT_FOUND");
    assert_eq!(ask(&engine, hash(sha(text), Some(text))).await.as_ref(), Ok(&one));
    assert_eq!(ask(&engine, hash(sha(text), None)).await.as_ref(), Ok(&one));
    let by_id = super::Document::Id(format!("sha256:{}", sha(text)));
    assert_eq!(ask(&engine, by_id).await.as_ref(), Ok(&one));
    // A text without a hash registers nothing.
    assert_eq!(ask(&engine, "{ b }").await, Ok(json!({ "b": 1 })));
    assert_eq!(ask(&engine, hash(sha("{ b }"), None)).await, Err(NOT_FOUND));
}

#[tokio::test]
async fn nobody_registers_under_the_hash_of_another_text() {
    let engine = engine();
    let mismatch = Err(ErrorCode::PersistedQueryMismatch);
    assert_eq!(ask(&engine, hash(sha("{ a }"), Some("{ b }"))).await, mismatch);
    assert_eq!(ask(&engine, hash(sha("{ a }").to_uppercase(), Some("{ a }"))).await, mismatch);
    assert_eq!(ask(&engine, hash("", Some("{ a }"))).await, mismatch);
    assert_eq!(ask(&engine, hash(sha("{ a }"), None)).await, Err(NOT_FOUND));
}

/// Documents that do not run are not stored, so that the store cannot be filled with invalid texts.
#[tokio::test]
async fn only_what_was_prepared_is_kept() {
    let engine = engine_with(Trust::Allow, Limits { tokens: 50.into(), ..Limits::default() });
    let many = format!("{{ {} }}", "a ".repeat(100));
    for (text, code) in [
        ("{", ErrorCode::ParseFailed),
        ("{ nothing }", ErrorCode::ValidationFailed),
        ("query A { a } query B { b }", ErrorCode::OperationNotFound),
        ("{ __schema { types { name } } }", ErrorCode::IntrospectionDisabled),
        (many.as_str(), ErrorCode::LimitExceeded),
    ] {
        assert_eq!(ask(&engine, hash(sha(text), Some(text))).await, Err(code), "{text}");
        assert_eq!(ask(&engine, hash(sha(text), None)).await, Err(NOT_FOUND), "{text}");
    }
    // Comments are not tokens, but have bytes all the same.
    let padded = format!("{{ a }} #{}", "x".repeat(200_000));
    assert_eq!(ask(&engine, hash(sha(&padded), Some(&padded))).await, Ok(json!({ "a": 1 })));
    assert_eq!(ask(&engine, hash(sha(&padded), None)).await, Err(NOT_FOUND));
}

#[tokio::test]
async fn a_registered_mutation_is_no_query() {
    let engine = engine();
    let text = "mutation { set }";
    assert_eq!(ask(&engine, hash(sha(text), Some(text))).await, Ok(json!({ "set": 1 })));
    let by_get = Request { document: hash(sha(text), None), queries_only: true, ..request("") };
    assert_eq!(engine.execute(by_get).await.refusal, Some(ErrorCode::MethodNotAllowed));
}

#[tokio::test]
async fn where_documents_must_be_trusted_nothing_is_registered() {
    let engine = engine_with(Trust::Require, Limits::default());
    let refused = Err(ErrorCode::UntrustedDocument);
    assert_eq!(ask(&engine, hash(sha("{ a }"), Some("{ a }"))).await, refused);
    assert_eq!(ask(&engine, hash(sha("{ a }"), None)).await, Err(NOT_FOUND));
}

#[tokio::test]
async fn memory_is_bounded_by_bytes() {
    let settings = ApqSettings { enabled: true, size: 10_000, ..Default::default() };
    let apq = Apq::new(&settings).unwrap();
    for number in 0..1_000 {
        let text = format!("query Q{number} {{ a }} #{}", "x".repeat(500));
        apq.keep(Digest::of(&text), &text, Origin::Client).await;
    }
    let (documents, bytes) = apq.kept();
    assert!(documents > 0 && bytes <= 10_000, "{documents} documents, {bytes} bytes");
}

#[tokio::test]
async fn without_redis_a_document_is_unknown_and_nothing_else_is_wrong() {
    let timeout = Duration::from_millis(50);
    let redis = shared::Settings {
        timeout,
        ..shared::Settings::new("redis://127.0.0.1:1".parse().unwrap())
    };
    let settings = ApqSettings { enabled: true, redis: Some(redis), ..Default::default() };
    let apq = Apq::new(&settings).unwrap();
    let digest = Digest::of("{ a }");
    assert_eq!(apq.get(&digest).await, None);
    apq.keep(digest, "{ a }", Origin::Client).await;
    assert_eq!(apq.get(&digest).await, Some(("{ a }".into(), None)));
}
