//! `@oneOf` (GraphQL spec, section 3.10.1): each field of such an input object is nullable and has no default, and a
//! finite value of it exists.

use super::input_objects;
use super::literal::is_one_of;
use crate::graph::merge::Merged;
use crate::problem::Problem;
use apollo_compiler::Schema;
use apollo_compiler::ast::Type;
use apollo_compiler::schema::InputObjectType;
use hashbrown::{HashMap, HashSet};

/// Refuses required fields of a `@oneOf`, and input objects without a finite value.
pub(super) fn check(merged: &Merged, problems: &mut Vec<Problem>) {
    let objects = || input_objects(&merged.schema);
    for object in objects().filter(|object| is_one_of(object)) {
        for field in object.fields.values() {
            let (message, help) = if field.ty.is_non_null() {
                ("must be nullable", format!("write `{}: {}`", field.name, nullable(&field.ty)))
            } else if field.default_value.is_some() {
                ("must not have a default", "remove the default".to_owned())
            } else {
                continue;
            };
            let message =
                format!("`{}` is `@oneOf`, so its field `{}` {message}", object.name, field.name);
            let at = merged.places.of(field.location());
            problems.push(Problem::error("invalid-one-of", message).at(at).help(help));
        }
    }
    let finite = finite(&merged.schema, objects());
    for object in objects().filter(|object| !finite.contains(object.name.as_str())) {
        // Cycles without a `@oneOf` are found by the parser's own validation.
        if !is_one_of(object) {
            continue;
        }
        let message =
            format!("`{}` has no finite value, because it always contains itself", object.name);
        problems.push(
            Problem::error("invalid-one-of", message)
                .at(merged.places.of(object.name.location()))
                .help("add a field that is a scalar, an enum or a list"),
        );
    }
}

fn nullable(ty: &Type) -> Type {
    ty.clone().nullable()
}

/// Returns the input objects that have a finite value.
fn finite<'a>(
    schema: &Schema,
    objects: impl Iterator<Item = &'a InputObjectType>,
) -> HashSet<&'a str> {
    let mut finite: HashSet<&str> = HashSet::new();
    let mut ready: Vec<&str> = Vec::new();
    // Input objects by the one that they wait for, and the number that each one waits for.
    let mut waiting: HashMap<&str, Vec<&str>> = HashMap::new();
    let mut missing: HashMap<&str, usize> = HashMap::new();
    for object in objects {
        let needed = |ty: &'a Type| match ty {
            Type::Named(name) | Type::NonNullNamed(name) => {
                schema.get_input_object(name).map(|_| name.as_str())
            }
            Type::List(_) | Type::NonNullList(_) => None,
        };
        let one_of = is_one_of(object);
        let fields = object.fields.values().filter(|field| one_of || field.ty.is_non_null());
        let needed: Vec<Option<&str>> = fields.map(|field| needed(&field.ty)).collect();
        let open = needed.iter().flatten().count();
        // For a `@oneOf`, one field is enough.
        let count = if one_of { usize::from(open == needed.len()) } else { open };
        if count == 0 {
            ready.push(&object.name);
        }
        missing.insert(&object.name, count);
        for needed in needed.into_iter().flatten() {
            waiting.entry(needed).or_default().push(&object.name);
        }
    }
    while let Some(name) = ready.pop() {
        if !finite.insert(name) {
            continue;
        }
        for waits in waiting.remove(name).into_iter().flatten() {
            let left = missing.entry(waits).or_default();
            *left = left.saturating_sub(1);
            if *left == 0 {
                ready.push(waits);
            }
        }
    }
    finite
}
