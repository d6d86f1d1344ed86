//! Who sent a request: its address, its headers, and what its token says, verified.
//!
//! A bad token is 401 and never anonymous (RFC 6750 §3.1), under either media type. Why it is bad stands in the log,
//! under the id that the client gets.

use super::negotiate::Media;
use super::trace::Ids;
use super::{Peer, reply};
use crate::graphql::{Error, ErrorCode, error_id};
use crate::identity::{Identity, Refused, Verified};
use crate::source::Caller;
use axum::response::Response;
use http::HeaderValue;
use http::header::WWW_AUTHENTICATE;
use http::request::Parts;
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

fn caller(parts: &mut Parts, verified: Option<Arc<Verified>>) -> Arc<Caller> {
    let expires = verified.as_ref().map(|verified| verified.expires());
    Arc::new(Caller {
        ip: parts.extensions.get::<Peer>().map(|peer| peer.0.ip()),
        headers: std::mem::take(&mut parts.headers),
        claims: verified.map(|verified| verified.claims.clone()).unwrap_or_default(),
        expires,
        trace: parts.extensions.get::<Ids>().map(|ids| ids.carried.clone()).unwrap_or_default(),
    })
}

/// The answer to a caller who is not let in.
pub(super) fn refuse(media: Media, refused: &Refused) -> Response {
    let id = error_id();
    let reason = refused.label();
    tracing::info!(error_id = id, reason, "a caller was refused: {refused}");
    // RFC 6750 §3: who sent nothing did nothing wrong.
    let (message, challenge) = match refused {
        Refused::Missing => ("a token is needed here", "Bearer"),
        _ => ("the token is not good", r#"Bearer error="invalid_token""#),
    };
    let mut error = Error::new(ErrorCode::Unauthenticated, message);
    error.extensions.insert("errorId".to_owned(), id.into());
    let mut response = reply::refuse_with(media, &error);
    response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
    response
}
