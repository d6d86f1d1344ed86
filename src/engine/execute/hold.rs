//! Copies entities that the request already holds, instead of fetching them again.

use super::keys::key_of;
use super::{FetchId, Run};
use crate::engine::plan::{Fetch, Held};
use crate::engine::response::{RowId, Value};
use hashbrown::HashMap;

impl Run<'_> {
    /// Fills the objects of a lookup whose entity is already in the store, and removes them from the keys to fetch.
    pub(super) fn take_held(&mut self, id: FetchId, fetch: &Fetch) {
        for held in &fetch.held {
            let known = self.known(held);
            for group in 0..self.fetches[id.0 as usize].groups.len() {
                for (key, from) in &known {
                    let keys = &mut self.fetches[id.0 as usize].groups[group].keys;
                    let Some(number) = keys.number(key) else { continue };
                    for row in std::mem::take(&mut keys.rows[number as usize]) {
                        for (theirs, ours) in &held.copies {
                            self.store.set(row, *ours, self.store.get(*from, *theirs));
                        }
                    }
                }
            }
        }
    }

    /// Returns the objects of a place by key, without those that have holes.
    fn known(&mut self, held: &Held) -> HashMap<Box<[u8]>, RowId> {
        let mut known = HashMap::new();
        let mut key = Vec::new();
        for row in self.collect(&held.place) {
            let has_hole =
                |(slot, _): &(u32, u32)| matches!(self.store.get(row, *slot), Value::Hole(_));
            let whole = !held.copies.iter().any(has_hole);
            let parts = held.parts.iter().map(|part| &*part.path);
            if whole && key_of(&self.store, row, parts, &mut key) {
                known.insert(key.clone().into_boxed_slice(), row);
            }
        }
        known
    }
}
