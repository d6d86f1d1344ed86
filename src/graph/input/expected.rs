//! Error messages about input values of the wrong type: the same for literals of SDL and documents as for JSON of
//! variables.

use crate::graphql::ScalarFormat;
use apollo_compiler::ast::Type;
use apollo_compiler::schema::EnumType;
use std::fmt::Display;

pub fn not_null(ty: &Type) -> String {
    format!("null cannot stand where `{ty}` is due")
}

/// Returns the message for a scalar with a value of another kind. `None` for a custom scalar without a format, which
/// takes any value.
pub fn other_scalar(name: &str, format: Option<ScalarFormat>, found: &str) -> Option<String> {
    let expected = match name {
        "Int" => "a whole number",
        "Float" => "a number",
        "String" => "a string",
        "ID" => "a string or a whole number",
        "Boolean" => "`true` or `false`",
        _ => format?.expected(),
    };
    Some(format!("`{name}` takes {expected}, not {found}"))
}

pub fn out_of_range(name: &str) -> String {
    let article = if name == "Int" { "an" } else { "a" };
    format!("this number does not fit {article} `{name}`")
}

/// Returns the message for an unknown enum value; `None` if the enum has the value.
pub fn no_value(definition: &EnumType, value: &str) -> Option<String> {
    let is_known = definition.values.contains_key(value);
    (!is_known).then(|| format!("`{}` has no value `{value}`", definition.name))
}

pub fn not_a_value(definition: &EnumType, found: &str) -> String {
    format!("`{}` takes one of its values, not {found}", definition.name)
}

pub fn an_object(name: &str, found: &str) -> String {
    format!("`{name}` takes an object, not {found}")
}

pub fn no_field(name: &str, key: impl Display) -> String {
    format!("`{name}` has no field `{key}`")
}

pub fn missing_field(name: &str, key: impl Display) -> String {
    format!("`{name}` needs a value for its field `{key}`")
}

/// Returns the message about a `@oneOf` without exactly one field.
pub fn exactly_one(name: &str) -> String {
    format!("`{name}` takes exactly one of its fields, with a value that is not null")
}
