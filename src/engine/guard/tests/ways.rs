//! Attempts to get around a rule. Each must fail.

use super::*;

/// Returns `data` and `errors` of an anonymous caller, and the calls made.
async fn anonymous(query: &str) -> Answer {
    run(query, Value::Null).await
}

#[tokio::test]
async fn by_alias() {
    let answer =
        anonymous("{ name: secret user(id: 1) { id: secretName name: secretName } }").await;
    assert_eq!(answer.data, json!({ "name": null, "user": { "id": null, "name": null } }));
    assert_eq!(answer.errors.len(), 3);
    assert_eq!(answer.asked, ["/user/1"]);
}

#[tokio::test]
async fn by_fragment_and_inline_fragment() {
    let query = "{ ...Root ... on Query { user(id: 1) { ... { ... on User { secretName } } } } }
        fragment Root on Query { secret user(id: 1) { ...Name } }
        fragment Name on User { secretOf }";
    let answer = anonymous(query).await;
    assert_eq!(
        answer.data,
        json!({ "secret": null, "user": { "secretOf": null, "secretName": null } })
    );
    assert_eq!(answer.asked, ["/user/1"]);
}

#[tokio::test]
async fn by_interface() {
    // The rule is on the interface's field: it holds for each type that implements it.
    for query in [
        "{ node(id: 1) { id secretOf } }",
        "{ node(id: 1) { id ... on User { secretOf } } }",
        "{ node(id: 1) { id ... on Node { ... on User { secretOf } } } }",
    ] {
        let answer = anonymous(query).await;
        assert_eq!(answer.data, json!({ "node": { "id": "1", "secretOf": null } }), "{query}");
        assert_eq!(answer.errors, ["[node,secretOf] UNAUTHORIZED_FIELD_OR_TYPE"], "{query}");
    }
    let answer = run("{ node(id: 1) { secretOf } }", ada()).await;
    assert_eq!(answer.data["node"]["secretOf"], "of");
}

#[tokio::test]
async fn by_an_interface_that_the_type_implements() {
    // `Vault` is guarded itself, and `Node` is not.
    let answer = anonymous("{ node(id: \"v\") { id } }").await;
    assert_eq!(answer.data, json!({ "node": null }));
    assert_eq!(answer.errors, ["[node] UNAUTHORIZED_FIELD_OR_TYPE"]);
    let answer =
        anonymous("{ node(id: \"v\") { __typename ... on Vault { gold keeper { name } } } }").await;
    assert_eq!(answer.data, json!({ "node": null }));
    assert_eq!(answer.asked, ["/node/v"]);
}

#[tokio::test]
async fn by_a_guarded_interface() {
    // Its rule holds for fields that return it, and for those that return a type that implements it.
    for (query, claims) in [("{ locked { id } }", ada()), ("{ vault { gold } }", ada())] {
        let answer = run(query, claims).await;
        assert_eq!(answer.errors.len(), 1, "{query}");
        assert!(answer.asked.is_empty(), "{query}");
    }
    let answer = run("{ locked { id } vault { gold } }", scoped("keys")).await;
    assert_eq!(answer.data, json!({ "locked": { "id": "v" }, "vault": { "gold": 9 } }));
}

#[tokio::test]
async fn by_union() {
    let query =
        "{ search { __typename ... on Vault { gold keeper { name } } ... on Plain { id } } }";
    let answer = anonymous(query).await;
    let plain = json!({ "__typename": "Plain", "id": "p" });
    assert_eq!(answer.data, json!({ "search": [{ "__typename": "User" }, null, plain] }));
    assert_eq!(answer.errors, ["[search,1] UNAUTHORIZED_FIELD_OR_TYPE"]);
    assert_eq!(answer.asked, ["/search"]);
    let answer = run(query, scoped("keys")).await;
    assert_eq!(answer.data["search"][1]["keeper"]["name"], "nk");
}

#[tokio::test]
async fn by_what_two_types_of_a_union_share() {
    let query = "{ search { ... on Vault { box { weight } } ... on Plain { box { weight } } } }";
    let answer = anonymous(query).await;
    let plain = json!({ "box": { "weight": 3 } });
    assert_eq!(answer.data, json!({ "search": [{}, null, plain] }));
    assert_eq!(answer.asked, ["/search", "/weight/plain"]);
    let answer = run(query, scoped("keys")).await;
    assert_eq!(answer.data["search"][1], json!({ "box": { "weight": 50 } }));
}

#[tokio::test]
async fn by_a_fragment_on_an_interface_within_a_union() {
    let answer = anonymous("{ search { ... on Locked { id } ... on Node { secretOf } } }").await;
    assert_eq!(answer.data["search"][1], Value::Null);
    assert_eq!(answer.data["search"][0], json!({ "secretOf": null }));
}

#[tokio::test]
async fn by_lists_in_lists() {
    let answer = anonymous("{ vaults { gold } grid { __typename } }").await;
    let grid = json!([[{ "__typename": "User" }, null], [{ "__typename": "Plain" }]]);
    assert_eq!(answer.data, json!({ "vaults": null, "grid": grid }));
    assert_eq!(
        answer.errors,
        ["[vaults] UNAUTHORIZED_FIELD_OR_TYPE", "[grid,0,1] UNAUTHORIZED_FIELD_OR_TYPE"]
    );
    assert_eq!(answer.asked, ["/grid"]);
}

#[tokio::test]
async fn by_the_type_of_a_leaf() {
    let answer = anonymous("{ user(id: 1) { level token } }").await;
    assert_eq!(answer.data, json!({ "user": { "level": null, "token": null } }));
    let answer = run("{ user(id: 1) { level token } }", scoped("tokens")).await;
    assert_eq!(answer.data, json!({ "user": { "level": "HIGH", "token": "t" } }));
}

#[tokio::test]
async fn by_require() {
    // `card` takes the secret name and would return it.
    let answer = anonymous("{ user(id: 1) { name card } }").await;
    assert_eq!(answer.data, json!({ "user": { "name": "n1", "card": null } }));
    assert_eq!(answer.errors, ["[user,card] UNAUTHORIZED_FIELD_OR_TYPE"]);
    assert_eq!(answer.asked, ["/user/1"]);
    let answer = run("{ user(id: 1) { card } }", ada()).await;
    assert_eq!(answer.data["user"]["card"], "text of /card/s1");
}

#[tokio::test]
async fn by_this() {
    let answer = anonymous("{ user(id: 1) { mail } posts { author { mail } } }").await;
    assert_eq!(answer.data["user"], json!({ "mail": null }));
    assert_eq!(answer.data["posts"][1]["author"], json!({ "mail": null }));
    assert_eq!(answer.asked, ["/user/1", "/posts"]);
}

#[tokio::test]
async fn by_a_lookup_that_clients_may_not_call() {
    let sdl = r#"
    type Query {
      user(id: ID!): User @lookup @requiresScopes(scopes: [["users"]]) @call(source: "users", target: "/user/{$args.id}")
      post: Post @call(source: "posts", target: "/post", select: "author: { id: author_id }")
    }
    type User @key(fields: "id") { id: ID! name: String inner: Inner }
    type Inner { x: Int }
    type Post { author: User }
    "#;
    let upstream = Upstream::new(|target| {
        Ok(match target {
            "/post" => json!({ "author_id": 1 }),
            _ => json!({ "id": 1, "name": "n", "inner": { "x": 1 } }),
        })
    });
    let engine = upstream.engine(sdl);
    let query = "{ post { author { id name inner { x } } } user(id: 1) { name } }";
    let answer = run_on(&engine, &upstream, request_as(query, ada())).await;
    let author = json!({ "id": "1", "name": null, "inner": null });
    assert_eq!(answer.data, json!({ "post": { "author": author }, "user": null }));
    assert_eq!(answer.errors.len(), 3);
    assert_eq!(answer.asked, ["/post"]);
    let answer = run_on(&engine, &upstream, request_as(query, scoped("users"))).await;
    assert_eq!(answer.data["post"]["author"]["inner"]["x"], 1);
}

#[tokio::test]
async fn by_a_lookup_whose_rule_looks_at_the_key() {
    // In a join the key differs between objects: the rule denies.
    let sdl = r#"
    type Query {
      user(id: ID!): User @lookup @allow(if: "$claims.sub->eq($args.id)") @call(source: "users", target: "/user/{$args.id}")
      post: Post @call(source: "posts", target: "/post", select: "author: { id: author_id }")
    }
    type User @key(fields: "id") { id: ID! name: String }
    type Post { author: User }
    "#;
    let upstream = Upstream::new(|target| {
        let post = json!({ "author_id": "bob" });
        Ok(if target == "/post" { post } else { json!({ "id": "ada", "name": "n" }) })
    });
    let query = "{ post { author { name } } user(id: \"ada\") { name } }";
    let answer = run_on(&upstream.engine(sdl), &upstream, request_as(query, ada())).await;
    assert_eq!(
        answer.data,
        json!({ "post": { "author": { "name": null } }, "user": { "name": "n" } })
    );
    assert_eq!(answer.asked, ["/post", "/user/ada"]);
}

#[tokio::test]
async fn by_the_key_of_a_join() {
    let sdl = r#"
    type Query {
      user(id: ID!): User @lookup @call(source: "users", target: "/user/{$args.id}")
      post: Post @call(source: "posts", target: "/post", select: "author: { id: author_id }")
    }
    type User @key(fields: "id") { id: ID! @authenticated name: String }
    type Post { author: User }
    "#;
    let upstream = Upstream::new(|target| {
        let post = json!({ "author_id": "bob" });
        Ok(if target == "/post" { post } else { json!({ "id": "bob", "name": "n" }) })
    });
    let query = "{ post { author { id name } } }";
    let answer = run_on(&upstream.engine(sdl), &upstream, request_as(query, Value::Null)).await;
    assert_eq!(answer.data, json!({ "post": { "author": null } }));
    assert_eq!(answer.asked, ["/post"]);
}

#[tokio::test]
async fn by_batch() {
    let answer =
        anonymous("{ usersById(ids: [1, 2]) { name secretName secretPosts { id } } }").await;
    let user =
        |id: &str| json!({ "name": format!("n{id}"), "secretName": null, "secretPosts": null });
    assert_eq!(answer.data, json!({ "usersById": [user("1"), user("2")] }));
    assert_eq!(answer.asked, ["/users?ids=1,2"]);
}

#[tokio::test]
async fn by_what_the_request_already_holds() {
    // The user is complete in the store, and appears again below its own posts.
    let query =
        "{ user(id: 1) { name secretName } posts { author { name secretName x: secretName } } }";
    let answer = anonymous(query).await;
    assert_eq!(answer.data["user"], json!({ "name": "n1", "secretName": null }));
    let author = json!({ "name": "n1", "secretName": null, "x": null });
    assert_eq!(answer.data["posts"][0]["author"], author);
    assert_eq!(answer.errors.len(), 5);
}

#[tokio::test]
async fn by_skip_and_include() {
    let query = "query ($yes: Boolean = true, $no: Boolean = false) {
        secret @include(if: $yes)
        a: secret @skip(if: $yes)
        b: secret @include(if: $no) @skip(if: $no)
        user(id: 1) { secretName @include(if: $no) ... @include(if: $yes) { secretName } secretPosts @include(if: $no) { id } }
    }";
    let answer = anonymous(query).await;
    assert_eq!(answer.data, json!({ "secret": null, "user": { "secretName": null } }));
    assert_eq!(answer.errors.len(), 2);
    assert_eq!(answer.asked, ["/user/1"]);
    // A field that is not selected gives no error.
    let answer = anonymous("{ secret @skip(if: true) user(id: 1) { name } }").await;
    assert_eq!(answer.data, json!({ "user": { "name": "n1" } }));
    assert!(answer.errors.is_empty());
}

#[tokio::test]
async fn by_selecting_only_what_is_below() {
    let answer = anonymous("{ vault { __typename keeper { name } } }").await;
    assert_eq!(answer.data, json!({ "vault": null }));
    assert!(answer.asked.is_empty());
}

#[tokio::test]
async fn by_introspection() {
    let upstream = upstream();
    let settings = crate::engine::Settings { introspection: true, ..Default::default() };
    let engine = Engine::new(upstream.graph(SDL), settings);
    let query = r#"{ __schema { types { name } } __type(name: "Vault") { fields { name } } __typename vault { __typename } }"#;
    let answer = run_on(&engine, &upstream, request_as(query, Value::Null)).await;
    // Existing types are known to the client; their contents must stay hidden.
    assert_eq!(answer.data["vault"], Value::Null);
    assert!(answer.data["__type"]["fields"].as_array().unwrap().len() > 2);
    assert!(answer.asked.is_empty());
    let text = answer.data["__schema"].to_string();
    assert!(!text.contains("authenticated") && !text.contains("keys"));
}

#[tokio::test]
async fn by_another_caller_s_call_under_way() {
    use futures_util::FutureExt;
    use tokio::sync::Semaphore;
    let gate = Arc::new(Semaphore::new(0));
    let open = Arc::clone(&gate);
    let upstream = Upstream::slow(move |request| {
        let open = Arc::clone(&open);
        async move {
            open.acquire().await.unwrap().forget();
            Ok(crate::source::Reply::json(&answer(&request.target)))
        }
    });
    let engine = upstream.engine(SDL);
    let query = "{ secret user(id: 1) { secretName } }";
    let mut known = std::pin::pin!(engine.execute(request_as(query, ada())));
    let mut nobody = std::pin::pin!(engine.execute(request_as(query, Value::Null)));
    assert!(known.as_mut().now_or_never().is_none());
    assert!(nobody.as_mut().now_or_never().is_none());
    // The user is fetched once, for both.
    assert_eq!(upstream.take().len(), 2);
    gate.add_permits(2);
    let (known, nobody) = tokio::join!(known, nobody);
    assert_eq!(
        body(&known)["data"],
        json!({ "secret": "text of /secret", "user": { "secretName": "s1" } })
    );
    assert_eq!(body(&nobody)["data"], json!({ "secret": null, "user": { "secretName": null } }));
}
