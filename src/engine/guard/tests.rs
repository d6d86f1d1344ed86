//! Guards end to end: responses, calls to services, and every way that could lead around a rule.

mod objects;
mod random;
mod reject;
mod ways;

use crate::engine::testing::{Upstream, body, ids, request};
use crate::engine::{Engine, Request};
use crate::source::Caller;
use serde_json::{Value, json};
use std::sync::Arc;

/// Users and their posts. Fields whose name begins with `secret` are guarded.
const SDL: &str = r#"
type Query {
  user(id: ID!): User @lookup @call(source: "users", target: "/user/{$args.id}")
  usersById(ids: [ID!]! @is(field: "id")): [User]! @lookup
    @call(source: "users", target: "/users?ids={$args.ids->joinNotNull(',')}", batch: { max: 10 })
  posts: [Post!]! @call(source: "posts", target: "/posts", select: "id author: { id: author_id }")
  node(id: ID!): Node @call(source: "nodes", target: "/node/{$args.id}")
  search: [Found] @call(source: "nodes", target: "/search")
  grid: [[Found]] @call(source: "nodes", target: "/grid")
  vault: Vault @call(source: "vault", target: "/vault")
  vaults: [[Vault]] @call(source: "vault", target: "/vaults")
  locked: Locked @call(source: "vault", target: "/locked")
  secret: String @authenticated @call(source: "users", target: "/secret")
  own(id: ID!, by: String = "ada"): String @allow(if: "$claims.sub->eq($args.id)")
    @call(source: "users", target: "/own/{$args.id}")
  must: Must @call(source: "users", target: "/must")
}
type Mutation {
  first: String @call(source: "users", target: "/first")
  secretly: String @authenticated @call(source: "users", target: "/secretly")
  last: String @call(source: "users", target: "/last")
}
interface Node { id: ID! secretOf: String @authenticated }
union Found = User | Vault | Plain
interface Locked @requiresScopes(scopes: [["keys"]]) { id: ID! }
type User implements Node @key(fields: "id") {
  id: ID!
  name: String
  secretName: String @authenticated
  secretOf: String
  secretPosts: [Post!] @requiresScopes(scopes: [["posts", "read"], ["admin"]])
    @call(source: "posts", target: "/posts?of={$this.id}", select: "id author: { id: author_id }")
  level: Level
  token: Token
  mail: String @call(source: "mail", target: "/mail/{$this.secretName ?? '-'}")
  card(of: String @require(field: "secretName")): String @call(source: "mail", target: "/card/{$args.of ?? '-'}")
}
type Plain implements Node { id: ID! secretOf: String box: Box }
type Box { id: ID! weight: Int @call(source: "boxes", target: "/weight/{$this.id}") }
type Post { id: ID! author: User }
type Vault implements Locked & Node @authenticated {
  id: ID!
  gold: Int
  box: Box
  secretOf: String
  keeper: User @call(source: "users", target: "/keeper/{$this.id}")
}
type Must { id: ID! secretly: String! @authenticated inner: Must }
enum Level @authenticated { LOW HIGH }
scalar Token @requiresScopes(scopes: [["tokens"]])
"#;

fn person(id: &str) -> Value {
    json!({
        "__typename": "User", "id": id, "name": format!("n{id}"), "secretName": format!("s{id}"),
        "secretOf": "of", "level": "HIGH", "token": "t",
    })
}

/// Answers every call of [`SDL`].
fn answer(target: &str) -> Value {
    let vault = json!({ "__typename": "Vault", "id": "v", "gold": 9, "secretOf": "gold", "box": { "id": "gold" } });
    let plain =
        json!({ "__typename": "Plain", "id": "p", "secretOf": "plain", "box": { "id": "plain" } });
    match target.split('?').next().unwrap_or_default() {
        "/users" => ids(target).iter().map(|id| person(id)).collect(),
        "/posts" => json!([{ "id": "1", "author_id": "1" }, { "id": "2", "author_id": "2" }]),
        "/node/v" | "/vault" | "/locked" => vault,
        "/node/p" => plain,
        "/vaults" => json!([[vault.clone()], [vault, null]]),
        "/search" => json!([person("1"), vault, plain]),
        "/grid" => json!([[person("1"), vault], [plain]]),
        "/weight/plain" => json!(3),
        "/weight/gold" => json!(50),
        "/must" => json!({ "id": "m", "secretly": "x", "inner": { "id": "i", "secretly": "y" } }),
        user if user.starts_with("/user/") || user.starts_with("/node/") => person(&user[6..]),
        keeper if keeper.starts_with("/keeper/") => person("k"),
        text => json!(format!("text of {text}")),
    }
}

fn upstream() -> Upstream {
    Upstream::new(|target| Ok(answer(target)))
}

/// Returns a request with these claims; `null` is anonymous.
fn request_as(query: &str, claims: Value) -> Request {
    let caller = Arc::new(Caller { claims, ..Caller::default() });
    Request { caller, ..request(query) }
}

struct Answer {
    data: Value,
    /// `path: code`, one line each.
    errors: Vec<String>,
    /// Targets of the calls, in order.
    asked: Vec<String>,
}

async fn run(query: &str, claims: Value) -> Answer {
    let upstream = upstream();
    run_on(&upstream.engine(SDL), &upstream, request_as(query, claims)).await
}

async fn run_on(engine: &Engine, upstream: &Upstream, request: Request) -> Answer {
    let body = body(&engine.execute(request).await);
    let errors = body["errors"].as_array().cloned().unwrap_or_default();
    let line = |error: &Value| format!("{} {}", error["path"], error["extensions"]["code"]);
    let errors = errors.iter().map(line).map(|line| line.replace('"', "")).collect();
    Answer { data: body["data"].clone(), errors, asked: upstream.take() }
}

fn ada() -> Value {
    json!({ "sub": "ada" })
}

fn scoped(scope: &str) -> Value {
    json!({ "sub": "ada", "scope": scope })
}

#[tokio::test]
async fn nothing_is_fetched_for_a_refused_field() {
    let answer = run("{ secret user(id: 1) { name } }", Value::Null).await;
    assert_eq!(answer.data, json!({ "secret": null, "user": { "name": "n1" } }));
    assert_eq!(answer.errors, ["[secret] UNAUTHORIZED_FIELD_OR_TYPE"]);
    assert_eq!(answer.asked, ["/user/1"]);
    let answer = run("{ secret }", ada()).await;
    assert_eq!(answer.data, json!({ "secret": "text of /secret" }));
    assert!(answer.errors.is_empty());
}

#[tokio::test]
async fn a_plan_that_is_kept_serves_every_caller_by_their_own_rights() {
    let upstream = upstream();
    let engine = upstream.engine(SDL);
    for claims in [Value::Null, ada(), Value::Null, scoped("x"), json!("not claims")] {
        let may = claims.is_object();
        let answer = run_on(&engine, &upstream, request_as("{ secret }", claims)).await;
        assert_eq!(answer.asked.len(), usize::from(may));
        assert_eq!(answer.data["secret"].is_null(), !may);
    }
}

#[tokio::test]
async fn scopes_decide_about_a_bound_field() {
    let query = "{ user(id: 1) { secretPosts { id author { name } } } }";
    for (claims, may) in [
        (Value::Null, false),
        (ada(), false),
        (scoped("posts"), false),
        (scoped("read posts"), true),
        (scoped("admin"), true),
    ] {
        let answer = run(query, claims).await;
        let calls: &[&str] =
            if may { &["/user/1", "/posts?of=1", "/users?ids=1,2"] } else { &["/user/1"] };
        assert_eq!(answer.asked, calls);
        assert_eq!(answer.data["user"]["secretPosts"].is_null(), !may);
        assert_eq!(answer.errors.is_empty(), may);
    }
}

#[tokio::test]
async fn a_rule_looks_at_the_arguments_as_they_are_coerced() {
    let query = r#"query ($id: ID!) { a: own(id: "ada") b: own(id: "bob") c: own(id: $id) }"#;
    let upstream = upstream();
    let engine = upstream.engine(SDL);
    for (id, may) in [("ada", true), ("bob", false)] {
        let mut request = request_as(query, ada());
        request.variables.insert("id".into(), id.into());
        let answer = run_on(&engine, &upstream, request).await;
        assert_eq!(answer.data["a"], "text of /own/ada");
        assert_eq!(answer.data["b"], Value::Null);
        assert_eq!(!answer.data["c"].is_null(), may);
        assert_eq!(answer.asked, ["/own/ada"]);
        assert_eq!(answer.errors.len(), if may { 1 } else { 2 });
    }
}

#[tokio::test]
async fn a_field_that_is_never_null_takes_its_parent_with_it() {
    let answer = run("{ must { id secretly } }", Value::Null).await;
    assert_eq!(answer.data, json!({ "must": null }));
    assert_eq!(answer.errors, ["[must,secretly] UNAUTHORIZED_FIELD_OR_TYPE"]);
    let answer = run("{ must { id inner { id secretly } } }", Value::Null).await;
    assert_eq!(answer.data, json!({ "must": { "id": "m", "inner": null } }));
    assert_eq!(answer.errors, ["[must,inner,secretly] UNAUTHORIZED_FIELD_OR_TYPE"]);
}

#[tokio::test]
async fn it_bubbles_up_to_data() {
    let upstream = Upstream::new(|_| Ok(json!("x")));
    let sdl = r#"type Query { a: String! @authenticated @call(source: "s", target: "/a") b: String @call(source: "s", target: "/b") }"#;
    let answer = run_on(&upstream.engine(sdl), &upstream, request_as("{ b a }", Value::Null)).await;
    assert_eq!(answer.data, Value::Null);
    assert_eq!(answer.errors, ["[a] UNAUTHORIZED_FIELD_OR_TYPE"]);
    assert_eq!(answer.asked, ["/b"]);
}

#[tokio::test]
async fn errors_have_indices_in_their_paths_and_ten_of_a_kind_are_listed() {
    let answer = run("{ usersById(ids: [1, 2]) { secretName } }", Value::Null).await;
    let refused = |n| format!("[usersById,{n},secretName] UNAUTHORIZED_FIELD_OR_TYPE");
    assert_eq!(answer.errors, [refused(0), refused(1)]);
    let ids = (0..30).map(|n| n.to_string()).collect::<Vec<_>>().join(" ");
    let query = format!("{{ usersById(ids: [{ids}]) {{ secretName }} }}");
    let upstream = upstream();
    let response = upstream.engine(SDL).execute(request_as(&query, Value::Null)).await;
    let body = body(&response);
    assert_eq!(body["errors"].as_array().unwrap().len(), 10);
    assert_eq!(body["errors"][9]["extensions"]["omitted"], 20);
}

#[tokio::test]
async fn a_refused_mutation_makes_no_call_and_the_next_one_runs_in_its_turn() {
    let answer = run("mutation { first secretly last }", Value::Null).await;
    let text = |call: &str| json!(format!("text of /{call}"));
    assert_eq!(
        answer.data,
        json!({ "first": text("first"), "secretly": null, "last": text("last") })
    );
    assert_eq!(answer.asked, ["/first", "/last"]);
    let answer = run("mutation { first secretly last }", ada()).await;
    assert_eq!(answer.asked, ["/first", "/secretly", "/last"]);
}

#[tokio::test]
async fn a_root_type_s_rule_holds_for_each_of_its_fields() {
    let upstream = Upstream::new(|_| Ok(json!("x")));
    let sdl = r#"type Query @authenticated { a: String @call(source: "s", target: "/a") }"#;
    let engine = upstream.engine(sdl);
    let answer = run_on(&engine, &upstream, request_as("{ __typename a }", Value::Null)).await;
    assert_eq!(answer.data, json!({ "__typename": "Query", "a": null }));
    assert!(answer.asked.is_empty());
}

#[tokio::test]
async fn more_rules_than_bits_are_refused() {
    let fields: String = (0..200)
        .map(|n| {
            format!("f{n}: Int @requiresScopes(scopes: [[\"s{n}\"]]) @call(source: \"s\", target: \"/f\")\n")
        })
        .collect();
    let upstream = Upstream::new(|_| Ok(json!(1)));
    let mut settings = crate::engine::Settings::default();
    settings.limits.root_fields = 1_000.into();
    let graph = upstream.graph(&format!("type Query {{ {fields} }}"));
    let engine = Engine::new(graph, settings);
    let query = |count: usize| {
        let fields: String = (0..count).map(|n| format!("f{n} ")).collect();
        format!("{{ {fields} }}")
    };
    let fits = engine.execute(request_as(&query(128), scoped("s127"))).await;
    assert_eq!(body(&fits)["data"]["f127"], 1);
    assert_eq!(upstream.take().len(), 1);
    let refused = body(&engine.execute(request_as(&query(129), Value::Null)).await);
    assert_eq!(refused["errors"][0]["extensions"]["code"], "LIMIT_EXCEEDED");
}
