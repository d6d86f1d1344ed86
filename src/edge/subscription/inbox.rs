//! What a client says over a WebSocket, held to the protocol before it is heard.
//!
//! async-graphql takes a second subscription under the id of an open one for a new one, and calls most mistakes 1002;
//! `graphql-transport-ws` has a code for each. One message is let in at a time, so that a flood of them cannot keep the
//! answers back, and none while the client has more open than it may: it waits in the client's socket.

use async_graphql::http::ClientMessage;
use axum::extract::ws::Message;
use futures_util::Stream;
use std::collections::HashSet;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

/// A close frame holds no more than 123 bytes of reason (RFC 6455, section 5.5).
const LONGEST_REASON: usize = 120;

/// Why a socket is closed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Parting {
    pub(super) code: u16,
    pub(super) reason: String,
}

impl Parting {
    pub(super) fn new(code: u16, reason: &str) -> Self {
        let mut end = reason.len().min(LONGEST_REASON);
        while !reason.is_char_boundary(end) {
            end -= 1;
        }
        Self { code, reason: reason[..end].to_owned() }
    }
}

/// What is known of one client.
pub(super) struct Session {
    state: Mutex<State>,
    /// Subscriptions that may be open. One more is let in, and told so.
    most: usize,
}

struct State {
    /// `connection_init` came.
    begun: bool,
    /// Of open subscriptions.
    ids: HashSet<String>,
    parting: Option<Parting>,
    heard: Instant,
    /// Waits for a subscription to end.
    waiting: Option<Waker>,
}

/// The id of an open subscription; given back when it is dropped.
struct Claim {
    session: Arc<Session>,
    id: String,
}

impl Drop for Claim {
    fn drop(&mut self) {
        let mut state = self.session.state();
        state.ids.remove(&self.id);
        if let Some(waiting) = state.waiting.take() {
            waiting.wake();
        }
    }
}

impl Session {
    pub(super) fn new(most: usize) -> Arc<Self> {
        let state = State {
            begun: false,
            ids: HashSet::new(),
            parting: None,
            heard: Instant::now(),
            waiting: None,
        };
        Arc::new(Self { state: Mutex::new(state), most })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How long nothing was heard of the client.
    pub(super) fn silence(&self) -> Duration {
        self.state().heard.elapsed()
    }

    /// Why nothing more is heard.
    pub(super) fn parting(&self) -> Parting {
        self.state().parting.clone().unwrap_or_else(|| Parting::new(1000, ""))
    }

    /// Lets a message in, or says why the socket is closed.
    fn admit(self: &Arc<Self>, bytes: &[u8]) -> Result<ClientMessage, Parting> {
        let mut message = ClientMessage::from_bytes(bytes)
            .map_err(|error| Parting::new(4400, &format!("Invalid message received: {error}")))?;
        let mut state = self.state();
        match &mut message {
            ClientMessage::ConnectionInit { .. } => state.begun = true,
            ClientMessage::Start { id, payload } => {
                if !state.begun {
                    return Err(Parting::new(4401, "Unauthorized"));
                }
                if !state.ids.insert(id.clone()) {
                    let reason = format!("Subscriber for {id} already exists");
                    return Err(Parting::new(4409, &reason));
                }
                payload.data.insert(Claim { session: Arc::clone(self), id: id.clone() });
            }
            _ => {}
        }
        Ok(message)
    }

    fn is_full(&self, context: &Context<'_>) -> bool {
        let mut state = self.state();
        let full = state.ids.len() > self.most;
        state.waiting = full.then(|| context.waker().clone());
        full
    }
}

/// The messages of one socket.
pub(super) struct Inbox<'a, S> {
    socket: &'a mut S,
    session: Arc<Session>,
    /// A message was let in, and it is the others' turn.
    yields: bool,
}

impl<'a, S> Inbox<'a, S> {
    pub(super) fn new(socket: &'a mut S, session: Arc<Session>) -> Self {
        Self { socket, session, yields: false }
    }
}

impl<S, E> Stream for Inbox<'_, S>
where
    S: Stream<Item = Result<Message, E>> + Unpin,
{
    type Item = serde_json::Result<ClientMessage>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if std::mem::take(&mut self.yields) {
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        if self.session.is_full(context) {
            return Poll::Pending;
        }
        let message = match Pin::new(&mut *self.socket).poll_next(context) {
            Poll::Ready(Some(Ok(message))) => message,
            Poll::Ready(Some(Err(_))) => {
                let reason = "a broken frame, or a message that is too large";
                self.session.state().parting = Some(Parting::new(1002, reason));
                return Poll::Ready(None);
            }
            Poll::Ready(None) => return Poll::Ready(None),
            Poll::Pending => return Poll::Pending,
        };
        self.session.state().heard = Instant::now();
        self.yields = true;
        let bytes = match &message {
            Message::Text(text) => text.as_bytes(),
            Message::Binary(bytes) => bytes,
            Message::Close(_) => return Poll::Ready(None),
            // Answered by the socket itself.
            Message::Ping(_) | Message::Pong(_) => return self.poll_next(context),
        };
        match self.session.admit(bytes) {
            Ok(message) => Poll::Ready(Some(Ok(message))),
            Err(parting) => {
                self.session.state().parting = Some(parting);
                Poll::Ready(None)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(session: &Arc<Session>, text: &str) -> Option<u16> {
        session.admit(text.as_bytes()).err().map(|parting| parting.code)
    }

    #[test]
    fn messages_are_held_to_the_protocol() {
        let session = Session::new(10);
        let subscribe = r#"{"type":"subscribe","id":"a","payload":{"query":"{a}"}}"#;
        assert_eq!(code(&session, subscribe), Some(4401));
        assert_eq!(code(&session, r#"{"type":"connection_init"}"#), None);
        let first = session.admit(subscribe.as_bytes()).ok();
        assert!(first.is_some());
        assert_eq!(code(&session, subscribe), Some(4409));
        drop(first);
        assert_eq!(code(&session, subscribe), None, "the id is free again");
        for bad in
            ["", "{", "[]", "1", "{}", r#"{"type":"x"}"#, r#"{"type":"subscribe","id":1}"#, "\u{0}"]
        {
            assert_eq!(code(&session, bad), Some(4400), "{bad}");
        }
        let deep = format!(r#"{{"type":"ping","payload":{}"#, "[".repeat(100_000));
        assert_eq!(code(&session, &deep), Some(4400));
    }

    #[test]
    fn a_reason_fits_its_frame() {
        let parting = Parting::new(4409, &"ä".repeat(100));
        assert_eq!(parting.reason.len(), 120);
        assert_eq!(Parting::new(4409, &format!("x{}", "ä".repeat(100))).reason.len(), 119);
    }
}
