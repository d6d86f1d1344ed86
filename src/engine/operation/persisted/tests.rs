//! Documents by id and hash, and the handling of unknown ones.

use super::{Digest, Document, Settings, Trust};
use crate::engine::testing::{Upstream, body, request};
use crate::engine::{self, Engine, Request};
use crate::graphql::ErrorCode;
use crate::problem::{Problem, SourceFile, render};
use serde_json::{Value, json};
use std::sync::Arc;

pub(super) const SDL: &str = r#"
type Query { a: Int @call(source: "s", target: "/a") b: Int @call(source: "s", target: "/b") }
type Mutation { set: Int @call(source: "s", target: "/set") }
"#;

fn manifests(texts: &[&str]) -> Vec<Arc<SourceFile>> {
    let file = |(number, text): (usize, &&str)| SourceFile {
        name: format!("{number}.json"),
        text: (*text).to_owned(),
    };
    texts.iter().enumerate().map(file).map(Arc::new).collect()
}

fn trusting(mode: Trust, texts: &[&str]) -> Result<Engine, Vec<Problem>> {
    let graph = Upstream::new(|_| Ok(json!(1))).graph(SDL);
    let settings = engine::Settings {
        persisted: Settings { mode, ..Default::default() },
        ..Default::default()
    };
    Engine::new(graph, settings).with_documents(&manifests(texts))
}

fn engine(mode: Trust) -> Engine {
    let sha = Digest::of("{ a b }");
    let manifest = json!({ "one": "{ a }", "m": "mutation { set }", sha.to_string(): "{ a b }" });
    trusting(mode, &[&manifest.to_string()]).unwrap()
}

pub(super) fn hash(hash: impl Into<String>, text: Option<&str>) -> Document {
    Document::Hash { hash: hash.into(), text: text.map(str::to_owned) }
}

pub(super) fn sha(text: &str) -> String {
    Digest::of(text).to_string()
}

/// Returns the data, or the code of the refusal.
pub(super) async fn ask(
    engine: &Engine,
    document: impl Into<Document>,
) -> Result<Value, ErrorCode> {
    let response = engine.execute(Request { document: document.into(), ..request("") }).await;
    match response.refusal {
        None => Ok(body(&response)["data"].take()),
        Some(code) => Err(code),
    }
}

#[tokio::test]
async fn a_document_is_run_by_its_id_or_its_hash() {
    let (one, both) = (json!({ "a": 1 }), json!({ "a": 1, "b": 1 }));
    for mode in [Trust::Allow, Trust::Log, Trust::Require] {
        let engine = engine(mode);
        let of = |id: String| Document::Id(id);
        assert_eq!(ask(&engine, of("one".into())).await.as_ref(), Ok(&one));
        let digest = Digest::of("{ a }");
        assert_eq!(ask(&engine, of(format!("sha256:{digest}"))).await.as_ref(), Ok(&one));
        assert_eq!(ask(&engine, hash(digest.to_string(), None)).await.as_ref(), Ok(&one));
        assert_eq!(ask(&engine, hash("one", None)).await.as_ref(), Ok(&one));
        assert_eq!(ask(&engine, hash("one", Some("{ a }"))).await.as_ref(), Ok(&one));
        assert_eq!(ask(&engine, hash(sha("{ a b }"), None)).await.as_ref(), Ok(&both));
        assert_eq!(ask(&engine, "{ a b }").await.as_ref(), Ok(&both), "a trusted text");
        for unknown in ["", "two", "sha256:", "sha256:zz", "ONE", "one "] {
            let found = ask(&engine, of(unknown.into())).await;
            assert_eq!(found, Err(ErrorCode::PersistedQueryNotFound), "{unknown}");
        }
        let unknown = hash(sha("{ b }"), None);
        assert_eq!(ask(&engine, unknown).await, Err(ErrorCode::PersistedQueryNotFound));
        let wrong = hash(sha("{ b }"), Some("{ a }"));
        assert_eq!(ask(&engine, wrong).await, Err(ErrorCode::PersistedQueryMismatch));
    }
}

#[tokio::test]
async fn what_is_not_in_the_manifest_is_refused_where_it_must_be() {
    let strict = engine(Trust::Require);
    let texts = ["{ b }", "{ a } ", "{a}", "{ a }\n", "{ a # }\n }", "", "{ nothing }", "{"];
    for text in texts {
        assert_eq!(ask(&strict, text).await, Err(ErrorCode::UntrustedDocument), "{text:?}");
        let registered = hash(sha(text), Some(text));
        assert_eq!(ask(&strict, registered).await, Err(ErrorCode::UntrustedDocument), "{text:?}");
    }
    assert_eq!(
        ask(&strict, "{ __schema { types { name } } }").await,
        Err(ErrorCode::UntrustedDocument)
    );
    for mode in [Trust::Allow, Trust::Log] {
        let engine = engine(mode);
        assert_eq!(ask(&engine, "{ b }").await, Ok(json!({ "b": 1 })));
        let sent = hash(sha("{ b }"), Some("{ b }"));
        assert_eq!(ask(&engine, sent).await, Ok(json!({ "b": 1 })));
        assert_eq!(ask(&engine, "{ nothing }").await, Err(ErrorCode::ValidationFailed));
    }
}

#[tokio::test]
async fn a_mutation_by_id_is_no_query() {
    let engine = engine(Trust::Require);
    let by_get = Request { queries_only: true, document: Document::Id("m".into()), ..request("") };
    assert_eq!(engine.execute(by_get).await.refusal, Some(ErrorCode::MethodNotAllowed));
    assert_eq!(ask(&engine, Document::Id("m".into())).await, Ok(json!({ "set": 1 })));
}

#[tokio::test]
async fn without_any_of_it_a_hash_beside_a_text_is_nobodys_business() {
    let engine = trusting(Trust::Allow, &[]).unwrap();
    assert_eq!(ask(&engine, hash("wrong", Some("{ a }"))).await, Ok(json!({ "a": 1 })));
    let refused = Err(ErrorCode::PersistedQueryNotSupported);
    assert_eq!(ask(&engine, hash(sha("{ a }"), None)).await, refused);
    assert_eq!(ask(&engine, Document::Id("one".into())).await, refused);
    let by_hash = Request { document: hash("x", None), ..request("") };
    let answer = body(&engine.execute(by_hash).await);
    assert_eq!(answer["errors"][0]["message"], "PersistedQueryNotSupported");
    assert_eq!(answer["errors"].as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn both_forms_of_manifest_are_read() {
    let apollo = json!({
        "format": "apollo-persisted-query-manifest",
        "version": 1,
        "operations": [
            { "id": "x", "name": "X", "type": "query", "body": "query X { b }", "clientName": null },
            { "id": "y", "name": "Y", "type": "mutation", "body": "mutation Y { set }" },
        ],
    });
    let named_so = r#"{ "operations": "{ a }", "two": "query A { a } query B { b }" }"#;
    let engine = trusting(Trust::Require, &[&apollo.to_string(), named_so, "{}"]).unwrap();
    assert_eq!(ask(&engine, Document::Id("x".into())).await, Ok(json!({ "b": 1 })));
    assert_eq!(ask(&engine, Document::Id("operations".into())).await, Ok(json!({ "a": 1 })));
    let named = Request {
        document: Document::Id("two".into()),
        operation_name: Some("B".into()),
        ..request("")
    };
    assert_eq!(body(&engine.execute(named).await), json!({ "data": { "b": 1 } }));
}

fn problems(texts: &[&str]) -> String {
    render(&trusting(Trust::Allow, texts).err().unwrap_or_default(), false)
}

#[test]
fn what_is_wrong_with_a_manifest_is_told_all_at_once() {
    let shown = problems(&[
        "{\n  \"a\": \"{ nothing }\",\n  \"b\": \"{ a\",\n  \"c\": \"fragment F on Query { a }\",\n  \"d\": \"query A { __schema { types { name } } } query B { a }\"\n}",
        "{ \"a\": 7 }",
        "[]",
        "{ \"e\": \"{ a }\", \"e\": \"{ b }\", \"f\": \"{ a }\", \"f\": \"{ a }\" }",
        r#"{ "format": "other", "version": 1, "operations": [] }"#,
        r#"{ "format": "apollo-persisted-query-manifest", "version": 2, "operations": [] }"#,
        r#"{ "format": "apollo-persisted-query-manifest", "version": 1, "operations": [{ "id": "x" }] }"#,
        "{ \"a\": \"ä\u{7}\" }",
        "",
    ]);
    insta::assert_snapshot!(shown);
}
