//! A call whose method returns a stream: each message is a reply of its own.
//!
//! One message is read when it is asked for; what a server may send ahead is the window of the call. There is no
//! `grpc-timeout`, for a stream may go on for days: whether the server lives is asked by the pings of its connection.
//! Many servers send their head with the first message only, so after a while without one the stream counts as open,
//! and a refusal that comes later is its end.

use super::call::metadata_of;
use super::wire::{Opening, Wire};
use crate::connector::failure::{Meaning, to_error};
use crate::source::{Body, Replies, Reply, Request};
use crate::upstream::{Attempt, Failure};
use bytes::Bytes;
use futures_util::stream::{self, StreamExt};
use http::HeaderMap;
use http::uri::PathAndQuery;
use std::sync::Arc;
use std::time::Duration;
use tonic::Streaming;

/// Of the time for opening, what is left to say that it is open.
const MARGIN: Duration = Duration::from_millis(100);

pub(super) struct Listening {
    attempt: Attempt<Wire>,
    state: State,
}

enum State {
    /// Sent, and no head yet.
    Opening(Opening),
    Open {
        headers: Arc<HeaderMap>,
        messages: Box<Streaming<Bytes>>,
    },
}

/// Sends the call. Returns when the server's head has arrived, or shortly before the attempt's end without it.
pub(super) async fn open(
    attempt: Attempt<Wire>,
    path: PathAndQuery,
    request: Arc<Request>,
) -> Result<Listening, Failure> {
    let enough = attempt.until.checked_sub(MARGIN).unwrap_or(attempt.until);
    let wire = &attempt.instance.connection;
    let opening = wire.stream(path, metadata_of(&request), &request.body, attempt.fresh);
    let mut listening = Listening { attempt, state: State::Opening(opening) };
    // Without a head in that time it counts as open.
    if let Ok(outcome) = tokio::time::timeout_at(enough.into(), listening.opened()).await {
        outcome?;
    }
    Ok(listening)
}

/// The messages of an open stream as replies.
pub(super) fn replies(listening: Listening, meaning: fn(u16) -> Meaning) -> Replies {
    stream::unfold(Some(Box::new(listening)), move |listening| async move {
        let mut listening = listening?;
        match listening.next().await {
            Ok(Some(reply)) => Some((Ok(reply), Some(listening))),
            Ok(None) => None,
            Err(failure) => Some((Err(to_error(&failure, meaning)), None)),
        }
    })
    .boxed()
}

impl Listening {
    /// The server has answered: its head has come.
    pub(super) fn has_begun(&self) -> bool {
        matches!(self.state, State::Open { .. })
    }

    async fn opened(&mut self) -> Result<(), Failure> {
        if let State::Opening(opening) = &mut self.state {
            let (headers, messages) = opening.await?;
            let (headers, messages) = (Arc::new(headers), Box::new(messages));
            self.state = State::Open { headers, messages };
        }
        Ok(())
    }

    /// The next message; `None` where the server ended the stream well.
    async fn next(&mut self) -> Result<Option<Reply>, Failure> {
        self.opened().await?;
        let State::Open { headers, messages } = &mut self.state else { return Ok(None) };
        let message = messages.message().await;
        let wire = &self.attempt.instance.connection;
        let message = message.map_err(|status| wire.ended(&status))?;
        let Some(message) = message else { return Ok(None) };
        let held = wire.hold(message.len())?;
        let (body, headers) = (Body::Proto(message), Arc::clone(headers));
        Ok(Some(Reply { body, status: 200, headers, held }))
    }
}
