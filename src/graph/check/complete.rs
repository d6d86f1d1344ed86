//! What lookups add to an entity that comes without all its fields.

use super::Parts;
use super::fill::{Via, Walk};
use super::shape::{self, Shape};
use crate::graph::KeyPath;
use crate::graph::requirement::MAX_CHAIN;
use crate::graph::words::Root;
use crate::problem::Problem;
use apollo_compiler::ast::FieldDefinition;
use hashbrown::{HashMap, HashSet};

/// What a lookup's reply holds of its entity.
pub(super) enum Yields {
    /// Every field without a binding.
    All,
    Names(HashSet<String>),
}

/// A field that yields an entity without all its fields.
pub(super) struct Stub {
    pub(super) type_name: String,
    pub(super) field: String,
    pub(super) entity: String,
    /// What lookups must add.
    pub(super) missing: Vec<String>,
    /// The lookups that can be asked, as positions in `Parts::lookups`.
    pub(super) lookups: Vec<usize>,
}

impl Yields {
    /// Of every lookup, in order.
    pub(super) fn of(parts: Parts<'_>) -> Vec<Self> {
        let one = |at: usize| {
            let binding = parts.bindings.binding(parts.lookups[at].lookup.binding);
            match binding.call.select().map(|mapping| shape::of(mapping.expr())) {
                Some(Shape::Object(object)) if !object.open => {
                    let names = object.fields.iter().map(|field| field.name.to_string());
                    Self::Names(names.collect())
                }
                _ => Self::All,
            }
        };
        (0..parts.lookups.len()).map(one).collect()
    }

    pub(super) fn has(&self, name: &str) -> bool {
        match self {
            Self::All => true,
            Self::Names(names) => names.contains(name),
        }
    }
}

/// The fields that several lookups provide together.
#[derive(Default)]
pub(super) struct Brought<'w> {
    all: bool,
    names: HashSet<&'w str>,
}

impl<'w> Brought<'w> {
    pub(super) fn of(yields: impl Iterator<Item = &'w Yields>) -> Self {
        let mut brought = Self::default();
        for yields in yields {
            match yields {
                Yields::All => brought.all = true,
                Yields::Names(names) => brought.names.extend(names.iter().map(String::as_str)),
            }
        }
        brought
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.all || self.names.contains(name)
    }
}

/// The lookups that can be called for an entity.
#[derive(Default)]
struct Usable {
    lookups: Vec<usize>,
    /// Number of lookups one after the other until the last one has its key.
    rounds: usize,
}

impl Walk<'_, '_> {
    /// Notes an entity of which `missing` must come through lookups; gives back what none of them brings. `has` says
    /// which key fields are there.
    pub(super) fn complete<'m>(
        &mut self,
        via: Via<'_>,
        entity: &str,
        missing: &[&'m str],
        has: &dyn Fn(&KeyPath) -> bool,
    ) -> Vec<&'m str> {
        let Usable { lookups, rounds } = self.usable(entity, has);
        let (found, unfilled): (Vec<&str>, Vec<&str>) = {
            let brought = Brought::of(lookups.iter().map(|at| &self.filled.yields[*at]));
            missing.iter().partition(|name| brought.has(name))
        };
        if rounds > MAX_CHAIN {
            self.refuse_rounds(via, entity);
        }
        if !found.is_empty() {
            self.filled.stubs.push(Stub {
                type_name: via.type_name.to_owned(),
                field: via.field.name.to_string(),
                entity: entity.to_owned(),
                missing: found.into_iter().map(str::to_owned).collect(),
                lookups,
            });
        }
        if unfilled.is_empty() || self.broken.contains(entity) { Vec::new() } else { unfilled }
    }

    /// The lookups of an entity whose keys can be had from what is there, or from one another.
    fn usable(&self, entity: &str, has: &dyn Fn(&KeyPath) -> bool) -> Usable {
        let mut usable = Usable::default();
        let mut ready = Vec::new();
        // Lookups by the field that they wait for, and the number of fields that each one waits for.
        let mut waiting: HashMap<&str, Vec<usize>> = HashMap::new();
        let mut missing: HashMap<usize, usize> = HashMap::new();
        for at in self.parts.lookups_of(entity) {
            for path in &self.parts.lookups[*at].key {
                if !has(path) && !self.parts.is_bound(entity, &path[0]) {
                    waiting.entry(&path[0]).or_default().push(*at);
                    *missing.entry(*at).or_default() += 1;
                }
            }
            if !missing.contains_key(at) {
                ready.push(*at);
            }
        }
        while !ready.is_empty() {
            usable.rounds += 1;
            let round = std::mem::take(&mut ready);
            for at in round {
                let yields = &self.filled.yields[at];
                usable.lookups.push(at);
                let brought = waiting.extract_if(|name, _| yields.has(name));
                for at in brought.flat_map(|(_, lookups)| lookups) {
                    let left = missing.entry(at).or_default();
                    *left -= 1;
                    if *left == 0 {
                        ready.push(at);
                    }
                }
            }
            ready.sort_unstable();
        }
        usable
    }

    /// Reports each entity once.
    fn refuse_rounds(&mut self, via: Via<'_>, entity: &str) {
        if !self.filled.far.insert(entity.to_owned()) {
            return;
        }
        let coordinate = format!("{}.{}", via.type_name, via.field.name);
        let message = format!(
            "`{coordinate}` returns a `{entity}` that needs a chain of more than {MAX_CHAIN} lookups"
        );
        self.problems.push(
            Problem::error("long-requirement", message)
                .at(self.parts.merged.places.of(via.field.name.location()))
                .help("add lookups that take a key which the reply already has"),
        );
    }
}

/// Entities with a lookup in the SDL that did not compile, or that lacks its `@lookup`.
pub(super) fn broken_lookups(parts: Parts<'_>) -> HashSet<&str> {
    let words = parts.words();
    let known: HashSet<(&str, &str)> =
        parts.lookups.iter().map(|at| (&*at.lookup.entity, &*at.lookup.field)).collect();
    let queries = words.objects().filter(|(name, _)| words.root(name) == Some(Root::Query));
    let fields = queries.flat_map(|(_, query)| query.fields.values());
    let is_meant = |field: &FieldDefinition| {
        ["lookup", "internal"].iter().any(|name| field.directives.has(name))
            || field.arguments.iter().any(|argument| argument.directives.has("is"))
    };
    let lookups = fields.filter(|field| is_meant(field));
    lookups
        .map(|field| (field.ty.inner_named_type().as_str(), field.name.as_str()))
        .filter(|found| !known.contains(found))
        .map(|(entity, _)| entity)
        .collect()
}
