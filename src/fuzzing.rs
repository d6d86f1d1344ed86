//! What fuzzers call, and tests that replay what fuzzers found: one function for each parser that a stranger's bytes
//! reach. None may panic, hang or overflow the stack, whatever the bytes are.
//!
//! The targets in `fuzz/` are one line each, so that `./test` replays `fuzz/corpus` through the same code. Nothing of
//! the product calls this.

use crate::config::Config;
use crate::engine::Engine;
use crate::gateway::{self, Gateway};
use crate::identity::{Identity, KeySource};
use crate::mapping::{Mapping, Position, Scope, Template, Variable, Variables};
use crate::problem::{SourceFile, render};
use crate::{demo, edge};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue};
use serde_json::{Map, Value, json};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime};
use tokio::runtime::{Builder, Runtime};

/// Takes any bytes; panics where something is wrong with the gateway.
pub type Target = fn(&[u8]);

/// Every target, by the name of its folder in `fuzz/corpus`.
pub const TARGETS: &[(&str, Target)] = &[
    ("body", body),
    ("query_string", query_string),
    ("document", document),
    ("variables", variables),
    ("token", token),
    ("mapping", mapping),
    ("config", config),
    ("json_reply", json_reply),
    ("manifest", manifest),
];

/// The body of a `POST`, alone and as a list.
pub fn body(bytes: &[u8]) {
    edge::fuzzing::body(bytes);
}

/// The query string of a `GET`.
pub fn query_string(bytes: &[u8]) {
    edge::fuzzing::query_string(&String::from_utf8_lossy(bytes));
}

/// A document: counted, parsed, validated and planned against the storefront's graph.
pub fn document(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Err(errors) = storefront().explain(text, None, &Map::new(), None) {
        assert!(!errors.is_empty(), "a refusal without a reason");
    }
}

/// Variables of every kind of input, and the calls that are rendered of them.
pub fn variables(bytes: &[u8]) {
    const DOCUMENT: &str = "
        query ($id: ID!, $first: Int! = 3, $ids: [ID!]! = [1], $on: Boolean! = true) {
          user(id: $id) { orders(first: $first) { id } }
          recommendedProducts(userId: $id) @include(if: $on) { name }
          byId: user(id: $id) @skip(if: $on) { name }
        }";
    if let Ok(Value::Object(variables)) = serde_json::from_slice(bytes) {
        // Unknown and ill-typed ones are refused; that is all there is to say.
        let _ = storefront().explain(DOCUMENT, None, &variables, None);
    }
}

/// A token as it comes in a header.
pub fn token(bytes: &[u8]) {
    static IDENTITY: OnceLock<(Runtime, Identity)> = OnceLock::new();
    let (runtime, identity) = IDENTITY.get_or_init(|| {
        let folder = root().join("examples/tokens");
        let mut auth = read(&folder, "portcullis.yaml").auth;
        // Given once, so that a `kid` that nobody knows is refused at once, and not waited for.
        let keys = std::fs::read_to_string(folder.join("jwks.json")).expect("the example's keys");
        for provider in &mut auth.providers {
            provider.keys = KeySource::Given(keys.clone());
        }
        (runtime(), Identity::new(&auth).expect("the example's keys are good"))
    });
    let Ok(value) = HeaderValue::from_bytes(&[b"Bearer ", bytes].concat()) else { return };
    let headers = HeaderMap::from_iter([(http::header::AUTHORIZATION, value)]);
    let now = SystemTime::UNIX_EPOCH + Duration::from_hours(500_000);
    // Refused or not, by whatever rule.
    let _ = runtime.block_on(identity.of_headers(&headers, now));
}

/// A mapping, a URL template and a value template, each evaluated over a small value.
pub fn mapping(bytes: &[u8]) {
    struct Given(Value);
    impl Variables for Given {
        fn value(&self, _: Variable) -> std::borrow::Cow<'_, Value> {
            std::borrow::Cow::Borrowed(&self.0)
        }
    }
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let current = json!({ "a": [1, { "b": "c" }, null], "d": { "e": -1.5, "f": true } });
    let scope = Scope { current: &current, variables: &Given(json!({ "a": [2], "id": "x/y" })) };
    if let Ok(mapping) = Mapping::parse(text) {
        let _ = mapping.evaluate(&scope);
    }
    if let Ok(url) = Template::parse_url(text) {
        let _ = url.render_url(&scope);
    }
    if let Ok(value) = Template::parse_value(text, Position::Text) {
        let _ = value.evaluate(&scope);
    }
}

/// `portcullis.yaml`, and its problems as they are shown.
pub fn config(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes).into_owned();
    let file = Arc::new(SourceFile { name: "portcullis.yaml".to_owned(), text });
    if let Err(problems) = Config::parse(&file, Path::new(""), &|_| None) {
        assert!(!problems.is_empty(), "a refusal without a problem");
        let _ = render(&problems, false);
    }
}

/// A reply of a REST service, read into the shape of an operation's first fetch.
pub fn json_reply(bytes: &[u8]) {
    const OPERATIONS: [&str; 3] = [
        "{ user(id: 1) { id name email age } }",
        "{ users(first: 2) { id name orders(first: 2) { id total { cents } } } }",
        "{ order(id: 1) { id total { cents currency } lines { quantity product { name } } } }",
    ];
    let reply = Bytes::copy_from_slice(bytes);
    let stages = storefront().stages();
    for operation in OPERATIONS {
        if let Ok(prepared) = stages.prepare(operation) {
            let _ = stages.read(&prepared, &reply);
        }
    }
}

/// A manifest of trusted documents.
pub fn manifest(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes).into_owned();
    let file = Arc::new(SourceFile { name: "manifest.json".to_owned(), text });
    if let Err(problems) = storefront().clone().with_documents(&[file]) {
        assert!(!problems.is_empty(), "a refusal without a problem");
        let _ = render(&problems, false);
    }
}

fn storefront() -> &'static Engine {
    static GATEWAY: OnceLock<(Runtime, Gateway)> = OnceLock::new();
    let (_, gateway) = GATEWAY.get_or_init(|| {
        let runtime = runtime();
        let config = parse(&root().join("schema"), demo::CONFIG);
        let gateway = runtime.block_on(gateway::assemble(&config)).map(|(gateway, _)| gateway);
        let gateway = gateway.unwrap_or_else(|problems| {
            unreachable!("the storefront loads: {}", render(&problems, false))
        });
        (runtime, gateway)
    });
    &gateway.engine
}

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().expect("a runtime needs only a thread")
}

/// Of the repository: fuzzers and tests run where it was built.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_path_buf()
}

fn read(folder: &Path, name: &str) -> Config {
    let text = std::fs::read_to_string(folder.join(name)).expect("a file of the repository");
    parse(folder, &text)
}

fn parse(folder: &Path, text: &str) -> Config {
    let file = SourceFile { name: "portcullis.yaml".to_owned(), text: text.to_owned() };
    Config::parse(&Arc::new(file), folder, &|_| None).expect("a configuration of the repository")
}
