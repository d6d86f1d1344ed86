//! Replies with an error status, read as far as the binding's rules or a developer need them.

use super::reply::skip_mark;
use crate::source::{
    Body, MAX_MAPPED_ERROR, RefusedReply, Reply, ReplyRules, excerpt as excerpt_of,
};
use crate::upstream::Failure;
use crate::upstream::http::HttpReply;
use bytes::Bytes;
use http::HeaderMap;
use http::header::CONTENT_TYPE;
use serde::de::IgnoredAny;
use std::sync::Arc;

/// Settings for reading replies that the protocol does not call a success.
#[derive(Debug, Clone, Copy)]
pub(super) struct Inspection {
    /// Maximum bytes of an error reply that are read; `None`: it is dropped.
    limit: Option<usize>,
    /// Problems include a part of the body.
    pub(super) shows_replies: bool,
}

impl Inspection {
    pub(super) fn new(rules: &ReplyRules, max_reply: usize) -> Self {
        let shows_replies = rules.shows_replies;
        let limit = match rules {
            // Any status may be a success, and `select` reads its body.
            ReplyRules { is_success: Some(_), .. } => Some(max_reply),
            _ if rules.map_errors() || shows_replies => Some(MAX_MAPPED_ERROR),
            _ => None,
        };
        Self { limit, shows_replies }
    }

    /// Returns a number that two inspections share only if they are equal, given the same source.
    pub(super) fn number(self) -> u32 {
        match self.limit {
            None => 0,
            Some(MAX_MAPPED_ERROR) => 1,
            Some(_) => 2,
        }
    }

    /// Reads the body of an error reply.
    pub(super) async fn read(self, reply: HttpReply) -> Option<RefusedReply> {
        let Some(limit) = self.limit else {
            reply.discard().await;
            return None;
        };
        let (status, headers) = (reply.status.as_u16(), reply.headers.clone());
        let body = reply.read_at_most(limit).await.map(|(_, body, held)| (body, held));
        let is_large = matches!(body, Err(Failure::TooLarge(_)));
        let is_whole = body.is_ok();
        let (body, held) = body.unwrap_or_default();
        let excerpt = if self.shows_replies { excerpt_of(&body) } else { String::new() };
        let words = words(&headers, body);
        let (body, headers) = (Body::Json(words.clone()), Arc::new(headers));
        let reply = Reply { body, status, headers, held };
        Some(RefusedReply { reply, words, is_whole, is_large, excerpt })
    }
}

/// Returns JSON unchanged and plain text as a JSON string. Anything else, such as an HTML page, is empty.
fn words(headers: &HeaderMap, mut body: Bytes) -> Bytes {
    skip_mark(&mut body);
    if serde_json::from_slice::<IgnoredAny>(&body).is_ok() {
        return body;
    }
    let media_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let is_text = media_type.is_some_and(|value| value.trim().starts_with("text/plain"));
    let text = std::str::from_utf8(&body).ok().map(str::trim);
    match text.filter(|text| is_text && !text.is_empty()) {
        Some(text) => serde_json::Value::from(text).to_string().into(),
        None => Bytes::new(),
    }
}
