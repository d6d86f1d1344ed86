//! Checks rules over `$this` against the requirements of other fields.
//!
//! Such a rule is evaluated for each object once the object has been fetched. So its field cannot be a part of a key,
//! which is needed to fetch objects. It cannot be required of any object other than the one that is checked. And
//! nothing that its rule requires may require it in turn.

use crate::graph::ObjectType;
use crate::graph::requirement::{Coordinate, Requirements};
use crate::graph::words::leaf_paths;
use crate::graphql::Name;
use crate::problem::{Place, Problem};
use hashbrown::HashMap;

/// Places of the rules over `$this`.
pub(super) type Placed = HashMap<Coordinate, Place>;

pub(super) struct Checking<'a> {
    pub types: &'a HashMap<Name, ObjectType>,
    pub requirements: &'a Requirements<'a>,
    pub placed: &'a Placed,
}

impl Checking<'_> {
    /// Returns all errors, one for each rule and reason.
    pub fn problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        if self.placed.is_empty() {
            return problems;
        }
        for (name, object) in self.types {
            for path in object.keys.iter().flat_map(|key| leaf_paths(key)) {
                for (coordinate, _) in self.requirements.steps(name, &path) {
                    self.refuse(&coordinate, &mut problems, "invalid-guard", |field| {
                        let message = format!("`{field}` is part of a key, which is used for joins before a rule with `$this` can be evaluated");
                        (message, "write the rule without `$this`, or guard other fields instead".into())
                    });
                }
            }
            for field in object.fields.keys() {
                for path in self.requirements.of(&(name.clone(), field.clone())) {
                    for (coordinate, step) in self.requirements.steps(name, &path) {
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
        let cyclic = self.requirements.cyclic();
        for coordinate in self.placed.keys().filter(|coordinate| cyclic.contains(*coordinate)) {
            self.refuse(coordinate, &mut problems, "cyclic-requirement", |field| {
                let message =
                    format!("the rule of `{field}` needs a value that depends on `{field}` itself");
                (message, "use fields of the same reply in the rule".into())
            });
        }
        problems
    }

    fn refuse_if(&self, far: bool, on: &Coordinate, problems: &mut Vec<Problem>, who: &str) {
        if far {
            self.refuse(on, problems, "invalid-guard", |field| {
                let message = format!(
                    "`{who}` needs `{field}` of another object, where its rule is not evaluated"
                );
                (
                    message,
                    "write the rule without `$this`, or do not use the guarded field there".into(),
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
}
