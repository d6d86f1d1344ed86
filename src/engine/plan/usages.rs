//! The places in a literal where variables are used, each with what is due there.

use crate::graph::is_one_of;
use apollo_compiler::ast::{InputValueDefinition, Type, Value};
use apollo_compiler::parser::SourceSpan;
use apollo_compiler::{Name, Node, Schema};

/// One use of a variable.
#[derive(Clone, Copy)]
pub(in crate::engine) struct VariableUsage<'a> {
    pub variable: &'a Name,
    pub at: Option<SourceSpan>,
    /// The type that is due; `None` in an object that is a custom scalar, where anything is.
    pub due: Option<&'a Type>,
    /// The argument or input field has a default.
    pub has_default: bool,
    /// It is a field of this `@oneOf`.
    pub one_of: Option<&'a Name>,
}

/// Adds the uses of variables in the value of an argument.
pub(in crate::engine) fn usages<'a>(
    schema: &'a Schema,
    definition: &'a InputValueDefinition,
    value: &'a Node<Value>,
    found: &mut Vec<VariableUsage<'a>>,
) {
    let has_default = definition.default_value.is_some();
    let place = VariableUsage {
        variable: &definition.name,
        at: None,
        due: None,
        has_default,
        one_of: None,
    };
    walk(schema, VariableUsage { due: Some(&definition.ty), ..place }, value, found);
}

/// `place` is what is due here; its variable is filled in where one is used. As deep as the parser lets literals be.
fn walk<'a>(
    schema: &'a Schema,
    place: VariableUsage<'a>,
    value: &'a Node<Value>,
    found: &mut Vec<VariableUsage<'a>>,
) {
    let bare = |due| VariableUsage { due, has_default: false, one_of: None, ..place };
    match &**value {
        Value::Variable(variable) => {
            found.push(VariableUsage { variable, at: value.location(), ..place });
        }
        Value::List(items) => {
            let of = place.due.map(|due| match due {
                Type::List(of) | Type::NonNullList(of) => &**of,
                // A list in a custom scalar: each element may be one, too.
                Type::Named(_) | Type::NonNullNamed(_) => due,
            });
            for item in items {
                walk(schema, bare(of), item, found);
            }
        }
        Value::Object(fields) => {
            let object = place.due.and_then(|due| schema.get_input_object(due.inner_named_type()));
            for (name, value) in fields {
                let field = object.and_then(|object| Some((object, object.fields.get(name)?)));
                let place = field.map_or_else(
                    || bare(None),
                    |(object, field)| VariableUsage {
                        due: Some(&field.ty),
                        has_default: field.default_value.is_some(),
                        one_of: is_one_of(object).then_some(&object.name),
                        ..place
                    },
                );
                walk(schema, place, value, found);
            }
        }
        _ => {}
    }
}
