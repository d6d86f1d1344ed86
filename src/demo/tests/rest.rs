//! Users, orders and notifications.

use super::super::Service::{Notifications, Orders, Users};
use super::{Town, column};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};

#[tokio::test]
async fn users_one_some_and_all() {
    let town = Town::new().await;
    let (status, user) = town.get(Users, "/users/17").await;
    assert_eq!(status, 200);
    let expected = json!({
        "id": 17, "full_name": user["full_name"], "email": "user17@example.com",
        "joined_at": "2020-01-18T00:03:41Z", "loyalty_points": user["loyalty_points"],
        "address": user["address"],
    });
    assert_eq!(user, expected);
    assert_eq!(town.get(Users, "/users/11").await.1["email"], json!(null));
    assert_eq!(town.get(Users, "/users/13").await.1["address"], json!(null));

    let (_, batch) = town.get(Users, "/users?ids=30,2,9999,2,0").await;
    assert_eq!(column(&batch["users"], "id"), [2, 30]);
    assert_eq!(town.get(Users, "/users?ids=3%2C4").await.1["users"][1]["id"], 4);
    assert_eq!(town.get(Users, "/users?ids=").await.1, json!({ "users": [] }));

    let (_, page) = town.get(Users, "/users?first=3&after=996").await;
    assert_eq!(
        (column(&page["users"], "id"), &page["next"]),
        (vec![997.into(), 998.into(), 999.into()], &json!(999))
    );
    assert_eq!(town.get(Users, "/users?first=3&after=999").await.1["next"], json!(null));
    assert_eq!(town.get(Users, "/users?first=0").await.1["users"], json!([]));
    assert_eq!(town.get(Users, "/users").await.1["users"].as_array().unwrap().len(), 20);
}

#[tokio::test]
async fn a_created_user_can_be_read_and_can_buy() {
    let town = Town::new().await;
    let body = r#"{"full_name":" Zoë \"Z\" ","email":"z@example.com"}"#;
    let (status, user) = town.send(Users, "POST", "/users", body).await;
    assert_eq!((status, &user["id"], &user["full_name"]), (201, &json!(1001), &json!("Zoë \"Z\"")));
    assert_eq!(town.get(Users, "/users/1001").await, (200, user));

    let order = r#"{"user_id":"1001","items":[{"sku":"P-0042","qty":2},{"sku":"P-0001","qty":1}]}"#;
    let (status, order) = town.send(Orders, "POST", "/orders", order).await;
    assert_eq!((status, &order["id"], &order["status"]), (201, &json!(20_001), &json!("PLACED")));
    let price = |line: usize| order["items"][line]["unit_price"]["cents"].as_i64().unwrap();
    assert_eq!(order["total_cents"], 2 * price(0) + price(1));
    let (_, latest) = town.get(Orders, "/orders?user_ids=1001&per_user=5").await;
    assert_eq!(latest, json!({ "rows": [order] }));
}

#[tokio::test]
async fn orders_of_users_are_the_latest_of_each() {
    let town = Town::new().await;
    let (status, reply) = town.get(Orders, "/orders?user_ids=3,1,10&per_user=2").await;
    assert_eq!(status, 200);
    let rows = &reply["rows"];
    assert_eq!(column(rows, "user_id"), [1, 1, 3, 3], "user 10 has never ordered");
    let times = column(rows, "created_at");
    assert!(times[0].as_str() > times[1].as_str() && times[2].as_str() > times[3].as_str());
    let id = &rows[0]["id"];
    assert_eq!(town.get(Orders, &format!("/orders/{id}")).await, (200, rows[0].clone()));
    let batch = town.get(Orders, &format!("/orders?ids={id},1,99999")).await.1;
    assert_eq!(column(&batch["rows"], "id"), [json!(1), id.clone()]);
    let page = town.get(Orders, "/orders?first=2").await.1;
    assert_eq!((column(&page["rows"], "id"), &page["next"]), (vec![1.into(), 2.into()], &json!(2)));
    assert_eq!(town.get(Orders, "/orders?user_ids=1&per_user=0").await.1, json!({ "rows": [] }));
    for id in 1..=40 {
        let order = town.get(Orders, &format!("/orders/{id}")).await.1;
        let skus = column(&order["items"], "sku");
        assert!((1..=5).contains(&skus.len()));
        let total: i64 = order["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|item| {
                item["qty"].as_i64().unwrap() * item["unit_price"]["cents"].as_i64().unwrap()
            })
            .sum();
        assert_eq!(order["total_cents"], total);
    }
}

#[tokio::test]
async fn shipping_is_quoted_for_each_weight() {
    let town = Town::new().await;
    let (_, reply) = town.get(Orders, "/shipping?country=FR&grams=2600,100,100").await;
    let quote =
        |grams, fee| json!({ "grams": grams, "fee_cents": fee, "currency": "EUR", "days": 3 });
    assert_eq!(reply, json!({ "quotes": [quote(100, 790), quote(2600, 1150)] }));
    assert_eq!(town.get(Orders, "/shipping?country=XX&grams=1").await.0, 422);
}

#[tokio::test]
async fn notifications_are_bare_lists_and_can_be_read() {
    let town = Town::new().await;
    let (_, rows) = town.get(Notifications, "/notifications?user_ids=1,7&per_user=10").await;
    assert_eq!(column(&rows, "user_id"), [1; 10], "user 7 was never notified");
    let (_, page) = town.get(Notifications, "/notifications?first=3&after=1").await;
    assert_eq!(column(&page, "id"), [2, 3, 4]);
    assert_eq!(column(&town.get(Notifications, "/notifications?ids=4,2").await.1, "id"), [2, 4]);

    let before = town.get(Notifications, "/notifications/4").await.1;
    assert_eq!(before["read"], false);
    let (status, after) =
        town.send(Notifications, "PATCH", "/notifications/4", r#"{"read":true}"#).await;
    assert_eq!((status, &after["read"], &after["body"]), (200, &json!(true), &before["body"]));
    assert_eq!(town.get(Notifications, "/notifications/4").await.1, after);

    let body = r#"{"user_id":7,"kind":"PROMOTION","body":"Hello","order_id":null}"#;
    let (status, created) = town.send(Notifications, "POST", "/notifications", body).await;
    assert_eq!((status, &created["subject"]), (201, &json!(null)));
    assert_eq!(town.get(Notifications, "/notifications?user_ids=7").await.1, json!([created]));
}

#[tokio::test]
async fn new_notifications_are_streamed_to_whoever_listens() {
    let town = Town::new().await;
    let uri = format!("http://{}/users/7/stream", town.storefront.notifications);
    let mut stream = town.client.get(uri.parse().unwrap()).await.unwrap();
    assert_eq!(stream.headers()["content-type"], "text/event-stream");
    for body in ["\"Hello\"", "Again"] {
        let notification = json!({ "user_id": 7, "kind": "PROMOTION", "body": body }).to_string();
        let (_, created) = town.send(Notifications, "POST", "/notifications", &notification).await;
        let event = stream.frame().await.unwrap().unwrap().into_data().unwrap();
        let event = std::str::from_utf8(&event).unwrap();
        let heard = event.strip_prefix("data: ").and_then(|event| event.strip_suffix("\n\n"));
        assert_eq!(serde_json::from_str::<Value>(heard.unwrap()).unwrap(), created);
    }
    assert_eq!(town.storefront.requests_of(Notifications).in_flight, 1);
}

#[tokio::test]
async fn what_is_wrong_is_refused_with_a_reason() {
    let town = Town::new().await;
    let many = |count: u32| (1..=count).map(|id| id.to_string()).collect::<Vec<_>>().join(",");
    let ids = |path: &str, count| format!("{path}={}", many(count));
    for (status, service, target) in [
        (404, Users, "/users/1001".to_owned()),
        (404, Users, "/users/0".to_owned()),
        (404, Users, "/users/-1".to_owned()),
        (404, Users, "/users/one".to_owned()),
        (404, Users, "/nowhere".to_owned()),
        (404, Orders, "/orders/20001".to_owned()),
        (404, Notifications, "/notifications/99999999999999".to_owned()),
        (404, Notifications, "/users/1001/stream".to_owned()),
        (404, Notifications, "/users/one/stream".to_owned()),
        (400, Users, "/users?ids=1,x".to_owned()),
        (400, Users, "/users?id=1".to_owned()),
        (400, Users, "/users?first=-1".to_owned()),
        (400, Users, "/users?first=501".to_owned()),
        (400, Users, "/users?first=5&after=x".to_owned()),
        (400, Users, "/users?ids=1&ids=2".to_owned()),
        (200, Users, ids("/users?ids", 100)),
        (400, Users, ids("/users?ids", 101)),
        (400, Orders, ids("/orders?ids", 101)),
        (400, Orders, ids("/orders?user_ids", 51)),
        (400, Orders, "/orders?user_ids=1&per_user=101".to_owned()),
        (400, Orders, ids("/shipping?grams", 51)),
        (400, Notifications, ids("/notifications?user_ids", 51)),
    ] {
        let (got, reply) = town.get(service, &target).await;
        assert_eq!(got, status, "{target}");
        assert!(status == 200 || reply["error"].is_string(), "{target}: {reply}");
    }
    for (status, service, target, body) in [
        (400, Users, "/users", "{"),
        (400, Users, "/users", r#"{"email":"a@b"}"#),
        (400, Users, "/users", "\u{0}"),
        (422, Users, "/users", r#"{"full_name":" "}"#),
        (422, Users, "/users", r#"{"full_name":"A","email":"nobody"}"#),
        (400, Orders, "/orders", r#"{"user_id":1,"items":{}}"#),
        (422, Orders, "/orders", r#"{"user_id":1,"items":[]}"#),
        (422, Orders, "/orders", r#"{"user_id":1001,"items":[{"sku":"P-0001","qty":1}]}"#),
        (422, Orders, "/orders", r#"{"user_id":1,"items":[{"sku":"P-0501","qty":1}]}"#),
        (422, Orders, "/orders", r#"{"user_id":1,"items":[{"sku":"P-0001","qty":0}]}"#),
        (422, Notifications, "/notifications", r#"{"user_id":1,"kind":"SPAM","body":"x"}"#),
    ] {
        let (got, reply) = town.send(service, "POST", target, body).await;
        assert_eq!(got, status, "{body}");
        assert!(reply["error"].is_string(), "{body}: {reply}");
    }
    let (status, _) =
        town.send(Notifications, "PATCH", "/notifications/0", r#"{"read":true}"#).await;
    assert_eq!(status, 404);
    let huge = "x".repeat(65 * 1024);
    let (status, ..) = town.ask(Users, "POST", "/users", &huge).await.unwrap();
    assert_eq!(status, 413);
}
