//! Whether a graph can answer what it offers: nothing reachable is left unfilled, and no list costs a call per element.

mod complete;
mod fill;
mod kinds;
mod mapped;
mod message;
mod n_plus_one;
mod reach;
mod shape;

use super::ObjectType;
use super::binding::Bindings;
use super::lookup::Found;
use super::merge::Merged;
use super::words::{Words, leaf_paths};
use crate::graphql::Name;
use crate::problem::Problem;
use apollo_compiler::Schema;
use apollo_compiler::ast::FieldDefinition;
use apollo_compiler::schema::ExtendedType;
use hashbrown::HashMap;

/// What the checks look at.
#[derive(Clone, Copy)]
struct Parts<'a> {
    merged: &'a Merged,
    types: &'a HashMap<Name, ObjectType>,
    bindings: &'a Bindings,
    lookups: &'a [Found],
    index: &'a Index<'a>,
}

/// What would else be searched for again and again.
#[derive(Default)]
struct Index<'a> {
    /// The object types that a value of an object type, interface or union can be of.
    possible: HashMap<&'a str, Vec<&'a str>>,
    /// Positions in `Parts::lookups`, by entity.
    lookups: HashMap<&'a str, Vec<usize>>,
}

impl<'a> Index<'a> {
    fn of(schema: &'a Schema, lookups: &'a [Found]) -> Self {
        let mut index = Self::default();
        for (name, found) in &schema.types {
            match found {
                ExtendedType::Object(object) => {
                    index.possible.entry(name).or_default().push(name);
                    for interface in &object.implements_interfaces {
                        index.possible.entry(interface).or_default().push(name);
                    }
                }
                ExtendedType::Union(union_) => {
                    let members = union_.members.iter().map(|member| member.as_str());
                    index.possible.entry(name).or_default().extend(members);
                }
                _ => {}
            }
        }
        for (at, found) in lookups.iter().enumerate() {
            index.lookups.entry(&found.lookup.entity).or_default().push(at);
        }
        index
    }
}

/// Runs all of them.
pub(super) fn filled(
    merged: &Merged,
    types: &HashMap<Name, ObjectType>,
    bindings: &Bindings,
    lookups: &[Found],
    problems: &mut Vec<Problem>,
) {
    let index = Index::of(&merged.schema, lookups);
    let parts = Parts { merged, types, bindings, lookups, index: &index };
    unbound_roots(parts, problems);
    let mut filled = fill::walk(parts, problems);
    let reach = reach::walk(parts, &filled);
    fill::refuse_unfilled(parts, &mut filled, &reach, problems);
    kinds::check(parts, problems);
    unserved_keys(parts, &filled, problems);
    n_plus_one::warn(parts, &filled, &reach, problems);
}

impl<'a> Parts<'a> {
    fn words(self) -> Words<'a> {
        Words(&self.merged.schema)
    }

    fn is_bound(self, type_name: &str, field: &str) -> bool {
        self.bindings.get(type_name, field).is_some()
    }

    /// The fields of an object type that have no binding.
    fn plain_fields(self, type_name: &str) -> Vec<&'a FieldDefinition> {
        let object = self.merged.schema.get_object(type_name);
        let fields = object.into_iter().flat_map(|object| object.fields.values());
        fields
            .map(|field| &***field)
            .filter(|field| !self.is_bound(type_name, &field.name))
            .collect()
    }

    fn is_entity(self, type_name: &str) -> bool {
        self.types.get(type_name).is_some_and(|found| !found.keys.is_empty())
    }

    /// Positions of the lookups that answer for an entity.
    fn lookups_of(self, entity: &str) -> &'a [usize] {
        self.index.lookups.get(entity).map_or(&[], Vec::as_slice)
    }

    /// The object types that a value of this type can be of; none for scalars.
    fn possible(self, type_name: &str) -> &'a [&'a str] {
        self.index.possible.get(type_name).map_or(&[], Vec::as_slice)
    }
}

/// A root field has no parent that could hold its value.
fn unbound_roots(parts: Parts<'_>, problems: &mut Vec<Problem>) {
    let words = parts.words();
    for (type_name, object) in words.objects() {
        if words.root(type_name).is_none() {
            continue;
        }
        for field in object.fields.values() {
            // A directive that nobody knows is told already, and may have been meant as a binding.
            let is_known =
                |name: &str| parts.merged.schema.directive_definitions.contains_key(name);
            let is_known = field.directives.iter().all(|directive| is_known(&directive.name));
            if is_known && !parts.is_bound(type_name, &field.name) {
                problems.push(
                    Problem::error(
                        "unbound-root-field",
                        format!("the root field `{type_name}.{}` has no binding", field.name),
                    )
                    .at(parts.merged.places.of(field.name.location()))
                    .help("add a binding, such as `@rest(source: …, GET: …)`"),
                );
            }
        }
    }
}

/// A key without a lookup joins nothing: allowed, but rarely meant.
fn unserved_keys(parts: Parts<'_>, filled: &fill::Filled, problems: &mut Vec<Problem>) {
    let broken = complete::broken_lookups(parts);
    for (type_name, object) in parts.words().objects() {
        let Some(entity) = parts.types.get(type_name) else { continue };
        for (key, directive) in entity.keys.iter().zip(object.directives.get_all("key")) {
            let paths = leaf_paths(key);
            let served = parts.lookups_of(type_name).iter().any(|at| {
                let found = &parts.lookups[*at];
                found.key.len() == paths.len() && paths.iter().all(|path| found.key.contains(path))
            });
            // A missing lookup that fields need, and one with a mistake, are reported already.
            let is_reported = filled.lacking.contains_key(type_name) || broken.contains(type_name);
            if !served && !is_reported {
                let printed = super::words::print(key);
                problems.push(
                    Problem::warning(
                        "unserved-key",
                        format!("no lookup takes the key `{printed}` of `{type_name}`"),
                    )
                    .at(parts.merged.places.of(directive.location()))
                    .help(format!("add a query field with `@lookup` that returns `{type_name}` for `{printed}`; without it, no fields can be joined by this key")),
                );
            }
        }
    }
}
