//! `@oneOf` (GraphQL spec, section 3.10.1): each field of such an input object is nullable and has no default, and a
//! finite value of it can be written.

use super::input_objects;
use super::literal::is_one_of;
use crate::graph::merge::Merged;
use crate::problem::Problem;
use apollo_compiler::Schema;
use apollo_compiler::ast::Type;
use apollo_compiler::schema::InputObjectType;
use hashbrown::HashSet;

/// Refuses fields of a `@oneOf` that the client could not leave out, and input objects that never end.
pub(super) fn check(merged: &Merged, problems: &mut Vec<Problem>) {
    let objects = || input_objects(&merged.schema);
    for object in objects().filter(|object| is_one_of(object)) {
        for field in object.fields.values() {
            let (message, help) = if field.ty.is_non_null() {
                ("must be nullable", format!("write `{}: {}`", field.name, nullable(&field.ty)))
            } else if field.default_value.is_some() {
                ("has no default", "remove the default".to_owned())
            } else {
                continue;
            };
            let message =
                format!("`{}` is `@oneOf`, so its field `{}` {message}", object.name, field.name);
            let at = merged.places.of(field.location());
            problems.push(Problem::error("invalid-one-of", message).at(at).help(help));
        }
    }
    let finite = finite(&merged.schema, objects);
    for object in objects().filter(|object| !finite.contains(object.name.as_str())) {
        // Cycles without a `@oneOf` are found by the parser's own validation.
        if !is_one_of(object) {
            continue;
        }
        let message = format!("no finite value of `{}` can be written", object.name);
        problems.push(
            Problem::error("invalid-one-of", message)
                .at(merged.places.of(object.name.location()))
                .help("give it a field that is a scalar, an enum or a list"),
        );
    }
}

fn nullable(ty: &Type) -> Type {
    ty.clone().nullable()
}

/// Input objects of which a finite value can be written.
fn finite<'a, I: Iterator<Item = &'a InputObjectType>>(
    schema: &Schema,
    objects: impl Fn() -> I,
) -> HashSet<&'a str> {
    let mut finite: HashSet<&str> = HashSet::new();
    loop {
        let before = finite.len();
        for object in objects() {
            let ends = |ty: &Type| match ty {
                Type::List(_) | Type::NonNullList(_) => true,
                Type::Named(name) | Type::NonNullNamed(name) => {
                    schema.get_input_object(name).is_none() || finite.contains(name.as_str())
                }
            };
            let mut fields = object.fields.values();
            let is = if is_one_of(object) {
                fields.any(|field| ends(&field.ty))
            } else {
                fields.all(|field| !field.ty.is_non_null() || ends(&field.ty))
            };
            if is {
                finite.insert(object.name.as_str());
            }
        }
        if finite.len() == before {
            return finite;
        }
    }
}
