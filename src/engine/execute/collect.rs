//! Collects the objects of a fetch: walks from the root row to the fetch's place, through lists. Only reachable objects
//! are found, each once, however many parents share it.

use super::Run;
use crate::engine::plan::{CheckId, Place};
use crate::engine::response::{RowId, Slot, Store, Value, key_text};
use crate::graphql::Name;
use hashbrown::HashSet;

impl Run<'_> {
    pub(super) fn collect(&mut self, place: &Place) -> Vec<RowId> {
        let mut rows = vec![self.root];
        let steps = place.steps.iter().zip(&place.step_types).zip(&place.step_checks);
        for ((step, only), checks) in steps {
            let mut below = Vec::with_capacity(rows.len());
            for row in rows {
                if is_of_type(&self.store, row, only.as_ref()) && self.leads_on(row, checks) {
                    objects(&self.store, self.store.get(row, *step), &mut below);
                }
            }
            // At each step: if entities are shared, the number of paths to them multiplies with each level.
            distinct(&mut below);
            rows = below;
        }
        rows.retain(|row| is_of_type(&self.store, *row, place.only.as_ref()));
        rows
    }
}

impl Run<'_> {
    fn leads_on(&mut self, row: RowId, any: &[Vec<CheckId>]) -> bool {
        any.is_empty() || any.iter().any(|checks| self.passes_all(row, checks))
    }
}

/// Removes duplicates. Objects are read in order, so ascending rows are distinct; entities placed more than once break
/// the order.
fn distinct(rows: &mut Vec<RowId>) {
    if rows.is_sorted_by(|one, next| one < next) {
        return;
    }
    let mut seen = HashSet::with_capacity(rows.len());
    rows.retain(|row| seen.insert(*row));
}

fn is_of_type(store: &Store, row: RowId, only: Option<&(Slot, Name)>) -> bool {
    only.is_none_or(|(slot, name)| {
        let mut found = Vec::new();
        key_text(store, store.get(row, *slot), &mut found) && found == name.as_bytes()
    })
}

/// Collects the objects of a value. Lists nest at most as deep as the reply's parser allows.
fn objects(store: &Store, value: Value, found: &mut Vec<RowId>) {
    match value {
        Value::Object(row) => found.push(row),
        Value::List { start, len } => {
            for element in store.items(start, len) {
                objects(store, *element, found);
            }
        }
        _ => {}
    }
}
