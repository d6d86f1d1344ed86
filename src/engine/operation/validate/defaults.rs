//! Counts the values that defaults add to a document, like those of variables: `{}` is two tokens, but may be an object
//! that the schema's defaults make large.

use super::{GivenArguments, Rules, visit, visit_directives};
use crate::graph::Defaults;
use crate::graphql::{Error, ErrorCode};
use apollo_compiler::ast::{Type, Value};

/// Refuses a document whose arguments hold more than `most` values with their defaults. Returns the number of values
/// that defaults add.
pub(super) fn check(rules: &mut Rules<'_>, defaults: &Defaults, most: u64) -> u64 {
    let (schema, document) = (rules.schema, rules.document);
    let mut added: u64 = 0;
    let mut see = |given: GivenArguments<'_>| {
        for definition in given.definitions {
            let argument = given.arguments.iter().find(|one| one.name == definition.name);
            let value = argument.map(|argument| &argument.value);
            let size = match (value, &definition.default_value) {
                (Some(value), _) => defaults.added(schema, &definition.ty, value),
                (None, Some(default)) => size(defaults, schema, &definition.ty, default),
                (None, None) => 0,
            };
            added = added.saturating_add(size);
        }
    };
    for operation in document.operations.iter() {
        visit_directives(schema, &operation.directives, &mut see);
        visit(schema, &operation.selection_set, &mut see);
    }
    for fragment in document.fragments.values() {
        visit(schema, &fragment.selection_set, &mut see);
    }
    let variables = document.operations.iter().flat_map(|operation| &operation.variables);
    for variable in variables {
        if let Some(default) = &variable.default_value {
            added = added.saturating_add(defaults.added(schema, &variable.ty, default));
        }
    }
    if added > most {
        let message = format!(
            "the schema's defaults add more than {most} values to the document (limits.variables)"
        );
        rules.errors.push(Error::new(ErrorCode::LimitExceeded, message));
    }
    added
}

fn size(defaults: &Defaults, schema: &apollo_compiler::Schema, ty: &Type, value: &Value) -> u64 {
    defaults.added(schema, ty, value).saturating_add(1)
}
