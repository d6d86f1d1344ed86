//! `@cacheControl`: lifetime and audience of the cached replies of a call.
//!
//! On a field it applies to the field's own call; a field without a call cannot have it. On a type it is the default of
//! every call that returns the type, and a limit for every reply with an object of it (as in Apollo's cache policy).
//! `PRIVATE` always wins. The engine decides what is cached.

use super::binding::Bindings;
use super::merge::Merged;
use super::words::{Root, Words};
use crate::graphql::Name;
use crate::problem::Problem;
use crate::source::{Argument, ArgumentValue};
use apollo_compiler::Node;
use apollo_compiler::ast::Directive;
use apollo_compiler::schema::ExtendedType;
use hashbrown::HashMap;

/// Values of `@cacheControl`; ages in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CacheHint {
    /// Time for which a reply is fresh, in seconds.
    pub max_age: Option<u32>,
    /// A reply is for its caller only (`PRIVATE`).
    pub private: bool,
    /// Time past `max_age` in which a reply may replace an error, in seconds.
    pub stale_if_error: Option<u32>,
}

impl CacheHint {
    /// Returns the stricter combination: both hints hold.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        let lower = |one: Option<u32>, other: Option<u32>| match (one, other) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        };
        Self {
            max_age: lower(self.max_age, other.max_age),
            private: self.private || other.private,
            stale_if_error: lower(self.stale_if_error, other.stale_if_error),
        }
    }

    /// Returns this hint, with missing values taken from `other`.
    fn or(self, other: Self) -> Self {
        Self {
            max_age: self.max_age.or(other.max_age),
            private: self.private || other.private,
            stale_if_error: self.stale_if_error.or(other.stale_if_error),
        }
    }
}

/// Reads every use of the directive: into the bindings, and by type.
pub(super) fn read(
    merged: &Merged,
    bindings: &mut Bindings,
    problems: &mut Vec<Problem>,
) -> HashMap<Name, CacheHint> {
    let mut reading = Reading { merged, problems };
    let hints = reading.types();
    let schema = &merged.schema;
    for (type_name, found) in schema.types.iter().filter(|(_, found)| !found.is_built_in()) {
        let fields = match found {
            ExtendedType::Object(object) => &object.fields,
            ExtendedType::Interface(interface) => &interface.fields,
            _ => continue,
        };
        for field in fields.values() {
            let bound = bindings.get(type_name, &field.name);
            let own = field.directives.get("cacheControl");
            let own = own.and_then(|directive| {
                let binding = bound.and_then(|bound| bound.id).map(|id| bindings.binding(id));
                let is_called = match binding {
                    Some(binding) => binding.call.computed().is_none(),
                    None => bound.is_some(),
                };
                let changes = binding.is_some_and(|binding| binding.changes);
                reading.check_place(type_name, &field.name, (is_called, changes), directive);
                reading.hint(directive)
            });
            let Some(id) = bound.and_then(|bound| bound.id) else { continue };
            let of_type = hints.get(field.ty.inner_named_type().as_str()).copied();
            bindings.binding_mut(id).cache =
                own.unwrap_or_default().or(of_type.unwrap_or_default());
        }
    }
    hints
}

struct Reading<'a> {
    merged: &'a Merged,
    problems: &'a mut Vec<Problem>,
}

impl Reading<'_> {
    /// Returns the hints of all types. An interface or union without a hint of its own is as strict as the strictest of
    /// its members.
    fn types(&mut self) -> HashMap<Name, CacheHint> {
        let schema = &self.merged.schema;
        let words = Words(schema);
        let mut hints: HashMap<Name, CacheHint> = HashMap::new();
        let own = schema.types.iter().filter(|(_, found)| !found.is_built_in());
        for (name, found) in own {
            let Some(directive) = found.directives().get("cacheControl") else { continue };
            if words.root(name).is_some() {
                let message = format!(
                    "`@cacheControl` has no effect on the root type `{name}`, which no call returns"
                );
                let help = "move `@cacheControl` to the fields of the root type, or to the types that they return";
                self.misplaced(&directive.node, message, help);
            } else if let Some(hint) = self.hint(&directive.node) {
                hints.insert(name.as_str().into(), hint);
            }
        }
        if hints.is_empty() {
            return hints;
        }
        let is_abstract = |found: &ExtendedType| found.is_interface() || found.is_union();
        for (name, found) in &schema.types {
            if !is_abstract(found) || hints.contains_key(name.as_str()) {
                continue;
            }
            let members = words.objects().filter(|(member, _)| schema.is_subtype(name, member));
            let members = members.filter_map(|(member, _)| hints.get(member).copied());
            if let Some(strictest) = members.reduce(CacheHint::and) {
                hints.insert(name.as_str().into(), strictest);
            }
        }
        hints
    }

    fn check_place(
        &mut self,
        type_name: &str,
        field: &str,
        (is_called, changes): (bool, bool),
        directive: &Node<Directive>,
    ) {
        let root = Words(&self.merged.schema).root(type_name);
        if changes || matches!(root, Some(Root::Mutation | Root::Subscription)) {
            let message = format!(
                "`{type_name}.{field}` is not a query field, and only replies of queries are cached"
            );
            self.misplaced(directive, message, "remove `@cacheControl`");
        } else if !is_called {
            let message = format!("`{type_name}.{field}` has no call, so it has no reply to cache");
            let help = "move `@cacheControl` to the field that has the binding, or to a type";
            self.misplaced(directive, message, help);
        }
    }

    fn misplaced(&mut self, directive: &Node<Directive>, message: String, help: &str) {
        let place = self.merged.places.of(directive.location());
        self.problems.push(Problem::error("misplaced-directive", message).at(place).help(help));
    }

    fn hint(&mut self, directive: &Node<Directive>) -> Option<CacheHint> {
        let argument = |name: &str| {
            let value = directive.specified_argument_by_name(name)?;
            self.merged.places.argument(name, value)
        };
        let (age, error) = (argument("maxAge"), argument("staleIfError"));
        let scope = argument("scope").map(|scope| scope.value);
        let scope = scope.filter(|scope| !matches!(scope, ArgumentValue::Null));
        let hint = CacheHint {
            max_age: self.seconds(age.as_ref()),
            private: matches!(scope, Some(ArgumentValue::Enum(scope)) if &*scope == "PRIVATE"),
            stale_if_error: self.seconds(error.as_ref()),
        };
        if directive.arguments.is_empty() {
            let place = self.merged.places.of(directive.location());
            self.problems.push(
                Problem::error(
                    "invalid-cache-control",
                    "`@cacheControl` needs at least one argument",
                )
                .at(place)
                .help("add an age in seconds, such as `@cacheControl(maxAge: 60)`"),
            );
            return None;
        }
        Some(hint)
    }

    fn seconds(&mut self, argument: Option<&Argument>) -> Option<u32> {
        let argument = argument?;
        let ArgumentValue::Int(seconds) = argument.value else { return None };
        let read = u32::try_from(seconds).ok();
        if read.is_none() {
            self.problems.push(
                Problem::error("invalid-cache-control", "an age in seconds cannot be negative")
                    .at(argument.place.clone())
                    .help("write a number of seconds from 0"),
            );
        }
        read
    }
}
