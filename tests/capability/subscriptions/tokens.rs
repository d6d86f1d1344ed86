//! A subscription lasts no longer than the token it was started with, over either transport.

use super::{SAID, said};
use crate::support::client::Http;
use crate::support::feed::Feed;
use crate::support::gateway::Gateway;
use crate::support::listener::Listener;
use crate::support::websocket::{Said, Socket};
use portcullis::demo::{AUDIENCE, ISSUER, Issuer};
use serde_json::{Value, json};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Long enough to subscribe and receive an event.
const LIFETIME: Duration = Duration::from_millis(2500);

struct Guarded {
    feed: Feed,
    gateway: Gateway,
    issuer: Issuer,
    _folder: tempfile::TempDir,
}

impl Guarded {
    async fn start() -> Self {
        let (feed, issuer) = (Feed::start().await, Issuer::new());
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("jwks.json"), issuer.jwks()).unwrap();
        let auth = format!(
            "auth: {{ providers: [{{ issuer: \"{ISSUER}\", audience: {AUDIENCE}, jwks_file: jwks.json, leeway: 0s }}] }}"
        );
        let gateway = Gateway::start(folder.path(), Feed::SDL, &feed.config("", &auth)).await;
        let gateway = gateway.unwrap_or_else(|problems| panic!("{problems}"));
        Self { feed, gateway, issuer, _folder: folder }
    }

    /// Returns a header's value that is valid for [`LIFETIME`], and its expiry.
    fn bearer(&self) -> (String, SystemTime) {
        let expires = SystemTime::now() + LIFETIME;
        let exp = expires.duration_since(UNIX_EPOCH).unwrap().as_secs_f64();
        let claims = json!({ "iss": ISSUER, "aud": AUDIENCE, "sub": "1", "exp": exp });
        (format!("Bearer {}", self.issuer.sign(&claims)), expires)
    }

    /// Asserts that new requests with it are refused, and no subscription is open.
    async fn assert_over(&self, bearer: &str, expires: SystemTime) {
        // A fraction of seconds loses up to a microsecond.
        assert!(SystemTime::now() + Duration::from_millis(1) >= expires, "it ended too early");
        self.feed.until(|count| count.open == 0).await;
        let body = json!({ "query": "{ user(id: 1) { name } }" }).to_string();
        let answer = Http::new().post(&self.gateway.url, &[("authorization", bearer)], body).await;
        assert_eq!(answer.status, 401);
    }
}

fn assert_expired(answer: &Value) {
    let error = &answer["errors"][0];
    assert_eq!(error["extensions"]["code"], "UNAUTHENTICATED", "{answer}");
    assert_eq!(error["message"], "the token of this subscription has expired");
    assert!(answer.get("data").is_none());
}

#[tokio::test]
async fn events_end_with_the_token() {
    let guarded = Guarded::start().await;
    let (bearer, expires) = guarded.bearer();
    let headers = [("accept", "text/event-stream"), ("authorization", bearer.as_str())];
    let mut events = Listener::post(&guarded.gateway.url, SAID, &headers, "\n\n").await;
    let mut endless = Listener::events(&guarded.gateway.url, SAID).await;
    guarded.feed.until(|count| count.open == 2).await;
    guarded.feed.say("a", 1);
    assert_eq!(events.answer().await, Some(said("a", 1)));
    assert_expired(&events.answer().await.expect("an answer that says why"));
    assert_eq!(events.answer().await, None);
    // A caller without a token has none that expires.
    guarded.feed.say("b", 2);
    assert_eq!(endless.answer().await, Some(said("a", 1)));
    assert_eq!(endless.answer().await, Some(said("b", 2)));
    drop(endless);
    guarded.assert_over(&bearer, expires).await;
}

async fn assert_ended(socket: &mut Socket, id: &str) {
    let (kind, of, payload) = socket.message().await;
    assert_eq!((kind.as_str(), of.as_str()), ("next", id), "{payload}");
    assert_expired(&payload);
    assert_eq!(socket.message().await, ("complete".into(), id.into(), Value::Null));
}

async fn assert_refused(socket: &mut Socket, id: &str) {
    let (kind, of, payload) = socket.message().await;
    assert_eq!((kind.as_str(), of.as_str()), ("error", id), "{payload}");
    assert_eq!(payload[0]["extensions"]["code"], "UNAUTHENTICATED", "{payload}");
}

#[tokio::test]
async fn what_a_socket_may_ask_ends_with_its_token() {
    let guarded = Guarded::start().await;
    let (bearer, expires) = guarded.bearer();
    let header = [("authorization", bearer.as_str())];
    let mut sockets = Vec::new();
    for (headers, payload) in [(&header[..], json!({})), (&[], json!({ "authorization": bearer }))]
    {
        let protocol = "graphql-transport-ws";
        let mut socket = Socket::open(&guarded.gateway.url, protocol, headers).await.unwrap();
        socket.send(json!({ "type": "connection_init", "payload": payload })).await;
        assert_eq!(socket.next().await, Said::Json(json!({ "type": "connection_ack" })));
        socket.subscribe("s", SAID).await;
        sockets.push(socket);
    }
    guarded.feed.until(|count| count.open == 2).await;
    guarded.feed.say("a", 1);
    for socket in &mut sockets {
        assert_eq!(socket.message().await, ("next".into(), "s".into(), said("a", 1)));
    }
    for socket in &mut sockets {
        assert_ended(socket, "s").await;
        for query in ["{ user(id: 1) { name } }", "mutation { rename(id: 2) { name } }", SAID] {
            socket.subscribe("late", query).await;
            assert_refused(socket, "late").await;
        }
    }
    assert_eq!((guarded.feed.count().opened, guarded.feed.count().users), (2, 2));
    guarded.assert_over(&bearer, expires).await;
}
