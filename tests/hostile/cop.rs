//! What scanners of GraphQL endpoints look for (graphql-cop and its kin), against a gateway as it comes: nothing is
//! configured but a schema and a source.

use crate::support::client::{Answer, Http};
use crate::support::gateway::Gateway;
use crate::support::upstream::Upstream;
use serde_json::{Value, json};

const SDL: &str = "\
    type Query { secretUsers: [User] @rest(source: \"api\", GET: \"/users\") broken: User @rest(source: \"api\", GET: \"/broken\") }\n\
    type Mutation { change: Int @rest(source: \"api\", POST: \"/change\") }\n\
    type User { id: ID name: String friends: [User] }\n";

struct Scan {
    gateway: Gateway,
    upstream: Upstream,
    http: Http,
    _folder: tempfile::TempDir,
}

impl Scan {
    async fn start() -> Self {
        let upstream = Upstream::start(Some("\"s3cret words of a stack trace\"")).await;
        let folder = tempfile::tempdir().unwrap();
        let config =
            format!("sources: {{ api: {{ rest: {{ url: \"http://{}\" }} }} }}\n", upstream.address);
        let gateway = Gateway::start(folder.path(), SDL, &config).await.unwrap();
        Self { gateway, upstream, http: Http::new(), _folder: folder }
    }

    async fn ask(&self, query: &str) -> Answer {
        self.http.ask(&self.gateway.url, query).await
    }

    async fn send(&self, method: &str, target: &str, headers: &[(&str, &str)]) -> Answer {
        let mut request = http::Request::builder().method(method).uri(target);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.http.send(request.body(http_body_util::Full::default()).unwrap()).await
    }

    /// A refusal with this code, and nothing was asked of the source.
    async fn refused(&self, query: &str, code: &str) -> Value {
        let answer = self.ask(query).await;
        let body = answer.json();
        assert_eq!(body["errors"][0]["extensions"]["code"], code, "{body}");
        assert!(answer.status >= 400 && body.get("data").is_none(), "{body}");
        assert_eq!(self.upstream.count().came, 0);
        body
    }

    fn root(&self) -> &str {
        self.gateway.url.strip_suffix("/graphql").unwrap()
    }
}

const LIMIT: &str = "LIMIT_EXCEEDED";

/// Aliases, duplicated fields, directives and circular fragments: all counted before anything is asked.
#[tokio::test]
async fn overloading() {
    let scan = Scan::start().await;
    let many =
        |count: usize, text: &dyn Fn(usize) -> String| (0..count).map(text).collect::<String>();
    let aliases = many(101, &|n| format!("alias{n}: __typename "));
    scan.refused(&format!("{{ {aliases} }}"), LIMIT).await;
    let below = many(101, &|n| format!("alias{n}: id "));
    scan.refused(&format!("{{ secretUsers {{ {below} }} }}"), LIMIT).await;
    let fields = "__typename ".repeat(500);
    scan.refused(&format!("{{ {fields} }}"), LIMIT).await;
    scan.refused(&format!("{{ secretUsers {{ {} }} }}", "id ".repeat(10_001)), LIMIT).await;
    let directives = "@include(if: true) ".repeat(60);
    scan.refused(&format!("{{ __typename {directives} }}"), LIMIT).await;
    let unknown = "@aa ".repeat(60);
    scan.refused(&format!("{{ __typename {unknown} }}"), LIMIT).await;
    let deep = format!("{}id{}", "friends { ".repeat(50), " }".repeat(50));
    scan.refused(&format!("{{ secretUsers {{ {deep} }} }}"), LIMIT).await;
    let circle = "{ secretUsers { ...A } } fragment A on User { friends { ...A } }";
    scan.refused(circle, "GRAPHQL_VALIDATION_FAILED").await;
}

#[tokio::test]
async fn lists_of_operations() {
    let scan = Scan::start().await;
    let list = vec![json!({ "query": "{ __typename }" }); 10];
    let answer = scan.http.post(&scan.gateway.url, &[], json!(list).to_string()).await;
    assert_eq!(answer.json()["errors"][0]["extensions"]["code"], "BAD_REQUEST");
    assert!(answer.status >= 400 && !answer.text().contains("Query"), "{}", answer.text());
}

#[tokio::test]
async fn introspection() {
    let scan = Scan::start().await;
    let ways = [
        "{ __schema { types { name } } }",
        "query { __schema { queryType { name } } }",
        "{ x: __type(name: \"User\") { fields { name type { fields { name type { fields { name } } } } } } }",
        "{ ...F } fragment F on Query { __schema { directives { name } } }",
    ];
    for query in ways {
        let body = scan.refused(query, "INTROSPECTION_DISABLED").await;
        assert!(!body.to_string().contains("secretUsers"), "{body}");
    }
}

/// A mistake is told in the words of who made it: no name that was not in the request.
#[tokio::test]
async fn suggestions() {
    let scan = Scan::start().await;
    let wrong = [
        "{ secretUser { id } }",
        "{ SecretUsers { id } }",
        "{ secretUsers { nme } }",
        "{ secretUsers { ... on Usr { id } } }",
        "{ secretUsers(frst: 1) { id } }",
        "mutation { chang }",
        "query ($x: Usr) { __typename }",
        "{ secretUsers @inclde(if: true) { id } }",
        "{ __typenam }",
    ];
    let names = ["secretUsers", "friends", "name", "broken", "change", "User"];
    for query in wrong {
        let body = scan.refused(query, "GRAPHQL_VALIDATION_FAILED").await;
        for error in body["errors"].as_array().unwrap() {
            let message = error["message"].as_str().unwrap();
            assert!(!message.to_lowercase().contains("did you mean"), "{query}: {message}");
            let leaks =
                |name: &&&str| message.contains(&format!("`{name}`")) && !query.contains(**name);
            // The type of a field that was asked for is said, the names in it are not.
            let leaked = names.iter().filter(leaks).find(|name| **name != "User");
            assert!(leaked.is_none(), "{query}: {leaked:?} in {message}");
        }
    }
}

#[tokio::test]
async fn consoles() {
    let scan = Scan::start().await;
    let html = [("accept", "text/html,application/xhtml+xml")];
    for path in [
        "/",
        "/graphql",
        "/graphiql",
        "/playground",
        "/console",
        "/altair",
        "/v1/graphql",
        "/explorer",
    ] {
        let answer = scan.send("GET", &format!("{}{path}", scan.root()), &html).await;
        assert!(answer.status >= 400, "{path}: {}", answer.status);
        let text = answer.text().to_lowercase();
        assert!(!text.contains("<html") && !text.contains("graphiql"), "{path}: {text}");
    }
}

/// What a form, an image or a link of another site could send.
#[tokio::test]
async fn forgery() {
    let scan = Scan::start().await;
    let url = &scan.gateway.url;
    let answer = scan.send("GET", &format!("{url}?query=mutation%7Bchange%7D"), &[]).await;
    assert_eq!(answer.status, 405);
    for media in
        ["application/x-www-form-urlencoded", "text/plain", "multipart/form-data; boundary=x"]
    {
        for body in ["query=mutation%7Bchange%7D", "{\"query\":\"mutation { change }\"}"] {
            let answer = scan.http.post(url, &[("content-type", media)], body).await;
            assert_eq!(answer.json()["errors"][0]["extensions"]["code"], "CSRF_BLOCKED", "{media}");
        }
    }
    let foreign = [("sec-fetch-site", "cross-site"), ("origin", "https://evil.example")];
    let answer = scan.send("GET", &format!("{url}?query=%7B__typename%7D"), &foreign).await;
    assert_eq!(answer.json()["errors"][0]["extensions"]["code"], "CSRF_BLOCKED");
    let allowed = answer.headers.contains_key("access-control-allow-origin");
    assert!(!allowed && scan.upstream.count().came == 0);
}

#[tokio::test]
async fn traces_and_details() {
    let scan = Scan::start().await;
    let asked =
        [("apollo-tracing", "1"), ("apollo-federation-include-trace", "ftv1"), ("x-debug", "1")];
    let body = json!({ "query": "{ __typename }", "extensions": { "tracing": true } }).to_string();
    let answer = scan.http.post(&scan.gateway.url, &asked, body).await.json();
    assert!(answer["extensions"].get("tracing").is_none(), "{answer}");
    assert!(answer["extensions"].get("ftv1").is_none(), "{answer}");
    // A service that says what it should not: a text where an object is due.
    let answer = scan.ask("{ broken { id } }").await;
    let body = answer.json();
    assert_eq!(body["errors"].as_array().map(Vec::len), Some(1), "{body}");
    assert!(body["errors"][0]["extensions"]["errorId"].is_string(), "{body}");
    for part in ["s3cret", "stack", "src/", ".rs", "127.0.0.1"] {
        assert!(!answer.text().contains(part), "{part} in {body}");
    }
}

#[tokio::test]
async fn banners() {
    let scan = Scan::start().await;
    for target in ["/graphql?query=%7B__typename%7D", "/health", "/ready", "/none", "/graphql"] {
        let answer = scan.send("GET", &format!("{}{target}", scan.root()), &[]).await;
        for name in ["server", "x-powered-by", "via"] {
            assert!(!answer.headers.contains_key(name), "{target}: {name}");
        }
        let said = answer.text().to_lowercase();
        assert!(!said.contains("portcullis") && !said.contains("hyper"), "{target}: {said}");
    }
}
