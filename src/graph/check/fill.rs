//! Which fields have something that fills them.
//!
//! A binding without `select` yields every unbound field of its type and of nested plain objects, and of a nested
//! entity its key and what `@provides` names. With `select` it yields what the mapping names. What is missing must come
//! through a lookup.

use super::Parts;
use super::complete::{self, Stub, Yields};
use super::mapped;
use super::reach::Reach;
use super::shape;
use crate::graph::binding::Bound;
use crate::graph::words::leaf_paths;
use crate::graph::{BatchReply, FieldSelection, KeyPath};
use crate::problem::{Place, Problem};
use crate::source::Argument;
use apollo_compiler::ast::FieldDefinition;
use hashbrown::{HashMap, HashSet};

/// The outcome of the walk.
#[derive(Default)]
pub(super) struct Filled {
    /// Type and field: something yields it.
    provided: HashMap<String, HashSet<String>>,
    /// Entities that come without all their fields.
    pub(super) stubs: Vec<Stub>,
    /// Of plain and whole replies: types whose unbound fields were walked already.
    seen: HashSet<String>,
    /// As `seen`, for calls that did not compile.
    seen_all: HashSet<String>,
    /// Entities that need too many lookups, one after the other.
    pub(super) far: HashSet<String>,
    /// What each lookup holds of its entity.
    pub(super) yields: Vec<Yields>,
    /// Entities that come without fields which no lookup brings: the problem's position, and in how many places.
    pub(super) lacking: HashMap<String, (usize, usize)>,
    /// Entities with a lookup whose own mapping lacks a field.
    unmapped: HashSet<String>,
    /// Fields that are null along one way, told only if another way fills them: type, field, and what to say.
    pub(super) doubts: Vec<(String, String, Problem)>,
}

impl Filled {
    pub(super) fn is_provided(&self, type_name: &str, field: &str) -> bool {
        self.provided.get(type_name).is_some_and(|fields| fields.contains(field))
    }

    pub(super) fn provide(&mut self, type_name: &str, field: &str) {
        self.provided.entry_ref(type_name).or_default().insert(field.to_owned());
    }
}

/// Walks what every binding yields.
pub(super) fn walk(parts: Parts<'_>, problems: &mut Vec<Problem>) -> Filled {
    let filled = Filled { yields: Yields::of(parts), ..Filled::default() };
    let broken = complete::broken_lookups(parts);
    let mut walk = Walk { parts, filled, broken, problems };
    for bound in &parts.bindings.bound {
        let schema = &parts.merged.schema;
        if let Ok(field) = schema.type_field(&bound.type_name, &bound.field) {
            walk.binding(bound, field);
        }
    }
    walk.count_lacking();
    walk.filled
}

pub(super) struct Walk<'a, 'p> {
    pub(super) parts: Parts<'a>,
    pub(super) filled: Filled,
    /// Entities with a lookup that did not compile.
    pub(super) broken: HashSet<&'a str>,
    pub(super) problems: &'p mut Vec<Problem>,
}

/// The field whose value is walked.
#[derive(Clone, Copy)]
pub(super) struct Via<'a> {
    pub(super) type_name: &'a str,
    pub(super) field: &'a FieldDefinition,
}

impl<'a> Walk<'a, '_> {
    fn binding(&mut self, bound: &'a Bound, field: &'a FieldDefinition) {
        let inner = field.ty.inner_named_type().as_str();
        let Some(id) = bound.id else {
            self.anything(inner);
            return;
        };
        let binding = self.parts.bindings.binding(id);
        let via = Via { type_name: &bound.type_name, field };
        let reply = binding.batch.as_ref().map(|batch| batch.reply);
        match (binding.call.select(), &bound.select) {
            (Some(mapping), Some(select)) if reply != Some(BatchReply::Map) => {
                let shape = shape::of(mapping.expr());
                mapped::Mapped::new(self, select, binding.batch.as_ref()).top(via, inner, &shape);
            }
            // The stub of an object: its type and its key.
            (Some(_), None) if binding.call.computed().is_some() => {
                self.nested(via.type_name, field);
            }
            _ => self.whole(inner),
        }
    }

    /// A call that did not compile: taken to yield all it could, so that one mistake is one problem.
    fn anything(&mut self, type_name: &str) {
        let mut waiting = vec![type_name.to_owned()];
        while let Some(next) = waiting.pop() {
            for &name in self.parts.possible(&next) {
                if !self.filled.seen_all.insert(name.to_owned()) {
                    continue;
                }
                for field in self.unbound(name) {
                    self.filled.provide(name, &field.name);
                    waiting.push(field.ty.inner_named_type().to_string());
                }
            }
        }
    }

    /// Fields of an object type without a binding of their own.
    pub(super) fn unbound(&self, type_name: &str) -> Vec<&'a FieldDefinition> {
        self.parts.plain_fields(type_name)
    }

    /// The reply's object as it is: every unbound field by name.
    pub(super) fn whole(&mut self, type_name: &str) {
        let mut waiting = vec![type_name.to_owned()];
        while let Some(next) = waiting.pop() {
            for &name in self.parts.possible(&next) {
                if !self.filled.seen.insert(name.to_owned()) {
                    continue;
                }
                for field in self.unbound(name) {
                    self.filled.provide(name, &field.name);
                    waiting.extend(self.nested(name, field));
                }
            }
        }
    }

    /// What comes along below a field of a reply: the names of plain types are handed back, entities stay stubs.
    pub(super) fn nested(&mut self, type_name: &'a str, field: &'a FieldDefinition) -> Vec<String> {
        let inner = field.ty.inner_named_type();
        let mut plain = Vec::new();
        for &name in self.parts.possible(inner) {
            if self.parts.is_entity(name) {
                self.entity(Via { type_name, field }, name);
            } else {
                plain.push(name.to_owned());
            }
        }
        plain
    }

    /// A nested entity: its keys, and what `@provides` adds.
    fn entity(&mut self, via: Via<'a>, entity: &str) {
        let found = self.parts.types.get(entity);
        let mut sets: Vec<&FieldSelection> =
            found.into_iter().flat_map(|found| found.keys.iter().flatten()).collect();
        let field = self.parts.types.get(via.type_name);
        let field = field.and_then(|found| found.fields.get(via.field.name.as_str()));
        sets.extend(field.into_iter().flat_map(|field| &field.provides));
        for set in &sets {
            self.set(entity, set);
        }
        let names: HashSet<&str> = sets.iter().map(|set| &*set.name).collect();
        let have = |name: &str| names.contains(name);
        let keys = found.map(|found| found.keys.iter().flat_map(|key| leaf_paths(key)).collect());
        let keys: HashSet<KeyPath> = keys.unwrap_or_default();
        let missing: Vec<&str> = self
            .unbound(entity)
            .into_iter()
            .map(|field| field.name.as_str())
            .filter(|name| !have(name))
            .collect();
        if missing.is_empty() {
            return;
        }
        let has = |path: &KeyPath| keys.contains(path) || have(&path[0]);
        let unfilled = self.complete(via, entity, &missing, &has);
        if !unfilled.is_empty() {
            let place = self.parts.merged.places.of(via.field.name.location());
            self.refuse_lacking(place, via, entity, &unfilled);
        }
    }

    fn set(&mut self, type_name: &str, set: &FieldSelection) {
        self.filled.provide(type_name, &set.name);
        let Ok(field) = self.parts.merged.schema.type_field(type_name, &set.name) else { return };
        for nested in &set.fields {
            self.set(field.ty.inner_named_type(), nested);
        }
    }

    /// An entity that comes by its key in many places lacks the same lookup in all of them: one problem, at the first.
    pub(super) fn refuse_lacking(
        &mut self,
        place: Option<Place>,
        via: Via<'_>,
        entity: &str,
        missing: &[&str],
    ) {
        for name in missing {
            // Reported here; a second problem at the field's definition would say the same.
            self.filled.provide(entity, name);
        }
        if let Some((_, places)) = self.filled.lacking.get_mut(entity) {
            *places += 1;
            return;
        }
        self.filled.lacking.insert(entity.to_owned(), (self.problems.len(), 1));
        let coordinate = format!("{}.{}", via.type_name, via.field.name);
        let message = format!(
            "`{coordinate}` returns a `{entity}` by its key, but no lookup returns {}",
            list(missing)
        );
        let help = self.lookup_help(entity);
        self.problems.push(Problem::error("unfilled-field", message).at(place).help(help));
    }

    /// The lookup to declare, or those whose replies lack something.
    fn lookup_help(&self, entity: &str) -> String {
        let lookups = self.parts.lookups_of(entity);
        if !lookups.is_empty() {
            let names: Vec<String> = lookups
                .iter()
                .map(|at| format!("Query.{}", self.parts.lookups[*at].lookup.field))
                .collect();
            let mut names: Vec<&str> = names.iter().map(String::as_str).collect();
            names.dedup();
            return format!(
                "map the missing fields in the `select` of a lookup of `{entity}` whose key is available: {}",
                list(&names)
            );
        }
        let key = self.parts.types.get(entity).and_then(|found| found.keys.first());
        let paths = key.map_or_else(Vec::new, |key| leaf_paths(key));
        let argument = |path: &KeyPath| {
            let ty = crate::graph::entity::follow(&self.parts.merged.schema, entity, path);
            let ty = ty.map_or("ID", |found| found.ty.inner_named_type().as_str());
            match path.as_slice() {
                [name] => format!("{name}: {ty}!"),
                path => {
                    let dotted = crate::graph::words::dotted(path);
                    let name = path.last().map_or("", |name| name);
                    format!("{name}: {ty}! @is(field: \"{dotted}\")")
                }
            }
        };
        let arguments: Vec<String> = paths.iter().map(argument).collect();
        let mut name = entity.to_owned();
        if let Some(first) = name.get_mut(..1) {
            first.make_ascii_lowercase();
        }
        format!(
            "add a lookup to `Query`: `{name}ByKey({}): {entity} @lookup @rest(…)`; `@internal` hides it from clients",
            arguments.join(", ")
        )
    }

    /// Says in how many more places each entity lacks its lookup.
    fn count_lacking(&mut self) {
        let mut lacking: Vec<(&String, &(usize, usize))> = self.filled.lacking.iter().collect();
        lacking.sort_by_key(|(_, (at, _))| std::cmp::Reverse(*at));
        for (entity, (at, places)) in lacking {
            if self.filled.unmapped.contains(entity) {
                // The mapping of its lookup is reported, and lacks the same.
                self.problems.remove(*at);
                continue;
            }
            let Some(help) = self.problems.get_mut(*at).and_then(|problem| problem.help.as_mut())
            else {
                continue;
            };
            match places {
                1 => {}
                2 => help.push_str("; one more field needs it"),
                _ => help.push_str(&format!("; {} more fields need it", places - 1)),
            }
        }
    }

    pub(super) fn refuse_mapped(&mut self, place: Place, type_name: &str, missing: &[&str]) {
        if !self.parts.lookups_of(type_name).is_empty() {
            self.filled.unmapped.insert(type_name.to_owned());
        }
        for name in missing {
            // Reported here; a second problem at the field's definition would say the same.
            self.filled.provide(type_name, name);
        }
        let message =
            format!("the mapping does not return {}, which `{type_name}` requires", list(missing));
        let help = "add the missing fields to the mapping; if the reply does not have a field, make it nullable in the schema";
        self.problems.push(Problem::error("unfilled-field", message).at(place).help(help));
    }
}

/// Fields that are reached, and that no provider yields.
pub(super) fn refuse_unfilled(
    parts: Parts<'_>,
    filled: &mut Filled,
    reach: &Reach,
    problems: &mut Vec<Problem>,
) {
    let words = parts.words();
    for (type_name, object) in words.objects() {
        let is_root = words.root(type_name).is_some();
        if is_root || !reach.reaches(type_name) || filled.lacking.contains_key(type_name) {
            continue;
        }
        for field in object.fields.values() {
            if parts.is_bound(type_name, &field.name) || filled.is_provided(type_name, &field.name)
            {
                continue;
            }
            problems.push(
                Problem::error(
                    "unfilled-field",
                    format!("`{type_name}.{}` never has a value: it has no binding, and no mapping returns it", field.name),
                )
                .at(parts.merged.places.of(field.name.location()))
                .help("add it to a `select`, add a binding, or remove the field"),
            );
        }
    }
    for (type_name, field, problem) in std::mem::take(&mut filled.doubts) {
        if filled.is_provided(&type_name, &field) && !filled.lacking.contains_key(&type_name) {
            problems.push(problem);
        }
    }
}

/// `` `a`, `b` and `c` ``.
pub(super) fn list(names: &[&str]) -> String {
    let quoted: Vec<String> = names.iter().take(5).map(|name| format!("`{name}`")).collect();
    match quoted.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, rest)) if names.len() <= 5 => format!("{} and {last}", rest.join(", ")),
        _ => format!("{} and {} more", quoted.join(", "), names.len() - quoted.len()),
    }
}

/// The place of a span of a `select`.
pub(super) fn place(select: &Argument, span: &crate::mapping::Span) -> Place {
    select.place_of(span)
}
