//! The share of each client in all subscriptions, over any transport, connection or stream.

use super::{SAID, said, serve};
use crate::support::listener::{Connection, Listener};
use crate::support::websocket::Socket;
use serde_json::json;

const NEW: &str = "graphql-transport-ws";

/// Twenty in all; past ten, a client may hold four. Clients are identified as behind a proxy.
const BEHIND_A_PROXY: &str = "server: { trusted_proxies: [127.0.0.1] }\nsubscriptions: { max: 20 }";

/// Subscribes three times over each of several WebSockets.
async fn over_sockets(url: &str, client: &str, sockets: usize) -> Vec<Socket> {
    let mut open = Vec::new();
    for _ in 0..sockets {
        let mut socket = Socket::open(url, NEW, &[("x-forwarded-for", client)]).await.unwrap();
        socket.send(json!({ "type": "connection_init" })).await;
        assert_eq!(socket.message().await.0, "connection_ack");
        for id in ["a", "b", "c"] {
            socket.subscribe(id, SAID).await;
        }
        // All three were checked when this is answered.
        socket.send(json!({ "type": "ping" })).await;
        loop {
            match socket.message().await {
                (kind, _, payload) if kind == "error" => {
                    assert_eq!(payload[0]["extensions"]["code"], "OVERLOADED");
                }
                (kind, ..) => {
                    assert_eq!(kind, "pong");
                    break;
                }
            }
        }
        open.push(socket);
    }
    open
}

async fn status(url: &str, client: &str, accept: &str) -> (Listener, u16) {
    let headers = [("accept", accept), ("x-forwarded-for", client)];
    let listener = Listener::post(url, SAID, &headers, "\n\n").await;
    let status = listener.head.status.as_u16();
    (listener, status)
}

#[tokio::test]
async fn one_client_leaves_room_for_others_over_every_transport() {
    let (feed, gateway) = serve("", BEHIND_A_PROXY).await;
    let _sockets = over_sockets(&gateway.url, "192.0.2.1", 6).await;
    feed.until(|count| count.open == 10).await;
    let events = "text/event-stream";
    let parts = "multipart/mixed;subscriptionSpec=1.0";
    for accept in [events, parts] {
        assert_eq!(status(&gateway.url, "192.0.2.1", accept).await.1, 503, "{accept}");
    }
    let mut others = Vec::new();
    for n in 0..4 {
        let accept = if n % 2 == 0 { events } else { parts };
        let (listener, status) = status(&gateway.url, "192.0.2.2", accept).await;
        assert_eq!(status, 200, "{n}");
        others.push(listener);
    }
    assert_eq!(status(&gateway.url, "192.0.2.2", events).await.1, 503, "it has its share");
    feed.until(|count| count.open == 14).await;
    feed.say("a", 1);
    assert_eq!(others[0].answer().await, Some(said("a", 1)));
}

#[tokio::test]
async fn streams_of_one_connection_are_one_client() {
    let (feed, gateway) = serve("", "subscriptions: { max: 20 }").await;
    let mut connection = Connection::open(&gateway.url).await;
    let mut open = Vec::new();
    let mut refused = 0;
    for _ in 0..20 {
        let events = connection.events(SAID).await;
        match events.head.status.as_u16() {
            200 => open.push(events),
            status => {
                assert_eq!(status, 503);
                refused += 1;
            }
        }
    }
    assert_eq!((open.len(), refused), (10, 10));
    feed.until(|count| count.open == 10).await;
    let mut another = Connection::open(&gateway.url).await;
    let refused = another.events(SAID).await;
    assert_eq!(refused.head.status, 503, "another connection of the same client");
}
