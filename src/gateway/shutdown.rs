//! Signals. SIGINT and SIGTERM stop the gateway: the first one drains, the second one ends the process at once. SIGHUP
//! never ends it: the files of `server.tls` are read again, and the rest of the configuration is not.

use std::io;

/// Returns two futures: the first completes at the first signal, the second at the second signal.
///
/// # Errors
/// The system provides no signals.
pub fn signals() -> io::Result<(impl Future<Output = ()>, impl Future<Output = ()>)> {
    let (mut first, mut both) = (Signals::new()?, Signals::new()?);
    let drain = async move {
        first.next().await;
        tracing::info!("stopping; a second signal ends the process at once");
    };
    let end = async move {
        both.next().await;
        both.next().await;
    };
    Ok((drain, end))
}

/// Handles SIGHUP, which would otherwise end the process: from its creation on, for as long as the process lives. Empty
/// if the system has no such signal.
#[cfg(unix)]
pub struct Hangups(Option<tokio::signal::unix::Signal>);

#[cfg(unix)]
impl Hangups {
    /// Installs the handler. Must run on a Tokio runtime.
    #[must_use]
    pub fn take() -> Self {
        use tokio::signal::unix::{SignalKind, signal};
        let taken = signal(SignalKind::hangup());
        if let Err(error) = &taken {
            tracing::warn!("SIGHUP would end this process: {error}");
        }
        Self(taken.ok())
    }

    /// Waits for the first SIGHUP since its creation.
    pub async fn first(self) {
        match self.0 {
            Some(mut hangups) => drop(hangups.recv().await),
            None => std::future::pending().await,
        }
    }

    /// Logs each SIGHUP since its creation, for a gateway without TLS, which has nothing to read again. Runs until
    /// dropped.
    pub async fn log(self) {
        if let Some(mut hangups) = self.0 {
            while hangups.recv().await.is_some() {
                tracing::info!(
                    "SIGHUP: nothing is read again, as `server.tls` is not set; a change of the \
                     configuration needs a restart"
                );
            }
        }
        std::future::pending::<()>().await;
    }
}

#[cfg(not(unix))]
pub struct Hangups;

#[cfg(not(unix))]
impl Hangups {
    #[must_use]
    pub fn take() -> Self {
        Self
    }

    pub async fn first(self) {
        std::future::pending().await
    }

    pub async fn log(self) {
        std::future::pending::<()>().await;
    }
}

#[cfg(unix)]
struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    fn new() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        let interrupt = signal(SignalKind::interrupt())?;
        Ok(Self { interrupt, terminate: signal(SignalKind::terminate())? })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    #[allow(clippy::unnecessary_wraps, reason = "as on Unix")]
    fn new() -> io::Result<Self> {
        Ok(Self)
    }

    async fn next(&mut self) {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}
