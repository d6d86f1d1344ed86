//! Discovery by DNS: each address of a name, or each target of its SRV records.
//!
//! Names are resolved again when the shortest TTL of an answer is over: at most once a second, at least every five
//! minutes. If there is no answer (SERVFAIL, a timeout), the set stays as it is. "No such name" and "no such records"
//! are accepted after three such answers in a row, because a name server that is being set up gives them too. Until
//! then the set stays.

mod resolver;
mod srv;

use super::{Address, Record, Round, pace};
use hickory_resolver::proto::rr::{Name, RData, RecordType};
use resolver::{Nothing, Resolver};
use std::net::SocketAddr;
use std::time::Duration;

const SHORTEST_TTL: Duration = Duration::from_secs(1);
const LONGEST_TTL: Duration = Duration::from_mins(5);

/// Time for which an empty set is kept if the answer has no TTL.
const EMPTY_TTL: Duration = Duration::from_secs(5);

/// Maximum time of one round, all queries together.
const LONGEST_ROUND: Duration = Duration::from_secs(15);

/// Number of answers in a row that must say that there are no records.
const CONFIRMED: u32 = 3;

#[derive(Debug)]
pub(super) struct Dns {
    resolver: Resolver,
    name: Name,
    record: Record,
    port: u16,
    /// Answers without records since the last one with records.
    empty_answers: u32,
    targets: srv::Known,
}

impl Dns {
    pub(super) fn new(
        name: &str,
        record: Record,
        port: u16,
        server: Option<SocketAddr>,
    ) -> Result<Self, String> {
        let parsed = Name::from_utf8(name)
            .ok()
            .filter(|name| name.num_labels() > 0)
            .ok_or_else(|| format!("`{}` is not a DNS name", name.escape_debug()))?;
        if port == 0 && record != Record::Srv {
            return Err(format!("the instances of `{name}` have no port"));
        }
        Ok(Self {
            resolver: Resolver::new(server)?,
            name: parsed,
            record,
            port,
            empty_answers: 0,
            targets: srv::Known::new(),
        })
    }

    pub(super) async fn round(&mut self) -> Result<Round, String> {
        let late = || Nothing::Failed(format!("no answers within {LONGEST_ROUND:?}"));
        let outcome = tokio::time::timeout(LONGEST_ROUND, self.look()).await;
        match outcome.unwrap_or_else(|_| Err(late())) {
            Ok(round) => {
                self.empty_answers = 0;
                Ok(round)
            }
            Err(Nothing::Failed(error)) => Err(error),
            Err(Nothing::Empty(error, ttl)) => self.nothing(error, ttl),
        }
    }

    async fn look(&mut self) -> Result<Round, Nothing> {
        let wanted = match self.record {
            Record::A => RecordType::A,
            Record::Aaaa => RecordType::AAAA,
            Record::Srv => return self.look_for_targets().await,
        };
        let answer = self.resolver.ask(&self.name, wanted).await?;
        let ips = answer.records.iter().filter_map(RData::ip_addr);
        let addresses = ips.filter_map(|ip| Address::new(ip.to_string(), self.port).ok());
        Ok(Round {
            addresses: Some(addresses.collect()),
            error: None,
            again: Some(clamped(answer.ttl)),
        })
    }

    async fn look_for_targets(&mut self) -> Result<Round, Nothing> {
        let found = srv::look(&self.resolver, &self.name, &mut self.targets).await?;
        let ttl = if found.error.is_some() { found.ttl.min(pace::LONGEST) } else { found.ttl };
        Ok(Round {
            addresses: Some(found.addresses),
            error: found.error,
            again: Some(clamped(ttl)),
        })
    }

    fn nothing(&mut self, error: String, ttl: Option<Duration>) -> Result<Round, String> {
        self.empty_answers = self.empty_answers.saturating_add(1);
        if self.empty_answers < CONFIRMED {
            return Err(error);
        }
        let ttl = ttl.unwrap_or(EMPTY_TTL).min(pace::LONGEST);
        Ok(Round { addresses: Some(Vec::new()), error: Some(error), again: Some(clamped(ttl)) })
    }
}

fn clamped(ttl: Duration) -> Duration {
    ttl.clamp(SHORTEST_TTL, LONGEST_TTL)
}
