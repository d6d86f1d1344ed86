//! Rules over `$this`, which hold for one object and not for the next one.

use super::*;

/// The caller whose id is `sub` may see its own data.
const SDL: &str = r#"
type Query {
  user(id: ID!): User @lookup @call(source: "users", target: "/user/{$args.id}")
  usersById(ids: [ID!]! @is(field: "id")): [User]! @lookup
    @call(source: "users", target: "/users?ids={$args.ids->joinNotNull(',')}", batch: { max: 10 })
  boxesById(ids: [ID!]! @is(field: "id")): [Box]! @lookup @internal
    @call(source: "boxes", target: "/boxes?ids={$args.ids->joinNotNull(',')}", batch: { max: 10 })
  posts: [Post!]! @call(source: "posts", target: "/posts")
  nodes: [Node] @call(source: "posts", target: "/nodes")
  stubs: [Box!] @call(source: "boxes", target: "/stubs", select: "id owner { id }")
}
interface Node { id: ID! }
type User implements Node @key(fields: "id") {
  id: ID!
  name: String
  email: String @allow(if: "$claims.sub->eq($this.id)")
  mail(to: String @require(field: "email")): String @call(source: "mail", target: "/mail/{$args.to ?? '-'}")
  greeting: String @call(source: "mail", target: "/greet/{$this.email ?? '-'}")
  secrets(of: String = "ada"): [String!] @allow(if: "$this.id->eq($args.of)")
    @call(source: "users", target: "/secrets?of={$batch.id->joinNotNull(',')}", batch: { reply: POSITIONAL })
  inner: Inner @allow(if: "$this.public")
  public: Boolean
  flag: Boolean @call(source: "flags", target: "/flag/{$this.id}")
  flagged: String @allow(if: "$this.flag")
  must: String! @allow(if: "$this.public")
}
type Inner { id: ID! deep: Int @call(source: "deep", target: "/deep/{$this.id}") box: Box }
type Post implements Node { id: ID! text: String @allow(if: "$this.author.id->eq($claims.sub)") author: User }
type Box @key(fields: "id") {
  id: ID!
  owner: User
  weight: Int @allow(if: "$this.owner.id->eq($claims.sub)")
  label: String
  size: Int @allow(if: "$claims.sub->eq('nobody')->or($this.owner.id->eq('bob'))")
}
"#;

fn user(id: &str) -> Value {
    json!({
        "__typename": "User", "id": id, "name": format!("n{id}"), "email": format!("{id}@x"), "public": id == "ada",
        "inner": { "id": id, "box": { "id": id } }, "flagged": "f", "must": "m",
    })
}

fn reply(target: &str) -> Value {
    let post = |id: &str, author: &str| json!({ "__typename": "Post", "id": id, "text": format!("t{id}"), "author": { "id": author } });
    let stub = |id: &str, owner: &str| json!({ "id": id, "owner": { "id": owner } });
    match target.split('?').next().unwrap_or_default() {
        "/users" => ids(target).iter().map(|id| user(id)).collect(),
        "/posts" => {
            json!([post("1", "ada"), post("2", "bob"), { "id": "3", "text": "t3", "author": null }])
        }
        "/nodes" => json!([post("1", "ada"), user("ada"), user("bob"), post("2", "bob")]),
        "/stubs" => json!([stub("1", "ada"), stub("2", "bob"), stub("3", "ada")]),
        "/boxes" => {
            let full = |id: &String| json!({ "id": id, "weight": 7, "label": "l", "size": 3 });
            ids(target).iter().map(full).collect()
        }
        "/secrets" => {
            let of = target.split_once("of=").unwrap().1.replace("%2C", ",");
            of.split(',').map(|id| json!([format!("secret of {id}")])).collect()
        }
        flag if flag.starts_with("/flag/") => json!(flag == "/flag/bob"),
        deep if deep.starts_with("/deep/") => json!(deep.len()),
        user_of if user_of.starts_with("/user/") => user(&user_of[6..]),
        text => json!(format!("text of {text}")),
    }
}

async fn ask(query: &str, claims: Value) -> Answer {
    let upstream = Upstream::new(|target| Ok(reply(target)));
    run_on(&upstream.engine(SDL), &upstream, request_as(query, claims)).await
}

const BOTH: &str = r#"usersById(ids: ["ada", "bob"])"#;

#[tokio::test]
async fn a_field_that_comes_along_is_withheld_object_by_object() {
    let answer = ask(&format!("{{ {BOTH} {{ email x: email name }} }}"), ada()).await;
    let own = json!({ "email": "ada@x", "x": "ada@x", "name": "nada" });
    let other = json!({ "email": null, "x": null, "name": "nbob" });
    assert_eq!(answer.data, json!({ "usersById": [own, other] }));
    let refused = |key| format!("[usersById,1,{key}] UNAUTHORIZED_FIELD_OR_TYPE");
    assert_eq!(answer.errors, [refused("email"), refused("x")]);
    assert_eq!(answer.asked, ["/users?ids=ada,bob"]);
}

#[tokio::test]
async fn it_bubbles_from_one_object_only() {
    let answer = ask(&format!("{{ {BOTH} {{ must }} }}"), Value::Null).await;
    assert_eq!(answer.data, json!({ "usersById": [{ "must": "m" }, null] }));
    assert_eq!(answer.errors, ["[usersById,1,must] UNAUTHORIZED_FIELD_OR_TYPE"]);
}

#[tokio::test]
async fn a_bound_field_makes_no_call_for_objects_that_fail() {
    let query = format!("{{ {BOTH} {{ secrets other: secrets(of: \"bob\") }} }}");
    let answer = ask(&query, Value::Null).await;
    let ada = json!({ "secrets": ["secret of ada"], "other": null });
    let bob = json!({ "secrets": null, "other": ["secret of bob"] });
    assert_eq!(answer.data, json!({ "usersById": [ada, bob] }));
    assert_eq!(answer.asked, ["/users?ids=ada,bob", "/secrets?of=ada", "/secrets?of=bob"]);
    let answer = ask(&format!("{{ {BOTH} {{ secrets(of: \"eve\") }} }}"), Value::Null).await;
    assert_eq!(answer.asked, ["/users?ids=ada,bob"]);
    assert_eq!(answer.errors.len(), 2);
}

#[tokio::test]
async fn what_a_rule_looks_at_is_fetched_first() {
    let answer = ask("{ posts { text } }", ada()).await;
    let texts = json!([{ "text": "t1" }, { "text": null }, { "text": null }]);
    assert_eq!(answer.data, json!({ "posts": texts }));
    assert_eq!(answer.asked, ["/posts"]);
    // `flag` needs a call of its own, and is not selected.
    let answer = ask(&format!("{{ {BOTH} {{ flagged }} }}"), Value::Null).await;
    assert_eq!(answer.data, json!({ "usersById": [{ "flagged": null }, { "flagged": "f" }] }));
    assert_eq!(answer.asked, ["/users?ids=ada,bob", "/flag/ada", "/flag/bob"]);
}

#[tokio::test]
async fn a_lookup_is_not_asked_for_objects_for_which_nothing_permitted_is_missing() {
    let answer = ask("{ stubs { weight } }", ada()).await;
    let boxes = json!([{ "weight": 7 }, { "weight": null }, { "weight": 7 }]);
    assert_eq!(answer.data, json!({ "stubs": boxes }));
    assert_eq!(answer.asked, ["/stubs", "/boxes?ids=1,3"]);
    // Selecting either field is enough for the call; neither is returned without access.
    let answer = ask("{ stubs { weight size } }", ada()).await;
    let boxes = json!([
        { "weight": 7, "size": null }, { "weight": null, "size": 3 }, { "weight": 7, "size": null }
    ]);
    assert_eq!(answer.data, json!({ "stubs": boxes }));
    assert_eq!(answer.asked, ["/stubs", "/boxes?ids=1,2,3"]);
    let query = "query ($label: Boolean!) { stubs { weight label @include(if: $label) } }";
    for (label, asked) in [(true, "/boxes?ids=1,2,3"), (false, "/boxes?ids=1,3")] {
        let upstream = Upstream::new(|target| Ok(reply(target)));
        let mut request = request_as(query, ada());
        request.variables.insert("label".into(), label.into());
        let answer = run_on(&upstream.engine(SDL), &upstream, request).await;
        assert_eq!(answer.asked, ["/stubs", asked]);
        assert_eq!(answer.data["stubs"][1]["weight"], Value::Null);
    }
}

#[tokio::test]
async fn nothing_is_fetched_below_what_comes_along_and_is_withheld() {
    let answer = ask(&format!("{{ {BOTH} {{ inner {{ deep box {{ label }} }} }} }}"), ada()).await;
    let own = json!({ "inner": { "deep": 9, "box": { "label": "l" } } });
    assert_eq!(answer.data, json!({ "usersById": [own, { "inner": null }] }));
    let mut asked = answer.asked;
    asked[1..].sort();
    assert_eq!(asked, ["/users?ids=ada,bob", "/boxes?ids=ada", "/deep/ada"]);
}

#[tokio::test]
async fn what_needs_a_withheld_field_is_refused_for_the_same_objects() {
    let answer = ask(&format!("{{ {BOTH} {{ mail greeting }} }}"), ada()).await;
    let own = json!({ "mail": "text of /mail/ada%40x", "greeting": "text of /greet/ada%40x" });
    let found = answer.data["usersById"].to_string().replace('@', "%40");
    assert_eq!(found, json!([own, { "mail": null, "greeting": null }]).to_string());
    assert_eq!(answer.errors.len(), 2);
    assert_eq!(answer.asked.len(), 3);
}

#[tokio::test]
async fn an_anonymous_caller_is_denied_before_anything_is_asked_for() {
    let answer = ask("{ stubs { weight } posts { text } }", Value::Null).await;
    assert_eq!(answer.asked, ["/stubs", "/posts"]);
    assert_eq!(answer.errors.len(), 6);
    // A claim that is null equals a field that is null.
    let answer = ask("{ posts { text } }", json!({ "sub": null })).await;
    assert_eq!(answer.errors.len(), 3);
}

#[tokio::test]
async fn a_failure_below_a_rule_denies() {
    let upstream = Upstream::new(|target| {
        if target.starts_with("/flag") {
            return Err(crate::engine::testing::failure(
                crate::graphql::ErrorCode::UpstreamUnavailable,
                crate::source::ErrorKind::Failed,
            ));
        }
        Ok(reply(target))
    });
    let request = request_as("{ user(id: \"bob\") { flagged } }", Value::Null);
    let answer = run_on(&upstream.engine(SDL), &upstream, request).await;
    assert_eq!(answer.data, json!({ "user": { "flagged": null } }));
    assert_eq!(answer.errors, ["[user,flagged] UNAUTHORIZED_FIELD_OR_TYPE"]);
}

#[tokio::test]
async fn by_interface_and_fragment() {
    let query = "{ nodes { ... on User { email } ...Texts } } fragment Texts on Post { text }";
    let answer = ask(query, ada()).await;
    let nodes =
        json!([{ "text": "t1" }, { "email": "ada@x" }, { "email": null }, { "text": null }]);
    assert_eq!(answer.data, json!({ "nodes": nodes }));
    assert_eq!(answer.asked, ["/nodes"]);
}

#[tokio::test]
async fn by_what_the_request_already_holds() {
    let query = format!("{{ {BOTH} {{ email }} posts {{ author {{ email name }} }} }}");
    let answer = ask(&query, ada()).await;
    assert_eq!(answer.data["usersById"], json!([{ "email": "ada@x" }, { "email": null }]));
    let author =
        |id: &str, email: Value| json!({ "author": { "email": email, "name": format!("n{id}") } });
    let posts =
        json!([author("ada", json!("ada@x")), author("bob", Value::Null), { "author": null }]);
    assert_eq!(answer.data["posts"], posts);
}

#[tokio::test]
async fn by_skip_and_include() {
    let query = format!(
        "query ($no: Boolean = false) {{ {BOTH} {{ secrets @include(if: $no) email @skip(if: $no) }} }}"
    );
    let answer = ask(&query, ada()).await;
    assert_eq!(answer.asked, ["/users?ids=ada,bob"]);
    assert_eq!(answer.data["usersById"][1], json!({ "email": null }));
}

#[tokio::test]
async fn explain_tells_for_which_objects_a_call_is_made() {
    let upstream = Upstream::new(|target| Ok(reply(target)));
    let engine = upstream.engine(SDL);
    let text = engine
        .explain("{ stubs { weight } }", None, &serde_json::Map::new(), None)
        .unwrap()
        .to_string();
    assert!(text.contains("only for objects with $this.owner.id->eq($claims.sub)"), "{text}");
}
