//! `@lookup`: the query fields that return an entity, and the mapping of its key to their arguments.

mod many;
mod one;

use super::binding::Bindings;
use super::field_set::{self, Use};
use super::merge::Merged;
use super::words::{Root, Words, dotted, leaf_paths, list_depth, print, same_scalar};
use super::{BindingId, KeyPath, Lookup, LookupArguments, ObjectType};
use crate::graphql::Name;
use crate::problem::{Place, Problem};
use crate::source::Argument;
use apollo_compiler::Node;
use apollo_compiler::ast::{FieldDefinition, InputValueDefinition};
use hashbrown::HashMap;

/// A lookup and the field that declares it.
pub(super) struct Found {
    pub(super) lookup: Lookup,
    /// The key that it takes, as paths.
    pub(super) key: Vec<KeyPath>,
}

/// Reads every `@lookup`, and sets the batch rule of those that take lists.
pub(super) fn read(
    merged: &Merged,
    types: &HashMap<Name, ObjectType>,
    bindings: &mut Bindings,
    problems: &mut Vec<Problem>,
) -> Vec<Found> {
    let mut found = Vec::new();
    let words = Words(&merged.schema);
    for (type_name, object) in words.objects() {
        for field in object.fields.values() {
            let Some(directive) = field.directives.get("lookup") else { continue };
            let place = merged.places.of(directive.location());
            let mut reading = Reading {
                merged,
                field,
                coordinate: format!("{type_name}.{}", field.name),
                place,
                problems,
            };
            if words.root(type_name) != Some(Root::Query) {
                reading.refuse_misplaced();
                continue;
            }
            let Some(entity) = reading.entity(types) else { continue };
            let Some(bound) = bindings.get(type_name, &field.name) else { continue };
            let Some(binding) = bound.id else { continue };
            if bindings.binding(binding).call.computed().is_some() {
                reading.refuse_computed();
                continue;
            }
            let lookups = if field.ty.is_list() {
                let Some((lookup, rule)) = reading.many(entity, binding, bound) else { continue };
                bindings.binding_mut(binding).batch = Some(rule);
                vec![lookup]
            } else {
                reading.one(entity, binding, bound)
            };
            found.extend(lookups);
        }
    }
    found
}

struct Reading<'a> {
    merged: &'a Merged,
    field: &'a FieldDefinition,
    coordinate: String,
    /// Place of `@lookup`.
    place: Option<Place>,
    problems: &'a mut Vec<Problem>,
}

/// An argument that takes key fields.
struct Taken<'a> {
    argument: &'a Node<InputValueDefinition>,
    paths: Vec<KeyPath>,
}

impl Reading<'_> {
    fn refuse(&mut self, place: Option<Place>, message: String, help: &str) {
        let place = place.or_else(|| self.place.clone());
        self.problems.push(Problem::error("invalid-lookup", message).at(place).help(help));
    }

    fn refuse_computed(&mut self) {
        let message =
            format!("`{}` is computed without a call, so it cannot be a lookup", self.coordinate);
        self.refuse(
            None,
            message,
            "remove `@lookup`, or replace the binding with a call to a source",
        );
    }

    fn refuse_misplaced(&mut self) {
        let message = format!("`{}` is a lookup, but is not a query field", self.coordinate);
        self.problems.push(
            Problem::error("misplaced-directive", message).at(self.place.clone()).help(
                "move the lookup to a field of the query type; `@internal` hides it from clients",
            ),
        );
    }

    fn entity<'t>(&mut self, types: &'t HashMap<Name, ObjectType>) -> Option<&'t ObjectType> {
        let inner = self.field.ty.inner_named_type().as_str();
        let known = self.merged.schema.types.get(inner)?;
        let coordinate = &self.coordinate;
        let Some(entity) = types.get(inner).filter(|_| known.is_object()) else {
            let message = format!(
                "`{coordinate}` returns `{inner}`, but a lookup must return an object type"
            );
            self.refuse(None, message, "this version does not support lookups of interfaces and unions; add a lookup for each object type");
            return None;
        };
        if list_depth(&self.field.ty) > 1 {
            let message = format!("`{coordinate}` returns a list of lists");
            self.refuse(None, message, "return an entity, or a list with one entity for each key");
            return None;
        }
        let declares_key = known.directives().has("key");
        if !declares_key {
            let message = format!("`{coordinate}` is a lookup, but `{inner}` has no key");
            self.refuse(None, message, "add a key to the type, such as `@key(fields: \"id\")`");
        }
        (declares_key && !entity.keys.is_empty()).then_some(entity)
    }

    /// Returns the key fields of an argument: those named by `@is`, or the one with its own name.
    fn taken<'f>(
        &mut self,
        entity: &ObjectType,
        argument: &'f Node<InputValueDefinition>,
    ) -> Option<Taken<'f>> {
        let schema = &self.merged.schema;
        if let Some(text) = self.is(argument) {
            let set = if text.text().is_some_and(|text| text.contains('.')) {
                let path = field_set::read_path(schema, &entity.name, &text, self.problems)?;
                vec![path]
            } else {
                leaf_paths(&field_set::read(schema, &entity.name, &text, Use::Key, self.problems)?)
            };
            return Some(Taken { argument, paths: set });
        }
        let path = vec![Name::from(argument.name.as_str())];
        if entity.keys.iter().any(|key| leaf_paths(key).contains(&path)) {
            return Some(Taken { argument, paths: vec![path] });
        }
        // A list of input objects names its key fields itself.
        let paths: Vec<KeyPath> =
            self.input_paths(entity, argument)?.into_iter().map(|(_, path)| path).collect();
        Some(Taken { argument, paths })
    }

    fn is(&self, argument: &InputValueDefinition) -> Option<Argument> {
        let directive = argument.directives.get("is")?;
        self.merged.places.argument("field", directive.specified_argument_by_name("field")?)
    }

    /// Returns the input fields of an input object that take key fields, by `@is` or by name.
    fn input_paths(
        &mut self,
        entity: &ObjectType,
        argument: &InputValueDefinition,
    ) -> Option<Vec<(Name, KeyPath)>> {
        let schema = &self.merged.schema;
        let input = schema.get_input_object(argument.ty.inner_named_type())?;
        let known: Vec<KeyPath> = entity.keys.iter().flat_map(|key| leaf_paths(key)).collect();
        let mut paths = Vec::new();
        for field in input.fields.values() {
            let path = match self.is(field) {
                Some(text) => field_set::read_path(schema, &entity.name, &text, self.problems),
                None => known.iter().find(|path| is_called(path, &field.name)).cloned(),
            };
            if let Some(path) = path {
                paths.push((Name::from(field.name.as_str()), path));
            }
        }
        (!paths.is_empty()).then_some(paths)
    }

    fn check_scalar(
        &mut self,
        entity: &ObjectType,
        argument: &InputValueDefinition,
        path: &KeyPath,
    ) {
        let Some(found) = super::entity::follow(&self.merged.schema, &entity.name, path) else {
            return;
        };
        if !same_scalar(found.ty, &argument.ty) {
            let place = self.merged.places.of(argument.ty.location());
            let message = format!(
                "`{}` is of type `{}`, but `{}.{}` is of type `{}`",
                argument.name,
                argument.ty.inner_named_type(),
                entity.name,
                dotted(path),
                found.ty.inner_named_type()
            );
            self.refuse(place, message, "give the argument the type of the key field");
        }
    }

    fn refuse_uncovered(&mut self, entity: &ObjectType, arguments: &[Taken<'_>]) {
        let keys: Vec<String> = entity.keys.iter().map(|key| format!("`{}`", print(key))).collect();
        let coordinate = &self.coordinate;
        let keys = keys.join(" or ");
        let message = if arguments.is_empty() {
            format!(
                "no argument of `{coordinate}` takes the key of `{}`, which is {keys}",
                entity.name
            )
        } else {
            format!(
                "the arguments of `{coordinate}` do not cover a key of `{}`, which is {keys}",
                entity.name
            )
        };
        let place =
            arguments.first().and_then(|taken| self.merged.places.of(taken.argument.location()));
        self.refuse(place, message, "give an argument the name of the key field, or add `@is(field: …)` to it; other arguments must be nullable");
    }

    fn lookup(
        &self,
        entity: &ObjectType,
        binding: BindingId,
        arguments: LookupArguments,
    ) -> Lookup {
        Lookup {
            field: self.field.name.as_str().into(),
            binding,
            entity: entity.name.clone(),
            arguments,
        }
    }
}

/// Returns `true` if `name` is the path in camel case, such as `orgId` for `org.id`.
fn is_called(path: &KeyPath, name: &str) -> bool {
    let joined = path.iter().enumerate().fold(String::new(), |mut joined, (at, step)| {
        let mut chars = step.chars();
        if at > 0 {
            joined.extend(chars.next().map(|c| c.to_ascii_uppercase()));
        }
        joined.extend(chars);
        joined
    });
    joined == name
}
