//! Checks that defaults of arguments and input fields are values of their types (GraphQL spec, sections 3.6.1, 3.10 and
//! 3.13).

use super::literal::misfits;
use super::unique_fields::repeated_fields;
use crate::graph::merge::Merged;
use crate::problem::Problem;
use apollo_compiler::ast::InputValueDefinition;
use apollo_compiler::parser::SourceSpan;

/// Refuses a default that is not a value of its type.
pub(super) fn check(
    merged: &Merged,
    coordinate: &str,
    definition: &InputValueDefinition,
    problems: &mut Vec<Problem>,
) {
    let Some(default) = &definition.default_value else { return };
    let mut report = |at: Option<SourceSpan>, message: String| {
        let at = at.or_else(|| default.location());
        let message = format!("the default of `{coordinate}` is invalid: {message}");
        problems.push(
            Problem::error("invalid-default", message)
                .at(merged.places.of(at))
                .help(format!("write a value of type `{}`", definition.ty)),
        );
    };
    repeated_fields(default, &mut report);
    misfits(&merged.schema, &definition.ty, default, &mut report);
}
