//! Formats of custom scalars: by their names, unless `@unchecked` turns the check off.

use crate::graphql::ScalarFormat;
use apollo_compiler::schema::ScalarType;

/// Returns the format of a scalar's values; `None` if it takes any value. The scalar must be of the bound schema:
/// clients do not see the directive.
#[must_use]
pub fn format_of(scalar: &ScalarType) -> Option<ScalarFormat> {
    ScalarFormat::of(&scalar.name).filter(|_| !scalar.directives.has("unchecked"))
}
