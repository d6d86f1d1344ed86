//! Creates the calls of a fetch from the objects at its place.

use super::call::{Owned, What};
use super::keys::{Keys, key_of, part_to_json, scalar, value_of};
use super::{FetchId, Group, Run};
use crate::engine::plan::{Asking, Fetch, KeyPart, Wanted, evaluate_all};
use crate::engine::response::{RowId, Slot, Store, Value, to_json};
use crate::graphql::Name;
use hashbrown::HashMap;
use serde_json::{Map, Value as Json};

impl Run<'_> {
    /// Makes the calls of a fetch; none if no object needs one.
    pub(super) fn ask(&mut self, id: FetchId) {
        let fetch = self.snapshot.plan.fetch(id);
        let rows = self.collect(&fetch.place);
        let rows = self.permitted(fetch, rows);
        if rows.is_empty() {
            return;
        }
        let arguments = evaluate_all(&fetch.arguments, self.snapshot.variables);
        if let Some(computed) = fetch.computed {
            return self.compute(fetch, computed, &rows, arguments);
        }
        match &fetch.asking {
            Asking::PerObject => {
                for row in rows {
                    if let Some(hole) = needed_hole(&self.store, row, fetch) {
                        self.set(fetch, row, hole);
                        continue;
                    }
                    let arguments = self.with_required(fetch, row, &arguments);
                    let this = object_of(&self.store, row, &fetch.parent);
                    let owned = Owned { arguments: arguments.into(), this, batch: Json::Null };
                    self.make(id, What::Object(row), owned);
                }
            }
            Asking::PerKey { parts, arguments: names } => {
                self.group(id, fetch, parts, &rows, &arguments);
                self.ask_keys(id, parts, names);
            }
            Asking::Batch { parts, .. } => {
                self.group(id, fetch, parts, &rows, &arguments);
                self.ask_batches(id);
            }
            Asking::Unanswered { batch, aliases } => self.ask_unanswered(id, *batch, aliases),
            Asking::Given { argument, fields, .. } => {
                self.ask_given(id, argument, fields, arguments);
            }
        }
    }

    fn with_required(
        &self,
        fetch: &Fetch,
        row: RowId,
        arguments: &Map<String, Json>,
    ) -> Map<String, Json> {
        let mut arguments = arguments.clone();
        for required in &fetch.required {
            let value = part_to_json(&self.store, row, &required.part);
            arguments.insert(required.argument.to_string(), value);
        }
        arguments
    }

    /// Groups objects by their key, and by the arguments that they provide. An object without a key is left out: its
    /// fields stay null.
    fn group(
        &mut self,
        id: FetchId,
        fetch: &Fetch,
        parts: &[KeyPart],
        rows: &[RowId],
        arguments: &Map<String, Json>,
    ) {
        let mut groups: Vec<Group> = Vec::new();
        let mut by_arguments: HashMap<String, usize> = HashMap::new();
        let mut key = Vec::new();
        for row in rows {
            if !key_of(&self.store, *row, parts.iter().map(|part| &*part.path), &mut key) {
                self.inherit_hole(fetch, *row, parts);
                continue;
            }
            if let Some(hole) = needed_hole(&self.store, *row, fetch) {
                self.set(fetch, *row, hole);
                continue;
            }
            let group = if fetch.required.is_empty() {
                0
            } else {
                let text = Json::Object(self.with_required(fetch, *row, &Map::new())).to_string();
                let next = by_arguments.len();
                *by_arguments.entry(text).or_insert(next)
            };
            if group == groups.len() {
                let arguments = self.with_required(fetch, *row, arguments).into();
                groups.push(Group { arguments, keys: Keys::default() });
            }
            groups[group].keys.add(&key, Some(*row));
        }
        self.fetches[id.0 as usize].groups = groups;
        self.take_held(id, fetch);
    }

    /// If a key is missing because the call that should have provided it failed, that failure becomes the reason here,
    /// too.
    fn inherit_hole(&mut self, fetch: &Fetch, row: RowId, parts: &[KeyPart]) {
        let values = parts.iter().map(|part| value_of(&self.store, row, &part.path));
        let hole = values.into_iter().find(|value| matches!(value, Value::Hole(_)));
        if let Some(hole) = hole {
            self.set(fetch, row, hole);
        }
    }

    fn ask_keys(&mut self, id: FetchId, parts: &[KeyPart], names: &[Name]) {
        for key in self.open_keys(id, 0) {
            let Some(group) = self.fetches[id.0 as usize].groups.first() else { return };
            let Json::Object(mut arguments) = group.arguments.clone() else { return };
            let Some(row) = group.keys.rows[key as usize].first().copied() else { continue };
            for (name, part) in names.iter().zip(parts) {
                arguments.insert(name.to_string(), part_to_json(&self.store, row, part));
            }
            let owned = Owned { arguments: arguments.into(), ..Owned::default() };
            self.make(id, What::Key(key), owned);
        }
    }

    /// Returns the keys of a group that still have objects to fill.
    pub(super) fn open_keys(&self, id: FetchId, group: usize) -> Vec<u32> {
        let groups = &self.fetches[id.0 as usize].groups;
        let Some(group) = groups.get(group) else { return Vec::new() };
        let open = |key: &u32| !group.keys.rows[*key as usize].is_empty();
        (0..group.keys.len() as u32).filter(open).collect()
    }
}

/// A failure among the values of an object that a fetch needs: its call is not made without them.
pub(super) fn needed_hole(store: &Store, row: RowId, fetch: &Fetch) -> Option<Value> {
    let mut required = fetch.required.iter().map(|required| &required.part.path);
    let of_required = required.find_map(|path| match value_of(store, row, path) {
        hole @ Value::Hole(_) => Some(hole),
        _ => None,
    });
    of_required.or_else(|| hole_in(store, row, &fetch.parent))
}

/// A hole among the fields of an object that are wanted, elements of lists included. The recursion is as deep as the mapping,
/// but for lists in lists, which are as deep as a reply.
pub(super) fn hole_in(store: &Store, row: RowId, wanted: &[Wanted]) -> Option<Value> {
    wanted.iter().find_map(|wanted| hole_at(store, store.get(row, wanted.slot), &wanted.fields))
}

fn hole_at(store: &Store, value: Value, fields: &[Wanted]) -> Option<Value> {
    match value {
        Value::Hole(_) => Some(value),
        Value::Object(row) => hole_in(store, row, fields),
        Value::List { start, len } => {
            let elements = store.items(start, len).iter();
            elements.copied().find_map(|element| hole_at(store, element, fields))
        }
        _ => None,
    }
}

/// The fields of an object that a call names, as a value for templates.
pub(super) fn object_of(store: &Store, row: RowId, wanted: &[Wanted]) -> Json {
    let field = |wanted: &Wanted| {
        let value = store.get(row, wanted.slot);
        (wanted.name.to_string(), below(store, value, wanted))
    };
    if wanted.is_empty() { Json::Null } else { Json::Object(wanted.iter().map(field).collect()) }
}

fn below(store: &Store, value: Value, wanted: &Wanted) -> Json {
    match value {
        Value::Object(row) => object_of(store, row, &wanted.fields),
        Value::List { start, len } if !wanted.fields.is_empty() => {
            let elements = store.items(start, len).iter();
            elements.map(|element| below(store, *element, wanted)).collect()
        }
        leaf => {
            let mut leaf = scalar(to_json(store, leaf), wanted.id);
            if let Some((to, aliases)) = &wanted.spelling {
                aliases.respell(&mut leaf, *to);
            }
            leaf
        }
    }
}

/// Returns slots of a reply's object as paths of one step.
pub(super) fn as_paths(slots: &[Slot]) -> impl Iterator<Item = &[Slot]> {
    slots.iter().map(std::slice::from_ref)
}
