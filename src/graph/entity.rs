//! Reads object types and their fields, except for bindings: keys, `@require`, `@provides`, and, with [`cost`], weights
//! and lengths of lists.

use super::binding::Bindings;
use super::field_set::{self, Use};
use super::merge::Merged;
use super::words::{Root, Words, list_depth, same_scalar};
use super::{Costs, Field, FieldSelection, KeyPath, ListSize, ObjectType, cost};
use crate::graphql::Name;
use crate::problem::Problem;
use crate::source::Argument;
use apollo_compiler::Node;
use apollo_compiler::ast::{Directive, FieldDefinition, InputValueDefinition, Type};
use apollo_compiler::schema::{ComponentName, ExtendedType, ObjectType as ObjectDefinition};
use hashbrown::HashMap;

/// Reads every object type.
pub(super) fn read(
    merged: &Merged,
    bindings: &Bindings,
    costs: &Costs,
    problems: &mut Vec<Problem>,
) -> HashMap<Name, ObjectType> {
    let mut reading = Reading { merged, bindings, costs, sizes: HashMap::new(), problems };
    for (name, found) in merged.schema.types.iter().filter(|(_, found)| !found.is_built_in()) {
        if let ExtendedType::Interface(interface) = found {
            reading.keys(name, &interface.directives);
            for field in interface.fields.values() {
                if let Some(size) = cost::list_size(merged, name, field, reading.problems) {
                    reading.sizes.insert((name.to_string(), field.name.to_string()), size);
                }
            }
        }
    }
    let objects: Vec<_> = Words(&merged.schema).objects().collect();
    objects
        .into_iter()
        .map(|(name, object)| {
            let keys = reading.keys(name, &object.directives);
            let cost = object.directives.get("cost").map(|one| &one.node);
            let cost = cost::weight(merged, cost, reading.problems);
            let fields = object.fields.values().map(|field| reading.field(name, object, field));
            let fields = fields.map(|field| (field.name.clone(), field)).collect();
            let name: Name = name.into();
            (name.clone(), ObjectType { name, cost, keys, fields })
        })
        .collect()
}

struct Reading<'a> {
    merged: &'a Merged,
    bindings: &'a Bindings,
    costs: &'a Costs,
    /// `@listSize` of interface fields, by type and field.
    sizes: HashMap<(String, String), ListSize>,
    problems: &'a mut Vec<Problem>,
}

impl Reading<'_> {
    fn argument(&self, directive: &Directive, name: &str) -> Option<Argument> {
        self.merged.places.argument(name, directive.specified_argument_by_name(name)?)
    }

    fn keys(
        &mut self,
        type_name: &str,
        directives: &apollo_compiler::schema::DirectiveList,
    ) -> Vec<Vec<FieldSelection>> {
        directives
            .get_all("key")
            .filter_map(|directive| {
                let argument = self.argument(directive, "fields")?;
                let schema = &self.merged.schema;
                field_set::read(schema, type_name, &argument, Use::Key, self.problems)
            })
            .collect()
    }

    fn field(
        &mut self,
        type_name: &str,
        object: &ObjectDefinition,
        field: &FieldDefinition,
    ) -> Field {
        self.internal(type_name, field);
        self.is(type_name, field);
        let requires = field
            .arguments
            .iter()
            .filter_map(|argument| self.require(type_name, field, argument))
            .collect();
        Field {
            name: field.name.as_str().into(),
            binding: self.bindings.get(type_name, &field.name).and_then(|bound| bound.id),
            requires,
            provides: self.provides(type_name, field),
            list_size: self.list_size(type_name, object, field),
            cost: cost::weight(self.merged, field.directives.get("cost"), self.problems),
            arguments: cost::values(self.merged, self.costs, &field.arguments, self.problems),
        }
    }

    /// Returns the field's own `@listSize`, otherwise that of an interface that has the field.
    fn list_size(
        &mut self,
        type_name: &str,
        object: &ObjectDefinition,
        field: &FieldDefinition,
    ) -> Option<ListSize> {
        let own = cost::list_size(self.merged, type_name, field, self.problems);
        let inherited = |interface: &ComponentName| {
            self.sizes.get(&(interface.name.to_string(), field.name.to_string())).cloned()
        };
        own.or_else(|| object.implements_interfaces.iter().find_map(inherited))
    }

    fn misplaced(&mut self, directive: &Node<Directive>, message: String, help: &str) {
        let place = self.merged.places.of(directive.location());
        self.problems.push(Problem::error("misplaced-directive", message).at(place).help(help));
    }

    fn internal(&mut self, type_name: &str, field: &FieldDefinition) {
        let is_query = Words(&self.merged.schema).root(type_name) == Some(Root::Query);
        let Some(directive) = field.directives.get("internal") else { return };
        if !is_query || !field.directives.has("lookup") {
            self.misplaced(
                directive,
                format!("`{type_name}.{}` is `@internal`, but is not a lookup", field.name),
                "add `@lookup`, or remove `@internal`: only lookups can be hidden from clients",
            );
        }
    }

    fn is(&mut self, type_name: &str, field: &FieldDefinition) {
        // A field that is hidden as well lacks the same `@lookup`.
        if field.directives.has("lookup") || field.directives.has("internal") {
            return;
        }
        for argument in &field.arguments {
            if let Some(directive) = argument.directives.get("is") {
                self.misplaced(
                    directive,
                    format!("`{type_name}.{}` is not a lookup, so `@is` has no effect", field.name),
                    "add `@lookup`; to pass a value of the parent object, use `@require`",
                );
            }
        }
    }

    fn provides(&mut self, type_name: &str, field: &FieldDefinition) -> Vec<FieldSelection> {
        let Some(directive) = field.directives.get("provides") else { return Vec::new() };
        let inner = field.ty.inner_named_type();
        if Words(&self.merged.schema).is_leaf(inner) {
            self.misplaced(
                directive,
                format!(
                    "`{type_name}.{}` is of type `{inner}`, which has no fields, so `@provides` has no effect",
                    field.name
                ),
                "remove `@provides`",
            );
            return Vec::new();
        }
        let Some(argument) = self.argument(directive, "fields") else { return Vec::new() };
        let schema = &self.merged.schema;
        field_set::read(schema, inner, &argument, Use::Other, self.problems).unwrap_or_default()
    }

    fn require(
        &mut self,
        type_name: &str,
        field: &FieldDefinition,
        argument: &InputValueDefinition,
    ) -> Option<(Name, KeyPath)> {
        let directive = argument.directives.get("require")?;
        if Words(&self.merged.schema).root(type_name).is_some() {
            self.misplaced(
                directive,
                format!(
                    "`{type_name}.{}` has no parent object to take `{}` from",
                    field.name, argument.name
                ),
                "use `@require` only on arguments of fields below a root type",
            );
            return None;
        }
        if self.bindings.get(type_name, &field.name).is_none() {
            self.misplaced(
                directive,
                format!(
                    "`{type_name}.{}` has no binding that can use `{}`",
                    field.name, argument.name
                ),
                "add a binding to the field, or remove the argument",
            );
            return None;
        }
        let text = self.argument(directive, "field")?;
        let schema = &self.merged.schema;
        let path = field_set::read_path(schema, type_name, &text, self.problems)?;
        self.compare(type_name, argument, &path, &text);
        Some((argument.name.as_str().into(), path))
    }

    /// Checks that the required field's type fits the argument's.
    fn compare(
        &mut self,
        type_name: &str,
        argument: &InputValueDefinition,
        path: &KeyPath,
        text: &Argument,
    ) {
        let Some(found) = follow(&self.merged.schema, type_name, path) else { return };
        let due = &argument.ty;
        let name = super::words::dotted(path);
        let fits = same_scalar(found.ty, due) && found.list_depth == list_depth(due);
        let message = if !fits {
            format!(
                "the field `{name}` is of type `{}`, but the argument `{}` is of type `{due}`",
                found.ty, argument.name
            )
        } else if due.is_non_null() && found.nullable {
            format!(
                "the field `{name}` may be null, but the argument `{}` is of type `{due}`",
                argument.name
            )
        } else {
            return;
        };
        let whole = 0..text.text().map_or(0, str::len);
        self.problems.push(Problem::error("invalid-require", message).at(text.place_of(&whole)).help(
            "give the argument the type of the field; if the field is nullable, the argument must be nullable too",
        ));
    }
}

/// Type at the end of a path of fields.
pub(super) struct Followed<'a> {
    pub(super) ty: &'a Type,
    /// A field on the path is nullable.
    pub(super) nullable: bool,
    /// Number of lists on the path and at its end.
    pub(super) list_depth: usize,
}

/// Follows a path of fields; `None` if a field does not exist.
pub(super) fn follow<'a, S: AsRef<str>>(
    schema: &'a apollo_compiler::Schema,
    type_name: &str,
    path: &[S],
) -> Option<Followed<'a>> {
    let (mut nullable, mut depth, mut at) = (false, 0, type_name.to_owned());
    let mut end = None;
    for name in path {
        let field = schema.type_field(&at, name.as_ref()).ok()?;
        nullable |= !field.ty.is_non_null();
        depth += list_depth(&field.ty);
        end = Some(&field.ty);
        at = field.ty.inner_named_type().to_string();
    }
    Some(Followed { ty: end?, nullable, list_depth: depth })
}
