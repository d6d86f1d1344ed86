//! Cached replies that cannot be renewed.

use super::{SECOND, Who, ask, engine, until};
use crate::engine::SourceCache;
use crate::engine::testing::{Upstream, failure};
use crate::graphql::ErrorCode;
use crate::source::ErrorKind;
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

const MINUTE: &str = r#"type Query { a: A @cacheControl(maxAge: 60) @call(source: "s", target: "/a") }
type A { n: Int }"#;

const NOBODY: Who = Who::Anonymous;

#[tokio::test]
async fn a_renewal_that_fails_is_not_tried_by_everybody() {
    let failing = Arc::new(AtomicBool::new(false));
    let fails = Arc::clone(&failing);
    let upstream = Upstream::new(move |_| {
        let fails = fails.load(Ordering::SeqCst);
        let failed = || failure(ErrorCode::UpstreamUnavailable, ErrorKind::Failed);
        if fails { Err(failed()) } else { Ok(json!({ "n": 1 })) }
    });
    let settings =
        SourceCache { stale_while_revalidate: Some(3600 * SECOND), ..SourceCache::default() };
    let engine = engine(&upstream, MINUTE, settings);
    ask(&engine, NOBODY).await;
    upstream.take();
    failing.store(true, Ordering::SeqCst);
    engine.advance(61 * SECOND);
    let calls_of_ten = async || {
        for _ in 0..10 {
            assert_eq!(ask(&engine, NOBODY).await, 1);
            until(|| !engine.pool.replies.as_ref().unwrap().is_renewing()).await;
        }
        upstream.take().len()
    };
    for pause in [1, 2, 4, 8, 16, 30, 30] {
        assert_eq!(calls_of_ten().await, 1, "one for all, before a pause of {pause} s");
        engine.advance((pause - 1) * SECOND);
        assert_eq!(calls_of_ten().await, 0, "none within {pause} s");
        engine.advance(SECOND);
    }
    failing.store(false, Ordering::SeqCst);
    assert_eq!(calls_of_ten().await, 1, "renewed");
    engine.advance(61 * SECOND);
    failing.store(true, Ordering::SeqCst);
    assert_eq!(calls_of_ten().await, 1, "the new one was never tried");
}
