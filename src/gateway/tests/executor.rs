//! The engine as async-graphql's `Executor`.

use super::*;
use crate::source::Caller;
use async_graphql::{Executor as _, Request, Variables};
use futures_util::StreamExt as _;
use serde_json::json;

fn executor() -> edge::Executor {
    edge::Executor::new(engine(engine::Settings::default()).0)
}

#[tokio::test]
async fn it_executes_what_the_engine_executes() {
    let request = Request::new("query A { hello } query B($n: String) { x: hello(name: $n) }")
        .operation_name("B")
        .variables(Variables::from_json(json!({"n": "ä"})));
    let response = executor().execute(request).await;
    assert!(response.errors.is_empty());
    assert_eq!(serde_json::to_value(&response).unwrap(), json!({"data": {"x": "answer"}}));
}

#[tokio::test]
async fn errors_keep_place_path_and_code() {
    let response = executor().execute(Request::new("{\n  nothing\n}")).await;
    let error = &response.errors[0];
    assert_eq!((error.locations[0].line, error.locations[0].column), (2, 3));
    let code = error.extensions.as_ref().and_then(|extensions| extensions.get("code"));
    assert_eq!(code, Some(&async_graphql::Value::from("GRAPHQL_VALIDATION_FAILED")));
}

#[tokio::test]
async fn a_stream_has_one_response_and_the_sessions_caller() {
    let mut caller = Caller::default();
    caller.headers.insert("x-tenant", http::HeaderValue::from_static("acme"));
    let mut session = async_graphql::Data::default();
    session.insert(Arc::new(caller));
    let stream = executor().execute_stream(Request::new("{ caller }"), Some(Arc::new(session)));
    let responses: Vec<_> = stream.collect().await;
    assert_eq!(responses.len(), 1);
    let data = responses[0].data.clone().into_json().unwrap();
    assert_eq!(data, json!({"caller": "Some(\"acme\") None"}));
}
