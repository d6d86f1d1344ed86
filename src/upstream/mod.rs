//! Between a call and the wire: the instances behind a source, and how an attempt at one is driven.
//!
//! [`Upstream::call`] is the one seam. A protocol hands it a closure that makes one attempt against one [`Instance`];
//! everything that is decided around an attempt (which instance, how long it may take) is decided here, so that REST
//! and gRPC sources are treated alike. It knows no protocol and never reads a request. Imports nothing of ours.

pub mod discovery;
pub mod http;

use ::http::Uri;
use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How a source is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The time one attempt may take.
    pub timeout: Duration,
    /// The time a connection may take to be made.
    pub connect_timeout: Duration,
    /// The largest reply, in bytes after inflation.
    pub max_reply: usize,
    /// How long an idle connection is kept.
    pub keep_alive: Duration,
    /// How long a stream of events may be silent.
    pub stream_idle: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(5),
            connect_timeout: Duration::from_secs(1),
            max_reply: 8 << 20,
            keep_alive: Duration::from_secs(90),
            stream_idle: Duration::from_mins(5),
        }
    }
}

/// One address that answers for a source, with what the protocol keeps for it, such as a channel or a pool.
#[derive(Debug)]
pub struct Instance<C> {
    /// Scheme and authority are what is called; a path is the prefix of every call.
    pub uri: Uri,
    pub connection: C,
}

/// One try at one instance.
#[derive(Debug)]
pub struct Attempt<C> {
    pub instance: Arc<Instance<C>>,
    /// When it is cut.
    pub until: Instant,
}

/// Why an attempt gave no reply.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// No connection, or it broke before the reply was whole.
    #[error("unavailable: {0}")]
    Unavailable(String),
    /// The attempt's time, or the request's deadline, ran out.
    #[error("no reply within {} ms", .0.as_millis())]
    Timeout(Duration),
    /// A stream of events said nothing for too long.
    #[error("no sound for {} ms", .0.as_millis())]
    Silent(Duration),
    /// Reading stopped there.
    #[error("the reply is larger than {0} bytes")]
    TooLarge(usize),
    /// An answer that is not of the protocol or of the promised form.
    #[error("invalid reply: {0}")]
    Invalid(String),
    /// The upstream answered, with a status that says no: HTTP's, or the number of gRPC's code.
    #[error("status {number}: {reason}")]
    Status { number: u16, reason: String },
    /// The call could not be written for the wire; nothing was sent.
    #[error("not sent: {0}")]
    NotSent(String),
}

/// The instances behind one source.
#[derive(Debug)]
pub struct Upstream<C> {
    settings: Settings,
    instance: Arc<Instance<C>>,
}

impl<C> Upstream<C> {
    /// One instance at a fixed address.
    #[must_use]
    pub fn fixed(settings: Settings, uri: Uri, connection: C) -> Self {
        Self { settings, instance: Arc::new(Instance { uri, connection }) }
    }

    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// An instance to speak of where none is called, as when a call is printed.
    #[must_use]
    pub fn example(&self) -> &Instance<C> {
        &self.instance
    }

    /// Makes an attempt at an instance, for as long as the settings and the deadline allow. Dropping the future drops
    /// the attempt.
    ///
    /// # Errors
    /// Of the attempt, or [`Failure::Timeout`].
    pub async fn call<T, A, F>(&self, deadline: Instant, attempt: A) -> Result<T, Failure>
    where
        A: Fn(Attempt<C>) -> F,
        F: Future<Output = Result<T, Failure>>,
    {
        let start = Instant::now();
        let until = deadline.min(start + self.settings.timeout);
        let instance = Arc::clone(&self.instance);
        let attempt = attempt(Attempt { instance, until });
        match tokio::time::timeout_at(until.into(), attempt).await {
            Ok(outcome) => outcome,
            Err(_) => Err(Failure::Timeout(until.saturating_duration_since(start))),
        }
    }
}

#[cfg(test)]
mod tests;
