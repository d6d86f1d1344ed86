//! What a page of another origin may do with the endpoint (Fetch standard, "CORS protocol").
//!
//! Closed until an origin is listed: then no header of CORS is sent at all. An origin is never echoed unless it is
//! listed, `null` cannot be, and every answer says that it varies by origin, so that no cache gives one page's answer to
//! another. Pages of the public network are not let into a private one. Only the endpoint is opened, not the playground
//! and the probes.

use super::Cors;
use http::Method;
use http::header::{HeaderName, RETRY_AFTER, WWW_AUTHENTICATE};
use tower_http::cors::{AllowHeaders, AllowOrigin, CorsLayer, ExposeHeaders};

/// What a page may read beside the body.
const EXPOSED: [HeaderName; 5] = [
    RETRY_AFTER,
    WWW_AUTHENTICATE,
    HeaderName::from_static("ratelimit"),
    HeaderName::from_static("ratelimit-policy"),
    HeaderName::from_static("x-request-id"),
];

/// `None` where CORS is closed.
pub(super) fn layer(settings: &Cors) -> Option<CorsLayer> {
    if settings.origins.is_empty() {
        return None;
    }
    let origins = if settings.any_origin() {
        AllowOrigin::any()
    } else {
        AllowOrigin::list(settings.origins.iter().cloned())
    };
    let layer = CorsLayer::new()
        .allow_origin(origins)
        .allow_methods([Method::GET, Method::POST])
        .allow_headers(AllowHeaders::mirror_request())
        .expose_headers(ExposeHeaders::list(EXPOSED))
        .allow_credentials(settings.credentials)
        .max_age(settings.max_age);
    Some(layer)
}
