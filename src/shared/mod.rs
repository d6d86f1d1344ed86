//! State that several gateways share, in Redis: buckets, replies, documents.
//!
//! One [`Redis`] is one multiplexed connection. It is opened when the first command needs it, and again after it
//! breaks. No command waits longer than [`Settings::timeout`], connecting included. Callers must be able to continue
//! without an answer. A server that fails is not called for a moment, and commands fail at once meanwhile
//! ([`Failure::Resting`]), so that an unavailable Redis does not delay requests.
//!
//! It never retries a command (the server may have run it), never blocks a thread, and never puts an address's
//! password, a key or a value into an error. Callers define what keys mean. Imports nothing of ours.

mod failure;
mod link;
mod pause;
mod settings;

pub use failure::Failure;
pub use settings::{Settings, Url};

use bytes::Bytes;
use link::Link;
use pause::Pause;
use redis::{Cmd, RedisError};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A Redis server, or a compatible one. Cheap to clone; clones share the connection.
#[derive(Clone)]
pub struct Redis(Arc<Server>);

struct Server {
    settings: Settings,
    link: Link,
    pause: Pause,
    start: Instant,
}

/// A Lua script that the server runs atomically. Sent by its hash; in full only to a server that does not have it.
#[derive(Debug, Clone)]
pub struct Script(redis::Script);

impl Script {
    #[must_use]
    pub fn new(lua: &str) -> Self {
        Self(redis::Script::new(lua))
    }
}

/// Return value of a script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    Nothing,
    Number(i64),
    Bytes(Bytes),
    List(Vec<Value>),
}

impl std::fmt::Debug for Redis {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Redis").field(&self.0.settings).finish()
    }
}

impl Redis {
    /// Creates the client. Does no IO, and may be called outside a runtime.
    ///
    /// # Errors
    /// The kind of address is not supported; the text does not contain the address.
    pub fn new(settings: Settings) -> Result<Self, String> {
        let link = Link::new(&settings.url)?;
        Ok(Self(Arc::new(Server {
            settings,
            link,
            pause: Pause::default(),
            start: Instant::now(),
        })))
    }

    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.0.settings
    }

    /// Returns the value of a key, if there is one.
    ///
    /// # Errors
    /// There was no answer in time.
    pub async fn get(&self, key: &[u8]) -> Result<Option<Bytes>, Failure> {
        let mut command = redis::cmd("GET");
        command.arg(self.full(key));
        match self.ask(&command).await? {
            Value::Nothing => Ok(None),
            Value::Bytes(bytes) => Ok(Some(bytes)),
            Value::Number(_) | Value::List(_) => Err(Failure::Reply),
        }
    }

    /// Sets a key for a time of at least a millisecond.
    ///
    /// # Errors
    /// There was no answer in time; the key may be set all the same.
    pub async fn set(&self, key: &[u8], value: &[u8], ttl: Duration) -> Result<(), Failure> {
        let milliseconds = u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX).clamp(1, LONGEST_TTL);
        let mut command = redis::cmd("SET");
        command.arg(self.full(key)).arg(value).arg("PX").arg(milliseconds);
        self.ask(&command).await.map(drop)
    }

    /// Removes a key, if it exists.
    ///
    /// # Errors
    /// There was no answer in time; the key may be removed all the same.
    pub async fn delete(&self, key: &[u8]) -> Result<(), Failure> {
        let mut command = redis::cmd("DEL");
        command.arg(self.full(key));
        self.ask(&command).await.map(drop)
    }

    /// Runs a script: one round trip, or three if the server does not have it yet.
    ///
    /// # Errors
    /// There was no answer in time; the script may have run all the same.
    pub async fn run(
        &self,
        script: &Script,
        keys: &[&[u8]],
        arguments: &[&[u8]],
    ) -> Result<Value, Failure> {
        let mut invocation = script.0.prepare_invoke();
        for key in keys {
            invocation.key(self.full(key));
        }
        for argument in arguments {
            invocation.arg(*argument);
        }
        let reply = self.bounded(async |link| {
            let mut connection = link.connection().await?;
            connection.send(async |redis| invocation.invoke_async(redis).await).await
        });
        value(reply.await?)
    }

    async fn ask(&self, command: &Cmd) -> Result<Value, Failure> {
        let reply = self.bounded(async |link| {
            let mut connection = link.connection().await?;
            connection.send(async |redis| command.query_async(redis).await).await
        });
        value(reply.await?)
    }

    /// Runs a step within the timeout, unless the server rests. Its outcome decides how long the server rests.
    async fn bounded<F>(&self, step: F) -> Result<redis::Value, Failure>
    where
        F: AsyncFnOnce(&Link) -> Result<redis::Value, Failure>,
    {
        let server = &*self.0;
        let timeout = server.settings.timeout;
        let pass = server.pause.pass(server.start.elapsed(), timeout).ok_or(Failure::Resting)?;
        let outcome = match tokio::time::timeout(timeout, step(&server.link)).await {
            Ok(outcome) => outcome,
            Err(_) => Err(Failure::Timeout(timeout)),
        };
        match &outcome {
            Err(failure) if failure.is_of_server() => {
                if server.pause.failed(pass, server.start.elapsed()) > SILENT {
                    // Perhaps the other end is gone silently.
                    server.link.forget();
                }
            }
            _ => server.pause.answered(pass),
        }
        outcome
    }

    fn full(&self, key: &[u8]) -> Vec<u8> {
        [self.0.settings.prefix.as_bytes(), key].concat()
    }
}

/// Number of failures in a row after which the connection is reopened, even if nothing shows that it broke.
const SILENT: u32 = 3;

/// Maximum TTL in milliseconds: a year, which any Redis accepts.
const LONGEST_TTL: u64 = 365 * 24 * 3600 * 1000;

fn value(reply: redis::Value) -> Result<Value, Failure> {
    Ok(match reply {
        redis::Value::Nil => Value::Nothing,
        redis::Value::Int(number) => Value::Number(number),
        redis::Value::BulkString(bytes) => Value::Bytes(bytes.into()),
        redis::Value::SimpleString(text) => Value::Bytes(text.into()),
        redis::Value::Okay => Value::Bytes(Bytes::from_static(b"OK")),
        // Replies of protocol 2, in which lists nest no deeper than the client's reader allows.
        redis::Value::Array(items) => {
            Value::List(items.into_iter().map(value).collect::<Result<_, _>>()?)
        }
        redis::Value::ServerError(error) => return Err(RedisError::from(error).into()),
        _ => return Err(Failure::Reply),
    })
}
