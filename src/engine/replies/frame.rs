//! Format of a cached reply in Redis, and its authentication.
//!
//! ```text
//! version (1) · tag (32) · written at, ms since 1970 (8) · fresh, while revalidating, if error, for validators, ms (4 × 8)
//! · status (2) · form of the body (1) · number of headers (2) · each: length (2) name length (4) value · the body
//! ```
//!
//! Numbers are big-endian. The tag is an HMAC-SHA-256 of everything after it, keyed by a SHA-512 digest of the whole
//! identity. A value that was cut, changed or moved from another key fails to authenticate.

use super::freshness::Lifetime;
use super::identity::Identity;
use super::kept::Kept;
use super::policy::Policy;
use super::retry::Retry;
use crate::source::Body;
use bytes::{Buf, BufMut, Bytes};
use http::{HeaderMap, HeaderName, HeaderValue};
use ring::{digest, hmac};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Incremented when the layout or the contents of an identity change. Old values are misses then.
const VERSION: u8 = 2;

const TAG: usize = 32;

/// Maximum size of a value, without the body and the headers' texts.
pub(super) const HEAD: usize = 4_096;

const JSON: u8 = 0;
const PROTO: u8 = 1;

/// Key that a value is bound to.
pub(super) struct Seal(digest::Digest);

impl Seal {
    /// Digests all parts of an identity, each with its length before it.
    pub fn of(identity: &Identity, policy: &Policy) -> Self {
        let mut context = digest::Context::new(&digest::SHA512);
        let mut part = |bytes: &[u8]| {
            context.update(&(bytes.len() as u64).to_be_bytes());
            context.update(bytes);
        };
        let request = &identity.request;
        part(b"portcullis reply");
        // If headers are read, they are stored, too.
        part(&[VERSION, u8::from(policy.reads_headers), u8::from(policy.private)]);
        // Gateways that allow other lifetimes keep separate values.
        part(format!("{:?}", policy.allowed).as_bytes());
        part(request.source.as_bytes());
        part(request.verb.as_bytes());
        part(request.target.as_bytes());
        part(&(request.headers.len() as u64).to_be_bytes());
        for (name, value) in &request.headers {
            part(name.as_str().as_bytes());
            part(value.as_bytes());
        }
        part(&request.body);
        part(&request.reading.to_be_bytes());
        match &identity.partition {
            Some(partition) => part(partition.as_bytes()),
            None => part(b""),
        }
        Self(context.finish())
    }

    /// Returns the key in Redis, which reveals nothing about the identity.
    pub fn key(&self) -> Vec<u8> {
        let digest = digest::digest(&digest::SHA256, self.0.as_ref());
        let mut key = b"reply:".to_vec();
        for byte in digest.as_ref() {
            key.extend_from_slice(format!("{byte:02x}").as_bytes());
        }
        key
    }

    fn tag_key(&self) -> hmac::Key {
        hmac::Key::new(hmac::HMAC_SHA256, self.0.as_ref())
    }
}

pub(super) fn write(seal: &Seal, kept: &Kept, now: SystemTime) -> Vec<u8> {
    let (form, body) = match &kept.body {
        Body::Json(body) => (JSON, body),
        Body::Proto(body) => (PROTO, body),
    };
    let mut value = Vec::with_capacity(body.len() + 256);
    value.put_u8(VERSION);
    value.put_bytes(0, TAG);
    let since = now.duration_since(UNIX_EPOCH).unwrap_or_default();
    let Lifetime { fresh, while_revalidate, if_error, for_validators } = kept.lifetime;
    for time in [since, fresh, while_revalidate, if_error, for_validators] {
        value.put_u64(u64::try_from(time.as_millis()).unwrap_or(u64::MAX));
    }
    value.put_u16(kept.status);
    value.put_u8(form);
    let fits = |(name, value): &(&HeaderName, &HeaderValue)| {
        u16::try_from(name.as_str().len()).is_ok() && u32::try_from(value.len()).is_ok()
    };
    let headers: Vec<_> = kept.headers.iter().filter(fits).take(u16::MAX.into()).collect();
    value.put_u16(headers.len() as u16);
    for (name, text) in headers {
        value.put_u16(name.as_str().len() as u16);
        value.put_slice(name.as_str().as_bytes());
        value.put_u32(text.len() as u32);
        value.put_slice(text.as_bytes());
    }
    value.put_slice(body);
    let tag = hmac::sign(&seal.tag_key(), &value[1 + TAG..]);
    value[1..=TAG].copy_from_slice(tag.as_ref());
    value
}

/// Authenticates and parses a value; `None` if it was not written for this seal.
pub(super) fn open(
    seal: &Seal,
    mut value: Bytes,
    private: bool,
    wall: SystemTime,
    now: Instant,
) -> Option<Kept> {
    if value.try_get_u8().ok()? != VERSION || value.len() < TAG {
        return None;
    }
    let tag = value.split_to(TAG);
    hmac::verify(&seal.tag_key(), &value, &tag).ok()?;
    let mut time = || value.try_get_u64().ok().map(Duration::from_millis);
    let written = UNIX_EPOCH.checked_add(time()?)?;
    let lifetime = Lifetime {
        fresh: time()?,
        while_revalidate: time()?,
        if_error: time()?,
        for_validators: time()?,
    };
    let status = value.try_get_u16().ok()?;
    let form = value.try_get_u8().ok()?;
    let headers = headers(&mut value)?;
    let body = match form {
        JSON => Body::Json(value),
        PROTO => Body::Proto(value),
        _ => return None,
    };
    // If this clock is behind the writer's, the value counts as new. Redis expires it all the same.
    let came = now.checked_sub(wall.duration_since(written).unwrap_or_default())?;
    let (headers, retry) = (Arc::new(headers), Retry::default());
    Some(Kept { body, status, headers, lifetime, private, came, retry })
}

fn headers(value: &mut Bytes) -> Option<HeaderMap> {
    let count = value.try_get_u16().ok()?;
    let mut headers = HeaderMap::new();
    for _ in 0..count {
        let name = value.try_get_u16().ok()?;
        let name = HeaderName::from_bytes(&take(value, name.into())?).ok()?;
        let text = value.try_get_u32().ok()?;
        let text = HeaderValue::from_maybe_shared(take(value, text as usize)?).ok()?;
        headers.append(name, text);
    }
    Some(headers)
}

fn take(value: &mut Bytes, length: usize) -> Option<Bytes> {
    (length <= value.len()).then(|| value.split_to(length))
}
