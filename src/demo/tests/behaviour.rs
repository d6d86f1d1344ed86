//! Slow, failing, counted and stopped services.

use super::super::Service::{Notifications, Orders, Products, Users};
use super::super::{Failure, Ports, Settings, start};
use super::Town;
use http_body_util::BodyExt;
use std::time::{Duration, Instant};
use tokio::net::TcpStream;

#[tokio::test]
async fn requests_are_counted_by_endpoint() {
    let town = Town::new().await;
    town.get(Users, "/users/1").await;
    town.get(Users, "/users/nobody").await;
    town.get(Users, "/users?ids=1").await;
    town.get(Users, "/nowhere").await;
    town.get(Orders, "/orders?user_ids=1&nonsense=2").await;
    assert_eq!(town.asked(Users, "GET /users/{id}"), 2);
    assert_eq!(town.asked(Users, "GET /users?ids"), 1);
    assert_eq!(town.asked(Orders, "GET /orders?first"), 1);
    let (_, reply) = town.get(Users, "/__requests").await;
    assert_eq!((&reply["total"], &reply["in_flight"]), (&3.into(), &0.into()));
    assert_eq!(reply["endpoints"]["GET /users/{id}"], 2);
    let total = |town: &Town| town.storefront.requests().map(|(_, requests)| requests.total);
    assert_eq!(total(&town), [3, 0, 1, 0]);
    assert_eq!(town.send(Users, "DELETE", "/__requests", "").await.0, 204);
    assert_eq!(total(&town), [0, 0, 1, 0]);
    town.storefront.reset_requests();
    assert_eq!(total(&town), [0; 4]);
    assert_eq!(town.get(Products, "/__requests").await.1["total"], 0);
}

#[tokio::test]
async fn a_service_fails_as_it_is_told_until_it_is_told_not_to() {
    let town = Town::new().await;
    let fail = |failure| town.storefront.set_failure(Users, Some(failure));
    fail(Failure::Status(503));
    let (status, reply) = town.get(Users, "/users/1").await;
    assert_eq!((status, &reply["error"]), (503, &"told to fail".into()));
    assert_eq!(town.get(Notifications, "/notifications/1").await.0, 200);

    fail(Failure::Share(50));
    let mut statuses = Vec::new();
    for _ in 0..4 {
        statuses.push(town.get(Users, "/users/1").await.0);
    }
    assert_eq!(statuses, [200, 500, 200, 500]);

    fail(Failure::Html);
    let (status, kind, body) = town.ask(Users, "GET", "/users/1", "").await.unwrap();
    assert_eq!((status, kind.as_str(), body[0]), (200, "text/html", b'<'));
    fail(Failure::Half);
    let (_, kind, body) = town.ask(Users, "GET", "/users/1", "").await.unwrap();
    assert_eq!(kind, "application/json");
    assert!(serde_json::from_slice::<serde_json::Value>(&body).is_err());
    fail(Failure::Close);
    assert!(town.ask(Users, "GET", "/users/1", "").await.is_err());

    town.storefront.set_failure(Users, None);
    assert_eq!(town.get(Users, "/users/1").await.0, 200);
}

#[tokio::test]
async fn a_huge_reply_is_huge() {
    let town = Town::new().await;
    town.storefront.set_failure(Orders, Some(Failure::Huge));
    let uri = format!("http://{}/orders/1", town.storefront.orders).parse().unwrap();
    let mut reply = town.client.get(uri).await.unwrap();
    let mut size = 0;
    while size < 20_000_000 {
        size += reply.frame().await.unwrap().unwrap().into_data().unwrap().len();
    }
}

#[tokio::test]
async fn a_client_that_leaves_a_hanging_service_leaves_nothing_behind() {
    let town = Town::new().await;
    for service in [Users, Products] {
        town.storefront.set_failure(service, Some(Failure::Hang));
    }
    let method = "/shop.products.v1.ProductService/GetProduct";
    let user = town.ask(Users, "GET", "/users/1", "");
    let product = town.ask(Products, "POST", method, "");
    let in_flight = |service| town.storefront.requests_of(service).in_flight;
    tokio::select! {
        _ = user => unreachable!("it hangs"),
        _ = product => unreachable!("it hangs"),
        () = until(|| in_flight(Users) + in_flight(Products) == 2) => {}
    }
    until(|| in_flight(Users) + in_flight(Products) == 0).await;
}

#[tokio::test]
async fn latency_passes_before_each_reply() {
    let latency = ["5ms", "users=80ms"].map(|flag| flag.parse().unwrap()).to_vec();
    let storefront = start(Settings { latency, ..Settings::default() }).await.unwrap();
    let town = Town { storefront, ..Town::new().await };
    let begun = Instant::now();
    town.get(Users, "/users/1").await;
    assert!(begun.elapsed() >= Duration::from_millis(80));
    town.storefront.set_latency(Users, Duration::ZERO);
    let begun = Instant::now();
    town.get(Notifications, "/notifications/1").await;
    assert!(begun.elapsed() >= Duration::from_millis(5));
}

#[tokio::test]
async fn stopping_frees_the_ports_and_a_taken_port_is_named() {
    let storefront = start(Settings::default()).await.unwrap();
    let port = storefront.users.port();
    let ports = Ports { users: port, ..Ports::default() };
    let taken = start(Settings { ports, ..Settings::default() }).await.err().unwrap();
    let message = taken.to_string();
    assert!(message.starts_with(&format!("the users service cannot listen on 127.0.0.1:{port}: ")));

    let connection = TcpStream::connect(storefront.users).await.unwrap();
    storefront.stop().await;
    connection.readable().await.unwrap();
    assert!(matches!(connection.try_read(&mut [0]), Ok(0) | Err(_)), "closed");
    start(Settings { ports, ..Settings::default() }).await.unwrap().stop().await;
}

/// Runs other tasks until the condition holds.
async fn until(so: impl Fn() -> bool) {
    let so = async {
        while !so() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), so).await.expect("it becomes so in time");
}
