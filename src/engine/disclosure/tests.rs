//! Operations that are refused in every way that names something, against a schema whose every name
//! is a marker.

use super::*;
use crate::engine::testing::{Upstream, body, failure, request};
use crate::engine::{Engine, GuardMode, Request, Settings};
use crate::source::ErrorKind;
use serde_json::{Map, json};

const SDL: &str = r#"
directive @secretMark(secretReason: String) on FIELD
scalar SecretDate
enum SecretColor { SECRET_RED SECRET_BLUE }
input SecretFilter { secretName: String! secretColors: [SecretColor!] secretNested: SecretFilter secretCount: Int }
interface SecretNode { secretKey: ID! }
type SecretUser implements SecretNode {
  secretKey: ID! secretAge: Int! secretColor: SecretColor secretName: String secretWhen: SecretDate
  secretOrders(secretFirst: Int, secretLast: Int): [SecretOrder!]
    @listSize(slicingArguments: ["secretFirst", "secretLast"])
    @call(source: "crm", target: "/orders?first={$args.secretFirst}&last={$args.secretLast}")
}
type SecretOrder { secretTotal: Int! secretOwner: SecretUser }
type SecretShop implements SecretNode { secretKey: ID! secretStreet: String }
union SecretThing = SecretUser | SecretShop
type Query {
  secretUser(secretId: ID!, secretFilter: SecretFilter, secretSort: SecretColor = SECRET_RED): SecretUser
    @call(source: "crm", target: "/user/{$args.secretId}")
  secretThings: [SecretThing!] @call(source: "crm", target: "/things")
  secretNodes: [SecretNode!] @call(source: "crm", target: "/nodes")
  secretDates(secretList: [Int!]!): [SecretDate] @call(source: "crm", target: "/dates")
  secretAdmin: String @requiresScopes(scopes: [["secret:read"]]) @call(source: "crm", target: "/admin")
  value: Int @call(source: "crm", target: "/value")
}
type Mutation { secretRename(secretTo: String!): SecretUser @call(source: "crm", target: "/rename") }
type Subscription { secretTold(secretOf: ID!): SecretUser @call(source: "crm", target: "/told", stream: true) }
"#;

/// Refused, or answered with errors.
const OPERATIONS: &[&str] = &[
    "{",
    "{ a(",
    "{ nope }",
    "{ value { nope } }",
    "{ secretUser { nope } }",
    "{ secretUser(secretId: 1) }",
    "{ secretUser(secretId: 1) { nope } }",
    "{ secretUser(secretId: 1) { secretColor { x } } }",
    "{ secretUser(secretId: 1) { secretAge { x } } }",
    "{ secretUser(secretId: 1, nope: 2) { secretKey } }",
    "{ secretUser(secretId: 1) { secretOrders(nope: 1) { secretTotal } } }",
    "{ secretUser(secretId: 1) { secretOrders { secretTotal } } }",
    "{ secretUser(secretId: 1) { secretOrders(secretFirst: 1, secretLast: 2) { secretTotal } } }",
    "{ secretUser(secretId: 1) { secretOrders(secretFirst: 1) } }",
    "{ secretUser(secretId: null) { secretKey } }",
    "{ secretUser(secretId: [1]) { secretKey } }",
    "{ secretUser(secretId: 1.5) { secretKey } }",
    "{ secretUser(secretId: 1, secretSort: PURPLE) { secretKey } }",
    "{ secretUser(secretId: 1, secretSort: \"SECRET_RED\") { secretKey } }",
    "{ secretUser(secretId: 1, secretSort: 3) { secretKey } }",
    "{ secretUser(secretId: 1, secretFilter: {}) { secretKey } }",
    "{ secretUser(secretId: 1, secretFilter: { nope: 1 }) { secretKey } }",
    "{ secretUser(secretId: 1, secretFilter: { secretName: 1 }) { secretKey } }",
    "{ secretUser(secretId: 1, secretFilter: { secretName: null }) { secretKey } }",
    "{ secretUser(secretId: 1, secretFilter: { secretName: \"a\", secretColors: [X] }) { secretKey } }",
    "{ secretUser(secretId: 1, secretFilter: { secretName: \"a\", secretNested: { } }) { secretKey } }",
    "{ secretUser(secretId: 1, secretFilter: 7) { secretKey } }",
    "{ secretUser(secretId: 1, secretId: 2) { secretKey } }",
    "{ secretDates(secretList: [1, \"a\"]) }",
    "{ secretDates(secretList: {}) }",
    "{ secretDates(secretList: [1]) { x } }",
    "{ secretThings { nope } }",
    "{ secretThings { secretKey } }",
    "{ secretThings }",
    "{ secretThings { ... on Nope { x } } }",
    "{ secretThings { ... on Query { value } } }",
    "{ secretUser(secretId: 1) { ... on Mutation { x } } }",
    "{ secretNodes { nope } }",
    "{ secretNodes { secretStreet } }",
    "{ secretNodes { ... on String { x } } }",
    "{ ...F } fragment F on Nope { x }",
    "{ ...F } fragment F on Query { nope }",
    "{ ...Nope }",
    "{ value } fragment F on Query { value }",
    "{ value @nope }",
    "{ value @skip }",
    "{ value @skip(if: 3) }",
    "query @skip(if: true) { value }",
    "{ value @secretMark(nope: 1) }",
    "{ value @secretMark(secretReason: 4) }",
    "{ a: value a: secretAdmin }",
    "{ secretUser(secretId: 1) { secretKey } secretUser(secretId: 2) { secretKey } }",
    "query($x: Int) { value }",
    "query($x: Int, $x: Int) { secretDates(secretList: [$x]) }",
    "query($x: Nope) { secretUser(secretId: $x) { secretKey } }",
    "query($x: String) { secretUser(secretId: $x) { secretKey } }",
    "query($x: [Int]) { secretDates(secretList: $x) }",
    "query($x: Boolean) { secretUser(secretId: 1, secretFilter: $x) { secretKey } }",
    "query($x: Boolean) { secretUser(secretId: 1, secretFilter: { secretName: $x }) { secretKey } }",
    "query($x: Boolean = 3) { value @skip(if: $x) }",
    "{ secretUser(secretId: $x) { secretKey } }",
    "mutation { nope }",
    "mutation { secretRename { secretKey } }",
    "mutation { secretRename(secretTo: 4) { secretKey } }",
    "subscription { nope }",
    "subscription { secretTold(secretOf: 1) { nope } }",
    "subscription { secretTold { secretKey } }",
    "subscription { a: secretTold(secretOf: 1) { secretKey } b: secretTold(secretOf: 1) { secretKey } }",
    "{ __schema { types { name } } }",
    "{ __type(name: \"X\") { fields { nope } } }",
    "type Nope { x: Int }",
    "query A { value } query A { value }",
    "query A { value } query B { value }",
    "{ secretAdmin }",
    "{ secretUser(secretId: 1) { secretAge secretColor secretOrders(secretFirst: 3) { secretTotal } } }",
    "{ x: secretUser(secretId: \"..\") { secretKey } }",
    "{ secretThings { ... on SecretUser { secretKey } } }",
    "{ value }",
    "{ toolong: secretUser(secretId: 1, secretFilter: { secretName: \"a\" aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa: 1 }) { secretKey } }",
];

/// Invalid variables.
const OF_VARIABLES: &str = "query($id: ID!, $f: SecretFilter, $c: SecretColor, $n: Int) {
    secretUser(secretId: $id, secretFilter: $f, secretSort: $c) { secretOrders(secretFirst: $n) { secretTotal } }
}";

fn variables() -> Vec<Value> {
    vec![
        json!({}),
        json!({ "id": null }),
        json!({ "id": [1] }),
        json!({ "id": 1, "f": 3 }),
        json!({ "id": 1, "f": {} }),
        json!({ "id": 1, "f": { "nope": 1 } }),
        json!({ "id": 1, "f": { "secretName": 1 } }),
        json!({ "id": 1, "f": { "secretName": "a", "secretColors": ["X"] } }),
        json!({ "id": 1, "f": { "secretName": "a", "secretNested": {} } }),
        json!({ "id": 1, "c": "PURPLE" }),
        json!({ "id": 1, "c": 4 }),
        json!({ "id": 1, "n": "many" }),
        json!({ "id": 1, "n": 3_000_000_000_u64 }),
        json!({ "id": 1, "n": 2_000_000_000 }),
    ]
}

fn engine(change: impl Fn(&mut Settings)) -> Engine {
    let upstream = Upstream::new(|target| match target {
        "/admin" | "/things" => Err(failure(ErrorCode::UpstreamStatus, ErrorKind::Failed)),
        "/value" => Ok(json!("text")),
        _ => Ok(json!({ "secretKey": 1, "secretAge": null, "secretColor": "GREEN" })),
    });
    let mut settings = Settings::default();
    change(&mut settings);
    Engine::new(upstream.graph(SDL), settings)
}

/// Returns the names of the schema (including those that the specification gives every schema) that
/// are in the response but not in the request.
async fn disclosed(engine: &Engine, query: &str, variables: &Value) -> (String, Vec<String>) {
    let mut names = HashSet::new();
    collect(&engine.graph.schema, &mut names);
    let Value::Object(given) = variables.clone() else { panic!("an object") };
    let asked = Request { variables: given, ..request(query) };
    let response = match engine.subscribe(asked).await {
        Ok(crate::engine::Answers::One(response)) | Err(response) => response,
        Ok(crate::engine::Answers::Many(_)) => return (String::new(), Vec::new()),
    };
    let answer = body(&response);
    let mut errors = answer["errors"].as_array().cloned().unwrap_or_default();
    for error in &mut errors {
        // Its name, and the owner of a path's keys, are checked elsewhere.
        error["extensions"].as_object_mut().map(|members| members.remove("source"));
    }
    let text = Value::from(errors).to_string();
    let written = format!("{query} {variables}");
    let is_code = |name: &str| name == "errors";
    let found = names.iter().filter(|name| {
        let marked =
            name.to_lowercase().starts_with("secret") || name.chars().any(char::is_uppercase);
        marked && !is_code(name) && has_word(&text, name) && !has_word(&written, name)
    });
    let found = found.map(ToString::to_string).collect();
    (text, found)
}

#[tokio::test]
async fn no_answer_names_what_the_client_did_not_write() {
    let settings: [fn(&mut Settings); 4] = [
        |_| {},
        |settings| settings.guards = GuardMode::Reject,
        |settings| settings.limits.cost.limit = 1.into(),
        |settings| settings.limits.fan_out = 0.into(),
    ];
    for change in settings {
        let engine = engine(change);
        for query in OPERATIONS {
            let (text, found) = disclosed(&engine, query, &json!({})).await;
            assert_eq!(found, Vec::<String>::new(), "{query}\n{text}");
        }
        for variables in variables() {
            let (text, found) = disclosed(&engine, OF_VARIABLES, &variables).await;
            assert_eq!(found, Vec::<String>::new(), "{variables}\n{text}");
        }
    }
}

#[tokio::test]
async fn with_introspection_messages_name_the_schema() {
    let engine = engine(|settings| settings.introspection = true);
    let mut all = String::new();
    for query in OPERATIONS {
        all.push_str(&disclosed(&engine, query, &json!({})).await.0);
    }
    for name in ["SecretUser", "SecretColor", "SecretFilter", "secretId"] {
        assert!(all.contains(name), "{name} is never named: {all}");
    }
}

fn redacted(message: &str, text: &str) -> String {
    let engine = engine(|_| {});
    let mut errors = [Error::new(ErrorCode::ValidationFailed, message)];
    engine.disclosure.of_refusal(&mut errors, text);
    errors[0].message.clone()
}

#[test]
fn messages_stay_readable() {
    for (message, expected) in [
        (
            "type `SecretUser` does not have a field `nope`",
            "type (hidden) does not have a field `nope`",
        ),
        (
            "the required argument `Query.secretUser(secretId:)` is not provided",
            "the required argument `secretUser(…:)` is not provided",
        ),
        (
            "expected value of type [SecretFilter!]!, found a string",
            "expected value of type (hidden), found a string",
        ),
        (
            "variable `$x` of type `Int` cannot be used",
            "variable `$x` of type `Int` cannot be used",
        ),
        ("the value of `value` is `value`", "the value of (hidden) is (hidden)"),
        (
            "`Query.secretUser` must be given exactly one of `secretId`, `secretSort`",
            "`secretUser` must be given exactly one of (hidden), (hidden)",
        ),
        ("cut off at `SecretFil…", "cut off at (hidden)"),
        ("nothing of the schema: `a`, \"b\" & ü", "nothing of the schema: `a`, \"b\" & ü"),
    ] {
        assert_eq!(redacted(message, "query($x: Int) { secretUser nope }"), expected);
    }
}

#[test]
fn variables_of_a_schema_s_name_are_the_client_s() {
    let text = "query($secretId: Int) { nope }";
    assert_eq!(redacted("variable `$secretId` is unused", text), "variable `$secretId` is unused");
}

#[test]
fn errors_at_fields_name_their_source_and_their_keys() {
    let engine = engine(|_| {});
    let mut error = Error::new(ErrorCode::UpstreamUnavailable, "`secretUser` cannot be reached");
    error.extensions = Map::from_iter([("source".to_owned(), "secretUser".into())]);
    let mut errors =
        [error, Error::new(ErrorCode::InvalidRequest, "the message field `inner` of `secretUser`")];
    errors[1].path = vec![PathSegment::Key("secretUser".into())];
    engine.disclosure.of_fields(&mut errors);
    assert_eq!(errors[0].message, "`secretUser` cannot be reached");
    assert_eq!(errors[1].message, "the message field (hidden) of `secretUser`");
    assert_eq!(errors[1].path.len(), 1);
}
