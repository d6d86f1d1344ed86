//! Cache keys: the whole rendered request, compared in full, and the caller if the reply is for one caller only.

use crate::source::{Caller, Request};
use http::header::{AUTHORIZATION, COOKIE};
use serde_json::Value;
use std::sync::Arc;

/// Cache key of a call. Calls with equal keys may share a reply.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(in crate::engine) struct Identity {
    pub request: Arc<Request>,
    /// `None` if every caller that sends this request may share the reply.
    pub partition: Option<Partition>,
}

/// Identifies a caller. Holds credentials, so it is never printed.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(in crate::engine) struct Partition(Arc<[u8]>);

impl Identity {
    pub fn new(request: Arc<Request>, partition: Option<Partition>) -> Self {
        Self { request, partition }
    }

    /// Returns its size in bytes.
    pub(super) fn size(&self) -> usize {
        let headers = self.request.headers.iter();
        let headers: usize = headers.map(|(name, value)| name.as_str().len() + value.len()).sum();
        let caller = self.partition.as_ref().map_or(0, |partition| partition.0.len());
        self.request.target.len() + self.request.body.len() + headers + caller
    }
}

impl Partition {
    /// Returns the partition of a caller: its verified identity (issuer and subject), or otherwise its credentials.
    /// Anonymous callers are all alike, so they have none.
    pub fn of(caller: &Caller) -> Option<Self> {
        let mut bytes = Vec::new();
        let claim = |name: &str| caller.claims.get(name).and_then(Value::as_str);
        if let (Some(issuer), Some(subject)) = (claim("iss"), claim("sub")) {
            bytes.push(b'v');
            add(&mut bytes, issuer.as_bytes());
            add(&mut bytes, subject.as_bytes());
            return Some(Self(bytes.into()));
        }
        for (mark, name) in [(b'a', AUTHORIZATION), (b'c', COOKIE)] {
            for value in caller.headers.get_all(name) {
                bytes.push(mark);
                add(&mut bytes, value.as_bytes());
            }
        }
        (!bytes.is_empty()).then(|| Self(bytes.into()))
    }

    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// Adds a part after its length, so that no two lists of parts give the same bytes.
fn add(bytes: &mut Vec<u8>, part: &[u8]) {
    bytes.extend_from_slice(&(part.len() as u64).to_be_bytes());
    bytes.extend_from_slice(part);
}
