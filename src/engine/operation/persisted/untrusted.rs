//! The log of documents that ran without being in the manifest: each once, so that the manifest can be completed before
//! it is required.
//!
//! Only documents that are operations of this graph come here, so that a stranger's garbage never reaches the log. The
//! number of documents is bounded: past it, one more line says so, and the log is silent.

use super::{Digest, metrics};
use crate::engine::operation::parse::short;
use hashbrown::HashSet;
use std::sync::{Mutex, PoisonError};

/// Documents that are logged by one process.
const MOST: usize = 10_000;

#[derive(Default)]
pub(super) struct Untrusted(Mutex<HashSet<Digest>>);

/// What there is to say of a document.
#[derive(Debug, PartialEq, Eq)]
enum News {
    Nothing,
    /// It was not there before.
    Document,
    /// It is one too many.
    NoMore,
}

impl Untrusted {
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
