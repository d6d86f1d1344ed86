//! Authenticates the caller of a request: its address, its headers, and the verified claims of its token.
//!
//! An invalid token is 401 and never anonymous (RFC 6750 §3.1), with either media type. The reason is logged under the
//! id that the client gets.

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

/// Returns the caller of a request, and takes its headers. Waits for keys that are being fetched.
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

/// The caller of a WebSocket, as far as the upgrade request identifies it. A token may still arrive with
/// `connection_init`.
pub(super) struct Guest {
    caller: Arc<Caller>,
    /// The request had a token.
    is_known: bool,
}

/// Returns the guest of a request that opens a WebSocket, and takes its headers.
pub(super) async fn of_upgrade(identity: &Identity, parts: &mut Parts) -> Result<Guest, Refused> {
    let verified = identity.of_headers(&parts.headers, SystemTime::now()).await?;
    let is_known = verified.is_some();
    Ok(Guest { caller: caller(parts, verified), is_known })
}

impl Guest {
    /// Returns the caller for the lifetime of the socket. The token comes from the request or from the payload, never
    /// from both.
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

/// Returns the account that a request and its response are charged to.
pub(super) fn account(parts: &Parts) -> Account {
    parts.extensions.get::<Peer>().map(|peer| peer.account.clone()).unwrap_or_default()
}

/// Returns the response to a caller that is refused.
pub(super) fn refuse(media: Media, refused: &Refused) -> Response {
    let (id, message) = told(refused);
    // RFC 6750 §3: a request without credentials gets no error code.
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

/// Logs why a caller is refused. Returns the id of the log line, and the message for the caller.
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
