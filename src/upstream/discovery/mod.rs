//! Service discovery: the instances of a source as DNS, Consul or a file list them, followed as they change.
//!
//! [`Discovery::next`] waits for a change. If a name server times out, Consul has no leader or a file is incomplete,
//! the last known set stays, and the error is reported beside it. Discovery never calls an instance, does not judge
//! health, and does not know its users. While `next` is not polled, no queries are sent. Imports nothing of ours but
//! the HTTP client.

mod address;
mod consul;
mod dns;
mod file;
mod pace;
pub mod register;
mod settings;

pub use address::Address;
pub use settings::{Record, Settings};

use std::time::Duration;
use tokio::time::Instant;

/// The current instances of a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Latest valid set: sorted, each host and port once.
    pub addresses: Vec<Address>,
    /// Why the set is not newer, or why it is empty or incomplete; a sentence for operators, without secrets.
    pub error: Option<String>,
}

/// Follows a source's instances until it is dropped.
#[derive(Debug)]
pub struct Discovery {
    source: Source,
    /// Latest valid set.
    known: Vec<Address>,
    told: Option<Found>,
    /// Failed rounds since the last success.
    failures: u32,
    /// Time at which the next round may begin.
    due: Option<Instant>,
}

#[derive(Debug)]
enum Source {
    Dns(Box<dns::Dns>),
    Consul(Box<consul::Service>),
    File(file::File),
}

/// Result of one round of queries.
#[derive(Debug)]
struct Round {
    /// `None` keeps the known set.
    addresses: Option<Vec<Address>>,
    error: Option<String>,
    /// Time until the next round; `None` after a failure, when the wait grows with each one.
    again: Option<Duration>,
}

impl Discovery {
    /// Creates the discovery. Sends no queries yet, and may be called outside a runtime.
    ///
    /// # Errors
    /// Settings that can never work; one lowercase sentence.
    pub fn new(settings: Settings) -> Result<Self, String> {
        let source = match settings {
            Settings::Dns { name, record, port, server } => {
                Source::Dns(Box::new(dns::Dns::new(&name, record, port, server)?))
            }
            Settings::Consul { agent, service, tag, passing, datacenter, token } => {
                let agent = consul::Agent::new(&agent, token)?;
                let service =
                    consul::Service::new(agent, service, &tag, passing, datacenter.as_deref())?;
                Source::Consul(Box::new(service))
            }
            Settings::File { path } => Source::File(file::File::new(path)),
        };
        Ok(Self { source, known: Vec::new(), told: None, failures: 0, due: None })
    }

    /// Completes when the set or the error has changed, and at the first call in any case. If the future is dropped,
    /// the known set stays, and the pending query is sent again later.
    pub async fn next(&mut self) -> Found {
        loop {
            if let Some(due) = self.due {
                tokio::time::sleep_until(due).await;
            }
            // Set before, so that a future that is dropped repeatedly does not query more often.
            self.due = Some(Instant::now() + pace::SHORTEST);
            let round = self.source.round().await;
            let found = self.take(round);
            if self.told.as_ref() != Some(&found) {
                self.told = Some(found.clone());
                return found;
            }
        }
    }

    fn take(&mut self, round: Round) -> Found {
        self.failures = if round.again.is_some() { 0 } else { self.failures.saturating_add(1) };
        let pause = round.again.unwrap_or_else(|| pace::pause(self.failures, pace::random()));
        self.due = self.due.max(Some(Instant::now() + pause));
        if let Some(addresses) = round.addresses {
            self.known = address::tidy(addresses);
        }
        Found { addresses: self.known.clone(), error: round.error }
    }
}

impl Source {
    async fn round(&mut self) -> Round {
        let outcome = match self {
            Self::Dns(dns) => dns.round().await,
            Self::Consul(service) => service.round().await,
            Self::File(file) => return file.round().await,
        };
        outcome.unwrap_or_else(|error| Round { addresses: None, error: Some(error), again: None })
    }
}

#[cfg(test)]
pub(crate) mod tests;
