//! The playground: GraphiQL, served from the binary. The page loads nothing from other hosts, and its headers make the
//! browser enforce that.

use super::{Settings, reply};
use axum::Router;
use axum::http::HeaderMap;
use axum::response::Response;
use axum::routing::get;
use bytes::Bytes;
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, ETAG, IF_NONE_MATCH, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderValue, StatusCode};
use std::hash::{DefaultHasher, Hash, Hasher};

const POLICY: &str = "default-src 'self'; style-src 'self' 'unsafe-inline'; \
    font-src 'self' data:; img-src 'self' data:; worker-src 'self' blob:; connect-src 'self'; \
    object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// A file of the page.
#[derive(Clone)]
struct File {
    content_type: HeaderValue,
    tag: HeaderValue,
    bytes: Bytes,
}

/// Returns the routes of the page.
pub(super) fn router<S: Clone + Send + Sync + 'static>(settings: &Settings) -> Router<S> {
    let page = include_bytes!("../../playground/dist/index.html");
    let script = include_bytes!("../../playground/dist/playground.js");
    let style = include_bytes!("../../playground/dist/playground.css");
    let start = serde_json::json!({
        "endpoint": settings.path,
        "defaultQuery": settings.default_query,
    });
    let start = Bytes::from(start.to_string());
    [
        ("/", "text/html; charset=utf-8", Bytes::from_static(page)),
        ("/playground/playground.js", "text/javascript; charset=utf-8", Bytes::from_static(script)),
        ("/playground/playground.css", "text/css; charset=utf-8", Bytes::from_static(style)),
        ("/playground/settings.json", "application/json", start),
    ]
    .into_iter()
    .fold(Router::new(), |router, (path, content_type, bytes)| {
        let file = File::new(content_type, bytes);
        router.route(path, get(move |headers: HeaderMap| async move { file.answer(&headers) }))
    })
}

impl File {
    fn new(content_type: &'static str, bytes: Bytes) -> Self {
        let mut hasher = DefaultHasher::new();
        bytes.hash(&mut hasher);
        let tag = HeaderValue::from_str(&format!("W/\"{:016x}\"", hasher.finish()))
            .expect("hexadecimal digits are visible ASCII");
        Self { content_type: HeaderValue::from_static(content_type), tag, bytes }
    }

    fn answer(self, headers: &HeaderMap) -> Response {
        let known = headers.get(IF_NONE_MATCH) == Some(&self.tag);
        let mut response = if known {
            reply::bytes(StatusCode::NOT_MODIFIED, self.content_type, Bytes::new())
        } else {
            reply::bytes(StatusCode::OK, self.content_type, self.bytes)
        };
        let headers = response.headers_mut();
        headers.insert(ETAG, self.tag);
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
        headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        response
    }
}
