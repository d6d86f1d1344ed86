//! Keys of several parts, and objects whose key is missing.

use super::{errors, run};
use crate::engine::testing::{Upstream, failure};
use crate::graphql::ErrorCode;
use crate::source::ErrorKind;
use serde_json::{Value, json};

const COMPOSITE: &str = r#"
type Query {
  lines: [Line!]! @call(source: "orders", target: "/lines", select: "item: { sku shop: { id: shop_id } }")
  itemsByKey(keys: [ItemKey!]! @is(field: "shop { id } sku")): [Item]! @lookup @internal
    @call(source: "items",
      target: "/items?keys={$args.keys->map(@.sku)->joinNotNull('|')}&shops={$args.keys->map(@.shopId)->joinNotNull('|')}",
      select: "sku shop { id } shopId: shop.id name", batch: { key: "shopId sku", max: 10 })
}
input ItemKey { shopId: ID! sku: ID! }
type Shop { id: ID! }
type Item @key(fields: "sku shop { id }") { sku: ID! shop: Shop! name: String }
type Line { item: Item }
"#;

#[tokio::test]
async fn a_key_of_several_parts_matches_as_a_whole() {
    let upstream = Upstream::new(|target| {
        Ok(if target == "/lines" {
            json!([
                { "sku": "1", "shop_id": "12" }, { "sku": "11", "shop_id": "2" },
                { "sku": "1", "shop_id": "12" }, { "sku": "1", "shop_id": "2" },
            ])
        } else {
            json!([
                { "sku": 11, "shop": { "id": 2 }, "name": "b" },
                { "sku": "1", "shop": { "id": "12" }, "name": "a" },
            ])
        })
    });
    let (body, targets) = run(&upstream, COMPOSITE, "{ lines { item { name } } }").await;
    assert_eq!(targets, ["/lines", "/items?keys=1%7C11%7C1&shops=12%7C2%7C2"]);
    let lines = &body["data"]["lines"];
    let names: Vec<&Value> = (0..4).map(|n| &lines[n]["item"]["name"]).collect();
    assert_eq!(names, [&json!("a"), &json!("b"), &json!("a"), &Value::Null]);
    assert_eq!(body.get("errors"), None);
}

/// Each step needs a value of the previous one.
const CHAIN: &str = r#"
type Query {
  orders: [Order!]! @call(source: "orders", target: "/orders")
  user(id: ID!): User @lookup @call(source: "users", target: "/user/{$args.id}")
}
type Order { id: ID! buyer: User }
type User @key(fields: "id") {
  id: ID!
  name: String
  region: String
  discount(region: String @require(field: "region")): Int
    @call(source: "discounts", target: "/discount/{$this.id}?region={$args.region}", select: "$.percent")
}
"#;

fn orders() -> Value {
    let order = |id: u8, buyer: u8| json!({ "id": id, "buyer": { "id": buyer } });
    json!([order(1, 1), order(2, 2), order(3, 1)])
}

#[tokio::test]
async fn a_call_waits_for_what_it_requires() {
    let upstream = Upstream::new(|target| {
        Ok(match target {
            "/orders" => orders(),
            "/user/1" => json!({ "id": 1, "name": "n", "region": "eu" }),
            "/user/2" => json!({ "id": 2, "name": "m", "region": "us" }),
            "/discount/1?region=eu" => json!({ "percent": 5 }),
            _ => json!({ "percent": 9 }),
        })
    });
    let (body, targets) = run(&upstream, CHAIN, "{ orders { buyer { discount } } }").await;
    let (calls, of_first) = (targets.len(), "/discount/1?region=eu");
    assert_eq!(targets[..3], ["/orders", "/user/1", "/user/2"]);
    assert_eq!(targets[3..], [of_first, "/discount/2?region=us"], "{calls} calls");
    let discounts = json!([5, 9, 5].map(|percent| json!({ "buyer": { "discount": percent } })));
    assert_eq!(body["data"]["orders"], discounts);
}

#[tokio::test]
async fn what_failed_above_is_the_reason_below() {
    let upstream = Upstream::new(|target| match target {
        "/orders" => Ok(orders()),
        "/user/1" => Ok(json!({ "id": 1, "name": "n", "region": "eu" })),
        "/user/2" => Err(failure(ErrorCode::UpstreamTimeout, ErrorKind::Failed)),
        _ => Ok(json!({ "percent": 5 })),
    });
    let (body, _) = run(&upstream, CHAIN, "{ orders { buyer { name } } }").await;
    assert_eq!(errors(&body), [r#"["orders",1,"buyer","name"] UPSTREAM_TIMEOUT"#]);
    assert_eq!(body["data"]["orders"][2]["buyer"]["name"], "n");
    assert_eq!(body["errors"][0]["extensions"]["source"], "users");
    assert!(!body.to_string().contains("own words"), "the upstream's words stay in the log");
}

/// The batch of the fees has a key that needs a call of its own.
const FEES: &str = r#"
type Query {
  posts: [Post!]! @call(source: "posts", target: "/posts", select: "id")
  post(id: ID!): Post @lookup @call(source: "details", target: "/post/{$args.id}")
}
type Post @key(fields: "id") {
  id: ID!
  weight: Int
  fee: Fee @call(source: "fees", target: "/fees?ids={$batch.weight->joinNotNull(',')}", batch: { key: "weight" })
}
type Fee { weight: Int cents: Int }
"#;

#[tokio::test]
async fn a_key_lost_to_a_failure_passes_the_failure_on() {
    let upstream = Upstream::new(|target| match target {
        "/posts" => Ok(json!([{ "id": 1 }, { "id": 2 }, { "id": 3 }])),
        "/post/1" => Ok(json!({ "id": 1, "weight": 7 })),
        "/post/2" => Err(failure(ErrorCode::UpstreamUnavailable, ErrorKind::Failed)),
        "/post/3" => Ok(json!({ "id": 3, "weight": null })),
        "/fees?ids=7" => Ok(json!([{ "weight": 7, "cents": 1 }])),
        other => panic!("nobody asks for {other}"),
    });
    let (body, _) = run(&upstream, FEES, "{ posts { id fee { cents } } }").await;
    assert_eq!(
        body["data"]["posts"],
        json!([
            { "id": "1", "fee": { "cents": 1 } }, { "id": "2", "fee": null }, { "id": "3", "fee": null },
        ])
    );
    assert_eq!(errors(&body), [r#"["posts",1,"fee"] UPSTREAM_UNAVAILABLE"#]);
    assert_eq!(body["errors"][0]["extensions"]["source"], "details");
}

#[tokio::test]
async fn what_is_not_found_is_null_without_an_error_where_null_may_be() {
    let upstream = Upstream::new(|target| match target {
        "/orders" => Ok(orders()),
        _ => Err(failure(ErrorCode::UpstreamStatus, ErrorKind::NotFound)),
    });
    let query = "{ orders { buyer { name } } user(id: 9) { name } }";
    let (body, _) = run(&upstream, CHAIN, query).await;
    assert_eq!(body["data"]["user"], Value::Null);
    assert_eq!(errors(&body), Vec::<String>::new());
}

const BATCH_OF_ONE: &str = r#"
type Query {
  usersById(ids: [ID!]! @is(field: "id")): [User]! @lookup
    @call(source: "users", target: "/users?ids={$args.ids->joinNotNull(',')}", batch: { max: 2 })
}
type User @key(fields: "id") { id: ID! name: String }
"#;

#[tokio::test]
async fn of_a_batch_that_is_not_found_each_key_is_asked_for_alone() {
    let upstream = Upstream::new(|target| match target {
        "/users?ids=1" => Ok(json!([{ "id": 1, "name": "a" }])),
        _ => Err(failure(ErrorCode::UpstreamStatus, ErrorKind::NotFound)),
    });
    let query = "{ usersById(ids: [1, 2]) { name } }";
    let (body, targets) = run(&upstream, BATCH_OF_ONE, query).await;
    assert_eq!(targets, ["/users?ids=1,2", "/users?ids=1", "/users?ids=2"]);
    assert_eq!(body["data"]["usersById"], json!([{ "name": "a" }, null]));
}
