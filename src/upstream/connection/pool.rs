//! Decides which connection a call takes, and when one more is opened.
//!
//! A connection is opened only if more calls wait than connections are coming: being opened, or about to finish their
//! last exchange. So there are never more connections than calls were in flight at once. The first connection that is
//! ready goes to the call that has waited longest. Over HTTP/1.1, there are two exceptions. A call that requires a new
//! connection (a probe, or a call that found two closed ones) gets one of its own. A service that replies without
//! having read the request keeps its connection for at most [`SETTLING`]. HTTP/2 uses one connection for all calls, and
//! opens at most one at a time, also for calls that require a new one.

use super::super::{Failure, Settings};
use super::Dialed;
use super::dial::Dialer;
use super::http1::Http1;
use super::http2::Http2;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};
use tokio::runtime::Handle;
use tokio::sync::oneshot;

/// Maximum number of idle HTTP/1.1 connections.
const MAX_IDLE: usize = 1024;

/// Maximum time from the end of a reply until the connection takes the next request. It takes longer if the service
/// replied before it had read the whole request.
const SETTLING: Duration =
    if cfg!(test) { Duration::from_hours(1) } else { Duration::from_secs(1) };

/// Maximum time for which waiting calls count on a connection that has to settle.
const SETTLES_SOON: Duration = Duration::from_millis(5);

#[derive(Debug)]
pub(super) struct ConnectionPool {
    dialer: Dialer,
    keep_alive: Duration,
    patience: Duration,
    state: Mutex<State>,
}

struct State {
    /// Idle connections. The last one used is at the end, and is reused first.
    idle: VecDeque<Idle>,
    shared: Option<Arc<Http2>>,
    waiting: VecDeque<oneshot::Sender<Result<Dialed, Failure>>>,
    /// Number of connections that will be given to waiting calls.
    coming: usize,
    /// Calls share a connection; `None` if that is not known yet.
    is_shared: Option<bool>,
    /// The task that closes idle connections is running.
    is_reaped: bool,
}

struct Idle {
    connection: Http1,
    since: Instant,
}

impl ConnectionPool {
    pub fn new(dialer: Dialer, settings: &Settings) -> Self {
        let state = State {
            idle: VecDeque::new(),
            shared: None,
            waiting: VecDeque::new(),
            coming: 0,
            is_shared: dialer.is_shared(),
            is_reaped: false,
        };
        Self {
            dialer,
            keep_alive: settings.keep_alive,
            // Calls with a shorter timeout must notice silence as well.
            patience: settings.connect_timeout.min(settings.timeout / 2),
            state: Mutex::new(state),
        }
    }

    /// Returns the time without a byte after which a waiting call makes its connection doubtful.
    pub fn patience(&self) -> Duration {
        self.patience
    }

    /// Returns a connection for one call. `fresh` requires a new one.
    ///
    /// # Errors
    /// No connection could be opened.
    pub async fn checkout(self: &Arc<Self>, fresh: bool) -> Result<Dialed, Failure> {
        if fresh && self.state().is_shared != Some(true) {
            // Rare, and a large future.
            return Box::pin(self.open_one()).await;
        }
        let mut waiting = {
            let mut state = self.state();
            if !fresh && let Some(connection) = state.take(self.keep_alive) {
                return Ok(connection);
            }
            let (sender, coming) = oneshot::channel();
            state.waiting.push_back(sender);
            self.open_more(&mut state);
            WaitingCall { pool: self, coming }
        };
        let none = || Err(Failure::Unreached("the connection was given up".to_owned()));
        (&mut waiting.coming).await.unwrap_or_else(|_| none())
    }

    /// Opens a connection for one call. If it speaks HTTP/2, all calls share it.
    async fn open_one(&self) -> Result<Dialed, Failure> {
        let connection = self.dialer.dial().await?;
        let mut state = self.state();
        state.is_shared = Some(matches!(connection, Dialed::Http2(_)));
        if let Dialed::Http2(shared) = &connection {
            state.shared = Some(Arc::clone(shared));
        }
        drop(state);
        Ok(connection)
    }

    fn open_more(self: &Arc<Self>, state: &mut State) {
        state.waiting.retain(|waiting| !waiting.is_closed());
        let waiting = state.waiting.len();
        let needed = if state.is_shared == Some(false) { waiting } else { waiting.min(1) };
        while state.coming < needed {
            state.coming += 1;
            let pool = Arc::clone(self);
            tokio::spawn(async move {
                let coming = Coming { pool: &pool };
                let outcome = pool.dialer.dial().await;
                coming.opened(outcome);
            });
        }
    }

    /// Takes back a connection whose exchange has ended.
    pub fn put(self: Arc<Self>, mut connection: Http1) {
        if connection.is_ready() {
            return self.hand_over(&mut self.state(), connection);
        }
        if !connection.is_open() {
            return;
        }
        self.state().coming += 1;
        tokio::spawn(async move {
            let coming = Coming { pool: &self };
            if let Ok(settled) = tokio::time::timeout(SETTLES_SOON, connection.settled()).await {
                if settled {
                    coming.opened(Ok(Dialed::Http1(connection)));
                }
                return;
            }
            // Waiting calls get another connection.
            drop(coming);
            let settled = tokio::time::timeout(SETTLING, connection.settled()).await;
            if settled == Ok(true) {
                self.hand_over(&mut self.state(), connection);
            }
        });
    }

    /// Gives the connection to the call that has waited longest, or adds it to the idle ones.
    fn hand_over(self: &Arc<Self>, state: &mut State, mut connection: Http1) {
        while let Some(waiting) = state.waiting.pop_front() {
            match waiting.send(Ok(Dialed::Http1(connection))) {
                Err(Ok(Dialed::Http1(back))) => connection = back,
                _ => return,
            }
        }
        if state.idle.len() >= MAX_IDLE {
            return;
        }
        state.idle.push_back(Idle { connection, since: Instant::now() });
        if !state.is_reaped {
            state.is_reaped = true;
            tokio::spawn(reap(Arc::downgrade(self), self.keep_alive));
        }
    }

    /// Removes the connections that were idle before `since`: a call got no byte in answer since then, so they may be
    /// dead as well.
    pub fn doubt(&self, since: Instant) {
        self.state().idle.retain(|idle| idle.since >= since);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn take(&mut self, keep_alive: Duration) -> Option<Dialed> {
        if let Some(shared) = &self.shared {
            if shared.is_usable() {
                return Some(Dialed::Http2(Arc::clone(shared)));
            }
            self.shared = None;
        }
        while let Some(Idle { connection, since }) = self.idle.pop_back() {
            if connection.is_ready() && since.elapsed() < keep_alive {
                return Some(Dialed::Http1(connection));
            }
        }
        None
    }
}

/// A connection that waiting calls count on. If it is dropped without one, more are opened for the calls that wait.
struct Coming<'a> {
    pool: &'a Arc<ConnectionPool>,
}

impl Coming<'_> {
    fn opened(self, outcome: Result<Dialed, Failure>) {
        let mut state = self.pool.state();
        match outcome {
            Ok(Dialed::Http1(connection)) => {
                state.is_shared = Some(false);
                self.pool.hand_over(&mut state, connection);
            }
            Ok(Dialed::Http2(shared)) => {
                state.is_shared = Some(true);
                for waiting in state.waiting.drain(..) {
                    // A call that no longer waits needs no connection.
                    let _ = waiting.send(Ok(Dialed::Http2(Arc::clone(&shared))));
                }
                state.shared = Some(shared);
            }
            Err(failure) => {
                // Each call has a connection that is opened for it, unless all wait for the same one.
                let all = state.waiting.len();
                let failed = if state.is_shared == Some(false) { all.min(1) } else { all };
                for waiting in state.waiting.drain(..failed) {
                    let _ = waiting.send(Err(failure.clone()));
                }
            }
        }
    }
}

impl Drop for Coming<'_> {
    fn drop(&mut self) {
        let mut state = self.pool.state();
        state.coming -= 1;
        self.pool.open_more(&mut state);
    }
}

/// A call that waits for a connection. If it is dropped after it got one, it gives the connection back.
struct WaitingCall<'a> {
    pool: &'a Arc<ConnectionPool>,
    coming: oneshot::Receiver<Result<Dialed, Failure>>,
}

impl Drop for WaitingCall<'_> {
    fn drop(&mut self) {
        self.coming.close();
        let given = self.coming.try_recv();
        // Without a runtime, the connection is closed.
        if let (Ok(Ok(Dialed::Http1(connection))), Ok(_)) = (given, Handle::try_current()) {
            Arc::clone(self.pool).put(connection);
        }
    }
}

/// Closes idle connections when their time is over. Ends when none are left.
async fn reap(pool: Weak<ConnectionPool>, keep_alive: Duration) {
    loop {
        tokio::time::sleep(keep_alive).await;
        let Some(pool) = pool.upgrade() else { return };
        let mut state = pool.state();
        state.idle.retain(|idle| idle.since.elapsed() < keep_alive);
        if state.idle.is_empty() {
            state.is_reaped = false;
            return;
        }
    }
}

impl std::fmt::Debug for State {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("State")
            .field("idle", &self.idle.len())
            .field("waiting", &self.waiting.len())
            .field("coming", &self.coming)
            .finish_non_exhaustive()
    }
}
