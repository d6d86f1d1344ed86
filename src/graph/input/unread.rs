//! An argument has to change something. A field without a binding is read from its parent's reply whatever is given to
//! it, so two aliases with different arguments would have one value.
//!
//! Fields of interfaces are left alone: those of their objects decide.

use crate::graph::binding::Bindings;
use crate::graph::merge::Merged;
use crate::graph::words::Words;
use crate::mapping::{Mapping, Reference, Variable};
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
            let read = Read::of(field);
            for argument in field.arguments.iter().filter(|argument| !read.has(&argument.name)) {
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

/// The arguments that a field's access rules read.
enum Read {
    /// Their names, as the first step of a path.
    Some(Vec<Reference>),
    /// Unknown: a rule cannot be parsed, which is a problem of its own.
    Unknown,
}

impl Read {
    fn of(field: &FieldDefinition) -> Self {
        let mut references = Vec::new();
        for directive in field.directives.get_all("allow") {
            let rule = directive.specified_argument_by_name("if").and_then(|rule| rule.as_str());
            match rule.map(Mapping::parse) {
                Some(Ok(rule)) => references.extend(rule.references()),
                Some(Err(_)) | None => return Self::Unknown,
            }
        }
        Self::Some(references)
    }

    fn has(&self, argument: &str) -> bool {
        let Self::Some(references) = self else { return true };
        let arguments = references.iter().filter(|one| one.variable == Variable::Args);
        let mut names = arguments.map(|one| one.path.first());
        // `$args` alone is a problem of its own, too.
        names.any(|name| name.is_none_or(|name| **name == *argument))
    }
}
