//! Operations of any kind over one WebSocket, in `graphql-transport-ws` or the older `graphql-ws`.
//!
//! The conversation is async-graphql's; what it leaves open stands here and in [`inbox`](super::inbox): who may open a
//! socket and for how long it may say nothing, what is too much, and the codes that the protocol gives for it. One
//! message goes out before the next one is made, so that a client that does not read slows its own subscriptions down, and
//! loses its socket when it takes nothing for too long.

use super::Here;
use super::inbox::{Inbox, Parting, Session};
use crate::edge::caller::{self, Guest};
use crate::edge::executor::Executor;
use crate::edge::graphql::Endpoint;
use crate::edge::negotiate::Media;
use crate::edge::{csrf, reply};
use crate::graphql::ErrorCode;
use async_graphql::Data;
use async_graphql::http::WebSocketProtocols as Protocol;
use async_graphql::http::{ALL_WEBSOCKET_PROTOCOLS, WebSocket as Conversation, WsMessage};
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade};
use axum::extract::{FromRequestParts as _, Request};
use axum::response::{IntoResponse as _, Response};
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{FutureExt as _, SinkExt as _, StreamExt as _};
use http::header::UPGRADE;
use http::{Method, StatusCode};
use serde_json::Value;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::watch;
use tokio::time::{interval_at, sleep_until, timeout};

/// Of a connection that may never send anything, what is set aside for reading and for writing.
const BUFFER: usize = 8 << 10;

/// How long a client that was told goodbye may take to say it back.
const GOODBYE: Duration = Duration::from_secs(1);

const ACKNOWLEDGED: &str = r#"{"type":"connection_ack"}"#;

/// The older protocol's sign of life.
const KEEP_ALIVE: &str = r#"{"type":"ka"}"#;

pub(in crate::edge) fn is_wanted(request: &Request) -> bool {
    let upgrade = request.headers().get(UPGRADE);
    request.method() == Method::GET
        && upgrade.is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"websocket"))
}

/// Opens a WebSocket, or says why not.
pub(in crate::edge) async fn open(endpoint: Arc<Endpoint>, request: Request) -> Response {
    let (mut parts, _) = request.into_parts();
    // Browsers let any page open one to anywhere, with the user's cookies and without asking first, so the server must
    // look (RFC 6455, section 10.2).
    if let Err(message) = csrf::check(&parts, &endpoint.settings) {
        return reply::refuse(Media::Json, ErrorCode::CsrfBlocked, message);
    }
    let Some(here) = parts.extensions.get::<Here>().cloned() else {
        return reply::text(StatusCode::BAD_REQUEST, "no WebSocket can be opened here\n");
    };
    let upgrade = match WebSocketUpgrade::from_request_parts(&mut parts, &()).await {
        Ok(upgrade) => upgrade,
        Err(refusal) => return refusal.into_response(),
    };
    let upgrade = upgrade
        .protocols(ALL_WEBSOCKET_PROTOCOLS)
        .max_message_size(endpoint.settings.body_limit)
        .max_frame_size(endpoint.settings.body_limit)
        .read_buffer_size(BUFFER)
        .write_buffer_size(BUFFER);
    let chosen = upgrade.selected_protocol().and_then(|name| name.to_str().ok()?.parse().ok());
    let Some(protocol) = chosen else {
        let message = "name `graphql-transport-ws` or `graphql-ws` in `sec-websocket-protocol`\n";
        return reply::text(StatusCode::BAD_REQUEST, message);
    };
    let guest = match caller::of_upgrade(&endpoint.identity, &mut parts).await {
        Ok(guest) => guest,
        Err(refused) => return caller::refuse(Media::Json, &refused),
    };
    let open = Open { endpoint, here, protocol };
    upgrade.on_upgrade(move |socket| open.serve(socket, guest).boxed())
}

struct Open {
    endpoint: Arc<Endpoint>,
    /// Holds the connection's slot for as long as the socket is open.
    here: Here,
    protocol: Protocol,
}

impl Open {
    async fn serve(self, socket: WebSocket, guest: Guest) {
        let (mut sink, mut stream) = socket.split();
        let Some(parting) = self.converse(&mut sink, &mut stream, guest).await else { return };
        let close =
            Message::Close(Some(CloseFrame { code: parting.code, reason: parting.reason.into() }));
        if timeout(GOODBYE, sink.send(close)).await.is_ok_and(|sent| sent.is_ok()) {
            // What was sent before must be read, or the client would see a broken connection instead.
            let rest = async { while let Some(Ok(_)) = stream.next().await {} };
            let _ = timeout(GOODBYE, rest).await;
        }
    }

    /// Until one side has enough; `None` where the client is gone.
    async fn converse(
        &self,
        sink: &mut SplitSink<WebSocket, Message>,
        stream: &mut SplitStream<WebSocket>,
        guest: Guest,
    ) -> Option<Parting> {
        let settings = &self.endpoint.settings.subscriptions;
        let session = Session::new(settings.max_per_connection);
        let inbox = Inbox::new(stream, Arc::clone(&session));
        let identity = self.endpoint.identity.clone();
        let begin = move |payload: Value| async move {
            let caller = guest.begin(&identity, &payload).await.map_err(|refused| {
                let (id, message) = caller::told(&refused);
                async_graphql::Error::new(format!("{message} ({id})"))
            })?;
            let mut data = Data::default();
            data.insert(caller);
            Ok(data)
        };
        let places = (self.endpoint.places.clone(), self.here.clone());
        let executor = Executor::counted(self.endpoint.engine.clone(), places);
        let conversation = Conversation::from_message_stream(executor, inbox, self.protocol)
            .on_connection_init(begin);
        let mut conversation = pin!(conversation);
        let mut draining = self.endpoint.draining.subscribe();
        let mut late = pin!(sleep_until((Instant::now() + settings.init_timeout).into()));
        let first = tokio::time::Instant::now() + settings.keep_alive;
        let mut beat = interval_at(first, settings.keep_alive);
        let patience = settings.keep_alive * 2;
        let mut acknowledged = false;
        loop {
            let message = tokio::select! {
                biased;
                () = stopping(&mut draining) => {
                    return Some(Parting::new(1001, "the gateway is stopping"));
                }
                () = &mut late, if !acknowledged => {
                    return Some(Parting::new(4408, "Connection initialisation timeout"));
                }
                _ = beat.tick() => {
                    if session.silence() > patience {
                        return None;
                    }
                    if acknowledged && self.protocol == Protocol::SubscriptionsTransportWS {
                        send(sink, Message::text(KEEP_ALIVE), patience).await?;
                    }
                    Message::Ping(bytes::Bytes::new())
                }
                message = conversation.next() => match message {
                    Some(WsMessage::Text(text)) => {
                        acknowledged |= text == ACKNOWLEDGED;
                        Message::text(text)
                    }
                    Some(WsMessage::Close(code, reason)) => return Some(self.parting(code, &reason)),
                    None => return Some(session.parting()),
                },
            };
            send(sink, message, patience).await?;
        }
    }

    /// A beginning that was refused is 1002 in async-graphql, and 4403 in the protocol.
    fn parting(&self, code: u16, reason: &str) -> Parting {
        let refused = code == 1002 && self.protocol == Protocol::GraphQLWS;
        Parting::new(if refused { 4403 } else { code }, reason)
    }
}

async fn stopping(draining: &mut watch::Receiver<bool>) {
    let _ = draining.wait_for(|draining| *draining).await;
}

/// `None`: the client takes nothing any more.
async fn send(
    sink: &mut SplitSink<WebSocket, Message>,
    message: Message,
    patience: Duration,
) -> Option<()> {
    timeout(patience, sink.send(message)).await.ok()?.ok()
}
