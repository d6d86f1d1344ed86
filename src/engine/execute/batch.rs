//! Batches: sends distinct keys in chunks of at most `max`, and splits a chunk that the source refuses.

use super::ask::object_of;
use super::call::{Owned, What};
use super::keys::{Keys, key_of_json, part_to_json};
use super::{FetchId, Group, Run};
use crate::engine::plan::{Alias, Asking, BatchRule, KeyPart, KeysAs, evaluate_all};
use crate::engine::response::Value;
use crate::graphql::{ErrorCode, Name};
use crate::source::ErrorKind;
use serde_json::{Map, Value as Json};

/// Splits allowed per fetch for each halving of its largest batch. One key that is refused needs one split per halving;
/// this allows a few more. Past it, refused batches fail.
const SPLITS_FOR_EACH_HALVING: u32 = 4;

impl Run<'_> {
    pub(super) fn ask_batches(&mut self, id: FetchId) {
        let fetch = self.snapshot.plan.fetch(id);
        let Asking::Batch { rule, .. } = &fetch.asking else { return };
        self.allow_splits(id, rule);
        for group in 0..self.fetches[id.0 as usize].groups.len() {
            let keys = self.open_keys(id, group);
            if rule.wait.is_zero() {
                for chunk in keys.chunks(rule.max) {
                    self.ask_chunk(id, group, chunk);
                }
            } else if !keys.is_empty() {
                self.join(id, group, keys);
            }
        }
    }

    fn allow_splits(&mut self, id: FetchId, rule: &BatchRule) {
        self.fetches[id.0 as usize].splits = splits_allowed(rule.max);
    }

    pub(super) fn ask_chunk(&mut self, id: FetchId, group: usize, keys: &[u32]) {
        let (arguments, batch) = self.inputs_of(id, group, keys);
        let owned = Owned { arguments, this: Json::Null, batch };
        self.make(id, What::Keys { group, keys: keys.to_vec() }, owned);
    }

    /// Returns `$args` and `$batch` for a chunk of keys.
    pub(super) fn inputs_of(&self, id: FetchId, group: usize, keys: &[u32]) -> (Json, Json) {
        let fetch = self.snapshot.plan.fetch(id);
        let group = &self.fetches[id.0 as usize].groups[group];
        let mut arguments = group.arguments.clone();
        match &fetch.asking {
            Asking::Batch { keys: KeysAs::Parents, .. } => {
                let objects = first_rows(group, keys);
                let batch = objects.map(|row| object_of(&self.store, row, &fetch.parent));
                (arguments, batch.collect())
            }
            Asking::Batch { keys: KeysAs::Scalars(name), parts, .. } => {
                let Some(part) = parts.first() else { return (arguments, Json::Null) };
                let list = first_rows(group, keys);
                let list: Json = list.map(|row| part_to_json(&self.store, row, part)).collect();
                arguments[&**name] = list;
                (arguments, Json::Null)
            }
            Asking::Batch { keys: KeysAs::Objects(name, fields), parts, .. } => {
                let list = first_rows(group, keys);
                let list: Json = list.map(|row| self.key_object(row, fields, parts)).collect();
                arguments[&**name] = list;
                (arguments, Json::Null)
            }
            Asking::Given { argument, .. } => {
                let asked = &self.fetches[id.0 as usize].given.asked;
                let position = |key: &u32| asked.iter().position(|number| *number == Some(*key));
                let list = &arguments[&**argument];
                let values = keys.iter().filter_map(|key| list.get(position(key)?).cloned());
                let values: Json = values.collect();
                arguments[&**argument] = values;
                (arguments, Json::Null)
            }
            Asking::PerObject | Asking::PerKey { .. } | Asking::Unanswered { .. } => {
                (arguments, Json::Null)
            }
        }
    }

    fn key_object(&self, row: super::RowId, fields: &[Name], parts: &[KeyPart]) -> Json {
        let field = |(name, part): (&Name, &KeyPart)| {
            (name.to_string(), part_to_json(&self.store, row, part))
        };
        Json::Object(fields.iter().zip(parts).map(field).collect())
    }

    /// Splits a refused batch in two and sends both, so that one invalid key does not fail the others. Returns `false`
    /// if it cannot be split any further.
    pub(super) fn bisect(&mut self, call: usize) -> bool {
        let id = self.calls[call].fetch;
        let What::Keys { group, keys } = &self.calls[call].what else { return false };
        let state = &mut self.fetches[id.0 as usize];
        if keys.len() < 2 || state.splits == 0 {
            return false;
        }
        state.splits -= 1;
        let (group, keys) = (*group, keys.clone());
        let (left, right) = keys.split_at(keys.len() / 2);
        self.sent.splits += 2;
        self.ask_chunk(id, group, left);
        self.ask_chunk(id, group, right);
        true
    }

    /// Makes the calls of a batch field that the client itself selects: its argument has the keys.
    pub(super) fn ask_given(
        &mut self,
        id: FetchId,
        argument: &Name,
        fields: &[Name],
        arguments: Map<String, Json>,
    ) {
        let fetch = self.snapshot.plan.fetch(id);
        let Asking::Given { rule, aliases, .. } = &fetch.asking else { return };
        let mut keys = Keys::default();
        let mut key = Vec::new();
        let list = arguments.get(&**argument).and_then(Json::as_array);
        let asked = list.into_iter().flatten().map(|element| {
            let part = |field: &Name| element.get(&**field).unwrap_or(&Json::Null);
            let valid = if fields.is_empty() {
                key_of_json([element], &mut key)
            } else {
                key_of_json(fields.iter().map(part), &mut key)
            };
            valid.then(|| keys.add(&key, None))
        });
        let asked: Vec<_> = asked.collect();
        let mut numbers: Vec<u32> = (0..keys.len() as u32).collect();
        if !aliases.is_empty() {
            // An empty key may have no place in the call of one, and is lost in a list of many: it is asked for alone.
            let elements = arguments.get(&**argument).and_then(Json::as_array);
            let empty =
                elements.into_iter().flatten().zip(&asked).filter_map(|(element, number)| {
                    let is_empty = |value: &Json| value.as_str().is_some_and(str::is_empty);
                    let parts = || fields.iter().filter_map(|field| element.get(&**field));
                    (is_empty(element) || parts().any(is_empty)).then_some(*number)?
                });
            let empty: Vec<u32> = empty.collect();
            numbers.retain(|number| !empty.contains(number));
        }
        let state = &mut self.fetches[id.0 as usize];
        state.given.results = vec![Value::Null; keys.len()];
        state.given.asked = asked;
        state.groups = vec![Group { arguments: arguments.into(), keys }];
        self.allow_splits(id, rule);
        if !rule.wait.is_zero() && !numbers.is_empty() {
            return self.join(id, 0, numbers);
        }
        for chunk in numbers.chunks(rule.max) {
            self.ask_chunk(id, 0, chunk);
        }
    }

    /// Sends a lookup for each key of a batch of aliases that has no object: the lookup of one entity may find one that
    /// the list lacks, or that it was refused.
    pub(super) fn ask_unanswered(&mut self, id: FetchId, batch: FetchId, aliases: &[Alias]) {
        let given = std::mem::take(&mut self.fetches[batch.0 as usize].given);
        let open = |key: &u32| !self.is_final(given.results[*key as usize]);
        let open: Vec<u32> = (0..given.results.len() as u32).filter(open).collect();
        let asked = given.asked.clone();
        self.fetches[id.0 as usize].given = given;
        for key in open {
            let alias = asked.iter().position(|number| *number == Some(key));
            let Some(alias) = alias.and_then(|position| aliases.get(position)) else { continue };
            let arguments = evaluate_all(&alias.arguments, self.snapshot.variables).into();
            self.make(id, What::Key(key), Owned { arguments, ..Owned::default() });
        }
    }

    /// Returns `true` if another call would change nothing: there is an object, or the source failed. A source that
    /// failed (429, 503, no connection) is not called again for each alias.
    fn is_final(&self, value: Value) -> bool {
        let hole = match value {
            Value::Object(_) => return true,
            Value::Hole(hole) => self.store.hole_at(hole),
            _ => return false,
        };
        match hole.code {
            ErrorCode::UpstreamStatus => hole.kind == ErrorKind::Failed,
            ErrorCode::UpstreamTooLarge | ErrorCode::InvalidRequest => false,
            _ => true,
        }
    }

    /// Turns the results for the client's keys into a list in the client's order, and into the values of the aliases
    /// with these keys.
    pub(super) fn finish_given(&mut self, id: FetchId) {
        let fetch = self.snapshot.plan.fetch(id);
        let aliases = match &fetch.asking {
            Asking::Given { aliases, .. } if aliases.is_empty() => &[][..],
            Asking::Unanswered { aliases, .. } => aliases,
            _ => return,
        };
        if !self.snapshot.conditions[fetch.condition as usize] {
            return;
        }
        let given = std::mem::take(&mut self.fetches[id.0 as usize].given);
        let result = |number: &Option<u32>| {
            number.map_or(Value::Null, |number| given.results[number as usize])
        };
        for (alias, number) in aliases.iter().zip(&given.asked) {
            self.store.set(self.root, alias.slot, result(number));
        }
        let list = self.store.list(given.asked.iter().map(result));
        self.set(fetch, self.root, list);
    }
}

/// Returns the number of splits allowed for refused batches of at most `max` keys.
pub(super) fn splits_allowed(max: usize) -> u32 {
    (usize::BITS - max.leading_zeros()) * SPLITS_FOR_EACH_HALVING
}

/// Returns one object for each key. All objects of a key yield the same values.
fn first_rows<'g>(group: &'g Group, keys: &'g [u32]) -> impl Iterator<Item = super::RowId> + 'g {
    keys.iter().filter_map(|key| group.keys.rows[*key as usize].first().copied())
}
