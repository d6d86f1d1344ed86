//! An argument has to change something. A field without a binding is read from its parent's reply whatever is given to
//! it, so two aliases with different arguments would have one value.
//!
//! Fields of interfaces are left alone: those of their objects decide.

use crate::graph::binding::Bindings;
use crate::graph::merge::Merged;
use crate::graph::words::Words;
use crate::problem::Problem;
use apollo_compiler::ast::FieldDefinition;

/// Refuses arguments that nothing reads.
pub(super) fn check(merged: &Merged, bindings: &Bindings, problems: &mut Vec<Problem>) {
    let words = Words(&merged.schema);
    for (type_name, object) in words.objects() {
        // A root field without a binding is a problem of its own.
        if words.root(type_name).is_some() {
            continue;
        }
        for field in object.fields.values() {
            let is_known = |name: &str| merged.schema.directive_definitions.contains_key(name);
            let is_known = field.directives.iter().all(|directive| is_known(&directive.name));
            if !is_known || bindings.get(type_name, &field.name).is_some() {
                continue;
            }
            for argument in &field.arguments {
                if is_read_by_rule(field, &argument.name) {
                    continue;
                }
                let message = format!(
                    "nothing reads the argument `{}` of `{type_name}.{}`, which has no binding",
                    argument.name, field.name
                );
                problems.push(
                    Problem::error("unread-argument", message)
                        .at(merged.places.of(argument.name.location()))
                        .help("give the field a binding that uses it, or remove the argument"),
                );
            }
        }
    }
}

/// A rule on who may see the field looks at the argument.
fn is_read_by_rule(field: &FieldDefinition, argument: &str) -> bool {
    field.directives.get_all("allow").any(|directive| {
        let rule = directive.specified_argument_by_name("if").and_then(|rule| rule.as_str());
        let named = format!("$args.{argument}");
        rule.is_some_and(|rule| {
            rule.match_indices(&named).any(|(at, _)| {
                let rest = rule[at + named.len()..].chars().next();
                !rest.is_some_and(|next| next == '_' || next.is_ascii_alphanumeric())
            })
        })
    })
}
