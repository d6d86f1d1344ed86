//! One client's conversation, from the open socket to the close frame.
//!
//! One thing at a time: a frame of the client is handled and answered, or an answer of an operation is sent. Either is
//! sent before the next one is handled. So a client that makes the gateway answer must also read. If it does not, it is
//! no longer read either, and after twice `keep_alive` its socket is closed. Frames that start no operation have a
//! [pace](super::pace).

use super::closing::Closing;
use super::frames::Incoming;
use super::message::{self, ClientMessage, Protocol};
use super::operations::{Event, OpenOperations};
use super::pace::Pace;
use super::socket::{Socket, Stuck, Unreadable};
use crate::edge::caller::{self, Guest};
use crate::edge::graphql::Endpoint;
use crate::edge::payload::Payload;
use crate::edge::subscription::places::Here;
use crate::engine::{Request, Response};
use crate::graphql::{Error, ErrorCode};
use crate::identity::Refused;
use crate::source::Caller;
use bytes::Bytes;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use serde_json::Value;
use std::sync::Arc;
use std::time::Instant;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;
use tokio::task::unconstrained;
use tokio::time::{interval_at, sleep, sleep_until};

/// Maximum payload bytes of a message before the connection is acknowledged, as long as the client is unauthenticated.
const FIRST_MESSAGE: usize = 64 << 10;

/// The end of a conversation.
pub(super) enum End {
    /// The gateway closes the socket.
    Close(Closing),
    /// The client closed the socket, with this code.
    Closed(Option<u16>),
    /// The client is gone, or does not read.
    Gone,
}

impl From<Stuck> for End {
    fn from(_: Stuck) -> Self {
        Self::Gone
    }
}

fn close<T>(code: u16, reason: &str) -> Result<T, End> {
    Err(End::Close(Closing::new(code, reason)))
}

/// Progress of the handshake.
enum Stage {
    /// `connection_init` has not arrived.
    Open(Guest),
    /// The token is being verified.
    Beginning(BoxFuture<'static, Result<Arc<Caller>, Refused>>),
    Acknowledged(Arc<Caller>),
    /// Between two operations.
    Ended,
}

pub(super) struct Conversation<S> {
    endpoint: Arc<Endpoint>,
    protocol: Protocol,
    socket: Socket<S>,
    stage: Stage,
    operations: OpenOperations,
    pace: Pace,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Conversation<S> {
    pub(super) fn new(
        endpoint: Arc<Endpoint>,
        protocol: Protocol,
        stream: S,
        guest: Guest,
        here: Here,
    ) -> Self {
        let limit = endpoint.settings.body_limit.min(FIRST_MESSAGE);
        let socket = Socket::new(stream, limit, endpoint.settings.subscriptions.keep_alive * 2);
        let most = endpoint.settings.subscriptions.max_per_connection;
        let (engine, places) = (endpoint.engine.clone(), endpoint.places.clone());
        let operations = OpenOperations::new(engine, places, here, most);
        let (stage, pace) = (Stage::Open(guest), Pace::new(Instant::now()));
        Self { endpoint, protocol, socket, stage, operations, pace }
    }

    pub(super) async fn run(mut self) {
        let end = match self.converse().await {
            Ok(never) => match never {},
            Err(end) => end,
        };
        // Closes their sources before the client is notified.
        drop(self.operations);
        match end {
            End::Close(closing) => self.socket.close(&closing).await,
            End::Closed(code) => self.socket.confirm(code).await,
            End::Gone => {}
        }
    }

    /// Runs until one side closes the socket.
    async fn converse(&mut self) -> Result<std::convert::Infallible, End> {
        let settings = self.endpoint.settings.subscriptions.clone();
        let mut draining = self.endpoint.draining.subscribe();
        let late = sleep_until(tokio::time::Instant::now() + settings.init_timeout);
        tokio::pin!(late);
        let first = tokio::time::Instant::now() + settings.keep_alive;
        let mut beat = interval_at(first, settings.keep_alive);
        loop {
            let is_acknowledged = matches!(self.stage, Stage::Acknowledged(_));
            let pause = self.pace.wait(Instant::now());
            let is_read = pause.is_zero()
                && !self.operations.is_crowded()
                && !matches!(self.stage, Stage::Beginning(_));
            tokio::select! {
                () = stopping(&mut draining) => return close(1001, "the gateway is stopping"),
                () = &mut late, if !is_acknowledged => {
                    return close(4408, "Connection initialisation timeout");
                }
                _ = beat.tick() => {
                    if is_read && self.socket.is_silent(settings.keep_alive * 2) {
                        // A frame may have arrived while an answer was being sent.
                        let waiting = unconstrained(self.socket.next()).now_or_never();
                        self.hear(waiting.ok_or(End::Gone)?).await?;
                    }
                    self.beat(is_acknowledged).await?;
                }
                begun = begun(&mut self.stage) => self.begin(begun).await?,
                (id, event) = self.operations.next() => self.tell(&id, event).await?,
                () = sleep(pause), if !pause.is_zero() => {}
                incoming = self.socket.next(), if is_read => self.hear(incoming).await?,
            }
        }
    }

    /// Sends a keep-alive.
    async fn beat(&mut self, is_acknowledged: bool) -> Result<(), Stuck> {
        if is_acknowledged && self.protocol == Protocol::Legacy {
            self.socket.text(message::KEEP_ALIVE.into()).await?;
        }
        self.socket.ping().await
    }

    /// Acknowledges or refuses the connection.
    async fn begin(&mut self, begun: Result<Arc<Caller>, Refused>) -> Result<(), End> {
        match begun {
            Ok(caller) => {
                self.stage = Stage::Acknowledged(caller);
                self.socket.allow(self.endpoint.settings.body_limit);
                self.socket.text(message::ACKNOWLEDGED.into()).await?;
                Ok(())
            }
            Err(refused) => {
                let (id, message) = caller::told(&refused);
                let reason = format!("{message} ({id})");
                if self.protocol == Protocol::Legacy {
                    self.socket.text(message::connection_error(&reason)).await?;
                }
                close(4403, &reason)
            }
        }
    }

    /// Sends an event of an operation.
    async fn tell(&mut self, id: &str, event: Event) -> Result<(), End> {
        let text = match event {
            Event::Next(answer) => self.protocol.next(id, &answer.body),
            Event::Refused(refusal) => {
                self.count(Instant::now())?;
                self.protocol.error(id, &refusal.body)
            }
            Event::Complete => message::complete(id),
        };
        Ok(self.socket.text(text).await?)
    }

    /// Counts a frame that started no operation.
    fn count(&mut self, now: Instant) -> Result<(), End> {
        self.pace.count(now);
        if self.pace.is_flood(now) {
            return close(1008, "too many messages");
        }
        Ok(())
    }

    async fn hear(&mut self, incoming: Result<Incoming, Unreadable>) -> Result<(), End> {
        let now = Instant::now();
        let text = match incoming {
            Ok(Incoming::Text(text)) => Bytes::from(text),
            Ok(Incoming::Binary(bytes)) => bytes,
            Ok(Incoming::Ping(payload)) => {
                self.count(now)?;
                return Ok(self.socket.pong(payload).await?);
            }
            Ok(Incoming::Pong | Incoming::Part) => {
                self.count(now)?;
                return Ok(());
            }
            Ok(Incoming::Close(code)) => return Err(End::Closed(code)),
            Err(Unreadable::Broken(closing)) => return Err(End::Close(closing)),
            Err(Unreadable::Gone) => return Err(End::Gone),
        };
        match ClientMessage::read(self.protocol, &text) {
            Ok(ClientMessage::Subscribe { id, payload }) => self.subscribe(&id, *payload, &text),
            Ok(message) => {
                self.count(now)?;
                self.obey(message).await
            }
            Err(mistake) => close(4400, &mistake),
        }
    }

    async fn obey(&mut self, message: ClientMessage) -> Result<(), End> {
        match message {
            ClientMessage::Init(payload) => self.init(payload),
            ClientMessage::Complete(id) => {
                let ended = self.operations.complete(&id);
                // The newer protocol sends nothing more about it.
                if ended && self.protocol == Protocol::Legacy {
                    self.socket.text(message::complete(&id)).await?;
                }
                Ok(())
            }
            ClientMessage::Ping(payload) => {
                Ok(self.socket.text(message::pong(payload.as_deref())).await?)
            }
            ClientMessage::Terminate => close(1000, ""),
            ClientMessage::Pong | ClientMessage::Subscribe { .. } => Ok(()),
        }
    }

    fn init(&mut self, payload: Value) -> Result<(), End> {
        match std::mem::replace(&mut self.stage, Stage::Ended) {
            Stage::Open(guest) => {
                let identity = self.endpoint.identity.clone();
                let begin = async move { guest.begin(&identity, &payload).await };
                self.stage = Stage::Beginning(begin.boxed());
                Ok(())
            }
            _ => close(4429, "Too many initialisation requests"),
        }
    }

    /// Starts an operation. `text` is the whole message.
    fn subscribe(&mut self, id: &str, payload: Payload, text: &[u8]) -> Result<(), End> {
        let Stage::Acknowledged(caller) = &self.stage else {
            return close(4401, "Unauthorized");
        };
        let started = if self.endpoint.engine.exceeds_values(text, 1) {
            let message = "the variables hold more values than are allowed (limits.variables)";
            let error = Error::new(ErrorCode::LimitExceeded, message);
            self.operations.refuse(id, Response::refuse(&[error]))
        } else {
            let request = Request {
                document: payload.document,
                operation_name: payload.operation_name,
                variables: payload.variables,
                caller: Arc::clone(caller),
                queries_only: false,
                deadline: Instant::now() + self.endpoint.engine.settings().timeout,
            };
            self.operations.start(id, request, text.len())
        };
        match started {
            Ok(()) => Ok(()),
            Err(_) => close(4409, &format!("Subscriber for {id} already exists")),
        }
    }
}

/// Returns once the caller is authenticated; pending if no authentication is in progress.
async fn begun(stage: &mut Stage) -> Result<Arc<Caller>, Refused> {
    match stage {
        Stage::Beginning(beginning) => beginning.await,
        _ => std::future::pending().await,
    }
}

async fn stopping(draining: &mut watch::Receiver<bool>) {
    let _ = draining.wait_for(|draining| *draining).await;
}
