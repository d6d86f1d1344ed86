//! Distinct keys in chunks, and the effects of a chunk that fails.

use super::{SHOP, errors, reviews, run, user};
use crate::engine::testing::{Upstream, failure, ids};
use crate::graphql::ErrorCode;
use crate::source::ErrorKind;
use serde_json::{Value, json};

const REVIEWS: &str = "{ reviews { author { name } } }";

/// Serves users by their ids. Fails a batch for which `refuse` returns a reason.
fn shop(
    reviews: Value,
    refuse: impl Fn(&[String]) -> Option<(ErrorCode, ErrorKind)> + Send + Sync + 'static,
) -> Upstream {
    Upstream::new(move |target| {
        if target.starts_with("/reviews") {
            return Ok(reviews.clone());
        }
        let ids = ids(target);
        match refuse(&ids) {
            Some((code, kind)) => Err(failure(code, kind)),
            None => Ok(ids.iter().map(|id| user(id)).collect()),
        }
    })
}

fn names(body: &Value) -> Vec<Value> {
    let reviews = body["data"]["reviews"].as_array().expect("reviews");
    reviews.iter().map(|review| review["author"]["name"].clone()).collect()
}

#[tokio::test]
async fn each_key_is_asked_for_once() {
    let upstream = shop(reviews(9, 3), |_| None);
    let (body, targets) = run(&upstream, SHOP, REVIEWS).await;
    assert_eq!(targets, ["/reviews?first=3", "/users?ids=1,2,3"]);
    assert_eq!(names(&body), ["n1", "n2", "n3", "n1", "n2", "n3", "n1", "n2", "n3"]);
    assert_eq!(body.get("errors"), None);
}

#[tokio::test]
async fn keys_go_out_in_chunks() {
    let upstream = shop(reviews(25, 25), |_| None);
    let (body, targets) = run(&upstream, SHOP, REVIEWS).await;
    let sizes: Vec<usize> = targets[1..].iter().map(|target| ids(target).len()).collect();
    assert_eq!(sizes, [10, 10, 5]);
    assert_eq!(names(&body)[24], "n25");
}

#[tokio::test]
async fn nothing_is_asked_where_there_is_no_key() {
    let none = json!([{ "id": 1, "author_id": null }, { "id": 2 }]);
    let (body, targets) = run(&shop(none, |_| None), SHOP, REVIEWS).await;
    assert_eq!(targets, ["/reviews?first=3"]);
    assert_eq!(body["data"]["reviews"], json!([{ "author": null }, { "author": null }]));
    assert_eq!(body.get("errors"), None);
}

#[tokio::test]
async fn a_failed_chunk_takes_its_own_keys_and_no_other() {
    let down = Some((ErrorCode::UpstreamUnavailable, ErrorKind::Failed));
    let upstream = shop(reviews(25, 25), move |ids| down.filter(|_| ids[0] == "11"));
    let (body, targets) = run(&upstream, SHOP, REVIEWS).await;
    assert_eq!(targets.len(), 4, "what is down is not asked again");
    let names = names(&body);
    assert!(names[..10].iter().chain(&names[20..]).all(Value::is_string), "{names:?}");
    assert!(names[10..20].iter().all(Value::is_null), "{names:?}");
    let errors = errors(&body);
    assert_eq!(errors.len(), 10);
    assert_eq!(errors[0], r#"["reviews",10,"author","name"] UPSTREAM_UNAVAILABLE"#);
}

fn large() -> String {
    SHOP.replace("max: 10", "max: 100")
}

#[tokio::test]
async fn one_poisoned_key_among_a_hundred_is_found() {
    let refused = Some((ErrorCode::UpstreamStatus, ErrorKind::Refused));
    for poisoned in ["1", "42", "100"] {
        let upstream = shop(reviews(100, 100), move |ids| {
            refused.filter(|_| ids.iter().any(|id| id == poisoned))
        });
        let (body, targets) = run(&upstream, &large(), REVIEWS).await;
        let calls = targets.len() - 1;
        assert!((13..=15).contains(&calls), "{calls} calls to find {poisoned}");
        let null = names(&body).iter().filter(|name| name.is_null()).count();
        assert_eq!(null, 1, "only {poisoned}");
        assert_eq!(errors(&body).len(), 1);
    }
}

#[tokio::test]
async fn a_source_that_refuses_everything_is_not_asked_without_end() {
    let refused = Some((ErrorCode::UpstreamStatus, ErrorKind::Refused));
    let upstream = shop(reviews(100, 100), move |_| refused);
    let (body, targets) = run(&upstream, &large(), REVIEWS).await;
    let calls = targets.len() - 1;
    assert!(calls <= 1 + 2 * 7 * 4, "{calls} calls");
    assert!(names(&body).iter().all(Value::is_null));
}

#[tokio::test]
async fn a_batch_that_fails_otherwise_is_not_split() {
    let failed = Some((ErrorCode::UpstreamStatus, ErrorKind::Failed));
    let upstream = shop(reviews(20, 20), move |_| failed);
    let (_, targets) = run(&upstream, &large(), REVIEWS).await;
    assert_eq!(targets.len(), 2);
}

#[tokio::test]
async fn objects_that_nobody_asked_for_and_repeats_are_left_aside() {
    let upstream = Upstream::new(|target| {
        Ok(if target.starts_with("/reviews") {
            reviews(3, 3)
        } else {
            json!([
                { "id": 9, "name": "x" }, { "id": 3, "name": "c" }, null, { "name": "y" },
                { "id": "1", "name": "a" }, { "id": 1, "name": "z" },
            ])
        })
    });
    let (body, _) = run(&upstream, SHOP, REVIEWS).await;
    assert_eq!(names(&body), [json!("a"), Value::Null, json!("c")]);
    assert_eq!(body.get("errors"), None);
}

#[tokio::test]
async fn a_reply_to_a_batch_that_is_no_list_fails_its_keys() {
    for reply in [json!({ "id": 1 }), json!(null), json!("x")] {
        let upstream = Upstream::new(move |target| {
            Ok(if target.starts_with("/reviews") { reviews(2, 2) } else { reply.clone() })
        });
        let (body, _) = run(&upstream, SHOP, REVIEWS).await;
        assert_eq!(
            errors(&body),
            [
                r#"["reviews",0,"author","name"] UPSTREAM_INVALID_REPLY"#,
                r#"["reviews",1,"author","name"] UPSTREAM_INVALID_REPLY"#,
            ]
        );
    }
}

/// Items whose prices come two at a time.
fn prices(ty: &str, reply: &str, more: &str) -> String {
    format!(
        r#"type Query {{ items: [Item!]! @call(source: "items", target: "/items") }}
        type Item {{ id: ID! prices: {ty} @call(source: "prices",
            target: "/prices?ids={{$batch.id->joinNotNull(',')}}", {more}
            batch: {{ max: 2, reply: {reply} }}) }}
        type Price {{ item: ID cents: Int }}"#
    )
}

fn items_and(prices: impl Fn(Vec<String>) -> Value + Send + Sync + 'static) -> Upstream {
    Upstream::new(move |target| {
        Ok(if target == "/items" {
            json!([{ "id": "a" }, { "id": "b" }, { "id": "c" }])
        } else {
            prices(ids(target))
        })
    })
}

#[tokio::test]
async fn by_position_the_lengths_must_agree() {
    let upstream = items_and(|ids| {
        // The second chunk has one element too many.
        (0..2).map(|n| json!({ "cents": n + ids.len() })).collect()
    });
    let sdl = prices("Price", "POSITIONAL", "");
    let (body, targets) = run(&upstream, &sdl, "{ items { prices { cents } } }").await;
    assert_eq!(targets[1..], ["/prices?ids=a,b", "/prices?ids=c"]);
    assert_eq!(
        body["data"]["items"],
        json!([
            { "prices": { "cents": 2 } }, { "prices": { "cents": 3 } }, { "prices": null },
        ])
    );
    assert_eq!(errors(&body), [r#"["items",2,"prices"] UPSTREAM_INVALID_REPLY"#]);
}

#[tokio::test]
async fn by_position_null_is_nothing() {
    let upstream = items_and(|ids| ids.iter().map(|_| Value::Null).collect());
    let sdl = prices("Price", "POSITIONAL", "");
    let (body, _) = run(&upstream, &sdl, "{ items { prices { cents } } }").await;
    let nothing = json!([{ "prices": null }, { "prices": null }, { "prices": null }]);
    assert_eq!(body, json!({ "data": { "items": nothing } }));
}

#[tokio::test]
async fn a_map_has_its_keys_outside() {
    let upstream = items_and(|ids| {
        if ids[0] == "c" {
            return Value::Null;
        }
        json!({ "found": { "b": { "c": 2 }, "z": { "c": 9 }, "a": null } })
    });
    let sdl = prices("Price", "MAP", r#"select: "$.found { cents: c }""#);
    let (body, _) = run(&upstream, &sdl, "{ items { id prices { cents } } }").await;
    assert_eq!(
        body,
        json!({ "data": { "items": [
        { "id": "a", "prices": null }, { "id": "b", "prices": { "cents": 2 } }, { "id": "c", "prices": null },
    ] } })
    );
}

#[tokio::test]
async fn groups_without_members_are_empty() {
    let upstream = items_and(|_| json!([{ "item": "b", "cents": 1 }, { "item": "b", "cents": 2 }]));
    let sdl = prices("[Price!]!", "GROUP_BY, key: \"item\"", "");
    let (body, _) = run(&upstream, &sdl, "{ items { prices { cents } } }").await;
    assert_eq!(
        body,
        json!({ "data": { "items": [
        { "prices": [] }, { "prices": [{ "cents": 1 }, { "cents": 2 }] }, { "prices": [] },
    ] } })
    );
}

#[tokio::test]
async fn keys_that_the_client_gives_come_back_in_its_order() {
    let upstream = shop(Value::Null, |_| None);
    let query = r#"{ usersById(ids: ["3", 1, "3", "2"]) { name } }"#;
    let (body, targets) = run(&upstream, SHOP, query).await;
    assert_eq!(targets, ["/users?ids=3,1,2"]);
    let names = json!([{ "name": "n3" }, { "name": "n1" }, { "name": "n3" }, { "name": "n2" }]);
    assert_eq!(body["data"]["usersById"], names);
    let (body, targets) = run(&upstream, SHOP, "{ usersById(ids: []) { name } }").await;
    assert_eq!((body, targets.len()), (json!({ "data": { "usersById": [] } }), 0));
}
