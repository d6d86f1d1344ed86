//! CORS: access of web pages of other origins to the endpoint (Fetch standard, "CORS protocol").
//!
//! Closed until an origin is listed: then no CORS header is sent at all. Only listed origins are echoed, `null` cannot
//! be listed, and every response has `Vary: Origin`, so that no cache gives one page's response to another. Pages of
//! the public network get no access to a private one. Only the endpoint is covered, not the playground and the probes.

use super::Cors;
use http::Method;
use http::header::{HeaderName, RETRY_AFTER, WWW_AUTHENTICATE};
use tower_http::cors::{AllowHeaders, AllowOrigin, CorsLayer, ExposeHeaders};

/// Response headers that a page may read.
const EXPOSED: [HeaderName; 5] = [
    RETRY_AFTER,
    WWW_AUTHENTICATE,
    HeaderName::from_static("ratelimit"),
    HeaderName::from_static("ratelimit-policy"),
    HeaderName::from_static("x-request-id"),
];

/// Returns the CORS layer; `None` if no origin is listed.
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
