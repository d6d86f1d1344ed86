//! Rules of the type system (GraphQL spec, section 3) that the parser's own validation lacks, one rule per file; and
//! definitions of the specification that the parser has in an older form.

mod deprecated_fields;
mod extensions;
mod root_operation_types;
mod specified;

pub(super) use specified::update;

use super::place::Places;
use crate::problem::Problem;
use apollo_compiler::Schema;

/// Runs all rules on a schema that is not validated yet, because validation drops unused built-in types.
pub(super) fn check(schema: &Schema, places: &Places, problems: &mut Vec<Problem>) {
    root_operation_types::check(schema, places, problems);
    extensions::check(schema, places, problems);
    deprecated_fields::check(schema, places, problems);
}
