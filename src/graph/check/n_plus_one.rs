//! Lists whose every element costs a call of its own.

use super::Parts;
use super::complete::{Brought, Stub};
use super::fill::Filled;
use super::reach::{Reach, Step};
use crate::graph::LookupArguments;
use crate::graph::binding::Bound;
use crate::graph::words::is_list;
use crate::problem::{Place, Problem};
use apollo_compiler::ast::FieldDefinition;
use hashbrown::HashSet;

/// The length of a list that says nothing of its length.
const USUAL_LENGTH: u64 = 10;

/// Warns of every field that is called for, and every entity that is looked up, once per element of a list.
pub(super) fn warn(parts: Parts<'_>, filled: &Filled, reach: &Reach, problems: &mut Vec<Problem>) {
    for bound in &parts.bindings.bound {
        if let Some(problem) = field(parts, reach, bound) {
            problems.push(problem);
        }
    }
    let mut told: HashSet<(&str, &str)> = HashSet::new();
    for stub in &filled.stubs {
        let name = (stub.type_name.as_str(), stub.field.as_str());
        if let Some(problem) = entity(parts, filled, reach, stub).filter(|_| !told.contains(&name))
        {
            told.insert(name);
            problems.push(problem);
        }
    }
}

/// A bound field without a batch, below a list.
fn field(parts: Parts<'_>, reach: &Reach, bound: &Bound) -> Option<Problem> {
    let binding = parts.bindings.binding(bound.id?);
    // Calls that take nothing of their parent are all the same, and made once.
    if bound.batch.is_some() || binding.parent.is_empty() || binding.call.computed().is_some() {
        return None;
    }
    let mut way = reach.way(&bound.type_name, true)?;
    way.push(Step { type_name: bound.type_name.clone(), field: bound.field.clone() });
    let example = example(parts, &way, None)?;
    Some(warning(&example, bound.place.clone()).help(
        "add `batch: { … }` and use `$batch` in the binding, so that one call fetches many objects",
    ))
}

/// An entity below a list that only lookups for single keys complete.
fn entity(parts: Parts<'_>, filled: &Filled, reach: &Reach, stub: &Stub) -> Option<Problem> {
    let brings = |at: &&usize, name: &str| filled.yields[**at].has(name);
    let is_batched =
        |at: &&usize| matches!(parts.lookups[**at].lookup.arguments, LookupArguments::Many { .. });
    let batched = stub.lookups.iter().filter(is_batched).map(|at| &filled.yields[*at]);
    let batched = Brought::of(batched);
    let alone = stub.missing.iter().find(|name| !batched.has(name))?;
    let single = stub.lookups.iter().find(|at| brings(at, alone))?;
    let single = &parts.lookups[*single].lookup;
    let definition = parts.merged.schema.type_field(&stub.type_name, &stub.field).ok()?;
    let mut way = match reach.way(&stub.type_name, true) {
        Some(way) => way,
        None if is_list(&definition.ty) => reach.way(&stub.type_name, false)?,
        None => return None,
    };
    way.push(Step { type_name: stub.type_name.clone(), field: stub.field.clone() });
    let example = example(parts, &way, Some(&stub.entity))?;
    let place = parts.merged.places.of(definition.name.location())?;
    let entity = &stub.entity;
    Some(warning(&example, place).help(format!(
        "`Query.{}` returns one `{entity}` per call; add a lookup that takes a list of keys and has `batch`",
        single.field
    )))
}

fn warning(example: &Example, place: Place) -> Problem {
    let Example { query, calls } = example;
    let sum = calls.iter().map(u64::to_string).collect::<Vec<_>>().join(" + ");
    Problem::warning(
        "n+1",
        format!("one call for each element of a list: `{query}` makes {sum} calls"),
    )
    .at(place)
}

struct Example {
    query: String,
    /// Of each fetch on the way, in order.
    calls: Vec<u64>,
}

/// A query that goes this way, and the calls it makes.
fn example(parts: Parts<'_>, way: &[Step], looked_up: Option<&str>) -> Option<Example> {
    let schema = &parts.merged.schema;
    let (mut query, mut calls, mut objects, mut open) = (String::new(), Vec::new(), 1_u64, 0);
    for (at, step) in way.iter().enumerate() {
        let field = schema.type_field(&step.type_name, &step.field).ok()?;
        if let Some(bound) = parts.bindings.get(&step.type_name, &step.field) {
            let binding = bound.id.map(|id| parts.bindings.binding(id));
            let max =
                binding.and_then(|binding| binding.batch.as_ref()).map(|batch| batch.max as u64);
            if binding.is_none_or(|binding| binding.call.computed().is_none()) {
                calls.push(max.map_or(objects, |max| objects.div_ceil(max.max(1))));
            }
        }
        query.push_str(&step.field);
        let length = length(parts, step, field);
        query.push_str(&arguments(parts, step, field, length));
        if is_list(&field.ty) {
            objects = objects.saturating_mul(length);
        }
        let inner = field.ty.inner_named_type().as_str();
        if at + 1 < way.len() || !parts.words().is_leaf(inner) {
            query.push_str(" { ");
            open += 1;
        }
        if let Some(next) = way.get(at + 1).filter(|next| next.type_name != inner) {
            query.extend(["... on ", &next.type_name, " { "]);
            open += 1;
        }
    }
    if query.ends_with("{ ") {
        query.push('…');
    }
    if looked_up.is_some() {
        calls.push(objects);
    }
    query.push_str(&" }".repeat(open));
    Some(Example { query, calls })
}

/// The argument that says how long the list is.
fn slicing<'a>(parts: Parts<'_>, step: &Step, field: &'a FieldDefinition) -> Option<&'a str> {
    let found = parts.types.get(&*step.type_name)?.fields.get(&*step.field)?;
    let declared = found.list_size.as_ref().map_or(&[][..], |size| &size.slicing_arguments);
    let is = |name: &str| declared.iter().any(|path| path.len() == 1 && &*path[0] == name);
    let usual = |name: &str| declared.is_empty() && matches!(name, "first" | "limit");
    let names = field.arguments.iter().map(|argument| argument.name.as_str());
    names.into_iter().find(|name| is_list(&field.ty) && (is(name) || usual(name)))
}

fn length(parts: Parts<'_>, step: &Step, field: &FieldDefinition) -> u64 {
    if slicing(parts, step, field).is_some() {
        return USUAL_LENGTH;
    }
    let found = parts.types.get(&*step.type_name).and_then(|found| found.fields.get(&*step.field));
    let assumed = found.and_then(|found| found.list_size.as_ref()?.assumed_size);
    assumed.unwrap_or(USUAL_LENGTH)
}

fn arguments(parts: Parts<'_>, step: &Step, field: &FieldDefinition, length: u64) -> String {
    let slicing = slicing(parts, step, field);
    let written: Vec<String> = field
        .arguments
        .iter()
        .filter(|argument| !argument.directives.has("require"))
        .filter_map(|argument| {
            if slicing == Some(argument.name.as_str()) {
                Some(format!("{}: {length}", argument.name))
            } else {
                argument.is_required().then(|| format!("{}: …", argument.name))
            }
        })
        .collect();
    if written.is_empty() { String::new() } else { format!("({})", written.join(", ")) }
}
