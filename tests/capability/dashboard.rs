//! The dashboard is one query and five calls; a page of users costs what its batches cost.

use crate::support::gateway::Shop;
use portcullis::demo::{self, Failure, Service};
use serde_json::Value;
use std::collections::BTreeSet;

#[tokio::test]
async fn the_dashboard_is_five_calls() {
    let shop = Shop::start().await;
    let answer = shop.http.ask(&shop.gateway.url, demo::DASHBOARD).await.json();
    assert!(answer.get("errors").is_none(), "{answer}");
    let user = &answer["data"]["user"];
    assert_eq!(user["orders"].as_array().unwrap().len(), 5);
    assert_eq!(user["notifications"].as_array().unwrap().len(), 10);
    assert_eq!(answer["data"]["recommendedProducts"].as_array().unwrap().len(), 6);
    assert!(user["orders"][0]["lines"][0]["product"]["name"].is_string());
    assert_eq!(shop.calls(Service::Users, "GET /users/{id}"), 1);
    assert_eq!(shop.calls(Service::Orders, "GET /orders?user_ids"), 1);
    assert_eq!(shop.calls(Service::Notifications, "GET /notifications?user_ids"), 1);
    assert_eq!(shop.calls(Service::Products, "RecommendProducts"), 1);
    assert_eq!(shop.calls(Service::Products, "BatchGetProducts"), 1);
    assert_eq!(shop.total_calls(), 5);
}

/// Calls that do not need the orders are made while they hang; others are not.
#[tokio::test]
async fn the_dashboard_waits_only_for_what_it_needs() {
    let shop =
        Shop::with(|config| config.replace("orders:        {", "orders: { timeout: 300ms,")).await;
    shop.storefront.set_failure(Service::Orders, Some(Failure::Hang));
    let answer = shop.http.ask(&shop.gateway.url, demo::DASHBOARD).await.json();
    assert_eq!(answer["data"]["user"]["orders"], Value::Null);
    assert_eq!(answer["data"]["user"]["name"], "Elif Kowalski");
    assert_eq!(answer["data"]["user"]["notifications"].as_array().unwrap().len(), 10);
    assert_eq!(answer["errors"][0]["extensions"]["code"], "UPSTREAM_TIMEOUT");
    assert_eq!(shop.calls(Service::Notifications, "GET /notifications?user_ids"), 1);
    assert_eq!(shop.calls(Service::Products, "RecommendProducts"), 1);
    assert_eq!(shop.calls(Service::Products, "BatchGetProducts"), 0);
}

#[tokio::test]
async fn a_page_of_users_costs_its_batches() {
    let shop = Shop::start().await;
    let query = "{ users(first: 20) { orders(first: 5) { lines { product { id name } } } } }";
    let answer = shop.http.ask(&shop.gateway.url, query).await.json();
    assert!(answer.get("errors").is_none(), "{answer}");
    let list = |value: &Value, key: &str| value[key].as_array().unwrap().clone();
    let orders = list(&answer["data"], "users").into_iter().flat_map(|user| list(&user, "orders"));
    let lines: Vec<Value> = orders.flat_map(|order| list(&order, "lines")).collect();
    let products: BTreeSet<String> =
        lines.iter().map(|line| line["product"]["id"].as_str().unwrap().to_owned()).collect();
    assert!(products.len() > 50, "more than one batch");
    assert_eq!(shop.calls(Service::Users, "GET /users?first"), 1);
    assert_eq!(shop.calls(Service::Orders, "GET /orders?user_ids"), 1);
    let batches = products.len().div_ceil(50) as u64;
    assert_eq!(shop.calls(Service::Products, "BatchGetProducts"), batches);
    assert_eq!(shop.total_calls(), 2 + batches);
}
