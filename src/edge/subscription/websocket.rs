//! WebSockets: operations of any kind over one socket, in `graphql-transport-ws` or the older `graphql-ws`.
//!
//! This file opens the socket: it checks access and picks the protocol. The exchange of messages is in
//! [`conversation`], the rules of the two protocols in [`message`], those of RFC 6455 in [`frames`] and [`socket`]. The
//! gateway implements the protocols itself, because its loop protects it against slow clients: a frame is answered
//! before the next one is read, so no buffer grows for a client that does not read. The engine's answers are sent as
//! they are.

mod closing;
mod conversation;
mod frames;
mod message;
mod operations;
mod pace;
mod socket;

use super::Here;
use crate::edge::caller;
use crate::edge::graphql::Endpoint;
use crate::edge::negotiate::Media;
use crate::edge::{csrf, reply};
use crate::graphql::ErrorCode;
use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use conversation::Conversation;
use http::header::{
    CONNECTION, HeaderMap, HeaderName, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY,
    SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION, UPGRADE,
};
use http::{HeaderValue, Method, StatusCode};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use message::{PROTOCOLS, Protocol};
use std::sync::Arc;
use tungstenite::handshake::derive_accept_key;

pub(in crate::edge) fn is_wanted(request: &Request) -> bool {
    let upgrade = request.headers().get(UPGRADE);
    request.method() == Method::GET
        && upgrade.is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"websocket"))
}

/// Opens a WebSocket, or returns the refusal.
pub(in crate::edge) async fn open(endpoint: Arc<Endpoint>, request: Request) -> Response {
    let (mut parts, _) = request.into_parts();
    // Browsers let any page open a WebSocket to any host, with the user's cookies and without a preflight, so the
    // server must check the origin (RFC 6455, section 10.2).
    if let Err(message) = csrf::check(&parts, &endpoint.settings) {
        return reply::refuse(Media::Json, ErrorCode::CsrfBlocked, message);
    }
    let key = match key(&parts.headers) {
        Ok(key) => key,
        Err(mistake) => return refuse(mistake),
    };
    let Some(protocol) = protocol(&parts.headers) else {
        return refuse("name `graphql-transport-ws` or `graphql-ws` in `sec-websocket-protocol`\n");
    };
    let upgrade = parts.extensions.remove::<OnUpgrade>();
    let here = parts.extensions.get::<Here>().cloned();
    let (Some(upgrade), Some(here)) = (upgrade, here) else {
        return refuse("no WebSocket can be opened here\n");
    };
    let guest = match caller::of_upgrade(&endpoint.identity, &mut parts).await {
        Ok(guest) => guest,
        Err(refused) => return caller::refuse(Media::Json, &refused),
    };
    // hyper hands the connection over once the response is sent. It is counted until the conversation ends.
    tokio::spawn(async move {
        match upgrade.await {
            Ok(stream) => {
                let stream = TokioIo::new(stream);
                Conversation::new(endpoint, protocol, stream, guest, here).run().await;
            }
            Err(error) => tracing::debug!("a WebSocket was not opened: {error}"),
        }
    });
    switch(&key, protocol)
}

/// Returns the client's key of an upgrade request (RFC 6455 §4.2.1).
fn key(headers: &HeaderMap) -> Result<HeaderValue, &'static str> {
    let is_upgrade = |token: &str| token.eq_ignore_ascii_case("upgrade");
    if !tokens(headers, CONNECTION).any(is_upgrade) {
        return Err("`connection: upgrade` is missing\n");
    }
    if headers.get(SEC_WEBSOCKET_VERSION).is_none_or(|version| version != "13") {
        return Err("`sec-websocket-version` must be 13\n");
    }
    headers.get(SEC_WEBSOCKET_KEY).cloned().ok_or("`sec-websocket-key` is missing\n")
}

/// Returns the preferred one of the protocols that the client offers.
fn protocol(headers: &HeaderMap) -> Option<Protocol> {
    let named = |protocol: &Protocol| {
        tokens(headers, SEC_WEBSOCKET_PROTOCOL).any(|token| token == protocol.name())
    };
    PROTOCOLS.into_iter().find(named)
}

fn tokens(headers: &HeaderMap, name: HeaderName) -> impl Iterator<Item = &str> {
    let values = headers.get_all(name).into_iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).map(str::trim)
}

fn refuse(message: &'static str) -> Response {
    let mut response = reply::text(StatusCode::BAD_REQUEST, message);
    response.headers_mut().insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
    response
}

fn switch(key: &HeaderValue, protocol: Protocol) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let accept = HeaderValue::from_str(&derive_accept_key(key.as_bytes()));
    let headers = response.headers_mut();
    headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(SEC_WEBSOCKET_ACCEPT, accept.expect("base64 fits into a header"));
    headers.insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(protocol.name()));
    response
}
