//! Upstreams that break, hang, and send invalid data.

use super::{SAID, said, serve};
use crate::support::listener::Listener;
use serde_json::json;

fn at(path: &str) -> String {
    format!("subscription {{ said(at: \"{path}\") {{ text }} }}")
}

#[tokio::test]
async fn a_stream_that_breaks_ends_the_subscription_with_an_error() {
    let (feed, gateway) = serve("", "").await;
    let mut events = Listener::events(&gateway.url, SAID).await;
    feed.say("a", 1);
    assert_eq!(events.answer().await, Some(said("a", 1)));
    feed.cut();
    let last = events.answer().await.unwrap();
    assert_eq!(last["data"], json!({ "said": null }));
    let extensions = &last["errors"][0]["extensions"];
    assert_eq!(extensions["code"], "UPSTREAM_UNAVAILABLE");
    assert!(extensions["errorId"].is_string(), "{extensions}");
    assert_eq!(events.answer().await, None);
    assert_eq!(feed.count().opened, 1, "it is not opened again");
}

#[tokio::test]
async fn what_is_no_stream_of_events_is_an_error() {
    let (_feed, gateway) = serve(", timeout: 300ms", "").await;
    for (path, code) in [
        ("down", "UPSTREAM_STATUS"),
        ("nowhere", "UPSTREAM_STATUS"),
        ("html", "UPSTREAM_INVALID_REPLY"),
        ("hang", "UPSTREAM_TIMEOUT"),
    ] {
        let mut events = Listener::events(&gateway.url, &at(path)).await;
        assert_eq!(events.codes().await, [code], "{path}");
        assert_eq!(events.answer().await, None, "{path}");
    }
    let mut over = Listener::events(&gateway.url, &at("over")).await;
    assert_eq!(over.answer().await, None, "204 says that there is nothing to hear");
}

#[tokio::test]
async fn a_media_type_may_have_parameters_and_any_case() {
    let (feed, gateway) = serve("", "").await;
    let mut events = Listener::events(&gateway.url, &at("charset")).await;
    feed.say("a", 1);
    assert_eq!(events.answer().await, Some(json!({ "data": { "said": { "text": "a" } } })));
}

#[tokio::test]
async fn events_may_come_in_any_pieces() {
    let (feed, gateway) = serve("", "").await;
    let mut events = Listener::events(&gateway.url, SAID).await;
    let pieces = [
        "\u{feff}: hello\r",
        "\nda",
        "ta: {\"text\":\r\nev",
        "ent: x\rdata: \"a\",\"by\":1}\n\r",
        "\n",
    ];
    for piece in pieces {
        feed.send(piece);
    }
    assert_eq!(events.answer().await, Some(said("a", 1)));
}

#[tokio::test]
async fn an_event_that_is_garbage_is_an_error_and_the_stream_goes_on() {
    let (feed, gateway) = serve("", "").await;
    let mut events = Listener::events(&gateway.url, SAID).await;
    for garbage in ["data: nonsense\n\n", "data: {\"text\":\n\n", "data: \u{0}\n\n"] {
        feed.send(garbage);
        assert_eq!(events.codes().await, ["UPSTREAM_INVALID_REPLY"], "{garbage}");
    }
    feed.send("data: {}\n\n");
    assert_eq!(events.codes().await, ["NULL_IN_NON_NULL"]);
    feed.say("a", 1);
    assert_eq!(events.answer().await, Some(said("a", 1)));
}

#[tokio::test]
async fn an_event_that_is_too_large_ends_the_subscription() {
    let (feed, gateway) = serve(", max_reply: 1KiB", "").await;
    for large in
        [format!("data: {}\n\n", "x".repeat(2_000)), "x".repeat(2_000), "data: x\n".repeat(600)]
    {
        let mut events = Listener::events(&gateway.url, SAID).await;
        feed.send(large);
        assert_eq!(events.codes().await, ["UPSTREAM_TOO_LARGE"]);
        assert_eq!(events.answer().await, None);
        feed.until(|count| count.open == 0).await;
    }
}

#[tokio::test]
async fn a_stream_that_falls_silent_is_given_up_and_comments_are_sound() {
    let life = "subscriptions: { keep_alive: 300ms }";
    let (feed, gateway) = serve(", stream_idle: 800ms", life).await;
    let mut events = Listener::events(&gateway.url, SAID).await;
    for _ in 0..5 {
        // The gateway's own heartbeats are the clock: five of them take longer than the upstream may be silent.
        assert_eq!(events.block().await.as_deref(), Some(":"));
        feed.send(": still here\n");
    }
    feed.say("a", 1);
    assert_eq!(events.answer().await, Some(said("a", 1)));
    assert_eq!(events.codes().await, ["UPSTREAM_TIMEOUT"]);
    assert_eq!(events.answer().await, None);
    feed.until(|count| count.open == 0).await;
}

#[tokio::test]
async fn an_event_that_is_no_success_is_an_error_and_the_stream_goes_on() {
    let rules = ", is_success: \"$.text->ne('b')\", errors: { message: \"$.text\", extensions: \"code: $.text\" }";
    let (feed, gateway) = serve(rules, "").await;
    let query = "subscription { said { text } }";
    let mut events = Listener::events(&gateway.url, query).await;
    for text in ["a", "b", "c"] {
        feed.say(text, 1);
        let answer = events.answer().await.unwrap();
        if text == "b" {
            assert_eq!(answer["data"], json!({ "said": null }));
            let error = &answer["errors"][0];
            assert_eq!(
                (&error["message"], &error["extensions"]["code"]),
                (&json!("b"), &json!("b"))
            );
        } else {
            assert_eq!(answer, json!({ "data": { "said": { "text": text } } }));
        }
    }
    feed.end();
    assert_eq!(events.answer().await, None);
}
