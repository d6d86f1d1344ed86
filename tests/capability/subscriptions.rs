//! Subscriptions over real sockets, from an upstream's event to the client's.

mod http;
mod limits;
mod protocol;
mod shares;
mod storefront;
mod tokens;
mod upstreams;
mod websocket;

use crate::support::feed::Feed;
use crate::support::gateway::Gateway;
use serde_json::{Value, json};

const SAID: &str = "subscription { said { text author { name } } }";

/// Starts a feed, and a gateway over it with more of a configuration.
async fn serve(source: &str, top: &str) -> (Feed, Gateway) {
    let feed = Feed::start().await;
    let folder = tempfile::tempdir().unwrap();
    let gateway = Gateway::start(folder.path(), Feed::SDL, &feed.config(source, top)).await;
    (feed, gateway.unwrap_or_else(|problems| panic!("{problems}")))
}

/// Returns the answer to [`SAID`] when user `by` said something.
fn said(text: &str, by: u64) -> Value {
    json!({ "data": { "said": { "text": text, "author": { "name": format!("n{by}") } } } })
}
