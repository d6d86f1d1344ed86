//! Unused arguments. A field without a binding is read from its parent's reply regardless of its arguments, so two
//! aliases with different arguments would have one value. A field with a binding makes the same call regardless of an
//! argument that no text uses, which is rarely intended.
//!
//! Fields of interfaces are not checked: those of their objects are.

use crate::graph::binding::{Bindings, Bound};
use crate::graph::merge::Merged;
use crate::graph::words::Words;
use crate::mapping::{Mapping, Reference, Variable};
use crate::problem::Problem;
use apollo_compiler::ast::{FieldDefinition, Value};
use apollo_compiler::schema::ObjectType;

/// Refuses unused arguments on fields without a binding, and warns of those on fields with one.
pub(super) fn check(merged: &Merged, bindings: &Bindings, problems: &mut Vec<Problem>) {
    let words = Words(&merged.schema);
    for (type_name, object) in words.objects() {
        for field in object.fields.values() {
            let is_known = |name: &str| merged.schema.directive_definitions.contains_key(name);
            let is_known = field.directives.iter().all(|directive| is_known(&directive.name));
            let bound = bindings.get(type_name, &field.name);
            if let Some(bound) = bound {
                unused(merged, object, field, (bindings, bound), problems);
                continue;
            }
            // A root field without a binding is reported elsewhere.
            if !is_known || words.root(type_name).is_some() {
                continue;
            }
            let read = Read::of(field);
            for argument in field.arguments.iter().filter(|argument| !read.has(&argument.name)) {
                let message = format!(
                    "the argument `{}` of `{type_name}.{}` is not used, because the field has no binding",
                    argument.name, field.name
                );
                problems.push(
                    Problem::error("unread-argument", message)
                        .at(merged.places.of(argument.name.location()))
                        .help("add a binding that uses it, or remove the argument"),
                );
            }
        }
    }
}

/// Warns of arguments of a field with a binding that neither a text of the binding nor a directive uses.
fn unused(
    merged: &Merged,
    object: &ObjectType,
    field: &FieldDefinition,
    (bindings, bound): (&Bindings, &Bound),
    problems: &mut Vec<Problem>,
) {
    let Some(id) = bound.id else { return };
    let call = &bindings.binding(id).call;
    let of_select = call.select().map(Mapping::references).unwrap_or_default();
    let mut read: Vec<Reference> = of_select;
    read.extend(call.references().iter().map(|placed| placed.reference.clone()));
    // Rules of interfaces hold for the field, too, and it must have all arguments of their fields.
    let interfaces = object.implements_interfaces.iter();
    let above: Vec<&FieldDefinition> = interfaces
        .filter_map(|name| merged.schema.type_field(name, &field.name).ok())
        .map(|field| &***field)
        .collect();
    for rules in std::iter::once(field).chain(above.iter().copied()).map(Read::of) {
        match rules {
            Read::Some(references) => read.extend(references),
            Read::Unknown => return,
        }
    }
    // An unknown name is reported elsewhere: it may be a misspelling of the unused argument.
    let is_unknown = |reference: &Reference| {
        reference.variable == Variable::Args
            && reference.path.first().is_some_and(|name| field.argument_by_name(name).is_none())
    };
    if read.iter().any(is_unknown) {
        return;
    }
    let read = Read::Some(read);
    let slicing = sliced_by(field);
    for argument in &field.arguments {
        let is_said =
            ["is", "require", "deprecated"].iter().any(|name| argument.directives.has(name));
        let is_said = is_said || field.directives.has("node");
        let is_due = above.iter().any(|above| above.argument_by_name(&argument.name).is_some());
        let is_read = read.has(&argument.name) || slicing.contains(&argument.name.as_str());
        if is_said || is_due || is_read {
            continue;
        }
        let name = &argument.name;
        let message = format!("the argument `{name}` of `{}` is not used", bound.coordinate());
        problems.push(
            Problem::warning("unused-argument", message)
                .at(merged.places.of(name.location()))
                .help(format!("use it in the binding, such as `{{$args.{name}}}` in a URL or `$args.{name}` in a mapping, or remove it")),
        );
    }
}

/// Returns the names of the arguments that determine the length of the field's list.
fn sliced_by(field: &FieldDefinition) -> Vec<&str> {
    let size = field.directives.get("listSize");
    let names = size.and_then(|size| size.specified_argument_by_name("slicingArguments"));
    let names: Vec<&str> = match names.map(|names| &**names) {
        Some(Value::List(names)) => names.iter().filter_map(|name| name.as_str()).collect(),
        Some(Value::String(name)) => vec![name],
        _ => Vec::new(),
    };
    names.iter().filter_map(|path| path.split('.').next()).collect()
}

/// Arguments that a field's access rules use.
enum Read {
    /// Their names, as the first step of a path.
    Some(Vec<Reference>),
    /// Unknown: a rule cannot be parsed, which is reported elsewhere.
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
        // `$args` alone is reported elsewhere, too.
        names.any(|name| name.is_none_or(|name| **name == *argument))
    }
}
