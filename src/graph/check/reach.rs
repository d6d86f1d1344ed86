//! Which types a client can get to, and whether on the way there is a list.

use super::Parts;
use super::fill::Filled;
use crate::graph::words::is_list;
use hashbrown::HashMap;
use std::collections::VecDeque;

/// Maximum number of steps of a path that is shown. Operations nest 15 levels by default.
const MAX_STEPS: usize = 50;

/// A type, and whether it is reached below a list.
type Spot = (String, bool);

/// How a spot is reached first: from which spot, by which field. `None` for roots.
type Came = Option<(Spot, String)>;

/// Every spot that is reached, breadth first, so that ways are short.
pub(super) struct Reach {
    spots: HashMap<Spot, Came>,
}

/// One step of a way from a root.
pub(super) struct Step {
    pub(super) type_name: String,
    pub(super) field: String,
}

impl Reach {
    pub(super) fn reaches(&self, type_name: &str) -> bool {
        [false, true].iter().any(|below| self.spots.contains_key(&(type_name.to_owned(), *below)))
    }

    /// The fields from a root to this type, below a list or not. `None` if there is no path, or only one that is
    /// longer than operations are.
    pub(super) fn way(&self, type_name: &str, below_list: bool) -> Option<Vec<Step>> {
        let mut at = (type_name.to_owned(), below_list);
        let mut steps = Vec::new();
        while let Some((from, field)) = self.spots.get(&at)? {
            if steps.len() == MAX_STEPS {
                return None;
            }
            steps.push(Step { type_name: from.0.clone(), field: field.clone() });
            at = from.clone();
        }
        steps.reverse();
        Some(steps)
    }
}

/// Walks from the roots through all fields that something fills.
pub(super) fn walk(parts: Parts<'_>, filled: &Filled) -> Reach {
    let words = parts.words();
    let mut spots: HashMap<Spot, Came> = HashMap::new();
    let mut waiting = VecDeque::new();
    for (name, _) in words.objects() {
        if words.root(name).is_some() {
            spots.insert((name.to_owned(), false), None);
            waiting.push_back((name.to_owned(), false));
        }
    }
    while let Some(spot) = waiting.pop_front() {
        let Some(object) = parts.merged.schema.get_object(&spot.0) else { continue };
        for field in object.fields.values() {
            let is_filled =
                parts.is_bound(&spot.0, &field.name) || filled.is_provided(&spot.0, &field.name);
            if !is_filled || field.directives.has("internal") {
                continue;
            }
            let below_list = spot.1 || is_list(&field.ty);
            for &name in parts.possible(field.ty.inner_named_type()) {
                let next = (name.to_owned(), below_list);
                if !spots.contains_key(&next) {
                    spots.insert(next.clone(), Some((spot.clone(), field.name.to_string())));
                    waiting.push_back(next);
                }
            }
        }
    }
    Reach { spots }
}
