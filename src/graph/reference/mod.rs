//! References in the texts of a binding: arguments, fields of the parent, keys of a batch, environment variables.
//!
//! Each name is looked up in the schema, and its type is checked against its position. Fields of the parent that a text
//! uses become [`Binding::parent`](super::Binding), which the planner fetches first.

mod names;

use super::binding::{Bindings, Bound};
use super::merge::Merged;
use super::{BindingId, ObjectType};
use crate::graphql::Name;
use crate::mapping::{Mapping, Variable};
use crate::problem::Problem;
use crate::source::{Argument, Placed};
use hashbrown::HashMap;
use names::Checking;
use serde_json::Value;

/// Checks the references of every binding. Sets its parent fields and, on entity fields, its batch.
pub(super) fn check(
    merged: &Merged,
    types: &HashMap<Name, ObjectType>,
    bindings: &mut Bindings,
    problems: &mut Vec<Problem>,
) {
    let mut done = Vec::new();
    for bound in &bindings.bound {
        let Some(id) = bound.id else { continue };
        let Ok(field) = merged.schema.type_field(&bound.type_name, &bound.field) else { continue };
        let mut checking = Checking::new(&merged.schema, bound, field, problems);
        for placed in all(bindings, id, bound) {
            checking.one(&placed);
        }
        done.push((id, checking.finish()));
    }
    for (id, (parent, batch)) in done {
        let binding = bindings.binding_mut(id);
        binding.parent = parent;
        if batch.is_some() {
            binding.batch = batch;
        }
    }
    refuse_mutations(types, bindings, problems);
    refuse_cycles(types, bindings, problems);
}

/// Refuses bindings that need the value of a mutation beside them, in a namespace: a mutation is made only if a client
/// selects it.
fn refuse_mutations(
    types: &HashMap<Name, ObjectType>,
    bindings: &Bindings,
    problems: &mut Vec<Problem>,
) {
    for bound in &bindings.bound {
        for name in needs(types, bindings, bound) {
            let needed = bindings.get(&bound.type_name, name);
            let Some(needed) =
                needed.filter(|needed| needed.id.is_some_and(|id| bindings.binding(id).changes))
            else {
                continue;
            };
            let (field, mutation) = (bound.coordinate(), needed.coordinate());
            let message = format!("`{field}` needs `{mutation}`, which is a mutation");
            problems.push(
                Problem::error("misplaced-variable", message)
                    .at(bound.place.clone())
                    .help("remove the reference: a mutation runs only if a client selects it"),
            );
        }
    }
}

/// Returns the values of all environment variables that texts use, as an object.
pub(super) fn env(
    bindings: &Bindings,
    read: &dyn Fn(&str) -> Option<String>,
    problems: &mut Vec<Problem>,
) -> Value {
    let mut values = serde_json::Map::new();
    for bound in &bindings.bound {
        let Some(id) = bound.id else { continue };
        for placed in all(bindings, id, bound) {
            if placed.reference.variable != Variable::Env {
                continue;
            }
            let Some(name) = placed.reference.path.first() else {
                let message = "`$env` needs the name of an environment variable";
                problems.push(
                    Problem::error("misplaced-variable", message)
                        .at(placed.place)
                        .help("add a name, such as `$env.REGION`"),
                );
                continue;
            };
            match read(name) {
                Some(value) => {
                    values.insert(name.to_string(), Value::String(value));
                }
                None => problems.push(
                    Problem::error("unset-env", format!("the environment variable `{name}` is not set"))
                        .at(placed.place)
                        .help("set it in the gateway's environment, or write the value under `config` of the source"),
                ),
            }
        }
    }
    Value::Object(values)
}

/// Returns the references of all bindings.
pub(super) fn everywhere(bindings: &Bindings) -> Vec<Placed> {
    let of_bound = |bound: &Bound| bound.id.map(|id| all(bindings, id, bound));
    bindings.bound.iter().filter_map(of_bound).flatten().collect()
}

/// Returns the references of a call and of its `select`.
fn all(bindings: &Bindings, id: BindingId, bound: &Bound) -> Vec<Placed> {
    let call = &bindings.binding(id).call;
    let mut placed = call.references().to_vec();
    if let (Some(mapping), Some(select)) = (call.select(), &bound.select) {
        placed.extend(in_select(mapping, select));
    }
    placed
}

fn in_select(mapping: &Mapping, select: &Argument) -> Vec<Placed> {
    let place = |reference: crate::mapping::Reference| {
        let place = select.place_of(&reference.span);
        Placed { reference, place }
    };
    mapping.references().into_iter().map(place).collect()
}

/// Returns the parent's fields that must be fetched before this one can be called.
fn needs<'a>(
    types: &'a HashMap<Name, ObjectType>,
    bindings: &'a Bindings,
    bound: &Bound,
) -> Vec<&'a Name> {
    let parent = bound.id.map_or(&[][..], |id| &bindings.binding(id).parent);
    let field = types.get(&*bound.type_name).and_then(|found| found.fields.get(&*bound.field));
    let requires = field.into_iter().flat_map(|field| &field.requires);
    let needed = requires.filter_map(|(_, path)| path.first());
    parent.iter().map(|selection| &selection.name).chain(needed).collect()
}

/// Refuses fields whose calls need each other's values: none of them could be the first.
fn refuse_cycles(
    types: &HashMap<Name, ObjectType>,
    bindings: &Bindings,
    problems: &mut Vec<Problem>,
) {
    // `false` while the walk is below a field, `true` afterwards.
    let mut state: HashMap<String, bool> = HashMap::new();
    for bound in &bindings.bound {
        if state.contains_key(&bound.coordinate()) {
            continue;
        }
        state.insert(bound.coordinate(), false);
        let mut stack = vec![(bound, 0)];
        while let Some((at, next)) = stack.pop() {
            let needs = needs(types, bindings, at);
            let Some(need) = needs.get(next) else {
                state.insert(at.coordinate(), true);
                continue;
            };
            stack.push((at, next + 1));
            let Some(needed) = bindings.get(&at.type_name, need) else { continue };
            match state.get(&needed.coordinate()) {
                Some(true) => {}
                Some(false) => problems.push(cycle(at, needed)),
                None => {
                    state.insert(needed.coordinate(), false);
                    stack.push((needed, 0));
                }
            }
        }
    }
}

fn cycle(at: &Bound, needed: &Bound) -> Problem {
    let (at_name, needed_name) = (at.coordinate(), needed.coordinate());
    let message = if at_name == needed_name {
        format!("`{at_name}` depends on itself")
    } else {
        format!("`{at_name}` and `{needed_name}` depend on each other")
    };
    Problem::error("cyclic-requirement", message)
        .at(at.place.clone())
        .help("remove one of the references")
}
