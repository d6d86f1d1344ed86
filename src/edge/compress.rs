//! Answers are compressed for clients that ask for it (`Accept-Encoding`, by quality values): gzip, brotli or deflate.
//!
//! Not what is too small to gain by it, and not streams of events, which must not wait in an encoder. Every answer says
//! that it varies by `Accept-Encoding`.

use http::HeaderMap;
use http::header::CONTENT_TYPE;
use tower_http::CompressionLevel;
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::{And, Predicate, SizeAbove};

/// Below, the answer fits a packet or two anyway.
const SMALLEST: u64 = 1024;

/// Of answers that are made once and sent once: most of the gain for little of the time.
const LEVEL: CompressionLevel = CompressionLevel::Precise(4);

pub(super) fn layer() -> CompressionLayer<And<SizeAbove, NotForEvents>> {
    CompressionLayer::new().quality(LEVEL).compress_when(SizeAbove::new(SMALLEST).and(NotForEvents))
}

/// Answers that come in parts over time.
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
