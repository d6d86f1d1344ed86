//! `stream: SSE`: a call whose reply is a stream of events, each one a JSON reply of its own.
//!
//! An event is read when the engine asks for it, so a slow reader slows the service down through the socket, and
//! nothing is queued here. A stream is opened once. If it breaks, its reader gets an error and may open another one.

use super::call::{Constant, More, write};
use super::event_stream::EventStream;
use super::refusal::Inspection;
use crate::connector::failure::{Attempts, Meaning, to_error};
use crate::source::{Body, Error, Replies, Reply, Request};
use crate::upstream::http::{HttpClient, HttpReply};
use crate::upstream::{Attempt, Failure, Settings};
use futures_util::stream::{self, StreamExt};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, StatusCode};
use std::sync::Arc;
use std::time::Duration;

/// Data of an event that ends the stream. It is not JSON, so no reply equals it.
const DONE: &[u8] = b"[DONE]";

/// Sends the request. Completes when the service has promised a stream of events.
pub(super) async fn open(
    attempt: Attempt<HttpClient>,
    request: Arc<Request>,
    constant: Arc<Constant>,
    more: More,
    (inspection, attempts): (Inspection, &Attempts),
) -> Result<HttpReply, Failure> {
    let instance = &attempt.instance;
    let request = write(&instance.uri, &request, &constant, more)?;
    let reply = instance.connection.send_over(request, attempt.fresh).await?;
    let status = reply.status;
    if !status.is_success() {
        let refused = super::call::refused(status, &reply.headers);
        attempts.refused(inspection.read(reply).await);
        return Err(refused);
    }
    // With 204, a service says that there are no more events (WHATWG HTML, section 9.2.2).
    if status != StatusCode::NO_CONTENT {
        expect_events(&reply.headers)?;
        reply.expect_plain()?;
    }
    Ok(reply)
}

fn expect_events(headers: &HeaderMap) -> Result<(), Failure> {
    let value = headers.get(CONTENT_TYPE).map(|value| String::from_utf8_lossy(value.as_bytes()));
    let text = value.unwrap_or_default();
    let essence = text.split(';').next().unwrap_or_default().trim();
    if essence.eq_ignore_ascii_case("text/event-stream") {
        return Ok(());
    }
    Err(Failure::Invalid(format!("content-type `{essence}` is no stream of events")))
}

/// Returns the events of an open stream as replies.
pub(super) fn replies(
    mut reply: HttpReply,
    settings: &Settings,
    meaning: fn(u16) -> Meaning,
) -> Replies {
    let listening = Listening {
        status: reply.status.as_u16(),
        headers: Arc::new(std::mem::take(&mut reply.headers)),
        reply,
        events: EventStream::new(settings.max_reply),
        idle: settings.stream_idle,
    };
    stream::unfold(Some(listening), move |listening| async move {
        let mut listening = listening?;
        match listening.next().await {
            Ok(Some(reply)) => Some((Ok(reply), Some(listening))),
            Ok(None) => None,
            Err(failure) => {
                let error: Error = to_error(&failure, meaning);
                Some((Err(error), None))
            }
        }
    })
    .boxed()
}

struct Listening {
    reply: HttpReply,
    status: u16,
    headers: Arc<HeaderMap>,
    events: EventStream,
    /// Maximum silence of the service; comments end a silence, too.
    idle: Duration,
}

impl Listening {
    /// Returns the next event; `None` if the service ended the stream.
    async fn next(&mut self) -> Result<Option<Reply>, Failure> {
        loop {
            if let Some(data) = self.events.next_event()? {
                // Sent by services that do not close the connection after the last event.
                if data.trim_ascii() == DONE {
                    return Ok(None);
                }
                let headers = Arc::clone(&self.headers);
                let held = self.reply.hold(data.len())?;
                let (body, status) = (Body::Json(data), self.status);
                return Ok(Some(Reply { body, status, headers, held }));
            }
            match tokio::time::timeout(self.idle, self.reply.part()).await {
                Ok(Ok(Some(part))) => self.events.feed(part),
                Ok(Ok(None)) => return Ok(None),
                Ok(Err(failure)) => return Err(failure),
                Err(_) => return Err(Failure::Silent(self.idle)),
            }
        }
    }
}
