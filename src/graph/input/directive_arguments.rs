//! Checks that arguments of directives in the SDL are values of their types (GraphQL spec, sections 3.13 and 5.6).
//!
//! The parser's own validation covers most of it. It confuses null in a list with null for the list, and accepts
//! duplicate fields.

use super::literal::misfits;
use super::unique_fields::repeated_fields;
use crate::graph::merge::Merged;
use crate::problem::{Place, Problem};
use apollo_compiler::ast::{Argument, Directive, DirectiveList, InputValueDefinition};
use apollo_compiler::schema::{Component, ExtendedType};
use apollo_compiler::{Node, Schema};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Refuses invalid arguments of directives. Reports nothing more about an argument that is already refused.
pub(in crate::graph) fn check(merged: &Merged, problems: &mut Vec<Problem>) {
    let schema = &merged.schema;
    let refused: BTreeSet<Start> =
        problems.iter().filter_map(|problem| problem.place.as_ref()).map(start).collect();
    let is_refused = |directive: &Node<Directive>, argument: &Node<Argument>| {
        let directive = merged.places.of(directive.location());
        let argument = merged.places.of(argument.location());
        directive.is_some_and(|place| refused.contains(&start(&place)))
            || argument.is_some_and(|place| {
                let (file, from) = start(&place);
                refused.range((file, from)..(file, place.span.end)).next().is_some()
            })
    };
    let mut found = Vec::new();
    for directive in uses(schema) {
        let Some(definition) = schema.directive_definitions.get(&directive.name) else { continue };
        for argument in &directive.arguments {
            if is_refused(directive, argument) {
                continue;
            }
            let mut report = |at, message: String| {
                let at = merged.places.of(at).or_else(|| merged.places.of(argument.location()));
                let name = format!("@{}({}:)", directive.name, argument.name);
                let message = format!("the value of `{name}` is invalid: {message}");
                found.push(Problem::error("invalid-schema", message).at(at));
            };
            repeated_fields(&argument.value, &mut report);
            if let Some(definition) = definition.argument_by_name(&argument.name) {
                misfits(schema, &definition.ty, &argument.value, &mut report);
            }
        }
    }
    problems.extend(found);
}

/// Index of a file, and an offset in it.
type Start = (usize, usize);

fn start(place: &Place) -> Start {
    (Arc::as_ptr(&place.file) as usize, place.span.start)
}

/// Returns all uses of directives, except those on built-in types.
fn uses(schema: &Schema) -> Vec<&Node<Directive>> {
    let mut all = Vec::new();
    all.extend(nodes(&schema.schema_definition.directives));
    for found in schema.types.values().filter(|found| !found.is_built_in()) {
        all.extend(nodes(found.directives()));
        match found {
            ExtendedType::Object(object) => {
                object.fields.values().for_each(|field| of_field(field, &mut all));
            }
            ExtendedType::Interface(interface) => {
                interface.fields.values().for_each(|field| of_field(field, &mut all));
            }
            ExtendedType::Enum(values) => {
                all.extend(values.values.values().flat_map(|value| value.directives.iter()));
            }
            ExtendedType::InputObject(input) => {
                all.extend(input.fields.values().flat_map(|field| field.directives.iter()));
            }
            ExtendedType::Scalar(_) | ExtendedType::Union(_) => {}
        }
    }
    for definition in schema.directive_definitions.values() {
        of_arguments(&definition.arguments, &mut all);
    }
    all
}

fn nodes(list: &apollo_compiler::schema::DirectiveList) -> impl Iterator<Item = &Node<Directive>> {
    list.iter().map(|directive: &Component<Directive>| &directive.node)
}

fn of_field<'a>(
    field: &'a apollo_compiler::ast::FieldDefinition,
    all: &mut Vec<&'a Node<Directive>>,
) {
    all.extend(list(&field.directives));
    of_arguments(&field.arguments, all);
}

fn of_arguments<'a>(
    arguments: &'a [Node<InputValueDefinition>],
    all: &mut Vec<&'a Node<Directive>>,
) {
    all.extend(arguments.iter().flat_map(|argument| list(&argument.directives)));
}

fn list(list: &DirectiveList) -> impl Iterator<Item = &Node<Directive>> {
    list.iter()
}
