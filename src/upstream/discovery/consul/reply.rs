//! The answer to `/v1/health/service/NAME`: a list of services, each with its node.

use super::super::Address;
use serde::Deserialize;

/// Maximum weight that Consul allows.
const HEAVIEST: u32 = 65_535;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Entry {
    node: Node,
    service: Service,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Node {
    #[serde(default)]
    address: String,
    meta: Option<Meta>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Service {
    /// Empty if it is the node's address.
    #[serde(default)]
    address: String,
    #[serde(default)]
    port: i64,
    weights: Option<Weights>,
    meta: Option<Meta>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Weights {
    passing: Option<i64>,
}

#[derive(Deserialize)]
struct Meta {
    zone: Option<String>,
}

/// Returns all instances that can be called, and what is wrong with the others.
///
/// # Errors
/// The text is not such a list, or none of its instances can be called.
pub(super) fn addresses(
    service: &str,
    body: &[u8],
) -> Result<(Vec<Address>, Option<String>), String> {
    let entries: Vec<Entry> = serde_json::from_slice(body)
        .map_err(|error| format!("the answer is no list of instances: {error}"))?;
    let count = entries.len();
    let mut addresses = Vec::with_capacity(count);
    let mut mistake = None;
    for entry in entries {
        match address(entry) {
            Ok(address) => addresses.push(address),
            Err(error) => mistake = mistake.or(Some(error)),
        }
    }
    let left_out = count - addresses.len();
    let error = mistake.map(|mistake| {
        format!("{left_out} of {count} instances of `{service}` cannot be called: {mistake}")
    });
    match error {
        Some(error) if addresses.is_empty() => Err(error),
        error => Ok((addresses, error)),
    }
}

fn address(Entry { node, service }: Entry) -> Result<Address, String> {
    let host = if service.address.is_empty() { node.address } else { service.address };
    let address = Address::new(host, u16::try_from(service.port).unwrap_or(0))?;
    let weight = service.weights.and_then(|weights| weights.passing).unwrap_or(1);
    let zone = |meta: Option<Meta>| meta?.zone.filter(|zone| !zone.is_empty());
    Ok(Address {
        weight: u32::try_from(weight).unwrap_or(0).clamp(1, HEAVIEST),
        zone: zone(service.meta).or_else(|| zone(node.meta)),
        ..address
    })
}
