//! "If the field of the interface is not deprecated, the field that implements it must not be deprecated" (GraphQL
//! spec, section 3.6, `IsValidImplementation`): clients of the interface would not see it.

use crate::graph::place::Places;
use crate::problem::Problem;
use apollo_compiler::Schema;
use apollo_compiler::schema::ExtendedType;

/// Refuses deprecated fields that implement one that is not.
pub(super) fn check(schema: &Schema, places: &Places, problems: &mut Vec<Problem>) {
    for (name, found) in &schema.types {
        let (interfaces, fields) = match found {
            ExtendedType::Object(found) => (&found.implements_interfaces, &found.fields),
            ExtendedType::Interface(found) => (&found.implements_interfaces, &found.fields),
            _ => continue,
        };
        for field in fields.values() {
            let Some(deprecated) = field.directives.get("deprecated") else { continue };
            let implemented = interfaces.iter().find(|interface| {
                let implemented = schema.get_interface(&interface.name);
                let implemented = implemented.and_then(|found| found.fields.get(&field.name));
                implemented.is_some_and(|field| !field.directives.has("deprecated"))
            });
            let Some(interface) = implemented else { continue };
            let message = format!(
                "`{}.{}` is not deprecated, so `{name}.{}` cannot be deprecated",
                interface.name, field.name, field.name
            );
            problems.push(
                Problem::error("invalid-schema", message)
                    .at(places.of(deprecated.location()))
                    .help("deprecate the field of the interface first"),
            );
        }
    }
}
