//! `guards.mode: reject`.

use super::*;
use crate::engine::{GuardMode, Settings};
use crate::graphql::ErrorCode;

fn rejecting(upstream: &Upstream) -> Engine {
    let settings = Settings { guards: GuardMode::Reject, ..Settings::default() };
    Engine::new(upstream.graph(SDL), settings)
}

#[tokio::test]
async fn the_whole_operation_is_refused_with_every_path() {
    let upstream = upstream();
    let engine = rejecting(&upstream);
    let query = "query ($no: Boolean = false) {
        x: secret user(id: 1) { name secretName level }
        posts { author { card } } skipped: secret @include(if: $no)
        node(id: 1) { secretOf ... on User { secretOf } }
    }";
    let response = engine.execute(request_as(query, Value::Null)).await;
    assert_eq!(response.refusal, Some(ErrorCode::UnauthorizedFieldOrType));
    assert_eq!(ErrorCode::UnauthorizedFieldOrType.status(), 403);
    let body = body(&response);
    assert!(body.get("data").is_none());
    let paths: Vec<_> =
        body["errors"].as_array().unwrap().iter().map(|e| e["path"].clone()).collect();
    assert_eq!(
        paths,
        [
            json!(["x"]),
            json!(["user", "secretName"]),
            json!(["user", "level"]),
            json!(["posts", "author", "card"]),
            json!(["node", "secretOf"]),
        ]
    );
    assert!(upstream.take().is_empty());
    let answer = run_on(&engine, &upstream, request_as(query, ada())).await;
    assert!(answer.errors.is_empty());
}

#[tokio::test]
async fn what_only_the_objects_tell_stays_a_field_error() {
    let upstream = upstream();
    let engine = rejecting(&upstream);
    let query = "{ search { __typename ... on Vault { gold } } }";
    let answer = run_on(&engine, &upstream, request_as(query, Value::Null)).await;
    assert_eq!(answer.errors, ["[search,1] UNAUTHORIZED_FIELD_OR_TYPE"]);
    assert_eq!(answer.asked, ["/search"]);
}

#[tokio::test]
async fn a_hundred_paths_are_told() {
    let upstream = upstream();
    let mut settings = Settings { guards: GuardMode::Reject, ..Settings::default() };
    settings.limits.aliases = 1_000.into();
    settings.limits.root_fields = 1_000.into();
    let engine = Engine::new(upstream.graph(SDL), settings);
    let fields: String = (0..150).map(|n| format!("f{n}: secret ")).collect();
    let response = engine.execute(request_as(&format!("{{ {fields} }}"), Value::Null)).await;
    let body = body(&response);
    assert_eq!(body["errors"].as_array().unwrap().len(), 100);
    assert_eq!(body["errors"][99]["extensions"]["omitted"], 50);
}
