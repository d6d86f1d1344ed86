//! The storefront's own subscription: notifications of a user, as they happen.

use crate::support::gateway::Shop;
use crate::support::listener::Listener;
use crate::support::websocket::Socket;
use portcullis::demo::Service;
use serde_json::{Value, json};

const ADDED: &str = "subscription Told { notificationAdded(userId: 1) { \
    kind text read order { id buyer { name } lines { product { name } } } } }";
const PLACE: &str = "mutation { placeOrder(input: { userId: 1, \
    lines: [{ productId: \"P-0042\", quantity: 1 }] }) { id lines { product { name } } } }";

/// Waits until this many listeners have ever connected; from then on, they receive events.
async fn until_heard(shop: &Shop, listeners: u64) {
    let so = async {
        while shop.calls(Service::Notifications, "GET /users/{id}/stream") < listeners {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(crate::support::PATIENCE, so).await.expect("the stream is opened");
}

/// Returns the notification of an order that was placed.
fn told(placed: &Value) -> Value {
    let order = &placed["data"]["placeOrder"];
    let text = format!("Thank you for order {}", order["id"].as_str().unwrap());
    let order = json!({
        "id": order["id"], "buyer": { "name": "Elif Kowalski" }, "lines": order["lines"],
    });
    json!({ "data": { "notificationAdded": {
        "kind": "ORDER_PLACED", "text": text, "read": false, "order": order,
    } } })
}

#[tokio::test]
async fn a_placed_order_is_told_over_every_transport() {
    let shop = Shop::start().await;
    let mut socket = Socket::begun(&shop.gateway.url).await;
    socket.subscribe("s", ADDED).await;
    until_heard(&shop, 1).await;
    let mut events = Listener::events(&shop.gateway.url, ADDED).await;
    let mut parts = Listener::parts(&shop.gateway.url, ADDED).await;
    let other = ADDED.replace("userId: 1", "userId: 2");
    let mut other = Listener::events(&shop.gateway.url, &other).await;
    for _ in 0..2 {
        let placed = shop.http.ask(&shop.gateway.url, PLACE).await.json();
        let expected = told(&placed);
        assert_eq!(events.answer().await, Some(expected.clone()));
        assert_eq!(parts.answer().await, Some(expected.clone()));
        assert_eq!(socket.message().await, ("next".into(), "s".into(), expected));
    }
    let theirs = PLACE.replace("userId: 1", "userId: 2");
    shop.http.ask(&shop.gateway.url, &theirs).await;
    let heard = other.answer().await.expect("an answer");
    assert_ne!(heard["data"]["notificationAdded"]["order"]["buyer"]["name"], "Elif Kowalski");
}

#[tokio::test]
async fn a_failing_service_is_told_and_ends_it() {
    let shop = Shop::start().await;
    let nobody = ADDED.replace("userId: 1", "userId: 0");
    let mut events = Listener::events(&shop.gateway.url, &nobody).await;
    assert_eq!(events.codes().await, ["UPSTREAM_STATUS"]);
    assert_eq!(events.answer().await, None);
}
