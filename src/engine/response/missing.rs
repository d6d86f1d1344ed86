//! Reports keys that mappings read and that no reply had, in development. A misspelt key is the most common reason for
//! a null field.
//!
//! In production there is no [`MissingKeys`] and no check. In development every reply is walked once more, after it has
//! arrived, along the shape that reads it. Only names of keys are stored, never values, and their number is limited.

use super::missing_walk::{KeyWalk, Spots};
use super::shape::Shape;
use super::store::{NodeId, Slot};
use super::{proto_to_json, valid_json};
use crate::graph::BindingId;
use crate::graphql::Name;
use crate::source::{Body, Call, secrets};
use serde_json::{Map, Value as Json};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

/// Maximum size of a reply that is checked, in bytes.
const LARGEST: usize = 1 << 20;

/// Maximum number of keys that are tracked for one binding.
const MOST_READS: usize = 1_000;

/// Maximum number of present keys that an entry lists.
const MOST_NAMES: usize = 20;

/// Maximum number of characters of a key that are shown.
const LONGEST_NAME: usize = 60;

/// Keys that the mappings of one request read from its replies.
#[derive(Default)]
pub(in crate::engine) struct MissingKeys {
    /// In the order of the first reply.
    bindings: Vec<BindingReads>,
}

/// Keys that one binding's mapping reads, over all replies of the request.
pub(super) struct BindingReads {
    binding: BindingId,
    coordinate: Name,
    source: Name,
    reads: BTreeMap<KeyRead, Sighting>,
    /// A reply was not checked to its end, so no key is certain to be missing.
    pub is_incomplete: bool,
}

/// A key that is read from the objects at a path.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct KeyRead {
    /// Keys from the reply's root to the objects, separated by dots.
    pub path: String,
    pub key: String,
    /// The field that is read from it; `None` if there are several.
    pub field: Option<Name>,
}

/// Keys that the objects at a path had.
#[derive(Default)]
pub(super) struct Sighting {
    is_present: bool,
    names: BTreeSet<String>,
    /// There are more names than are listed.
    has_more: bool,
    /// Slots that are filled from the key.
    targets: Vec<(NodeId, Slot)>,
}

/// A key that no reply had.
pub(in crate::engine) struct MissingKey<'a> {
    pub coordinate: &'a Name,
    pub source: &'a Name,
    /// Path, key and field.
    pub read: String,
    pub message: String,
}

impl MissingKeys {
    /// Checks one reply. A reply that cannot be parsed is ignored, because it has an error of its own.
    pub fn look(
        &mut self,
        binding: BindingId,
        coordinate: &Name,
        call: &dyn Call,
        shape: &Shape,
        body: &Body,
        most_values: u64,
    ) {
        let (text, message) = match body {
            Body::Json(body) if body.len() <= LARGEST => {
                (valid_json(body).map(Cow::Borrowed).ok(), None)
            }
            Body::Proto(body) if body.len() <= LARGEST => {
                let Some(message) = call.message() else { return };
                (proto_to_json(message, body, most_values).map(Cow::Owned).ok(), Some(message))
            }
            Body::Json(_) | Body::Proto(_) => {
                self.of(binding, coordinate, call.source()).is_incomplete = true;
                return;
            }
        };
        let Some(reply) = text.and_then(|text| serde_json::from_str::<Json>(&text).ok()) else {
            return;
        };
        let reads = self.of(binding, coordinate, call.source());
        KeyWalk::new(reads).whole(shape, Spots::of_reply(&reply, message));
    }

    fn of(&mut self, binding: BindingId, coordinate: &Name, source: &Name) -> &mut BindingReads {
        let known = self.bindings.iter().position(|reads| reads.binding == binding);
        let at = known.unwrap_or_else(|| {
            self.bindings.push(BindingReads {
                binding,
                coordinate: Name::clone(coordinate),
                source: Name::clone(source),
                reads: BTreeMap::new(),
                is_incomplete: false,
            });
            self.bindings.len() - 1
        });
        &mut self.bindings[at]
    }

    /// Returns the keys that were in no reply.
    pub fn list(&self) -> impl Iterator<Item = MissingKey<'_>> {
        self.bindings.iter().flat_map(|of| {
            of.missing().map(|(read, seen)| MissingKey {
                coordinate: &of.coordinate,
                source: &of.source,
                read: format!("{read:?}"),
                message: shown(&read.message(seen)),
            })
        })
    }

    /// Returns the reason why a slot's field, or a binding's field, is null; `None` if no missing key explains it.
    pub fn why_null(&self, coordinate: &Name, node: NodeId, slot: Slot) -> Option<String> {
        let is_of = |of: &BindingReads, seen: &Sighting| {
            let of_binding = seen.targets.is_empty() && of.coordinate == *coordinate;
            of_binding || seen.targets.contains(&(node, slot))
        };
        let mut all = self
            .bindings
            .iter()
            .flat_map(|of| of.missing().map(move |(read, seen)| (of, read, seen)));
        let (_, read, seen) = all.find(|(of, _, seen)| is_of(of, seen))?;
        let whole = match &*read.path {
            "" => "the reply".to_owned(),
            path => format!("`{path}` of the reply"),
        };
        Some(shown(&format!("{whole} has no key `{}`; it had {}", read.key, seen.had())))
    }
}

impl BindingReads {
    /// Adds the keys of the objects of one reply.
    pub fn add(&mut self, read: KeyRead, seen: Sighting, target: Option<(NodeId, Slot)>) {
        if self.reads.len() >= MOST_READS && !self.reads.contains_key(&read) {
            return;
        }
        let known = self.reads.entry(read).or_default();
        known.is_present |= seen.is_present;
        known.has_more |= seen.has_more;
        known.names.extend(seen.names);
        known.cut();
        if let Some(target) = target.filter(|target| !known.targets.contains(target)) {
            known.targets.push(target);
        }
    }

    fn missing(&self) -> impl Iterator<Item = (&KeyRead, &Sighting)> {
        self.reads.iter().filter(|(_, seen)| !seen.is_present && !self.is_incomplete)
    }
}

impl KeyRead {
    fn message(&self, seen: &Sighting) -> String {
        let Self { path, key, field } = self;
        let read = match field {
            Some(field) if **field != **key => format!("`{field}: {key}`"),
            _ => format!("`{key}`"),
        };
        let whole = if path.is_empty() { "reply".to_owned() } else { format!("`{path}`") };
        format!("{read}: no {whole} had `{key}`; it had {}", seen.had())
    }
}

impl Sighting {
    /// Adds one object, with or without the key.
    pub fn add(&mut self, object: &Map<String, Json>, has_key: bool) {
        self.is_present |= has_key;
        // Names are needed only as long as no object has the key.
        if !self.is_present {
            for name in object.keys() {
                self.names.insert(name.chars().take(LONGEST_NAME).collect());
                self.cut();
            }
        }
    }

    fn cut(&mut self) {
        while self.names.len() > MOST_NAMES {
            self.names.pop_last();
            self.has_more = true;
        }
    }

    fn had(&self) -> String {
        if self.names.is_empty() {
            return "no keys".to_owned();
        }
        let names: Vec<String> = self.names.iter().map(|name| format!("`{name}`")).collect();
        names.join(", ") + if self.has_more { ", …" } else { "" }
    }
}

/// Cleans up a text with a service's own names: without secrets, and on one line.
fn shown(text: &str) -> String {
    let of_line = |letter: char| if letter.is_control() { ' ' } else { letter };
    secrets::mask(text).chars().map(of_line).collect()
}
