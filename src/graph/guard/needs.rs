//! Rules over `$this`, held against what needs the fields they stand on.
//!
//! Such a rule is asked for each object once that object is there. So its field can be no part of a key, by which
//! objects are fetched in the first place; it cannot be needed of another object than the one that is asked about; and
//! nothing that its rule needs may need it in turn.

use super::{Guard, Guards};
use crate::graph::binding::Bindings;
use crate::graph::words::leaf_paths;
use crate::graph::{KeyPath, ObjectType};
use crate::graphql::Name;
use crate::problem::{Place, Problem};
use apollo_compiler::Schema;
use apollo_compiler::schema::ExtendedType;
use hashbrown::{HashMap, HashSet};

/// A field of an object type.
type Coordinate = (Name, Name);

/// Where the rules over `$this` stand.
pub(super) type Placed = HashMap<Coordinate, Place>;

pub(super) struct Checking<'a> {
    pub schema: &'a Schema,
    pub types: &'a HashMap<Name, ObjectType>,
    pub bindings: &'a Bindings,
    pub guards: &'a Guards,
    pub placed: &'a Placed,
}

impl Checking<'_> {
    /// All that is wrong, once for each rule and reason.
    pub fn problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        if self.placed.is_empty() {
            return problems;
        }
        for (name, object) in self.types {
            for path in object.keys.iter().flat_map(|key| leaf_paths(key)) {
                for (coordinate, _) in self.steps(name, &path) {
                    self.refuse(&coordinate, &mut problems, "invalid-guard", |field| {
                        let message = format!("`{field}` is part of a key, by which objects are joined before any rule could look at them");
                        (message, "let the rule do without `$this`, or guard the other fields".into())
                    });
                }
            }
            for field in object.fields.keys() {
                for path in self.needs(&(name.clone(), field.clone())) {
                    for (coordinate, step) in self.steps(name, &path) {
                        self.refuse_if(
                            step > 0,
                            &coordinate,
                            &mut problems,
                            &format!("{name}.{field}"),
                        );
                    }
                }
            }
        }
        for coordinate in self.placed.keys().filter(|coordinate| self.is_cyclic(coordinate)) {
            self.refuse(coordinate, &mut problems, "cyclic-requirement", |field| {
                let message =
                    format!("the rule of `{field}` needs what cannot be had without `{field}`");
                (message, "let it look at fields that stand in the same reply".into())
            });
        }
        problems
    }

    fn refuse_if(&self, far: bool, on: &Coordinate, problems: &mut Vec<Problem>, who: &str) {
        if far {
            self.refuse(on, problems, "invalid-guard", |field| {
                let message = format!(
                    "`{who}` needs `{field}` of another object, for which its rule is not asked"
                );
                (
                    message,
                    "let the rule do without `$this`, or the other field without this one".into(),
                )
            });
        }
    }

    fn refuse(
        &self,
        on: &Coordinate,
        problems: &mut Vec<Problem>,
        code: &'static str,
        say: impl FnOnce(&str) -> (String, String),
    ) {
        let Some(place) = self.placed.get(on) else { return };
        let (message, help) = say(&format!("{}.{}", on.0, on.1));
        problems.push(Problem::error(code, message).at(place.clone()).help(help));
    }

    /// What must be there before a field can be: for its rules, and for its call.
    fn needs(&self, (ty, field): &Coordinate) -> Vec<KeyPath> {
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
            // A lookup's keys are those of other objects.
            let is_root = super::Words(self.schema).root(ty).is_some();
            let batch = binding.batch.as_ref().filter(|_| !is_root);
            paths.extend(batch.iter().flat_map(|batch| batch.asked.iter().cloned()));
        }
        paths
    }

    /// The fields on a path, with their distance; of an abstract type, those of every object that can stand there.
    fn steps(&self, ty: &str, path: &KeyPath) -> Vec<(Coordinate, usize)> {
        let mut steps = Vec::new();
        let mut at = ty.to_owned();
        for (distance, name) in path.iter().enumerate() {
            for ty in self.possible(&at) {
                steps.push(((ty, name.clone()), distance));
            }
            let Ok(field) = self.schema.type_field(&at, name) else { break };
            at = field.ty.inner_named_type().to_string();
        }
        steps
    }

    fn possible(&self, ty: &str) -> Vec<Name> {
        match self.schema.types.get(ty) {
            Some(ExtendedType::Object(_)) => vec![ty.into()],
            Some(ExtendedType::Interface(_) | ExtendedType::Union(_)) => {
                self.types.keys().filter(|name| self.schema.is_subtype(ty, name)).cloned().collect()
            }
            _ => Vec::new(),
        }
    }

    fn is_cyclic(&self, start: &Coordinate) -> bool {
        let mut seen: HashSet<Coordinate> = HashSet::new();
        let mut open = vec![start.clone()];
        while let Some(at) = open.pop() {
            for path in self.needs(&at) {
                for (next, _) in self.steps(&at.0, &path) {
                    if next == *start {
                        return true;
                    }
                    if seen.insert(next.clone()) {
                        open.push(next);
                    }
                }
            }
        }
        false
    }
}
