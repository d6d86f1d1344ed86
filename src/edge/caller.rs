//! Who sent a request: its address, its headers, and what its token says, verified.
//!
//! A bad token is 401 and never anonymous (RFC 6750 §3.1), under either media type. Why it is bad stands in the log,
//! under the id that the client gets.

use super::negotiate::Media;
use super::trace::Ids;
use super::{Peer, reply};
use crate::graphql::{Error, ErrorCode, error_id};
use crate::identity::{Identity, Refused, Verified};
use crate::memory::Account;
use crate::source::Caller;
use axum::response::Response;
use http::HeaderValue;
use http::header::WWW_AUTHENTICATE;
use http::request::Parts;
use serde_json::Value;
use std::sync::Arc;
use std::time::SystemTime;

/// The caller of a request; takes its headers. Keys that are being fetched are waited for.
pub(super) async fn of_request(
    identity: &Identity,
    parts: &mut Parts,
) -> Result<Arc<Caller>, Refused> {
    let verified = identity.of_headers(&parts.headers, SystemTime::now()).await?;
    if verified.is_none() {
        identity.anonymous()?;
    }
    Ok(caller(parts, verified))
}

/// Who opens a WebSocket, as far as its request tells. A token may yet come with `connection_init`.
pub(super) struct Guest {
    caller: Arc<Caller>,
    /// The request had a token.
    is_known: bool,
}

/// The guest of a request that opens a WebSocket; takes its headers.
pub(super) async fn of_upgrade(identity: &Identity, parts: &mut Parts) -> Result<Guest, Refused> {
    let verified = identity.of_headers(&parts.headers, SystemTime::now()).await?;
    let is_known = verified.is_some();
    Ok(Guest { caller: caller(parts, verified), is_known })
}

impl Guest {
    /// The caller for as long as the socket is open. Its token is the request's or the payload's, never both.
    pub(super) async fn begin(
        self,
        identity: &Identity,
        payload: &Value,
    ) -> Result<Arc<Caller>, Refused> {
        let now = SystemTime::now();
        let Some(verified) = identity.of_init(payload, self.is_known, now).await? else {
            if !self.is_known {
                identity.anonymous()?;
            }
            return Ok(self.caller);
        };
        Ok(Arc::new(Caller {
            claims: verified.claims.clone(),
            scopes_claim: verified.scopes_claim.clone(),
            expires: Some(verified.expires()),
            ..Caller::clone(&self.caller)
        }))
    }
}

fn caller(parts: &mut Parts, verified: Option<Arc<Verified>>) -> Arc<Caller> {
    let expires = verified.as_ref().map(|verified| verified.expires());
    Arc::new(Caller {
        ip: parts.extensions.get::<Peer>().map(|peer| peer.address),
        account: account(parts),
        headers: std::mem::take(&mut parts.headers),
        scopes_claim: verified.as_ref().and_then(|verified| verified.scopes_claim.clone()),
        claims: verified.map(|verified| verified.claims.clone()).unwrap_or_default(),
        expires,
        trace: parts.extensions.get::<Ids>().map(|ids| ids.carried.clone()).unwrap_or_default(),
    })
}

/// Returns the account on which a request and its answer are counted.
pub(super) fn account(parts: &Parts) -> Account {
    parts.extensions.get::<Peer>().map(|peer| peer.account.clone()).unwrap_or_default()
}

/// The answer to a caller who is not let in.
pub(super) fn refuse(media: Media, refused: &Refused) -> Response {
    let (id, message) = told(refused);
    // RFC 6750 §3: who sent nothing did nothing wrong.
    let challenge = match refused {
        Refused::Missing => "Bearer",
        _ => r#"Bearer error="invalid_token""#,
    };
    let mut error = Error::new(ErrorCode::Unauthenticated, message);
    error.extensions.insert("errorId".to_owned(), id.into());
    let mut response = reply::refuse_with(media, &error);
    response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
    response
}

/// Writes why a caller is not let in into the log, and gives the id of that line and what the caller may know.
pub(super) fn told(refused: &Refused) -> (String, &'static str) {
    let id = error_id();
    let reason = refused.label();
    tracing::info!(error_id = id, reason, "a caller was refused: {refused}");
    let message = match refused {
        Refused::Missing => "a token is needed here",
        _ => "the token is not good",
    };
    (id, message)
}
