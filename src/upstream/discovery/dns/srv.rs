//! SRV records (RFC 2782): of the targets that can be reached, only those of the lowest priority are used.
//!
//! If a target's name cannot be resolved, its previous addresses are kept. So one broken name neither removes an
//! instance nor hides the others.

use super::super::Address;
use super::resolver::{Nothing, Resolver};
use futures_util::StreamExt as _;
use hickory_resolver::proto::rr::rdata::SRV;
use hickory_resolver::proto::rr::{Name, RData, RecordType};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

/// Maximum number of targets. Further ones are left out, which is reported.
const MOST_TARGETS: usize = 256;

/// Maximum number of concurrent lookups.
const AT_ONCE: usize = 8;

/// Addresses of targets when they were last resolved.
pub(super) type Known = BTreeMap<Name, Vec<IpAddr>>;

#[derive(Debug, Default)]
pub(super) struct Targets {
    pub(super) addresses: Vec<Address>,
    pub(super) ttl: Duration,
    pub(super) error: Option<String>,
}

pub(super) async fn look(
    resolver: &Resolver,
    name: &Name,
    known: &mut Known,
) -> Result<Targets, Nothing> {
    let answer = resolver.ask(name, RecordType::SRV).await?;
    let mut services: Vec<SRV> = answer.records.into_iter().filter_map(service).collect();
    services.sort_unstable_by(|a, b| (a.priority, &a.target).cmp(&(b.priority, &b.target)));
    let mut found = Targets { ttl: answer.ttl, ..Targets::default() };
    if services.len() > MOST_TARGETS {
        found.error = Some(format!("`{name}` has more than {MOST_TARGETS} targets"));
        services.truncate(MOST_TARGETS);
    }
    known.retain(|target, _| services.iter().any(|service| service.target == *target));
    let mut unknown = false;
    for level in services.chunk_by(|a, b| a.priority == b.priority) {
        unknown |= resolve(resolver, level, known, &mut found).await;
        if !found.addresses.is_empty() {
            return Ok(found);
        }
    }
    match found.error {
        Some(error) if unknown => Err(Nothing::Failed(error)),
        _ => Err(Nothing::Empty(format!("no target of `{name}` has an address"), None)),
    }
}

/// Returns the record, or `None` for a target that is the root: the domain states that it does not offer the service.
fn service(record: RData) -> Option<SRV> {
    match record {
        RData::SRV(service) if !service.target.is_root() => Some(service),
        _ => None,
    }
}

/// Adds the addresses of one priority's targets. Returns true if the addresses of some target are unknown.
async fn resolve(
    resolver: &Resolver,
    level: &[SRV],
    known: &mut Known,
    found: &mut Targets,
) -> bool {
    let mut names: Vec<Name> = level.iter().map(|service| service.target.clone()).collect();
    names.dedup();
    let lookups = names.into_iter().map(|name| async {
        let outcome = resolve_one(resolver, &name).await;
        (name, outcome)
    });
    let mut outcomes = futures_util::stream::iter(lookups).buffered(AT_ONCE);
    let mut unknown = false;
    while let Some((target, outcome)) = outcomes.next().await {
        match outcome {
            Ok((addresses, ttl)) => {
                found.ttl = found.ttl.min(ttl);
                known.insert(target, addresses);
            }
            Err(Nothing::Empty(..)) => drop(known.remove(&target)),
            Err(Nothing::Failed(error)) => {
                unknown |= !known.contains_key(&target);
                found.error.get_or_insert(error);
            }
        }
    }
    for service in level {
        let addresses = known.get(&service.target).into_iter().flatten();
        found.addresses.extend(addresses.filter_map(|ip| address(*ip, service)));
    }
    unknown
}

/// Resolves a target to its IPv4 addresses if it has any, so that an instance with both versions is one instance.
async fn resolve_one(
    resolver: &Resolver,
    target: &Name,
) -> Result<(Vec<IpAddr>, Duration), Nothing> {
    let answer = match resolver.ask(target, RecordType::A).await {
        Err(Nothing::Empty(..)) => resolver.ask(target, RecordType::AAAA).await,
        answer => answer,
    }?;
    Ok((answer.records.iter().filter_map(RData::ip_addr).collect(), answer.ttl))
}

fn address(ip: IpAddr, service: &SRV) -> Option<Address> {
    let address = Address::new(ip.to_string(), service.port).ok()?;
    Some(Address { weight: u32::from(service.weight).max(1), ..address })
}
