//! Which question a reply answers, and for whom: the whole rendered request, compared in full, and the caller where the
//! reply is for one caller only.

use crate::source::{Caller, Request};
use http::header::{AUTHORIZATION, COOKIE};
use serde_json::Value;
use std::sync::Arc;

/// Two equal identities are the same question, whose answer may be given to both who ask.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(in crate::engine) struct Identity {
    pub request: Arc<Request>,
    /// `None`: the answer is for everybody who sends this request.
    pub partition: Option<Partition>,
}

/// A caller, told apart from every other one. Holds credentials: it is never printed.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(in crate::engine) struct Partition(Arc<[u8]>);

impl Identity {
    pub fn new(request: Arc<Request>, partition: Option<Partition>) -> Self {
        Self { request, partition }
    }

    /// Bytes that it takes.
    pub(super) fn size(&self) -> usize {
        let headers = self.request.headers.iter();
        let headers: usize = headers.map(|(name, value)| name.as_str().len() + value.len()).sum();
        let caller = self.partition.as_ref().map_or(0, |partition| partition.0.len());
        self.request.target.len() + self.request.body.len() + headers + caller
    }
}

impl Partition {
    /// By verified identity (issuer and subject), or else by the credentials themselves. An anonymous caller is like
    /// every other one, so it has none.
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

/// The length first, so that no two lists of parts look alike.
fn add(bytes: &mut Vec<u8>, part: &[u8]) {
    bytes.extend_from_slice(&(part.len() as u64).to_be_bytes());
    bytes.extend_from_slice(part);
}
