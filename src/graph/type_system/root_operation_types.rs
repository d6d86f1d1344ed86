//! "Root Operation Types" (GraphQL spec, section 3.3.1): without a `schema` definition, the types with the default
//! names are the roots, and a root is an object type.

use crate::graph::place::Places;
use crate::problem::Problem;
use apollo_compiler::Schema;

/// Refuses other types with the name of a root. The parser's own validation finds a missing query root.
pub(super) fn check(schema: &Schema, places: &Places, problems: &mut Vec<Problem>) {
    if schema.schema_definition.location().is_some() {
        return;
    }
    for name in ["Mutation", "Subscription"] {
        let Some(found) = schema.types.get(name).filter(|found| !found.is_object()) else {
            continue;
        };
        let message = format!("`{name}` must be an object type: it is the root of an operation");
        problems.push(
            Problem::error("invalid-schema", message)
                .at(places.of(found.name().location()))
                .help("rename it, or name the root types with `schema { query: … }`"),
        );
    }
}
