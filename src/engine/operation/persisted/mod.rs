//! Persisted documents, which a request names instead of sending them, and trusted documents, which are the only ones
//! that may run.
//!
//! A **manifest** lists the documents that clients were built with (trusted documents). Each has an id and was checked
//! against the graph at load. [`Trust`] decides if others are run, logged or refused. A text that a request sends is
//! compared in full with the manifest's text of the same SHA-256. Nothing is normalised, so a trusted document can be
//! written in one way only. **Automatic persisted queries** ([`apq`]) are documents that clients register themselves.
//! If neither is configured, no text is hashed.
//!
//! Never decides what a caller may see: a trusted document passes the same limits and rules as any other.

mod apq;
#[cfg(test)]
mod apq_tests;
mod digest;
mod manifest;
mod metrics;
#[cfg(test)]
mod tests;
mod untrusted;

use super::super::settings::Settings as EngineSettings;
use crate::graph::Graph;
use crate::graphql::{Error, ErrorCode};
use crate::problem::{Problem, SourceFile};
use apq::{Apq, Origin};
use digest::Digest;
use manifest::Manifest;
use std::sync::Arc;
use untrusted::Untrusted;

pub use apq::Settings as ApqSettings;

/// Document of a request: as text, or named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Document {
    /// The text.
    Text(String),
    /// An id of the manifest (`documentId`; GraphQL over HTTP, appendix "Persisted Documents").
    Id(String),
    /// Its SHA-256 (`extensions.persistedQuery.sha256Hash`), and the text if it was sent as well.
    Hash { hash: String, text: Option<String> },
}

/// Handling of documents that are not in the manifest.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Trust {
    /// Run it.
    #[default]
    Allow,
    /// Run it, and log it once.
    Log,
    /// Refuse it with [`ErrorCode::UntrustedDocument`].
    Require,
}

/// Settings of persisted documents.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settings {
    /// Handling of documents that are not in the manifest. Default: run them.
    pub mode: Trust,
    /// Has no effect under [`Trust::Require`], because then clients cannot register documents.
    pub apq: ApqSettings,
}

/// The documents that an engine can look up.
#[derive(Default)]
pub(in crate::engine) struct Persisted {
    mode: Trust,
    manifest: Manifest,
    apq: Option<Apq>,
    untrusted: Untrusted,
}

/// A document that may be prepared.
pub(in crate::engine) struct Found<'a> {
    text: Text<'a>,
    /// Action once it was prepared.
    then: Then,
}

enum Text<'a> {
    Borrowed(&'a str),
    Kept(Arc<str>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Then {
    Nothing,
    /// Log it: it runs without being in the manifest.
    Log(Digest),
    /// Store it under its hash.
    Keep(Digest, Origin),
    LogAndKeep(Digest),
}

impl<'a> Found<'a> {
    fn new(text: &'a str) -> Self {
        Self { text: Text::Borrowed(text), then: Then::Nothing }
    }

    pub fn text(&self) -> &str {
        match &self.text {
            Text::Borrowed(text) => text,
            Text::Kept(text) => text,
        }
    }
}

impl Persisted {
    /// Returns an instance without documents: those that must be trusted are refused.
    pub fn nothing(mode: Trust) -> Self {
        Self { mode, ..Self::default() }
    }

    /// Creates an instance without a manifest.
    ///
    /// # Errors
    /// If the address of Redis is invalid.
    pub fn new(settings: &Settings) -> Result<Self, String> {
        let apq = settings.apq.enabled && settings.mode != Trust::Require;
        Ok(Self {
            mode: settings.mode,
            manifest: Manifest::default(),
            apq: apq.then(|| Apq::new(&settings.apq)).transpose()?,
            untrusted: Untrusted::default(),
        })
    }

    /// Adds the documents of these files.
    ///
    /// # Errors
    /// If a file or a document is invalid; see [`Manifest::read`].
    pub fn trust(
        self,
        files: &[Arc<SourceFile>],
        graph: &Graph,
        settings: &EngineSettings,
    ) -> Result<Self, Vec<Problem>> {
        Ok(Self { manifest: Manifest::read(files, graph, settings)?, ..self })
    }

    /// Returns the text of a request's document, if it may run.
    ///
    /// # Errors
    /// If the id or hash is unknown, the hash does not match the text, or the document must be trusted and is not.
    pub async fn find<'a>(&'a self, document: &'a Document) -> Result<Found<'a>, Vec<Error>> {
        match document {
            Document::Text(text) => self.judge(text),
            Document::Id(id) => {
                let found = self.named(id, id.strip_prefix("sha256:")).await;
                found.ok_or_else(|| self.unknown_id())
            }
            // A manifest's ids are usually hashes, but not always of the kind that the parameter declares.
            Document::Hash { hash, text: None } => {
                self.named(hash, Some(hash)).await.ok_or_else(|| self.unknown_hash())
            }
            Document::Hash { text: Some(text), .. } if !self.is_configured() => {
                Ok(Found::new(text))
            }
            Document::Hash { hash, text: Some(text) } => self.sent(hash, text),
        }
    }

    /// Logs or stores a document after it was prepared.
    pub async fn prepared(&self, found: &Found<'_>, operation: Option<&str>) {
        if let Then::Log(digest) | Then::LogAndKeep(digest) = found.then {
            self.untrusted.log(digest, operation);
        }
        let (digest, origin) = match found.then {
            Then::Keep(digest, origin) => (digest, origin),
            Then::LogAndKeep(digest) => (digest, Origin::Client),
            Then::Nothing | Then::Log(_) => return,
        };
        if let Some(apq) = &self.apq {
            apq.keep(digest, found.text(), origin).await;
        }
    }

    /// Checks if a text may run.
    ///
    /// # Errors
    /// If it must be trusted and is not.
    pub fn judge<'a>(&self, text: &'a str) -> Result<Found<'a>, Vec<Error>> {
        if self.mode == Trust::Allow {
            return Ok(Found::new(text));
        }
        let digest = Digest::of(text);
        if self.manifest.by_digest(&digest) == Some(text) {
            return Ok(Found::new(text));
        }
        if self.mode == Trust::Require {
            metrics::untrusted("refused");
            let message =
                "the document is not one of those that this gateway trusts (persisted.mode)";
            return Err(refuse(ErrorCode::UntrustedDocument, message));
        }
        Ok(Found { then: Then::Log(digest), ..Found::new(text) })
    }

    /// Checks a text that was sent with its hash, as clients of automatic persisted queries do after "not found".
    fn sent<'a>(&self, hash: &str, text: &'a str) -> Result<Found<'a>, Vec<Error>> {
        let digest = Digest::of(text);
        if Digest::parse(hash) != Some(digest) && self.manifest.by_id(hash) != Some(text) {
            return Err(refuse(
                ErrorCode::PersistedQueryMismatch,
                "`extensions.persistedQuery.sha256Hash` is not the SHA-256 of `query`",
            ));
        }
        let found = self.judge(text)?;
        if self.apq.is_none() || self.manifest.by_digest(&digest).is_some() {
            return Ok(found);
        }
        let then = match found.then {
            Then::Log(_) => Then::LogAndKeep(digest),
            _ => Then::Keep(digest, Origin::Client),
        };
        Ok(Found { then, ..found })
    }

    /// Finds a document by an id of the manifest, or by its hash.
    async fn named(&self, id: &str, hash: Option<&str>) -> Option<Found<'_>> {
        let digest = hash.and_then(Digest::parse);
        let by_hash = || self.manifest.by_digest(digest.as_ref()?);
        if let Some(text) = self.manifest.by_id(id).or_else(by_hash) {
            metrics::document("manifest");
            return Some(Found::new(text));
        }
        let kept = match (&self.apq, digest) {
            (Some(apq), Some(digest)) => apq.get(&digest).await.map(|kept| (kept, digest)),
            _ => None,
        };
        let Some(((text, origin), digest)) = kept else {
            metrics::document("nowhere");
            return None;
        };
        let then = origin.map_or(Then::Nothing, |origin| Then::Keep(digest, origin));
        Some(Found { text: Text::Kept(text), then })
    }

    fn is_configured(&self) -> bool {
        self.mode != Trust::Allow || !self.manifest.is_empty() || self.apq.is_some()
    }

    fn unknown_id(&self) -> Vec<Error> {
        if self.is_configured() {
            let message = "no document is known by this `documentId`";
            refuse(ErrorCode::PersistedQueryNotFound, message)
        } else {
            let message = "this gateway knows no documents by id (`persisted`)";
            refuse(ErrorCode::PersistedQueryNotSupported, message)
        }
    }

    /// Clients of automatic persisted queries look for exactly these messages.
    fn unknown_hash(&self) -> Vec<Error> {
        if self.is_configured() {
            refuse(ErrorCode::PersistedQueryNotFound, "PersistedQueryNotFound")
        } else {
            refuse(ErrorCode::PersistedQueryNotSupported, "PersistedQueryNotSupported")
        }
    }
}

fn refuse(code: ErrorCode, message: &str) -> Vec<Error> {
    vec![Error::new(code, message)]
}

impl From<&str> for Document {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Document {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}
