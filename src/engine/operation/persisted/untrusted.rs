//! Logs documents that ran without being in the manifest, each once, so that the manifest can be completed before it is
//! required.
//!
//! Only valid operations of this graph are logged, so that invalid requests never reach the log. The number of
//! documents is bounded: past it, one more line reports that, and nothing more is logged.

use super::{Digest, metrics};
use crate::engine::operation::parse::short;
use hashbrown::HashSet;
use std::sync::{Mutex, PoisonError};

/// Maximum number of documents that one process logs.
const MOST: usize = 10_000;

#[derive(Default)]
pub(super) struct Untrusted(Mutex<HashSet<Digest>>);

/// Event to log.
#[derive(Debug, PartialEq, Eq)]
enum News {
    Nothing,
    /// A document that was not logged before.
    Document,
    /// The first document past the limit.
    NoMore,
}

impl Untrusted {
    /// Logs a document that is not in the manifest, once for each digest.
    pub fn log(&self, digest: Digest, operation: Option<&str>) {
        metrics::untrusted("logged");
        let operation = operation.map(|name| short(name.to_owned()));
        match self.news(digest, MOST) {
            News::Nothing => {}
            News::Document => {
                tracing::warn!(sha256 = %digest, operation, "a document is not in the manifest");
            }
            News::NoMore => {
                tracing::warn!(
                    "more than {MOST} documents are not in the manifest; no more of them are logged"
                );
            }
        }
    }

    fn news(&self, digest: Digest, most: usize) -> News {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() > most || !known.insert(digest) {
            News::Nothing
        } else if known.len() > most {
            News::NoMore
        } else {
            News::Document
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_document_is_news_once_and_not_without_end() {
        let untrusted = Untrusted::default();
        let news = |text: &str| untrusted.news(Digest::of(text), 2);
        assert_eq!(news("a"), News::Document);
        assert_eq!(news("a"), News::Nothing);
        assert_eq!(news("b"), News::Document);
        assert_eq!(news("c"), News::NoMore);
        assert_eq!(news("d"), News::Nothing);
        assert_eq!(news("a"), News::Nothing);
    }
}
