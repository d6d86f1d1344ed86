//! What lookups add to an entity that comes without all its fields.

use super::Parts;
use super::fill::{Via, Walk};
use super::shape::{self, Shape};
use crate::graph::KeyPath;
use crate::graph::words::Root;
use hashbrown::HashSet;

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
        let lookups = self.usable(entity, has);
        let brought = |name: &str| lookups.iter().any(|at| self.filled.yields[*at].has(name));
        let (found, unfilled): (Vec<&str>, Vec<&str>) =
            missing.iter().partition(|name| brought(name));
        if !found.is_empty() {
            self.filled.stubs.push(Stub {
                type_name: via.type_name.to_owned(),
                field: via.field.name.to_string(),
                entity: entity.to_owned(),
                missing: found.into_iter().map(str::to_owned).collect(),
                lookups,
            });
        }
        if unfilled.is_empty() || self.has_broken_lookup(entity) { Vec::new() } else { unfilled }
    }

    /// The lookups of an entity whose keys can be had from what is there, or from one another.
    fn usable(&self, entity: &str, has: &dyn Fn(&KeyPath) -> bool) -> Vec<usize> {
        let mut waiting = self.parts.lookups_of(entity).to_vec();
        let mut usable = Vec::new();
        loop {
            let brought =
                |name: &str| usable.iter().any(|at: &usize| self.filled.yields[*at].has(name));
            let can_be_had = |path: &KeyPath| {
                has(path) || self.parts.is_bound(entity, &path[0]) || brought(&path[0])
            };
            let (more, rest): (Vec<usize>, Vec<usize>) =
                waiting.iter().partition(|at| self.parts.lookups[**at].key.iter().all(can_be_had));
            if more.is_empty() {
                return usable;
            }
            usable.extend(more);
            waiting = rest;
        }
    }

    /// A lookup of the entity stands in the text, even though it did not compile.
    fn has_broken_lookup(&self, entity: &str) -> bool {
        let words = self.parts.words();
        let mut queries = words.objects().filter(|(name, _)| words.root(name) == Some(Root::Query));
        queries.any(|(_, query)| {
            query.fields.values().any(|field| {
                field.directives.has("lookup")
                    && field.ty.inner_named_type() == entity
                    && !self
                        .parts
                        .lookups_of(entity)
                        .iter()
                        .any(|at| *self.parts.lookups[*at].lookup.field == *field.name)
            })
        })
    }
}
