//! Requirements: the fields that a field needs first, because its call or its rules use them.
//!
//! Fields that need each other form chains, and each link of a chain is a round of calls. Planning follows them, so
//! their length is bounded here. Walks have stacks of their own, because a chain can be as long as the schema.

use super::binding::Bindings;
use super::guard::{Guard, Guards};
use super::merge::Merged;
use super::words::{Words, leaf_paths};
use super::{KeyPath, ObjectType};
use crate::graphql::Name;
use crate::problem::Problem;
use apollo_compiler::Schema;
use apollo_compiler::schema::ExtendedType;
use hashbrown::{HashMap, HashSet};

/// Maximum length of a chain of fields, or of lookups.
pub(super) const MAX_CHAIN: usize = 100;

/// A field of an object type.
pub(super) type Coordinate = (Name, Name);

/// Requirements of every field of every object type.
pub(super) struct Requirements<'a> {
    schema: &'a Schema,
    types: &'a HashMap<Name, ObjectType>,
    bindings: &'a Bindings,
    guards: &'a Guards,
    /// Object types of each interface and union.
    possible: HashMap<&'a str, Vec<Name>>,
}

impl<'a> Requirements<'a> {
    pub(super) fn new(
        schema: &'a Schema,
        types: &'a HashMap<Name, ObjectType>,
        bindings: &'a Bindings,
        guards: &'a Guards,
    ) -> Self {
        let mut possible: HashMap<&str, Vec<Name>> = HashMap::new();
        for (name, found) in &schema.types {
            match found {
                ExtendedType::Object(object) => {
                    for interface in &object.implements_interfaces {
                        possible.entry(interface).or_default().push(name.as_str().into());
                    }
                }
                ExtendedType::Union(union_) => {
                    let members = union_.members.iter().map(|member| member.as_str().into());
                    possible.entry(name).or_default().extend(members);
                }
                _ => {}
            }
        }
        Self { schema, types, bindings, guards, possible }
    }

    /// Returns the paths that a field needs of its object, for its rules and for its call.
    pub(super) fn of(&self, (ty, field): &Coordinate) -> Vec<KeyPath> {
        let mut paths = Vec::new();
        for guard in self.guards.of_field(ty, field) {
            if let Guard::Allow(allow) = self.guards.get(*guard) {
                paths.extend(leaf_paths(&allow.this));
            }
        }
        let Some(found) = self.types.get(ty).and_then(|object| object.fields.get(field)) else {
            return paths;
        };
        paths.extend(found.requires.iter().map(|(_, path)| path.clone()));
        if let Some(id) = found.binding {
            let binding = self.bindings.binding(id);
            paths.extend(leaf_paths(&binding.parent));
            // A lookup's keys belong to other objects.
            let is_root = Words(self.schema).root(ty).is_some();
            let batch = binding.batch.as_ref().filter(|_| !is_root);
            paths.extend(batch.iter().flat_map(|batch| batch.asked.iter().cloned()));
        }
        paths
    }

    /// Returns the fields on a path with their distance. For an abstract type, these are the fields of all its object
    /// types.
    pub(super) fn steps(&self, ty: &str, path: &KeyPath) -> Vec<(Coordinate, usize)> {
        let mut steps = Vec::new();
        let mut at = ty;
        for (distance, name) in path.iter().enumerate() {
            match self.possible.get(at) {
                Some(types) => {
                    steps.extend(types.iter().map(|ty| ((ty.clone(), name.clone()), distance)));
                }
                None => steps.push(((at.into(), name.clone()), distance)),
            }
            let Ok(field) = self.schema.type_field(at, name) else { break };
            at = field.ty.inner_named_type();
        }
        steps
    }

    /// Returns the fields that need their own value.
    pub(super) fn cyclic(&self) -> HashSet<Coordinate> {
        let chains = Chains::of(self);
        let waiting = chains.lengths().into_iter().enumerate();
        let waiting = waiting.filter_map(|(at, length)| length.is_none().then_some(at));
        let cyclic = waiting.filter(|at| chains.is_cyclic(*at));
        cyclic.map(|at| chains.fields[at].clone()).collect()
    }
}

/// Refuses chains of requirements that are too long. Cycles are reported elsewhere.
pub(super) fn check(
    merged: &Merged,
    types: &HashMap<Name, ObjectType>,
    bindings: &Bindings,
    guards: &Guards,
    problems: &mut Vec<Problem>,
) {
    let chains = Chains::of(&Requirements::new(&merged.schema, types, bindings, guards));
    let lengths = chains.lengths();
    for (at, _) in lengths.iter().enumerate().filter(|(_, length)| **length == Some(MAX_CHAIN + 1))
    {
        let longest = |at: &usize| {
            chains.needs[*at].iter().copied().max_by_key(|need| lengths[*need].unwrap_or(0))
        };
        let print = |at: usize| format!("`{}.{}`", chains.fields[at].0, chains.fields[at].1);
        let next: Vec<String> =
            std::iter::successors(longest(&at), longest).take(3).map(print).collect();
        let message = format!(
            "{} needs a chain of more than {MAX_CHAIN} fields: {}, …",
            print(at),
            next.join(", ")
        );
        let (ty, field) = &chains.fields[at];
        let field = merged.schema.type_field(ty, field).ok();
        let place = field.and_then(|field| merged.places.of(field.name.location()));
        problems.push(Problem::error("long-requirement", message).at(place).help(
            "use a field nearer to the start of the chain, or fetch several of these fields with one call",
        ));
    }
}

/// All fields, and the fields that each one needs, by number.
struct Chains {
    fields: Vec<Coordinate>,
    needs: Vec<Vec<usize>>,
}

impl Chains {
    fn of(requirements: &Requirements<'_>) -> Self {
        let mut chains = Self { fields: Vec::new(), needs: Vec::new() };
        let mut numbers: HashMap<Coordinate, usize> = HashMap::new();
        for (name, object) in Words(requirements.schema).objects() {
            for field in object.fields.keys() {
                let coordinate: Coordinate = (name.into(), field.as_str().into());
                let paths = requirements.of(&coordinate);
                if paths.is_empty() {
                    continue;
                }
                let at = chains.number(&mut numbers, coordinate);
                let steps = paths.iter().flat_map(|path| requirements.steps(name, path));
                let needs = steps.map(|(need, _)| chains.number(&mut numbers, need)).collect();
                chains.needs[at] = needs;
            }
        }
        chains
    }

    fn number(&mut self, numbers: &mut HashMap<Coordinate, usize>, field: Coordinate) -> usize {
        *numbers.entry(field).or_insert_with_key(|field| {
            self.fields.push(field.clone());
            self.needs.push(Vec::new());
            self.fields.len() - 1
        })
    }

    /// Returns the length of the chain of fields before each field. `None` if it is in a cycle, or needs a field that
    /// is.
    fn lengths(&self) -> Vec<Option<usize>> {
        let mut needed_by = vec![Vec::new(); self.fields.len()];
        for (at, needs) in self.needs.iter().enumerate() {
            for need in needs {
                needed_by[*need].push(at);
            }
        }
        let mut missing: Vec<usize> = self.needs.iter().map(Vec::len).collect();
        let mut longest = vec![0; self.fields.len()];
        let mut lengths = vec![None; self.fields.len()];
        let mut ready: Vec<usize> = (0..missing.len()).filter(|at| missing[*at] == 0).collect();
        while let Some(at) = ready.pop() {
            lengths[at] = Some(longest[at]);
            for by in &needed_by[at] {
                longest[*by] = longest[*by].max(longest[at] + 1);
                missing[*by] -= 1;
                if missing[*by] == 0 {
                    ready.push(*by);
                }
            }
        }
        lengths
    }

    fn is_cyclic(&self, start: usize) -> bool {
        let mut seen = HashSet::new();
        let mut open = vec![start];
        while let Some(at) = open.pop() {
            for need in &self.needs[at] {
                if *need == start {
                    return true;
                }
                if seen.insert(*need) {
                    open.push(*need);
                }
            }
        }
        false
    }
}
