//! A call whose method returns a stream: each message is a reply of its own.
//!
//! A message is read when the engine asks for it; the window of the call limits what a server may send ahead. There is
//! no `grpc-timeout`, because a stream may run for days: pings of its connection check whether the server is alive.
//! Many servers send their head only with the first message. So after a while without one the stream counts as open,
//! and a later refusal ends it.

use super::call::{OK, Written};
use super::refusal::{Ended, StatusReader};
use super::wire::{MessageStream, Opening, Wire};
use crate::connector::failure::{Attempts, Meaning};
use crate::source::{Body, Replies, Reply};
use crate::upstream::{Attempt, Failure};
use futures_util::stream::{self, StreamExt};
use http::HeaderMap;
use std::sync::Arc;
use std::time::Duration;

/// Part of the opening time that is reserved to report the stream as open.
const MARGIN: Duration = Duration::from_millis(100);

pub(super) struct Listening {
    attempt: Attempt<Wire>,
    state: State,
}

enum State {
    /// Sent, and no head received yet.
    Opening(Opening),
    Open {
        headers: Arc<HeaderMap>,
        messages: MessageStream,
    },
}

/// Sends the call. Returns when the server's head has arrived, or shortly before the attempt's end without it.
pub(super) async fn open(
    attempt: Attempt<Wire>,
    (path, metadata, request): Written,
    (reading, attempts): (&StatusReader, &Attempts),
) -> Result<Listening, Failure> {
    let enough = attempt.until.checked_sub(MARGIN).unwrap_or(attempt.until);
    let wire = &attempt.instance.connection;
    let opening = wire.stream(path, metadata, &request.body, attempt.fresh);
    let mut listening = Listening { attempt, state: State::Opening(opening) };
    // Without a head in that time, it counts as open.
    if let Ok(outcome) = tokio::time::timeout_at(enough.into(), listening.opened()).await {
        outcome.map_err(|ended| ended.keep(attempts, reading))?;
    }
    Ok(listening)
}

/// Returns the messages of an open stream as replies.
pub(super) fn replies(
    listening: Listening,
    meaning: fn(u16) -> Meaning,
    reading: StatusReader,
    attempts: Attempts,
) -> Replies {
    let open = Box::new((listening, reading, attempts));
    stream::unfold(Some(open), move |open| async move {
        let mut open = open?;
        let (listening, reading, attempts) = &mut *open;
        match listening.next().await {
            Ok(Some(reply)) => Some((Ok(reply), Some(open))),
            Ok(None) => None,
            Err(ended) => {
                let failure = ended.keep(attempts, reading);
                Some((Err(attempts.to_error(&failure, meaning)), None))
            }
        }
    })
    .boxed()
}

impl Listening {
    /// Returns whether the server's head has arrived.
    pub(super) fn has_begun(&self) -> bool {
        matches!(self.state, State::Open { .. })
    }

    async fn opened(&mut self) -> Result<(), Ended> {
        if let State::Opening(opening) = &mut self.state {
            let mut messages = opening.await?;
            let headers = Arc::new(std::mem::take(&mut messages.metadata));
            self.state = State::Open { headers, messages };
        }
        Ok(())
    }

    /// Returns the next message; `None` if the server ended the stream successfully.
    async fn next(&mut self) -> Result<Option<Reply>, Ended> {
        self.opened().await?;
        let State::Open { headers, messages } = &mut self.state else { return Ok(None) };
        let wire = &self.attempt.instance.connection;
        let Some(message) = wire.next(messages, Duration::ZERO).await? else { return Ok(None) };
        let held = wire.hold(message.len())?;
        let (body, headers) = (Body::Proto(message), Arc::clone(headers));
        Ok(Some(Reply { body, status: OK, headers, held }))
    }
}
