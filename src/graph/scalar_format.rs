//! The forms of custom scalars: by their names, unless `@unchecked` says that they take any value.

use crate::graphql::ScalarFormat;
use apollo_compiler::schema::ScalarType;

/// Returns the form of a scalar's values; `None` if it takes any. The scalar is of the bound schema: clients do not see the
/// directive.
#[must_use]
pub fn format_of(scalar: &ScalarType) -> Option<ScalarFormat> {
    ScalarFormat::of(&scalar.name).filter(|_| !scalar.directives.has("unchecked"))
}
