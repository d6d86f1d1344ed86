//! Against a service that Python's grpcio serves (`tests/python/server.py`): described by reflection, called, refused,
//! streamed.

use crate::support::client::Http;
use crate::support::gateway::Gateway;
use crate::support::listener::Listener;
use crate::support::process;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

const SDL: &str = r#"
scalar Int64
type Query {
  book(id: ID!): Book @grpc(
    source: "books"
    method: "bookshop.v1.Books/GetBook"
    message: "id: $args.id"
    select: "id title authors copies binding published cents: price.cents kiel: stock.Kiel"
    errors: { message: "$.message", extensions: "field: $.details->first.field_violations->first.field type: $.details->first.'@type'" }
  )
  echo(tenant: String!): Echo @grpc(
    source: "books"
    method: "bookshop.v1.Books/Echo"
    metadata: { name: "x-tenant", value: "$args.tenant" }
    select: "tenant authorization secondsLeft: seconds_left"
  )
}
type Subscription {
  books(count: Int!): Book @grpc(source: "books", method: "bookshop.v1.Books/WatchBooks", message: "count: $args.count", select: "id title")
}
type Book {
  id: ID!
  title: String
  authors: [String!]
  copies: Int64
  binding: Binding
  published: String
  cents: Int64
  kiel: Int
}
enum Binding { BINDING_UNSPECIFIED BINDING_PAPERBACK }
type Echo { tenant: String authorization: String secondsLeft: Float }
"#;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python")
}

fn python() -> Command {
    let python = folder().join(".venv/bin/python");
    assert!(python.exists(), "run `./test`, which installs tests/python/requirements.txt");
    Command::new(python)
}

/// A server that ends with it.
struct Books {
    child: Child,
    address: String,
}

impl Books {
    fn start() -> Self {
        let mut command = python();
        command.arg(folder().join("server.py")).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("Python runs");
        let mut port = String::new();
        let output = child.stdout.take().expect("piped");
        BufReader::new(output).read_line(&mut port).expect("text");
        assert!(!port.trim().is_empty(), "the server printed no port");
        Self { child, address: format!("127.0.0.1:{}", port.trim()) }
    }

    fn config(&self, descriptors: &str) -> String {
        let address = &self.address;
        format!(
            "sources:\n  books:\n    grpc: {{ url: \"http://{address}\", {descriptors} }}\n    \
             auth: {{ bearer: t0ken }}\n    timeout: 3s\n"
        )
    }

    async fn gateway(&self, descriptors: &str) -> Gateway {
        let folder = tempfile::tempdir().expect("a folder");
        let gateway = Gateway::start(folder.path(), SDL, &self.config(descriptors)).await;
        gateway.unwrap_or_else(|problems| panic!("{problems}"))
    }
}

impl Drop for Books {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

async fn ask(gateway: &Gateway, query: &str) -> Value {
    Http::new().ask(&gateway.url, query).await.json()
}

const BOOK: &str = r#"{ book(id: "b1") { id title authors copies binding published cents kiel } }"#;

fn book() -> Value {
    json!({ "data": { "book": {
        "id": "b1",
        "title": "Sylvie and Bruno",
        "authors": ["Carroll"],
        "copies": 9_007_199_254_740_993_i64,
        "binding": "BINDING_PAPERBACK",
        "published": "1889-12-12T00:00:00Z",
        "cents": 1250,
        "kiel": 3,
    } } })
}

#[tokio::test]
async fn a_service_of_grpcio_is_described_by_reflection_and_called() {
    let books = Books::start();
    let gateway = books.gateway("reflection: true").await;
    assert_eq!(ask(&gateway, BOOK).await, book());
    let absent = ask(&gateway, r#"{ book(id: "absent") { id } }"#).await;
    assert_eq!(absent, json!({ "data": { "book": null } }), "NOT_FOUND");
    let refused = ask(&gateway, r#"{ book(id: "") { id } }"#).await;
    assert_eq!(refused["data"], json!({ "book": null }));
    let error = &refused["errors"][0];
    assert_eq!(error["message"], "an id is needed");
    assert_eq!(error["extensions"]["field"], "id");
    assert_eq!(error["extensions"]["type"], "type.googleapis.com/google.rpc.BadRequest");
}

#[tokio::test]
async fn grpcio_sees_metadata_credentials_and_the_deadline() {
    let books = Books::start();
    let gateway = books.gateway("reflection: true").await;
    let query = r#"{ echo(tenant: "acme") { tenant authorization secondsLeft } }"#;
    let answer = ask(&gateway, query).await;
    let echo = &answer["data"]["echo"];
    assert_eq!((&echo["tenant"], &echo["authorization"]), (&json!("acme"), &json!("Bearer t0ken")));
    let left = echo["secondsLeft"].as_f64().expect("a number");
    assert!(left > 1.0 && left <= 3.0, "the source's timeout is 3 s, and {left} s were left");
}

#[tokio::test]
async fn a_stream_of_grpcio_is_a_subscription() {
    let books = Books::start();
    let gateway = books.gateway("reflection: true").await;
    let query = "subscription { books(count: 3) { id title } }";
    let mut events = Listener::events(&gateway.url, query).await;
    for number in 1..=3 {
        let book = json!({ "id": number.to_string(), "title": format!("Volume {number}") });
        assert_eq!(events.answer().await, Some(json!({ "data": { "books": book } })));
    }
    assert_eq!(events.answer().await, None);
}

#[tokio::test]
async fn a_set_that_protoc_made_and_a_folder_of_protos_describe_the_same_service() {
    let books = Books::start();
    let sets = tempfile::tempdir().expect("a folder");
    let set = sets.path().join("books.binpb");
    let made = python()
        .args(["-m", "grpc_tools.protoc", "--include_imports", "-I"])
        .arg(folder())
        .arg(format!("--descriptor_set_out={}", set.display()))
        .arg("bookshop.proto")
        .status();
    assert!(made.expect("Python runs").success());
    for descriptors in
        [format!("descriptors: {}", set.display()), format!("protos: [{}]", folder().display())]
    {
        let gateway = books.gateway(&descriptors).await;
        assert_eq!(ask(&gateway, BOOK).await, book(), "{descriptors}");
    }
}

#[test]
fn every_command_that_loads_asks_the_service() {
    let books = Books::start();
    let folder = tempfile::tempdir().expect("a folder");
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).expect("a file");
        path.display().to_string()
    };
    file("schema.graphql", SDL);
    let config = file("portcullis.yaml", &books.config("reflection: true"));
    let operation = file("book.query", BOOK);
    let (check, explain) =
        (vec!["check", "--config", &config], vec!["explain", &operation, "--config", &config]);
    for command in [&check, &explain] {
        let output = process::run(command);
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{command:?}: {said}");
    }
    let address = books.address.clone();
    drop(books);
    for command in [&check, &explain] {
        let output = process::run(command);
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said);
        assert_eq!(output.status.code(), Some(1), "{command:?}: {said}");
        assert!(said.contains(&address) && said.contains("`descriptors: "), "{said}");
        assert_eq!(said.matches("error[").count(), 1, "{said}");
    }
}
