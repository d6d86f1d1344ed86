//! Types of the GraphQL specification, such as `Int` and `__Type`, are not defined by a schema, so it cannot extend
//! them (GraphQL spec, section 3.4.3).

use crate::graph::place::Places;
use crate::problem::Problem;
use apollo_compiler::Schema;
use apollo_compiler::schema::ExtendedType;

/// Refuses extensions of built-in types.
pub(super) fn check(schema: &Schema, places: &Places, problems: &mut Vec<Problem>) {
    for (name, found) in schema.types.iter().filter(|(_, found)| found.is_built_in()) {
        let extensions = match found {
            ExtendedType::Scalar(found) => found.extensions(),
            ExtendedType::Object(found) => found.extensions(),
            ExtendedType::Interface(found) => found.extensions(),
            ExtendedType::Union(found) => found.extensions(),
            ExtendedType::Enum(found) => found.extensions(),
            ExtendedType::InputObject(found) => found.extensions(),
        };
        for extension in extensions {
            let message = format!("`{name}` is defined by GraphQL, so it cannot be extended");
            problems.push(
                Problem::error("invalid-schema", message)
                    .at(places.of(extension.location()))
                    .help("remove the extension; a scalar with directives needs a name of its own"),
            );
        }
    }
}
