//! When to stop: SIGINT and SIGTERM. The first one drains, the second one ends the process at once.

use std::io;

/// Two futures: the first is done at the first signal, the second at the second one.
///
/// # Errors
/// The system gives no signals.
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
