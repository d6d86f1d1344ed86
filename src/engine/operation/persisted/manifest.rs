//! Manifests: JSON files that list the documents that clients were built with.
//!
//! Two formats are supported: one object of ids and texts (graphql-codegen, Relay), and Apollo's `{"format":
//! "apollo-persisted-query-manifest", "version": 1, "operations": [{"id", "body", …}]}`. Each document is prepared at
//! load as it would be for a request. Every error is reported with file and id at load, not to a client later.

use super::super::{Operation, parse};
use super::{Digest, EngineSettings};
use crate::graph::Graph;
use crate::graphql::{Error, ErrorCode};
use crate::problem::{Place, Problem, SourceFile};
use hashbrown::HashMap;
use hashbrown::hash_map::Entry;
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::fmt;
use std::sync::Arc;

const FORMAT: &str = "apollo-persisted-query-manifest";

/// Documents by id and by the hash of their text.
#[derive(Default)]
pub(super) struct Manifest {
    by_id: HashMap<Box<str>, Arc<str>>,
    by_digest: HashMap<Digest, Arc<str>>,
}

/// A document with its position in its file.
struct Listed {
    id: String,
    text: String,
    place: Place,
}

impl Manifest {
    /// Reads files, and checks every document in them.
    ///
    /// # Errors
    /// If a file is not a manifest, an id has two texts, or a document would be refused.
    pub fn read(
        files: &[Arc<SourceFile>],
        graph: &Graph,
        settings: &EngineSettings,
    ) -> Result<Self, Vec<Problem>> {
        let (mut manifest, mut problems) = (Self::default(), Vec::new());
        for file in files {
            match list(file) {
                Ok(listed) => {
                    for document in listed {
                        manifest.add(document, graph, settings, &mut problems);
                    }
                }
                Err(problem) => problems.push(problem),
            }
        }
        if problems.is_empty() { Ok(manifest) } else { Err(problems) }
    }

    pub fn by_id(&self, id: &str) -> Option<&str> {
        self.by_id.get(id).map(|text| &**text)
    }

    pub fn by_digest(&self, digest: &Digest) -> Option<&str> {
        self.by_digest.get(digest).map(|text| &**text)
    }

    pub fn is_empty(&self) -> bool {
        self.by_id.is_empty()
    }

    fn add(
        &mut self,
        document: Listed,
        graph: &Graph,
        settings: &EngineSettings,
        problems: &mut Vec<Problem>,
    ) {
        let Listed { id, text, place } = document;
        let text: Arc<str> = text.into();
        let digest = Digest::of(&text);
        match self.by_id.entry(id.into_boxed_str()) {
            Entry::Occupied(known) => {
                if *known.get() != text {
                    let message = format!("the id `{}` is used for two documents", known.key());
                    problems.push(Problem::error("manifest-duplicate", message).at(place));
                }
                return;
            }
            Entry::Vacant(vacant) => {
                let refused = refusals(&text, graph, settings);
                problems.extend(refused.iter().map(|error| problem(vacant.key(), error, &place)));
                vacant.insert(Arc::clone(&text));
            }
        }
        self.by_digest.insert(digest, text);
    }
}

/// Returns the errors of each operation of a document; empty if all are valid.
fn refusals(text: &str, graph: &Graph, settings: &EngineSettings) -> Vec<Error> {
    let document = match parse::parse(graph, &settings.limits, text) {
        Ok((document, _)) => document,
        Err(errors) => return errors,
    };
    if document.operations.is_empty() {
        return vec![Error::new(ErrorCode::OperationNotFound, "it contains no operation")];
    }
    let names = document.operations.iter().map(|operation| operation.name.as_deref());
    names
        .filter_map(|name| Operation::prepare(graph, settings, text, name).err())
        .flatten()
        .collect()
}

fn problem(id: &str, error: &Error, place: &Place) -> Problem {
    let at = error.locations.first().map_or_else(String::new, |location| {
        format!(" (line {}, column {} of the document)", location.line, location.column)
    });
    let message = format!("the document `{id}` is invalid: {}{at}", error.message);
    let help = format!("run `portcullis explain-error {}` for details", error.code.as_str());
    Problem::error("manifest-document", message).at(place.clone()).help(help)
}

/// Returns the documents of a file, in its order.
fn list(file: &Arc<SourceFile>) -> Result<Vec<Listed>, Problem> {
    let Members(members) = serde_json::from_str(&file.text).map_err(|e| malformed(file, &e))?;
    let operations = members.iter().find(|(name, _)| name == "operations").map(|(_, raw)| *raw);
    let Some(operations) = operations.filter(|raw| raw.get().starts_with('[')) else {
        return members.into_iter().map(|(id, body)| listed(file, id, body)).collect();
    };
    for (name, expected) in [("format", format!("{FORMAT:?}")), ("version", "1".to_owned())] {
        let found = members.iter().find(|(member, _)| member == name).map(|(_, raw)| raw.get());
        if found != Some(&expected) {
            let message = format!("a manifest with `operations` needs `{name}: {expected}`");
            return Err(Problem::error("manifest-syntax", message).at(whole(file)));
        }
    }
    let operations: Vec<ApolloOperation<'_>> =
        serde_json::from_str(operations.get()).map_err(|error| {
            let message = format!("`operations` cannot be read: {error}");
            Problem::error("manifest-syntax", message)
                .at(place(file, operations))
                .help("write each operation as an object with `id` and `body`")
        })?;
    operations.into_iter().map(|operation| listed(file, operation.id, operation.body)).collect()
}

fn listed(file: &Arc<SourceFile>, id: String, body: &RawValue) -> Result<Listed, Problem> {
    let place = place(file, body);
    let Ok(text) = serde_json::from_str(body.get()) else {
        let message = format!("the document `{id}` is not a string");
        return Err(Problem::error("manifest-syntax", message).at(place).help(FORMS));
    };
    Ok(Listed { id, text, place })
}

const FORMS: &str = "write a manifest as `{ \"<id>\": \"<text>\", … }`, or in Apollo's format with `format`, `version` and `operations`";

fn malformed(file: &Arc<SourceFile>, error: &serde_json::Error) -> Problem {
    let before: usize =
        file.text.split_inclusive('\n').take(error.line().saturating_sub(1)).map(str::len).sum();
    let mut at = (before + error.column().saturating_sub(1)).min(file.text.len());
    while !file.text.is_char_boundary(at) {
        at -= 1;
    }
    let message = format!("`{}` is not a manifest: {error}", file.name);
    Problem::error("manifest-syntax", message).at(Place::new(file, at..at)).help(FORMS)
}

fn whole(file: &Arc<SourceFile>) -> Place {
    Place::new(file, 0..file.text.len().min(1))
}

/// Returns the place of a value in its file.
fn place(file: &Arc<SourceFile>, raw: &RawValue) -> Place {
    let start = raw.get().as_ptr().addr().saturating_sub(file.text.as_ptr().addr());
    Place::new(file, start..start + raw.get().len())
}

#[derive(Deserialize)]
struct ApolloOperation<'a> {
    id: String,
    #[serde(borrow)]
    body: &'a RawValue,
}

/// The members of a JSON object in their order, including duplicates.
struct Members<'a>(Vec<(String, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reading;
        impl<'de> Visitor<'de> for Reading {
            type Value = Vec<(String, &'de RawValue)>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(members)
            }
        }
        deserializer.deserialize_map(Reading).map(Members)
    }
}
