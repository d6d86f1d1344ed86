//! "The `@deprecated` directive must not appear on required (non-null without a default) arguments or input object
//! field definitions" (GraphQL spec, section 3.13.3): clients could not leave it out.

use crate::graph::merge::Merged;
use crate::problem::Problem;
use apollo_compiler::ast::InputValueDefinition;

/// Refuses `@deprecated` on required arguments and input fields.
pub(super) fn check(
    merged: &Merged,
    coordinate: &str,
    definition: &InputValueDefinition,
    problems: &mut Vec<Problem>,
) {
    let directive = definition.directives.get("deprecated").filter(|_| definition.is_required());
    let Some(directive) = directive else { return };
    let message = format!("`{coordinate}` is required, so it cannot be deprecated");
    problems.push(
        Problem::error("misplaced-directive", message)
            .at(merged.places.of(directive.location()))
            .help("make it nullable, or add a default"),
    );
}
