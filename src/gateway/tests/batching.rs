//! Several operations in one body.

use super::*;
use serde_json::json;

async fn batching() -> Running {
    start(edge::Settings { batching: Some(3), ..edge::Settings::default() }).await
}

#[tokio::test]
async fn a_list_is_refused_unless_it_is_allowed() {
    let gateway = start(edge::Settings::default()).await;
    let answer = gateway.post("", r#"[{"query":"{ hello }"}]"#).await;
    assert_eq!((answer.status, answer.code().as_str()), (400, "BAD_REQUEST"));
    assert!(answer.body.contains("one JSON object per request"), "{answer:?}");
}

#[tokio::test]
async fn each_element_has_its_own_answer_in_its_place() {
    let gateway = batching().await;
    let body = json!([
        { "query": "query ($n: String) { a: hello(name: $n) }", "variables": { "n": "x" } },
        { "query": "{ nothing }" },
        { "qeury": "{ hello }" },
    ]);
    for accept in ["", "accept: application/graphql-response+json\r\n"] {
        let answer = gateway.post(accept, body.to_string()).await;
        assert_eq!(answer.status, 200);
        let answers = answer.json();
        assert_eq!(answers.as_array().map(Vec::len), Some(3));
        assert_eq!(answers[0], json!({ "data": { "a": "answer" } }));
        assert_eq!(answers[1]["errors"][0]["extensions"]["code"], "GRAPHQL_VALIDATION_FAILED");
        assert_eq!(answers[2]["errors"][0]["extensions"]["code"], "BAD_REQUEST");
    }
    let one = gateway.post("", r#"{"query":"{ hello }"}"#).await;
    assert_eq!(one.json(), json!({ "data": { "hello": "answer" } }));
}

#[tokio::test]
async fn a_panic_of_one_element_spares_the_others() {
    let gateway = batching().await;
    let answer = gateway.post("", r#"[{"query":"{ panic }"},{"query":"{ hello }"}]"#).await;
    let answers = answer.json();
    assert_eq!(answers[0]["errors"][0]["extensions"]["code"], "INTERNAL");
    assert_eq!(answers[1], json!({ "data": { "hello": "answer" } }));
}

#[tokio::test]
async fn elements_run_side_by_side() {
    let mut gateway = batching().await;
    let list = r#"[{"query":"{ wait }"},{"query":"{ hello }"}]"#;
    let request = format!(
        "POST /graphql HTTP/1.1\r\nhost: t\r\ncontent-type: application/json\r\n\
         content-length: {}\r\nconnection: close\r\n\r\n{list}",
        list.len()
    );
    let mut socket = TcpStream::connect(gateway.address).await.unwrap();
    socket.write_all(request.as_bytes()).await.unwrap();
    gateway.event("called").await;
    gateway.event("called").await;
    gateway.release.notify_one();
    let answers = read(&mut socket).await.json();
    assert_eq!(answers[0], json!({ "data": { "wait": "wait" } }));
    assert_eq!(answers[1], json!({ "data": { "hello": "answer" } }));
}

#[tokio::test]
async fn a_list_has_bounds() {
    let gateway = batching().await;
    let four = json!([1, 2, 3, 4].map(|_| json!({ "query": "{ hello }" })));
    for body in ["[]".to_owned(), four.to_string(), "[1]".to_owned(), "[{}".to_owned()] {
        let answer = gateway.post("", &body).await;
        assert_eq!((answer.status, answer.code().as_str()), (400, "BAD_REQUEST"), "{body}");
    }
}
