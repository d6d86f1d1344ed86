//! Documents that a request names instead of sending them, and documents that must be known to be run.
//!
//! A **manifest** lists the documents that clients were built with (trusted documents): each has an id, was checked
//! against the graph at load, and by the [`Trust`] others are run, logged or refused. What a request sends as text is
//! compared in full with the manifest's text of the same SHA-256; nothing is normalised, so there is no second way to
//! write a trusted document. **Automatic persisted queries** ([`apq`]) are documents that clients register themselves.
//! Where nothing of this is configured, no text is hashed.
//!
//! Never decides what a caller may see: a trusted document goes through the same limits and rules as any other.

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

/// How a request says what it wants run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Document {
    /// As text.
    Text(String),
    /// By an id of the manifest (`documentId`; GraphQL over HTTP, appendix "Persisted Documents").
    Id(String),
    /// By its SHA-256 (`extensions.persistedQuery.sha256Hash`), with the text where it is sent along.
    Hash { hash: String, text: Option<String> },
}

/// What becomes of a document that is not in the manifest.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Trust {
    /// It runs.
    #[default]
    Allow,
    /// It runs, and the log says so once.
    Log,
    /// It is refused with [`ErrorCode::UntrustedDocument`].
    Require,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settings {
    pub mode: Trust,
    /// Has no effect under [`Trust::Require`], where nothing can be registered.
    pub apq: ApqSettings,
}

/// The documents an engine knows.
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
    /// What happens once it is known to be an operation of this graph.
    then: Then,
}

enum Text<'a> {
    Borrowed(&'a str),
    Kept(Arc<str>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Then {
    Nothing,
    /// It runs without being in the manifest, which is to be logged.
    Log(Digest),
    /// It is to be known by its hash.
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
    /// Knows no document, and keeps none: what must be trusted is refused.
    pub fn nothing(mode: Trust) -> Self {
        Self { mode, ..Self::default() }
    }

    /// # Errors
    /// If the address of Redis cannot be used.
    pub fn new(settings: &Settings) -> Result<Self, String> {
        let apq = settings.apq.enabled && settings.mode != Trust::Require;
        Ok(Self {
            mode: settings.mode,
            manifest: Manifest::default(),
            apq: apq.then(|| Apq::new(&settings.apq)).transpose()?,
            untrusted: Untrusted::default(),
        })
    }

    /// The same with the documents of these files.
    ///
    /// # Errors
    /// What is wrong with the files, and with each document, as [`Manifest::read`] says.
    pub fn trust(
        self,
        files: &[Arc<SourceFile>],
        graph: &Graph,
        settings: &EngineSettings,
    ) -> Result<Self, Vec<Problem>> {
        Ok(Self { manifest: Manifest::read(files, graph, settings)?, ..self })
    }

    /// The text that a request asks for, where it may be run.
    ///
    /// # Errors
    /// A name that nothing is known by, a hash that is not the text's, a document that must be trusted and is not.
    pub async fn find<'a>(&'a self, document: &'a Document) -> Result<Found<'a>, Vec<Error>> {
        match document {
            Document::Text(text) => self.judge(text),
            Document::Id(id) => {
                let found = self.named(id, id.strip_prefix("sha256:")).await;
                found.ok_or_else(|| self.unknown_id())
            }
            // A manifest's ids are hashes more often than not, and not always of the kind that the parameter says.
            Document::Hash { hash, text: None } => {
                self.named(hash, Some(hash)).await.ok_or_else(|| self.unknown_hash())
            }
            Document::Hash { text: Some(text), .. } if !self.is_configured() => {
                Ok(Found::new(text))
            }
            Document::Hash { hash, text: Some(text) } => self.sent(hash, text),
        }
    }

    /// A document that was found is an operation of this graph.
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

    /// Whether a text may be run as it is.
    ///
    /// # Errors
    /// It must be trusted and is not.
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

    /// A text with its hash, as clients of automatic persisted queries send what was not known.
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

    /// By an id of the manifest, or by its hash.
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

    /// These words are what clients of automatic persisted queries look for.
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
