//! Subscriptions as server-sent events and as multipart: HTTP answers without an end.

use super::{SAID, said, serve};
use crate::support::client::Http;
use crate::support::listener::Listener;
use bytes::Bytes;
use http_body_util::Full;
use serde_json::json;

#[tokio::test]
async fn events_are_joined_and_sent_as_they_come() {
    let (feed, gateway) = serve("", "").await;
    let mut events = Listener::events(&gateway.url, SAID).await;
    let mut parts = Listener::parts(&gateway.url, SAID).await;
    assert_eq!(events.head.headers["content-type"], "text/event-stream; charset=utf-8");
    assert_eq!(events.head.headers["cache-control"], "no-store");
    let multipart = "multipart/mixed; boundary=\"graphql\"; subscriptionSpec=\"1.0\"";
    assert_eq!(parts.head.headers["content-type"], multipart);
    for (text, by) in [("a", 1), ("b", 2)] {
        // Both streams are open: an answer's head is sent when the upstream has opened its own.
        feed.say(text, by);
        assert_eq!(events.answer().await, Some(said(text, by)));
        assert_eq!(parts.answer().await, Some(said(text, by)));
    }
    assert_eq!(feed.count().users, 4, "each event of each subscription is joined by itself");
    feed.end();
    assert_eq!(events.answer().await, None);
    assert_eq!(parts.answer().await, None);
    feed.until(|count| count.open == 0).await;
}

#[tokio::test]
async fn a_subscription_may_be_sent_with_get() {
    let (feed, gateway) = serve("", "").await;
    let url = format!("{}?query=subscription+%7B+said+%7B+text+%7D+%7D", gateway.url);
    let request = http::Request::get(url).header("accept", "text/event-stream");
    let mut events = Listener::send(request.body(Full::<Bytes>::default()).unwrap(), "\n\n").await;
    feed.say("a", 1);
    assert_eq!(events.answer().await, Some(json!({ "data": { "said": { "text": "a" } } })));
}

#[tokio::test]
async fn what_has_one_answer_has_one_event() {
    let (_feed, gateway) = serve("", "").await;
    let query = "{ user(id: 1) { name } }";
    let answer = json!({ "data": { "user": { "name": "n1" } } });
    let mut events = Listener::events(&gateway.url, query).await;
    assert_eq!((events.answer().await, events.answer().await), (Some(answer.clone()), None));
    let only = [("accept", "multipart/mixed; subscriptionSpec=\"1.0\"")];
    let mut parts = Listener::post(&gateway.url, query, &only, "\r\n--graphql").await;
    assert_eq!((parts.answer().await, parts.answer().await), (Some(answer.clone()), None));
    let mut events = Listener::events(&gateway.url, "mutation { rename(id: 2) { name } }").await;
    assert_eq!(events.answer().await.unwrap()["data"]["rename"]["name"], "n2");
    // A client that also accepts JSON is answered in JSON.
    let headers = [("accept", "text/event-stream, application/json")];
    let body = json!({ "query": query }).to_string();
    let plain = Http::new().post(&gateway.url, &headers, body).await;
    assert_eq!(plain.headers["content-type"], "application/json; charset=utf-8");
    assert_eq!(plain.json(), answer);
}

#[tokio::test]
async fn a_refusal_is_told_where_the_client_can_read_it() {
    let (feed, gateway) = serve("", "").await;
    let mut events = Listener::events(&gateway.url, "subscription { said { lost } }").await;
    assert_eq!(events.head.status, 200);
    assert_eq!(events.codes().await, ["GRAPHQL_VALIDATION_FAILED"]);
    assert_eq!(events.answer().await, None);
    let malformed = [("accept", "text/event-stream")];
    let answer = Http::new().post(&gateway.url, &malformed, "{").await;
    assert_eq!((answer.status, answer.json()["errors"].as_array().map(Vec::len)), (400, Some(1)));
    let answer = Http::new().ask(&gateway.url, SAID).await;
    assert_eq!(answer.status, 406);
    assert_eq!(answer.json()["errors"][0]["extensions"]["code"], "NOT_ACCEPTABLE");
    let wildcard = [("accept", "text/*, multipart/mixed, application/json")];
    let body = json!({ "query": SAID }).to_string();
    assert_eq!(Http::new().post(&gateway.url, &wildcard, body).await.status, 406);
    assert_eq!(feed.count().opened, 0, "nothing was opened for any of them");
}

#[tokio::test]
async fn a_client_that_hangs_up_closes_the_upstream() {
    let (feed, gateway) = serve("", "").await;
    for parts in [false, true] {
        let listener = if parts {
            Listener::parts(&gateway.url, SAID).await
        } else {
            Listener::events(&gateway.url, SAID).await
        };
        feed.until(|count| count.open == 1).await;
        drop(listener);
        feed.until(|count| count.open == 0).await;
    }
}

#[tokio::test]
async fn a_silent_stream_is_kept_alive_and_is_not_idle() {
    let config = "server: { idle_timeout: 300ms }\nsubscriptions: { keep_alive: 900ms }";
    let (feed, gateway) = serve("", config).await;
    let mut events = Listener::events(&gateway.url, SAID).await;
    let mut parts = Listener::parts(&gateway.url, SAID).await;
    for _ in 0..2 {
        assert_eq!(events.block().await.as_deref(), Some(":"), "begun, and still there");
    }
    assert_eq!(parts.block().await.as_deref(), Some(""));
    let life = "\r\ncontent-type: application/json\r\n\r\n{}";
    assert_eq!(parts.block().await.as_deref(), Some(life));
    feed.say("a", 1);
    assert_eq!(events.answer().await, Some(said("a", 1)));
    assert_eq!(parts.answer().await, Some(said("a", 1)));
}

#[tokio::test]
async fn subscriptions_are_counted_and_their_places_given_back() {
    let (feed, gateway) = serve("", "subscriptions: { max: 1 }").await;
    let first = Listener::events(&gateway.url, SAID).await;
    let second = Listener::events(&gateway.url, SAID).await;
    assert_eq!(second.head.status, 503);
    assert_eq!(feed.count().opened, 1);
    drop(first);
    feed.until(|count| count.open == 0).await;
    let mut third = Listener::events(&gateway.url, SAID).await;
    feed.say("a", 1);
    assert_eq!(third.answer().await, Some(said("a", 1)));
}

#[tokio::test]
async fn a_gateway_that_stops_completes_its_streams() {
    let (feed, gateway) = serve("", "").await;
    let mut events = Listener::events(&gateway.url, SAID).await;
    let mut parts = Listener::parts(&gateway.url, SAID).await;
    drop(gateway);
    assert_eq!(events.answer().await, None);
    assert_eq!(parts.answer().await, None);
    feed.until(|count| count.open == 0).await;
}

#[tokio::test]
async fn a_hundred_clients_hear_every_event() {
    let (feed, gateway) = serve("", "").await;
    let open = (0..100).map(|_| Listener::events(&gateway.url, SAID));
    let mut listeners = futures_util::future::join_all(open).await;
    feed.until(|count| count.open == 100).await;
    for text in ["a", "b", "c"] {
        feed.say(text, 1);
        for listener in &mut listeners {
            assert_eq!(listener.answer().await, Some(said(text, 1)));
        }
    }
    drop(listeners);
    feed.until(|count| count.open == 0).await;
}
