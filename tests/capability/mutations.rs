//! Effects of a mutation are visible in the selection of its result, and in the next query.

use crate::support::gateway::Shop;
use portcullis::demo::Service;
use serde_json::json;

#[tokio::test]
async fn an_order_is_placed_and_its_parts_are_joined() {
    let shop = Shop::start().await;
    let mutation = r#"mutation {
        createUser(input: { name: "Ada Lovelace", email: "ada@example.com" }) { id name orders { id } }
        placeOrder(input: { userId: "2", lines: [{ productId: "P-0001", quantity: 2 }] }) {
            id buyer { name orders(first: 1) { id } } lines { quantity product { id name } }
        }
        markNotificationRead(id: "1") { id read }
    }"#;
    let answer = shop.http.ask(&shop.gateway.url, mutation).await.json();
    assert!(answer.get("errors").is_none(), "{answer}");
    let data = &answer["data"];
    assert_eq!(data["createUser"]["name"], "Ada Lovelace");
    assert_eq!(data["createUser"]["orders"], json!([]));
    let order = &data["placeOrder"];
    assert_eq!(order["buyer"]["orders"][0]["id"], order["id"], "read after it was written");
    assert_eq!(order["lines"][0]["quantity"], 2);
    assert_eq!(order["lines"][0]["product"]["id"], "P-0001");
    assert!(order["lines"][0]["product"]["name"].is_string());
    assert_eq!(data["markNotificationRead"], json!({ "id": "1", "read": true }));
    assert_eq!(shop.calls(Service::Users, "POST /users"), 1);
    assert_eq!(shop.calls(Service::Orders, "POST /orders"), 1);

    let id = data["createUser"]["id"].as_str().unwrap();
    let query = format!("{{ user(id: \"{id}\") {{ name }} }}");
    let answer = shop.http.ask(&shop.gateway.url, &query).await.json();
    assert_eq!(answer["data"]["user"]["name"], "Ada Lovelace");
}
