//! Discovery by a file of instances, which is read each second and compared by content.
//!
//! Comparing the content also detects a change behind a symbolic link, and two writes within one tick of the file
//! system's clock. If a file is incomplete, missing or invalid, the set stays, and the error is reported with line and
//! column.

use super::{Address, Round};
use serde::de::{
    self, Deserialize, Deserializer, MapAccess, Visitor, value::MapAccessDeserializer,
};
use std::fmt;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

const EVERY: Duration = Duration::from_secs(1);

/// Maximum size of a file, in bytes.
const LARGEST: u64 = 1 << 20;

#[derive(Debug)]
pub(super) struct File {
    path: PathBuf,
    bytes: Vec<u8>,
    /// Result of parsing `bytes`; `None` before the first read.
    parsed: Option<Result<Vec<Address>, String>>,
}

impl File {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path, bytes: Vec::new(), parsed: None }
    }

    pub(super) async fn round(&mut self) -> Round {
        let path = self.path.clone();
        let read = tokio::task::spawn_blocking(move || read(&path)).await;
        let read = read.unwrap_or_else(|stopped| Err(stopped.to_string()));
        let outcome = read.and_then(|bytes| self.parse(bytes));
        match outcome {
            Ok(addresses) => Round { addresses: Some(addresses), error: None, again: Some(EVERY) },
            Err(error) => {
                let error = Some(format!("`{}` {error}", self.path.display()));
                Round { addresses: None, error, again: Some(EVERY) }
            }
        }
    }

    fn parse(&mut self, bytes: Vec<u8>) -> Result<Vec<Address>, String> {
        if let Some(parsed) = &self.parsed
            && bytes == self.bytes
        {
            return parsed.clone();
        }
        let parsed = parse(&bytes);
        self.bytes = bytes;
        self.parsed.insert(parsed).clone()
    }
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    let unreadable = |error: std::io::Error| format!("cannot be read: {error}");
    // Opening a pipe would block until another process writes to it.
    if !std::fs::metadata(path).map_err(unreadable)?.is_file() {
        return Err("is not a file".to_owned());
    }
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).map_err(unreadable)?;
    file.take(LARGEST + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > LARGEST {
        return Err("is larger than 1 MiB".to_owned());
    }
    Ok(bytes)
}

fn parse(bytes: &[u8]) -> Result<Vec<Address>, String> {
    let listed: Result<Vec<Listed>, _> = serde_json::from_slice(bytes);
    let listed = listed.map_err(|error| format!("is not a list of instances: {error}"))?;
    Ok(listed.into_iter().map(|Listed(address)| address).collect())
}

/// An instance as written in the file: a text, or an object with a text.
struct Listed(Address);

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Detailed {
    address: Listed,
    weight: Option<std::num::NonZeroU32>,
    zone: Option<String>,
}

impl<'de> Deserialize<'de> for Listed {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // Not an untagged enum, whose errors would not name the place and the cause.
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = Listed;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(r#""host:port" or {"address": "host:port"}"#)
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Listed, E> {
                Address::parse(text).map(Listed).map_err(E::custom)
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Listed, A::Error> {
                let detailed = Detailed::deserialize(MapAccessDeserializer::new(map))?;
                let Listed(address) = detailed.address;
                let weight = detailed.weight.map_or(1, std::num::NonZero::get);
                Ok(Listed(Address { weight, zone: detailed.zone, ..address }))
            }
        }
        deserializer.deserialize_any(Either)
    }
}
