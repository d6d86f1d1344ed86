//! The edge's parsers, for [`crate::fuzzing`].

use super::{batch, payload};

/// Parses the body of a `POST`, as one operation and as a list.
pub fn body(bytes: &[u8]) {
    if let Err(mistake) = payload::from_body(bytes) {
        assert!(!mistake.is_empty(), "a refusal without a reason");
    }
    if batch::is_list(bytes)
        && let Ok(elements) = batch::split(bytes, 10)
    {
        assert!(elements.len() <= 10, "more elements than are allowed");
        for element in elements {
            let _ = payload::from_body(element.as_bytes());
        }
    }
}

/// Parses the query string of a `GET`.
pub fn query_string(text: &str) {
    if let Err(mistake) = payload::from_query(Some(text)) {
        assert!(!mistake.is_empty(), "a refusal without a reason");
    }
}
