//! Policy of a field's own call, beside its binding: the timeout (`@timeout`), and the field's value if the call fails
//! (`@onError`).

use super::binding::{Bindings, Bound};
use super::merge::Merged;
use super::words::{Root, Words};
use crate::problem::{Place, Problem};
use crate::source::{Argument, ArgumentValue};
use apollo_compiler::ast::{Directive, FieldDefinition};
use apollo_compiler::schema::ExtendedType;
use apollo_compiler::{Node, ast::Type};
use std::time::Duration;

const DIRECTIVES: [&str; 2] = ["timeout", "onError"];

/// Reads every use of both directives into the bindings.
pub(super) fn read(merged: &Merged, bindings: &mut Bindings, problems: &mut Vec<Problem>) {
    for (type_name, found) in merged.schema.types.iter().filter(|(_, found)| !found.is_built_in()) {
        let fields = match found {
            ExtendedType::Object(object) => &object.fields,
            ExtendedType::Interface(interface) => &interface.fields,
            _ => continue,
        };
        for field in fields.values() {
            for name in DIRECTIVES {
                let Some(directive) = field.directives.get(name) else { continue };
                let place = merged.places.of(directive.location());
                let mut reading = Reading { merged, type_name, field, directive, place, problems };
                reading.read(bindings);
            }
        }
    }
}

struct Reading<'a> {
    merged: &'a Merged,
    type_name: &'a str,
    field: &'a FieldDefinition,
    directive: &'a Node<Directive>,
    place: Option<Place>,
    problems: &'a mut Vec<Problem>,
}

impl Reading<'_> {
    fn read(&mut self, bindings: &mut Bindings) {
        let bound = bindings.get(self.type_name, &self.field.name);
        let Some(bound) = bound else { return self.refuse_unbound() };
        let Some(id) = bound.id else { return };
        if bindings.binding(id).call.computed().is_some() {
            let (coordinate, name) = (self.coordinate(), &self.directive.name);
            let message =
                format!("`{coordinate}` is computed without a call, so `@{name}` has no effect");
            return self.refuse("misplaced-directive", message, "remove the directive");
        }
        if self.directive.name == "timeout" {
            let timeout = self.timeout();
            let binding = bindings.binding_mut(id);
            binding.timeout = timeout.filter(|timeout| *timeout < binding.call.timeout());
        } else {
            let may = self.may_be_null(bound, bindings.binding(id).changes);
            bindings.binding_mut(id).null_on_error = may;
        }
    }

    fn coordinate(&self) -> String {
        format!("{}.{}", self.type_name, self.field.name)
    }

    fn refuse(&mut self, code: &'static str, message: String, help: &str) {
        self.problems.push(Problem::error(code, message).at(self.place.clone()).help(help));
    }

    fn refuse_unbound(&mut self) {
        let known = &self.merged.schema.directive_definitions;
        // An unknown directive is reported, and may be a misspelt binding.
        let is_known = self.field.directives.iter().all(|found| known.contains_key(&found.name));
        if !is_known || Words(&self.merged.schema).root(self.type_name).is_some() {
            return;
        }
        let (coordinate, name) = (self.coordinate(), &self.directive.name);
        let message = format!("`{coordinate}` has no call of its own, so `@{name}` has no effect");
        let help = format!("move `@{name}` to the field whose binding fetches this field");
        self.refuse("misplaced-directive", message, &help);
    }

    fn argument(&self, name: &str) -> Option<Argument> {
        let value = self.directive.specified_argument_by_name(name)?;
        self.merged.places.argument(name, value)
    }

    fn timeout(&mut self) -> Option<Duration> {
        let argument = self.argument("ms")?;
        let ArgumentValue::Int(ms) = argument.value else { return None };
        let ms = u64::try_from(ms).ok().filter(|ms| *ms > 0);
        if ms.is_none() {
            self.place = Some(argument.place);
            let message = "a timeout must be at least one millisecond".to_owned();
            let help = "write milliseconds, such as `@timeout(ms: 300)`; without the directive, the source's timeout applies";
            self.refuse("invalid-timeout", message, help);
        }
        ms.map(Duration::from_millis)
    }

    /// Checks that `@onError(do: NULL)` is on a field that can be null without an error.
    fn may_be_null(&mut self, bound: &Bound, changes: bool) -> bool {
        let coordinate = bound.coordinate();
        let argument = self.argument("do");
        if let Some(Argument { value: ArgumentValue::Enum(action), place, .. }) = &argument
            && &**action != "NULL"
        {
            // A value that the type lacks breaks a rule of the type system, but this message is better.
            self.problems.retain(|problem| {
                let is_inside = |found: &Place| {
                    std::sync::Arc::ptr_eq(&found.file, &place.file)
                        && place.span.contains(&found.span.start)
                };
                !problem.place.as_ref().is_some_and(is_inside)
            });
            let message = format!("`@onError` has no value `{action}`");
            let help = if &**action == "STALE" {
                "write `do: NULL`; to use a stale reply when a call fails, write `@cacheControl(staleIfError: …)`"
            } else {
                "write `do: NULL`, the only value"
            };
            self.place = Some(place.clone());
            self.refuse("invalid-on-error", message, help);
            return false;
        }
        let root = Words(&self.merged.schema).root(self.type_name);
        let (message, help) = if root == Some(Root::Subscription) {
            (
                format!(
                    "`{coordinate}` is a subscription field, which ends with an error if its stream fails, not with null"
                ),
                "remove `@onError`, or move it to fields of the events",
            )
        } else if changes {
            (
                format!(
                    "`{coordinate}` is a mutation, and clients need its error to know whether it was done"
                ),
                "remove `@onError`",
            )
        } else if self.field.ty.is_non_null() {
            (
                format!(
                    "`{coordinate}` is of type `{}`, so it cannot be null if its call fails",
                    self.field.ty
                ),
                "make the field nullable, or remove `@onError`",
            )
        } else if self.field.directives.has("lookup") && has_non_null_items(&self.field.ty) {
            (
                format!(
                    "`{coordinate}` is of type `{}`, so its elements cannot be null if their call fails",
                    self.field.ty
                ),
                "make the elements nullable, or remove `@onError`",
            )
        } else {
            return argument.is_some();
        };
        self.refuse("invalid-on-error", message, help);
        false
    }
}

fn has_non_null_items(ty: &Type) -> bool {
    match ty {
        Type::List(of) | Type::NonNullList(of) => of.is_non_null(),
        Type::Named(_) | Type::NonNullNamed(_) => false,
    }
}
