//! The one connection: opened by the first caller that needs it, awaited by the others, and reopened after it breaks.
//!
//! A task opens it, with a timeout of its own, so that a caller that gives up does not stop it. The slot is swapped,
//! never locked.

use super::Failure;
use super::settings::Url;
use arc_swap::ArcSwapOption;
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared};
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, IntoConnectionInfo, RedisError};
use std::sync::Arc;
use std::time::Duration;

/// Maximum time to open a connection, however long callers wait.
const CONNECT: Duration = Duration::from_secs(2);

/// Maximum number of commands that wait to be written. Beyond it, callers wait within their own timeout.
const QUEUE: usize = 1024;

pub struct Link {
    client: Client,
    slot: ArcSwapOption<Made>,
}

/// A connection that is open, or being opened.
struct Made {
    connection: Shared<BoxFuture<'static, Result<MultiplexedConnection, Failure>>>,
}

/// A caller's handle of the connection. If the caller finds it broken, it drops the connection for all.
pub struct Handle<'a> {
    link: &'a Link,
    made: Arc<Made>,
    connection: MultiplexedConnection,
}

impl Link {
    pub fn new(url: &Url) -> Result<Self, String> {
        let wrong = |_| "not an address of Redis".to_owned();
        let address = url.secret().into_connection_info().map_err(wrong)?;
        // Saves two commands on every new connection, which servers before 7.2 refuse anyway.
        let redis = address.redis_settings().clone().set_skip_set_lib_name();
        let client = Client::open(address.set_redis_settings(redis)).map_err(wrong)?;
        Ok(Self { client, slot: ArcSwapOption::empty() })
    }

    pub async fn connection(&self) -> Result<Handle<'_>, Failure> {
        let made = self.current();
        match made.connection.clone().await {
            Ok(connection) => Ok(Handle { link: self, made, connection }),
            Err(failure) => {
                self.drop_if_current(&made);
                Err(failure)
            }
        }
    }

    /// Drops the connection: the next command opens a new one.
    pub fn forget(&self) {
        self.slot.store(None);
    }

    fn current(&self) -> Arc<Made> {
        if let Some(made) = self.slot.load_full() {
            return made;
        }
        let made = Arc::new(Made { connection: connect(self.client.clone()).boxed().shared() });
        let before = self.slot.compare_and_swap(&None::<Arc<Made>>, Some(Arc::clone(&made)));
        if let Some(winner) = before.as_ref() {
            return Arc::clone(winner);
        }
        tokio::spawn(made.connection.clone().map(drop));
        made
    }

    fn drop_if_current(&self, made: &Arc<Made>) {
        self.slot.compare_and_swap(made, None);
    }
}

impl Handle<'_> {
    /// Sends a command. If the error shows that the connection is unusable (it broke, or its server was demoted by a
    /// failover), the next command opens a new one.
    pub async fn send<T, F>(&mut self, command: F) -> Result<T, Failure>
    where
        F: AsyncFnOnce(&mut MultiplexedConnection) -> Result<T, RedisError>,
    {
        let outcome = command(&mut self.connection).await;
        if let Err(error) = &outcome
            && (error.is_unrecoverable_error() || error.code() == Some("READONLY"))
        {
            self.link.drop_if_current(&self.made);
        }
        outcome.map_err(Failure::from)
    }
}

async fn connect(client: Client) -> Result<MultiplexedConnection, Failure> {
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(CONNECT))
        // Each caller has its own timeout.
        .set_response_timeout(None)
        .set_pipeline_buffer_size(QUEUE);
    Ok(client.get_multiplexed_async_connection_with_config(&config).await?)
}
