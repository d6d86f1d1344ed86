//! Compresses responses if `Accept-Encoding` asks for it, by its quality values: gzip, brotli or deflate.
//!
//! Small responses are not compressed, because that gains nothing. Event streams are not, because an encoder would hold
//! events back. Every response has `Vary: Accept-Encoding`.

use http::HeaderMap;
use http::header::CONTENT_TYPE;
use tower_http::CompressionLevel;
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::{And, Predicate, SizeAbove};

/// Minimum size in bytes. A smaller response fits a packet or two anyway.
const SMALLEST: u64 = 1024;

/// For responses that are sent once: most of the gain for little of the time.
const LEVEL: CompressionLevel = CompressionLevel::Precise(4);

pub(super) fn layer() -> CompressionLayer<And<SizeAbove, NotForEvents>> {
    CompressionLayer::new().quality(LEVEL).compress_when(SizeAbove::new(SMALLEST).and(NotForEvents))
}

/// Excludes responses that are sent in parts over time.
#[derive(Debug, Clone, Copy)]
pub(super) struct NotForEvents;

impl Predicate for NotForEvents {
    fn should_compress<B: http_body::Body>(&self, response: &http::Response<B>) -> bool {
        !is_stream(response.headers())
    }
}

fn is_stream(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    ["text/event-stream", "multipart/"].iter().any(|stream| kind.starts_with(stream))
}
