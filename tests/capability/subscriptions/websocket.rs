//! Subscriptions over a WebSocket, in both protocols.

use super::{SAID, said, serve};
use crate::support::client::Http;
use crate::support::listener::Listener;
use crate::support::websocket::{Said, Socket};
use serde_json::{Value, json};
use std::time::Duration;

const NEW: &str = "graphql-transport-ws";
const OLD: &str = "graphql-ws";

fn next(id: &str, payload: Value) -> (String, String, Value) {
    ("next".into(), id.into(), payload)
}

fn complete(id: &str) -> (String, String, Value) {
    ("complete".into(), id.into(), Value::Null)
}

#[tokio::test]
async fn operations_of_every_kind_share_a_socket() {
    let (feed, gateway) = serve("", "").await;
    let mut socket = Socket::begun(&gateway.url).await;
    socket.subscribe("s", SAID).await;
    feed.until(|count| count.open == 1).await;
    feed.say("a", 1);
    assert_eq!(socket.message().await, next("s", said("a", 1)));
    socket.subscribe("q", "{ user(id: 1) { name } }").await;
    assert_eq!(socket.message().await, next("q", json!({ "data": { "user": { "name": "n1" } } })));
    assert_eq!(socket.message().await, complete("q"));
    socket.subscribe("q", "mutation { rename(id: 2) { name } }").await;
    assert_eq!(
        socket.message().await,
        next("q", json!({ "data": { "rename": { "name": "n2" } } }))
    );
    assert_eq!(socket.message().await, complete("q"));
    feed.say("b", 2);
    assert_eq!(socket.message().await, next("s", said("b", 2)));
    feed.end();
    assert_eq!(socket.message().await, complete("s"));
}

#[tokio::test]
async fn the_older_protocol_is_spoken_too() {
    let (feed, gateway) = serve("", "subscriptions: { keep_alive: 200ms }").await;
    let mut socket = Socket::open(&gateway.url, OLD, &[]).await.unwrap();
    socket.send(json!({ "type": "connection_init", "payload": {} })).await;
    assert_eq!(socket.message().await.0, "connection_ack");
    socket.send(json!({ "id": "1", "type": "start", "payload": { "query": SAID } })).await;
    feed.until(|count| count.open == 1).await;
    feed.say("a", 1);
    assert_eq!(socket.message().await, ("data".into(), "1".into(), said("a", 1)));
    socket.pinged().await;
    socket.send(json!({ "id": "1", "type": "stop" })).await;
    assert_eq!(socket.message().await, complete("1"));
    feed.until(|count| count.open == 0).await;
    socket.send(json!({ "type": "connection_terminate" })).await;
    assert_eq!(socket.next().await, Said::Close(1000));
}

#[tokio::test]
async fn a_subscription_ends_when_the_client_says_so_or_goes_away() {
    let (feed, gateway) = serve("", "").await;
    let mut socket = Socket::begun(&gateway.url).await;
    socket.subscribe("a", SAID).await;
    socket.subscribe("b", SAID).await;
    feed.until(|count| count.open == 2).await;
    socket.send(json!({ "id": "a", "type": "complete" })).await;
    feed.until(|count| count.open == 1).await;
    drop(socket);
    feed.until(|count| count.open == 0).await;
}

/// Returns the code of an `error` message.
async fn refused(socket: &mut Socket, id: &str) -> String {
    let (kind, of, payload) = socket.message().await;
    assert_eq!((kind.as_str(), of.as_str()), ("error", id), "{payload}");
    payload[0]["extensions"]["code"].as_str().expect("a list of errors").to_owned()
}

#[tokio::test]
async fn errors_end_their_operation_and_the_socket_stays() {
    let (feed, gateway) = serve("", "subscriptions: { max_per_connection: 2 }").await;
    let mut socket = Socket::begun(&gateway.url).await;
    for (query, expected) in [
        ("subscription { said { lost } }", "GRAPHQL_VALIDATION_FAILED"),
        ("{", "GRAPHQL_PARSE_FAILED"),
    ] {
        socket.subscribe("x", query).await;
        assert_eq!(refused(&mut socket, "x").await, expected);
    }
    for id in ["a", "b"] {
        socket.subscribe(id, SAID).await;
    }
    feed.until(|count| count.open == 2).await;
    for id in ["c", "d", "e"] {
        socket.subscribe(id, SAID).await;
        assert_eq!(refused(&mut socket, id).await, "OVERLOADED");
    }
    assert_eq!(feed.count().opened, 2);
    socket.send(json!({ "id": "a", "type": "complete" })).await;
    feed.until(|count| count.open == 1).await;
    socket.subscribe("f", SAID).await;
    feed.until(|count| count.open == 2).await;
}

#[tokio::test]
async fn whoever_breaks_the_protocol_is_told_how_and_let_go() {
    let (feed, gateway) = serve("", "limits: { body: 64KiB }").await;
    let init = json!({ "type": "connection_init" }).to_string();
    let subscribe =
        json!({ "id": "1", "type": "subscribe", "payload": { "query": SAID } }).to_string();
    let large =
        json!({ "id": "2", "type": "subscribe", "payload": { "query": "#".repeat(70_000) } });
    for (said, code) in [
        (&["{"][..], 4400),
        (&["null"], 4400),
        (&[r#"{"type":"shout"}"#], 4400),
        (&[r#"{"type":"subscribe","payload":{}}"#], 4400),
        (&[r#"{"type":"subscribe","id":"1","payload":{"query":1}}"#], 4400),
        (&[&"[".repeat(60_000)], 4400),
        (&[&subscribe], 4401),
        (&[&init, &init], 4429),
        (&[&init, &subscribe, &subscribe], 4409),
        (&[&init, &large.to_string()], 1009),
    ] {
        let mut socket = Socket::open(&gateway.url, NEW, &[]).await.unwrap();
        for text in said {
            socket.text(*text).await;
        }
        let mut last = socket.next().await;
        while matches!(last, Said::Json(_)) {
            last = socket.next().await;
        }
        assert_eq!(last, Said::Close(code), "{}", &said[0][..said[0].len().min(60)]);
        feed.until(|count| count.open == 0).await;
    }
    let mut socket = Socket::open(&gateway.url, NEW, &[]).await.unwrap();
    socket.binary(b"\xff\xfe").await;
    assert_eq!(socket.next().await, Said::Close(4400));
}

#[tokio::test]
async fn a_flood_of_messages_does_not_keep_the_answers_back() {
    let (feed, gateway) = serve("", "").await;
    let mut socket = Socket::begun(&gateway.url).await;
    socket.subscribe("s", SAID).await;
    feed.until(|count| count.open == 1).await;
    for _ in 0..500 {
        socket.send(json!({ "type": "ping" })).await;
        socket.send(json!({ "type": "pong" })).await;
        socket.send(json!({ "type": "complete", "id": "nobody" })).await;
    }
    feed.say("a", 1);
    let (mut pongs, mut answers) = (0, 0);
    while pongs < 500 || answers < 1 {
        match socket.message().await.0.as_str() {
            "pong" => pongs += 1,
            "next" => answers += 1,
            other => panic!("{other}"),
        }
    }
}

#[tokio::test]
async fn a_socket_that_never_begins_is_closed() {
    let (_feed, gateway) = serve("", "subscriptions: { init_timeout: 100ms }").await;
    for protocol in [NEW, OLD] {
        let mut socket = Socket::open(&gateway.url, protocol, &[]).await.unwrap();
        assert_eq!(socket.next().await, Said::Close(4408));
    }
}

#[tokio::test]
async fn a_client_that_answers_no_ping_loses_its_socket() {
    let (feed, gateway) = serve("", "subscriptions: { keep_alive: 100ms }").await;
    let mut socket = Socket::begun(&gateway.url).await;
    socket.subscribe("s", SAID).await;
    feed.until(|count| count.open == 1).await;
    socket.pinged().await;
    // From here on nothing is read, so nothing is answered.
    feed.until(|count| count.open == 0).await;
}

#[tokio::test]
async fn pages_of_other_origins_open_no_socket() {
    let listed = "server: { cors: { origins: [\"https://shop.example\"] } }";
    let (_feed, gateway) = serve("", listed).await;
    let own = gateway.url.trim_end_matches("/graphql").to_owned();
    for (headers, expected) in [
        (&[][..], None),
        (&[("origin", own.as_str())], None),
        (&[("origin", "https://shop.example")], None),
        (&[("origin", "https://evil.example")], Some(403)),
        (&[("origin", "null")], Some(403)),
        (&[("sec-fetch-site", "cross-site")], Some(403)),
        (&[("sec-fetch-site", "same-origin"), ("origin", own.as_str())], None),
    ] {
        let opened = Socket::open(&gateway.url, NEW, headers).await;
        assert_eq!(opened.err(), expected, "{headers:?}");
    }
    for protocol in ["", "mqtt"] {
        assert_eq!(Socket::open(&gateway.url, protocol, &[]).await.err(), Some(400), "{protocol}");
    }
    let plain = Http::new().get(&gateway.url).await;
    assert_eq!(plain.status, 400, "an endpoint all the same");
}

#[tokio::test]
async fn a_gateway_that_stops_says_goodbye() {
    let (feed, gateway) = serve("", "").await;
    let mut socket = Socket::begun(&gateway.url).await;
    let mut silent = Socket::open(&gateway.url, OLD, &[]).await.unwrap();
    socket.subscribe("s", SAID).await;
    feed.until(|count| count.open == 1).await;
    drop(gateway);
    assert_eq!(socket.next().await, Said::Close(1001));
    assert_eq!(silent.next().await, Said::Close(1001));
    feed.until(|count| count.open == 0).await;
}

#[tokio::test]
async fn a_socket_is_one_of_the_connections_and_its_subscriptions_are_of_all() {
    let config = "server: { connections: 1 }\nsubscriptions: { max: 1 }";
    let (feed, gateway) = serve("", config).await;
    let mut socket = Socket::begun(&gateway.url).await;
    socket.subscribe("s", SAID).await;
    feed.until(|count| count.open == 1).await;
    let mut other = Box::pin(Listener::events(&gateway.url, SAID));
    let waited = tokio::time::timeout(Duration::from_millis(300), &mut other).await;
    assert!(waited.is_err(), "there is room for one connection");
    drop(socket);
    let mut other = other.await;
    feed.say("a", 1);
    assert_eq!(other.answer().await, Some(said("a", 1)));
}
