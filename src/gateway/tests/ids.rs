//! If the log has a line about an error that a client sees, both have the same ID. The client sees nothing else of the
//! reason, unless the settings allow it.

use super::*;
use crate::cli::Captured;
use tracing::subscriber::DefaultGuard;

/// Captures the log of this thread while the guard lives. A test's runtime has only this thread.
fn log() -> (Captured, DefaultGuard) {
    let captured = Captured::default();
    let writer = captured.clone();
    let subscriber = tracing_subscriber::fmt().json().with_writer(move || writer.clone()).finish();
    (captured, tracing::subscriber::set_default(subscriber))
}

/// Returns the fields of the one line with this ID.
fn line(log: &Captured, id: &Value) -> Value {
    let lines = log.text();
    let lines: Vec<Value> = lines
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).expect("JSON")["fields"].take())
        .filter(|fields| fields["error_id"] == *id)
        .collect();
    let [line] = lines.as_slice() else { panic!("{id} stands in {lines:?}") };
    line.clone()
}

fn asked(query: &str) -> String {
    serde_json::json!({ "query": query }).to_string()
}

#[tokio::test]
async fn a_failed_call_has_one_id() {
    let (log, _guard) = log();
    let gateway = start(edge::Settings::default()).await;
    let answer = gateway.post("", asked("{ fail }")).await;
    let error = answer.json()["errors"][0].take();
    let line = line(&log, &error["extensions"]["errorId"]);
    assert_eq!(line["detail"], "as told");
    assert_eq!(line["request_id"].as_str(), answer.header("x-request-id"));
    assert_eq!(line["trace_id"].as_str().map(str::len), Some(32), "{line}");
    assert_eq!((&line["source"], &line["coordinate"]), (&"s".into(), &"Query.fail".into()));
    assert_eq!(line["code"], error["extensions"]["code"]);
    assert!(!error.to_string().contains("as told"), "{error}");
}

#[tokio::test]
async fn a_reply_that_breaks_the_schemas_word_has_one_id() {
    let (log, _guard) = log();
    let gateway = start(edge::Settings::default()).await;
    let error = gateway.post("", asked("{ number }")).await.json()["errors"][0].take();
    assert_eq!(error["extensions"]["code"], "INVALID_VALUE");
    assert_eq!(line(&log, &error["extensions"]["errorId"])["field"], "number");
}

#[tokio::test]
async fn a_panic_has_one_id() {
    let (log, _guard) = log();
    let gateway = start(edge::Settings::default()).await;
    let answer = gateway.post("", asked("{ panic }")).await;
    let error = answer.json()["errors"][0].take();
    let line = line(&log, &error["extensions"]["errorId"]);
    assert_eq!(line["request_id"].as_str(), answer.header("x-request-id"));
    assert!(line["message"].as_str().is_some_and(|said| said.contains("as told")), "{line}");
    assert!(answer.status == 500 && !error.to_string().contains("as told"), "{error}");
}

#[tokio::test]
async fn details_are_exposed_where_the_settings_say_so() {
    let of_engine = engine::Settings { expose_upstream_errors: true, ..Default::default() };
    let gateway = start_with(edge::Settings::default(), of_engine).await;
    let error = gateway.post("", asked("{ fail }")).await.json()["errors"][0].take();
    assert_eq!(error["extensions"]["detail"], "as told");
}

#[tokio::test]
async fn all_that_a_caller_may_not_see_has_one_id() {
    let (log, _guard) = log();
    for guards in [engine::GuardMode::Withhold, engine::GuardMode::Reject] {
        let of_engine = engine::Settings { guards, ..Default::default() };
        let gateway = start_with(edge::Settings::default(), of_engine).await;
        let answer = gateway.post("", asked("{ a: secret hello b: secret }")).await.json();
        let ids = [0, 1].map(|index| answer["errors"][index]["extensions"]["errorId"].clone());
        assert!(ids[0].is_string() && ids[0] == ids[1], "{answer}");
        let line = line(&log, &ids[0]);
        assert_eq!((&line["field"], &line["fields"]), (&"a".into(), &2.into()), "{line}");
        assert_eq!(line["code"], answer["errors"][0]["extensions"]["code"]);
    }
    assert_eq!(log.text().matches("UNAUTHORIZED_FIELD_OR_TYPE").count(), 2, "{}", log.text());
}

#[tokio::test]
async fn a_body_that_is_only_measured_is_told_with_its_operation() {
    let (log, _guard) = log();
    let body_mode = engine::Mode::Measure;
    let settings = edge::Settings { body_limit: 64, body_mode, ..Default::default() };
    let gateway = start(settings).await;
    let body = serde_json::json!({
        "query": "query Large { hello }", "operationName": "Large", "variables": { "pad": "x".repeat(64) },
    });
    assert_eq!(gateway.post("", body.to_string()).await.status, 200);
    let line = log.text().lines().find(|line| line.contains("a measured limit")).map(str::to_owned);
    let line: Value = serde_json::from_str(&line.expect("a line")).unwrap();
    let fields = &line["fields"];
    assert_eq!((&fields["limit"], &fields["operation"]), (&"body".into(), &"Large".into()));
}

#[test]
fn the_gateways_own_failure_has_one_id() {
    let (log, _guard) = log();
    let error = crate::graphql::Error::internal("as told");
    let line = line(&log, &error.extensions["errorId"]);
    assert!(line["message"].as_str().is_some_and(|said| said.ends_with("as told")), "{line}");
    assert!(!error.message.contains("as told"));
}
