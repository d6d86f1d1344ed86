//! Definitions of the specification of September 2025 that the parser has in the form of 2021: arguments that were
//! nullable then (`includeDeprecated`, section 4.2; `@deprecated(reason:)`, section 3.13.3).

use apollo_compiler::ast::{InputValueDefinition, Type};
use apollo_compiler::schema::ExtendedType;
use apollo_compiler::{Node, Schema};

/// Updates the built-in definitions. Those that the SDL replaces stay as they are written.
pub(in crate::graph) fn update(schema: &mut Schema) {
    for name in ["__Type", "__Field", "__Directive"] {
        let Some(ExtendedType::Object(object)) = schema.types.get_mut(name) else { continue };
        for field in object.make_mut().fields.values_mut() {
            non_null(&mut field.make_mut().arguments, "includeDeprecated");
        }
    }
    if let Some(definition) = schema.directive_definitions.get_mut("deprecated")
        && definition.is_built_in()
    {
        non_null(&mut definition.make_mut().arguments, "reason");
    }
}

fn non_null(arguments: &mut [Node<InputValueDefinition>], name: &str) {
    for argument in arguments.iter_mut().filter(|argument| argument.name == *name) {
        let ty = argument.ty.inner_named_type().clone();
        *argument.make_mut().ty.make_mut() = Type::NonNullNamed(ty);
    }
}
