//! Requests that no well-meaning client sends, against the built binary with bounded memory.

use crate::support::client::{Answer, Http};
use crate::support::process::Process;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// Any refusal is this fast, even in a debug build on a busy machine.
const SOON: Duration = Duration::from_secs(5);

struct Hostile {
    process: Process,
    http: Http,
    _folder: tempfile::TempDir,
}

impl Hostile {
    fn demo() -> Self {
        let process = Process::start(&["demo", "--port", "0"]);
        let folder = tempfile::tempdir().expect("a temporary folder");
        Self { process, http: Http::new(), _folder: folder }
    }

    /// A gateway whose limits are so high that only its parsers' own bounds protect it.
    fn unlimited() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let write = |name: &str, text: &str| {
            std::fs::write(folder.path().join(name), text).expect("a temporary file");
        };
        write(
            "schema.graphql",
            "type Query { me(list: [[Int]] = []): Me @rest(source: \"api\", GET: \"/me\") }\n\
             type Me { me: Me id: ID }\n",
        );
        write(
            "portcullis.yaml",
            "server: { listen: \"127.0.0.1:0\" }\n\
             limits: { body: 64MiB, document: 64MiB, depth: 1000000, aliases: 1000000, root_fields: 1000000, \
             directives: 1000000, tokens: 100000000, selections: 1000000 }\n\
             sources: { api: { rest: { url: \"http://127.0.0.1:1\" } } }\n",
        );
        let config = folder.path().join("portcullis.yaml");
        let process = Process::start(&["serve", "--config", config.to_str().expect("a path")]);
        Self { process, http: Http::new(), _folder: folder }
    }

    async fn post(&self, body: impl Into<bytes::Bytes>) -> Answer {
        let started = Instant::now();
        let answer = self.http.post(&self.process.url, &[], body).await;
        assert!(started.elapsed() < SOON, "took {:?}", started.elapsed());
        answer
    }

    /// Sends an operation, and expects the refusal with this code.
    async fn refused(&self, query: &str, codes: &[&str]) -> Value {
        let answer = self.post(json!({ "query": query }).to_string()).await;
        refusal(&answer, codes)
    }

    /// The process still answers, as well as before.
    async fn unharmed(&mut self) {
        assert!(self.process.lives(), "the process died");
        let answer = self.post(json!({ "query": "{ __typename }" }).to_string()).await;
        assert_eq!(answer.json(), json!({ "data": { "__typename": "Query" } }));
        let health = self.process.url.replace("/graphql", "/health");
        assert_eq!(self.http.get(&health).await.status, 200);
    }
}

/// A refusal has errors with a message and one of the codes, and no `data`.
fn refusal(answer: &Answer, codes: &[&str]) -> Value {
    let body = answer.json();
    assert!((400..500).contains(&answer.status), "status {}: {body}", answer.status);
    assert!(body.get("data").is_none(), "{body}");
    let media = answer.headers["content-type"].to_str().expect("text");
    assert!(media.starts_with("application/graphql-response+json"), "{media}");
    let errors = body["errors"].as_array().expect("errors");
    assert!(!errors.is_empty() && errors.len() <= 100, "{} errors", errors.len());
    for error in errors {
        let code = error["extensions"]["code"].as_str().expect("a code");
        assert!(codes.contains(&code), "{code} is none of {codes:?}: {error}");
        let message = error["message"].as_str().expect("a message");
        assert!(!message.is_empty(), "{error}");
    }
    body
}

const PARSE: &str = "GRAPHQL_PARSE_FAILED";
const VALIDATION: &str = "GRAPHQL_VALIDATION_FAILED";
const LIMIT: &str = "LIMIT_EXCEEDED";

#[tokio::test]
async fn bodies_that_are_no_request() {
    let mut hostile = Hostile::demo();
    let invalid_utf8: &[u8] = b"{\"query\":\"{ __typename \xff\xfe }\"}";
    let deep = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
    let bodies: Vec<Vec<u8>> = vec![
        invalid_utf8.to_vec(),
        b"".to_vec(),
        b"{".to_vec(),
        b"null".to_vec(),
        b"7".to_vec(),
        b"{}".to_vec(),
        br#"{"query":7}"#.to_vec(),
        br#"{"query":null}"#.to_vec(),
        br#"{"query":"{ __typename }","variables":[]}"#.to_vec(),
        br#"{"query":"{ __typename }","variables":"x"}"#.to_vec(),
        br#"{"query":"{ __typename }","operationName":7}"#.to_vec(),
        br#"{"query":"{ __typename }"} trailing"#.to_vec(),
        br#"[{"query":"{ __typename }"}]"#.to_vec(),
        deep(100_000).into_bytes(),
        format!("{{\"query\":\"{{ __typename }}\",\"variables\":{{\"a\":{}}}}}", deep(100_000))
            .into_bytes(),
    ];
    for body in bodies {
        let shown = String::from_utf8_lossy(&body[..body.len().min(60)]).into_owned();
        let answer = hostile.post(body).await;
        assert_eq!(answer.status, 400, "{shown}: {}", answer.text());
        refusal(&answer, &["BAD_REQUEST", LIMIT]);
    }
    hostile.unharmed().await;
}

#[tokio::test]
async fn a_document_of_ten_megabytes() {
    let mut hostile = Hostile::demo();
    let query = format!("{{ __typename {} }}", " ".repeat(10 << 20));
    let answer = hostile.post(json!({ "query": query }).to_string()).await;
    assert_eq!(answer.status, 413);
    refusal(&answer, &["PAYLOAD_TOO_LARGE"]);
    hostile.unharmed().await;
}

fn deep_selection(field: &str, depth: usize) -> String {
    format!("{}{{ id }}{}", format!("{{ {field} ").repeat(depth), " }".repeat(depth))
}

fn deep_list(depth: usize) -> String {
    format!("{{ me(list: {}{}) {{ id }} }}", "[".repeat(depth), "]".repeat(depth))
}

#[tokio::test]
async fn depth_within_the_limits() {
    let mut hostile = Hostile::demo();
    let selection = deep_selection("user", 100_000);
    hostile.refused(&selection, &[PARSE, LIMIT]).await;
    hostile.refused(&deep_list(100_000), &[PARSE, LIMIT]).await;
    hostile.refused(&"{ a ".repeat(50_000), &[PARSE, LIMIT]).await;
    hostile.refused(&format!("query ($a: {}Int", "[".repeat(100_000)), &[PARSE, LIMIT]).await;
    hostile.unharmed().await;
}

#[tokio::test]
async fn depth_without_limits() {
    let mut hostile = Hostile::unlimited();
    hostile.refused(&deep_selection("me", 100_000), &[PARSE, LIMIT]).await;
    hostile.refused(&deep_list(100_000), &[PARSE, LIMIT, VALIDATION]).await;
    let objects =
        format!("{{ me(list: {}1{}) {{ id }} }}", "{a:".repeat(100_000), "}".repeat(100_000));
    hostile.refused(&objects, &[PARSE, LIMIT, VALIDATION]).await;
    let inline = format!("{{ me {} {} }}", "{ ... ".repeat(100_000), "}".repeat(100_000));
    hostile.refused(&inline, &[PARSE, LIMIT]).await;
    let kinds =
        format!("query ($a: {}Int{}) {{ __typename }}", "[".repeat(100_000), "]".repeat(100_000));
    hostile.refused(&kinds, &[PARSE, LIMIT, VALIDATION]).await;
    hostile.unharmed().await;
}

#[tokio::test]
async fn fragments_that_never_end_or_explode() {
    let mut hostile = Hostile::demo();
    let user = |fragments: &str| format!("{{ user(id: 1) {{ ...A }} }} {fragments}");
    let cycle = user("fragment A on User { name ...B } fragment B on User { id ...A }");
    let body = hostile.refused(&cycle, &[VALIDATION, LIMIT]).await;
    assert!(body["errors"][0]["locations"][0]["line"].is_u64(), "{body}");
    let selfish = user("fragment A on User { orders { buyer { ...A } } }");
    hostile.refused(&selfish, &[VALIDATION, LIMIT]).await;

    // Two spreads a level: 2 kB of text, 2^30 selections where fragments are expanded blindly.
    for level in [
        "fragment F@ on User { ...F# ...F# }",
        "fragment F@ on User { a@: id ... on User { ...F# } ... on Node { id } ...F# }",
        "fragment F@ on User { a: orders { buyer { ...F# } } b: orders { buyer { ...F# } } }",
    ] {
        let levels: String = (1..30)
            .map(|n| level.replace('@', &n.to_string()).replace('#', &(n - 1).to_string()))
            .collect();
        let query = format!("{{ users {{ ...F29 }} }} fragment F0 on User {{ id }} {levels}");
        let answer = hostile.post(json!({ "query": query }).to_string()).await;
        if answer.status != 200 {
            refusal(&answer, &[LIMIT, VALIDATION]);
        }
    }
    hostile.unharmed().await;
}

/// Overlap checking and merging are where quadratic work hides.
#[tokio::test]
async fn many_of_everything() {
    let mut hostile = Hostile::demo();
    let many = |text: &dyn Fn(usize) -> String| (0..1_200).map(text).collect::<String>();
    let queries = [
        format!("{{ {} }}", many(&|_| "user(id: 1) { id } ".into())),
        format!("{{ {} }}", many(&|n| format!("a{n}: user(id: 1) {{ id }} "))),
        format!("{{ {} }}", many(&|n| format!("a: user(id: {n}) {{ id }} "))),
        format!("{{ user(id: 1) {{ {} }} }}", many(&|_| "... on User { id } ".into())),
        format!(
            "{{ user(id: 1) {{ ...A }} }} fragment A on User {{ id }} {}",
            many(&|n| format!("fragment F{n} on User {{ id }} "))
        ),
        format!("{{ __typename {} }}", "@skip(if: false) ".repeat(800)),
        many(&|n| format!("query Q{n} {{ __typename }} ")),
        format!("query ({}) {{ __typename }}", many(&|n| format!("$v{n}: Int "))),
        format!("{{ {} }}", many(&|n| format!("unknown{n} "))),
        format!("{{ {} }}", "a".repeat(500_000)),
        format!("{{ user(id: \"{}\") {{ id }} }}", "x".repeat(200_000)),
        "{ user(id: 1) { id } } ".repeat(500),
    ];
    for query in queries {
        let answer = hostile.post(json!({ "query": query }).to_string()).await;
        if answer.status != 200 {
            refusal(&answer, &[PARSE, VALIDATION, LIMIT, "OPERATION_NOT_FOUND"]);
        }
    }
    hostile.unharmed().await;
}

/// A graph that comes back to where it was is small in the store, and 50^6 orders when it is written out.
#[tokio::test]
async fn a_little_data_that_would_be_written_without_end() {
    let mut hostile = Hostile::demo();
    let around = (0..5)
        .fold("id".to_owned(), |inner, _| format!("buyer {{ orders(first: 50) {{ {inner} }} }}"));
    let query = format!("{{ user(id: 1) {{ orders(first: 50) {{ {around} }} }} }}");
    let answer = hostile.post(json!({ "query": query }).to_string()).await.json();
    assert_eq!(answer["data"], Value::Null);
    assert_eq!(answer["errors"][0]["extensions"]["code"], LIMIT, "{answer}");
    hostile.unharmed().await;
}

#[tokio::test]
async fn operations_by_name() {
    let mut hostile = Hostile::demo();
    let query = "query A { user(id: 1) { id } } query B { user(id: 2) { id } }";
    let ask = |name: Value| json!({ "query": query, "operationName": name }).to_string();
    // The same text under two names, again and again: a cache that forgets the name would mix them up.
    for _ in 0..3 {
        for (name, id) in [("A", "1"), ("B", "2")] {
            let answer = hostile.post(ask(json!(name))).await.json();
            assert_eq!(answer, json!({ "data": { "user": { "id": id } } }));
        }
    }
    for name in [json!("C"), json!(null), json!("")] {
        let answer = hostile.post(ask(name)).await;
        refusal(&answer, &["OPERATION_NOT_FOUND"]);
    }
    hostile.unharmed().await;
}

/// Every mistake is told with its place, all of them together.
#[tokio::test]
async fn mistakes_have_their_place() {
    let mut hostile = Hostile::demo();
    let cases: [(&str, &[(u64, u64)]); 6] = [
        ("{\n  nope\n  user(id: 1) { id nope }\n}", &[(2, 3), (3, 20)]),
        ("{ user(id: 1, no: 2) { id } }", &[(1, 15)]),
        ("{ user { id } }", &[(1, 3)]),
        ("{ a: user(id: 1) { id } a: user(id: 2) { id } }", &[(1, 25)]),
        ("{ user(id: 1) }", &[(1, 3)]),
        ("query ($x: Int) { user(id: $x) { id } }", &[(1, 24)]),
    ];
    for (query, places) in cases {
        let body = hostile.refused(query, &[VALIDATION]).await;
        let errors = body["errors"].as_array().expect("errors");
        assert_eq!(errors.len(), places.len(), "{query}: {body}");
        for (error, (line, column)) in errors.iter().zip(places) {
            let place = &error["locations"][0];
            assert_eq!(place, &json!({ "line": line, "column": column }), "{query}: {body}");
        }
    }
    let body = hostile.refused("{ user(id: 1) {", &[PARSE]).await;
    assert!(body["errors"][0]["locations"][0]["line"].is_u64(), "{body}");
    hostile.unharmed().await;
}

#[tokio::test]
async fn a_path_argument_stays_in_its_segment() {
    let mut hostile = Hostile::demo();
    for id in ["..", ".", ""] {
        let query = json!({ "query": "query ($id: ID!) { user(id: $id) { id } }", "variables": { "id": id } });
        let body = hostile.post(query.to_string()).await.json();
        assert_eq!(body["data"], json!({ "user": null }), "{id}");
        assert_eq!(body["errors"][0]["extensions"]["code"], "INVALID_REQUEST", "{id}: {body}");
    }
    // These are encoded, so they name a user that does not exist, and not `/orders/1`.
    for id in [
        "%2e%2e",
        "../orders/1",
        "..%2forders%2f1",
        "1?x=1",
        "1#",
        "1/../2",
        "\u{0}",
        "1\r\nx: y",
        "é",
    ] {
        let query = json!({ "query": "query ($id: ID!) { user(id: $id) { id } }", "variables": { "id": id } });
        let body = hostile.post(query.to_string()).await.json();
        assert_eq!(body["data"], json!({ "user": null }), "{id}: {body}");
    }
    hostile.unharmed().await;
}
