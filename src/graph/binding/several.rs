//! Error message for a field with several bindings: suggests a field for each of them, ready to paste into the schema.

use crate::graph::merge::Merged;
use crate::graph::words::Words;
use crate::problem::Problem;
use apollo_compiler::Node;
use apollo_compiler::ast::{Directive, FieldDefinition};

/// Maximum number of bindings for which a field is suggested.
const MAX_SHOWN: usize = 4;

/// Maximum size of a binding that is quoted, in bytes. If it is longer, or has several lines, only its source is named.
const MAX_BINDING: usize = 160;

/// Refuses a field with several bindings.
pub(super) fn refuse(
    merged: &Merged,
    type_name: &str,
    field: &FieldDefinition,
    bindings: &[&Node<Directive>],
) -> Problem {
    let count = match bindings.len() {
        2 => "two".to_owned(),
        count => count.to_string(),
    };
    let message = format!("`{type_name}.{}` has {count} bindings", field.name);
    let mut names = Vec::new();
    let mut fields = Vec::new();
    for binding in bindings.iter().take(MAX_SHOWN) {
        let name = free_name(merged, type_name, field, binding, &names);
        let (arguments, ty) = (arguments(field), &field.ty);
        fields.push(format!("{name}{arguments}: {ty} {}", shown(merged, binding)));
        names.push(name);
    }
    let help = format!(
        "a field can have only one binding, so declare a field for each:\n{}",
        fields.join("\n")
    );
    let second = bindings.get(1).and_then(|second| merged.places.of(second.location()));
    Problem::error("two-bindings", message).at(second).help(help)
}

/// Returns a free name, such as `ordersFromUsers`. It gets a number if the type or this message already has that name.
fn free_name(
    merged: &Merged,
    type_name: &str,
    field: &FieldDefinition,
    binding: &Directive,
    taken: &[String],
) -> String {
    let source = binding.specified_argument_by_name("source").and_then(|source| source.as_str());
    let words =
        source.unwrap_or(&binding.name).split(|letter: char| !letter.is_ascii_alphanumeric());
    let mut name = format!("{}From", field.name);
    for word in words {
        let mut letters = word.chars();
        name.extend(letters.next().map(|first| first.to_ascii_uppercase()));
        name.extend(letters);
    }
    let known = Words(&merged.schema).fields(type_name);
    let is_free = |name: &String| !taken.contains(name) && !known.contains(&name.as_str());
    let numbered = (2..).map(|number| format!("{name}{number}"));
    std::iter::once(name.clone()).chain(numbered).find(is_free).unwrap_or_default()
}

fn arguments(field: &FieldDefinition) -> String {
    if field.arguments.is_empty() {
        return String::new();
    }
    let shown = field.arguments.iter().map(|argument| {
        let default = argument.default_value.as_ref();
        let default = default.map(|default| format!(" = {default}")).unwrap_or_default();
        format!("{}: {}{default}{}", argument.name, argument.ty, argument.directives)
    });
    format!("({})", shown.collect::<Vec<_>>().join(", "))
}

/// Returns the text of the directive.
fn shown(merged: &Merged, binding: &Node<Directive>) -> String {
    let place = merged.places.of(binding.location());
    let text = place.as_ref().and_then(|place| place.file.text.get(place.span.clone()));
    let short = text.filter(|text| text.len() <= MAX_BINDING && !text.contains('\n'));
    short.map_or_else(
        || match binding.specified_argument_by_name("source") {
            Some(source) => format!("@{}(source: {source}, …)", binding.name),
            None => format!("@{}(…)", binding.name),
        },
        str::to_owned,
    )
}
