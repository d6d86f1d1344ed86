//! Rules of the GraphQL specification on arguments and input objects that the parser's own validation lacks. One rule
//! per file.
//!
//! Values that are accepted here are filled into requests without further checks: defaults end, and fit their types.

mod default_cycles;
mod default_values;
mod deprecated;
mod directive_arguments;
pub mod expected;
mod literal;
mod one_of;
mod unique_fields;
mod unread;

pub use default_cycles::Defaults;
pub(super) use directive_arguments::check as check_directives;
pub use literal::{is_misread, is_one_of, misfits};
pub use unique_fields::repeated_fields;

use super::binding::Bindings;
use super::merge::Merged;
use crate::problem::Problem;
use apollo_compiler::Schema;
use apollo_compiler::ast::InputValueDefinition;
use apollo_compiler::schema::{ExtendedType, InputObjectType};

/// An argument or an input field.
struct InputValue<'a> {
    /// Its schema coordinate, such as `Query.user(id:)`.
    coordinate: String,
    definition: &'a InputValueDefinition,
}

/// Runs all rules.
pub(super) fn check(merged: &Merged, bindings: &Bindings, problems: &mut Vec<Problem>) -> Defaults {
    let defaults = default_cycles::check(merged, problems);
    one_of::check(merged, problems);
    let of_objects = input_objects(&merged.schema).flat_map(|object| {
        let coordinate = |field: &str| format!("{}.{field}", object.name);
        let fields = object.fields.values();
        fields
            .map(move |field| InputValue { coordinate: coordinate(&field.name), definition: field })
    });
    for InputValue { coordinate, definition } in arguments(&merged.schema).chain(of_objects) {
        default_values::check(merged, &coordinate, definition, problems);
        deprecated::check(merged, &coordinate, definition, problems);
    }
    unread::check(merged, bindings, problems);
    defaults
}

fn input_objects(schema: &Schema) -> impl Iterator<Item = &InputObjectType> {
    schema.types.values().filter_map(|found| match found {
        ExtendedType::InputObject(object) => Some(&**object),
        _ => None,
    })
}

/// Returns all arguments of fields and directives.
fn arguments(schema: &Schema) -> impl Iterator<Item = InputValue<'_>> {
    let of_fields = schema.types.iter().flat_map(|(name, found)| {
        let fields = match found {
            ExtendedType::Object(object) => Some(&object.fields),
            ExtendedType::Interface(interface) => Some(&interface.fields),
            _ => None,
        };
        fields.into_iter().flat_map(|fields| fields.values()).flat_map(move |field| {
            field.arguments.iter().map(move |argument| InputValue {
                coordinate: format!("{name}.{}({}:)", field.name, argument.name),
                definition: argument,
            })
        })
    });
    let of_directives = schema.directive_definitions.iter().flat_map(|(name, directive)| {
        directive.arguments.iter().map(move |argument| InputValue {
            coordinate: format!("@{name}({}:)", argument.name),
            definition: argument,
        })
    });
    of_fields.chain(of_directives)
}
