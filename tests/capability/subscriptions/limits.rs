//! Limits of subscriptions: places on a connection, and cost from their caller's bucket.

use super::{SAID, said, serve};
use crate::support::PATIENCE;
use crate::support::client::Http;
use crate::support::gateway::Gateway;
use crate::support::listener::{Connection, Listener};
use crate::support::redis::Redis;
use serde_json::json;
use std::time::Instant;

#[tokio::test]
async fn a_connection_of_http2_has_its_own_number_of_places() {
    let (feed, gateway) = serve("", "subscriptions: { max: 4, max_per_connection: 2 }").await;
    let mut connection = Connection::open(&gateway.url).await;
    let (mut one, two) = (connection.events(SAID).await, connection.events(SAID).await);
    let refused = connection.events(SAID).await;
    assert_eq!((refused.head.status.as_u16(), refused.head.version), (503, http::Version::HTTP_2));
    feed.until(|count| count.open == 2).await;
    let mut other = Connection::open(&gateway.url).await;
    let mut third = other.events(SAID).await;
    assert_eq!(third.head.status, 200, "another connection has places of its own");
    feed.say("a", 1);
    for events in [&mut one, &mut third] {
        assert_eq!(events.answer().await, Some(said("a", 1)));
    }
    // If one ends, another may start on the same connection.
    drop(two);
    feed.until(|count| count.open == 2).await;
    let start = Instant::now();
    let mut fourth = connection.events(SAID).await;
    while fourth.head.status != 200 {
        assert!(start.elapsed() < PATIENCE, "its place is not given back");
        fourth = connection.events(SAID).await;
    }
    assert_eq!(connection.events(SAID).await.head.status, 503);
    feed.say("b", 2);
    assert_eq!(fourth.answer().await, Some(said("b", 2)));
    assert_eq!(feed.count().opened, 4, "the refused ones were not opened");
}

/// Returns the units left in a caller's bucket after a request, which costs 1; the status, if it was refused.
async fn left(gateway: &Gateway, who: &str) -> Result<u64, u16> {
    let body = json!({ "query": "{ __typename }" }).to_string();
    let answer = Http::new().post(&gateway.url, &[("x-api-key", who)], body).await;
    let cost = &answer.json()["extensions"]["cost"]["throttleStatus"]["currentlyAvailable"];
    if answer.status == 200 { Ok(cost.as_u64().expect("told")) } else { Err(answer.status) }
}

/// Repeats [`left`], which costs 1 each time, until the rest is as due: the cost of events may still be in transit to
/// Redis.
async fn until_left(gateway: &Gateway, who: &str, mut due: u64) {
    let start = Instant::now();
    while left(gateway, who).await != Ok(due) {
        assert!(start.elapsed() < PATIENCE && due > 0, "{due} is not what is left");
        due -= 1;
    }
}

fn rate(capacity: u32, store: &str) -> String {
    format!(
        "limits: {{ cost: {{ call_weight: 0 }}, rate: {{ capacity: {capacity}, refill: 1/h, key: ['$request.headers.\"x-api-key\"']{store} }} }}"
    )
}

async fn subscribed(gateway: &Gateway, who: &str) -> Listener {
    let headers = [("accept", "text/event-stream"), ("x-api-key", who)];
    Listener::post(&gateway.url, SAID, &headers, "\n\n").await
}

#[tokio::test]
async fn events_are_taken_from_their_caller_s_bucket_down_to_a_debt() {
    let (feed, gateway) = serve("", &rate(20, "")).await;
    let mut events = subscribed(&gateway, "ann").await;
    // The message and its author: opening spends the estimate for one event.
    assert_eq!(left(&gateway, "ann").await, Ok(17));
    for due in [14, 11, 8, 5, 2] {
        feed.say("a", 1);
        let answer = events.answer().await.expect("an event");
        assert_eq!(answer["extensions"]["cost"]["actualQueryCost"], 2);
        assert_eq!(left(&gateway, "ann").await, Ok(due));
    }
    assert_eq!(left(&gateway, "bob").await, Ok(19), "nobody else pays");
    // Events are never refused; her other requests are.
    for text in ["b", "c", "d"] {
        feed.say(text, 2);
        assert_eq!(events.answer().await.expect("an event")["data"], said(text, 2)["data"]);
    }
    assert_eq!(left(&gateway, "ann").await, Err(429));
    drop(events);
    feed.until(|count| count.open == 0).await;
    assert_eq!(left(&gateway, "ann").await, Err(429));
}

#[tokio::test]
async fn events_are_taken_from_a_bucket_that_gateways_share() {
    let redis = Redis::start();
    let store = format!(", redis: {{ url: \"{}\", timeout: 20s }}", redis.url());
    let (feed, one) = serve("", &rate(100, &store)).await;
    let (_feed, two) = serve("", &rate(100, &store)).await;
    let mut events = subscribed(&one, "ann").await;
    for _ in 0..10 {
        feed.say("a", 1);
        assert!(events.answer().await.is_some());
    }
    // Opened for two, ten events at two each, and one for the request.
    until_left(&two, "ann", 77).await;
    assert_eq!(left(&two, "bob").await, Ok(99));
}
