//! Who answers for a source now: its instances as DNS, Consul or a file names them, followed as they change.
//!
//! [`Discovery::next`] waits until there is news. What is known outlives whoever told it: a name server that times out,
//! a Consul without a leader or a file that is half written takes no instance away, it only says why there is nothing
//! newer. It never calls an instance, never judges whether one is well, and knows nothing of who asks. While nobody
//! polls `next`, nobody is asked. Imports nothing of ours but the HTTP client.

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

/// Who exists now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The newest good set: sorted, each host and port once.
    pub addresses: Vec<Address>,
    /// Why there is none newer, or why it is empty or not whole; a sentence for operators, without secrets.
    pub error: Option<String>,
}

/// Follows a source's instances until it is dropped.
#[derive(Debug)]
pub struct Discovery {
    source: Source,
    /// The newest good set.
    known: Vec<Address>,
    told: Option<Found>,
    /// Rounds since the last good one.
    failures: u32,
    /// When the next round may begin.
    due: Option<Instant>,
}

#[derive(Debug)]
enum Source {
    Dns(Box<dns::Dns>),
    Consul(Box<consul::Service>),
    File(file::File),
}

/// What asking once came to.
#[derive(Debug)]
struct Round {
    /// `None` leaves what was known.
    addresses: Option<Vec<Address>>,
    error: Option<String>,
    /// After this time; `None` after a failure, when it is longer each time.
    again: Option<Duration>,
}

impl Discovery {
    /// Asks nobody yet, and may be called outside a runtime.
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

    /// Done when the set or the reason is another than the one before, and the first time in any case. Dropping the
    /// future loses nothing that was known; what it was waiting for is asked for again.
    pub async fn next(&mut self) -> Found {
        loop {
            if let Some(due) = self.due {
                tokio::time::sleep_until(due).await;
            }
            // Set before, so that a future that is dropped again and again asks no more often.
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
