//! Helpers of the checks, for a schema and for field sets.

use super::{FieldSelection, KeyPath};
use crate::graphql::Name;
use apollo_compiler::Schema;
use apollo_compiler::ast::{OperationType, Type};
use apollo_compiler::schema::ExtendedType;

/// A schema with helpers for the checks.
#[derive(Clone, Copy)]
pub(super) struct Words<'a>(pub(super) &'a Schema);

/// Kind of root type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Root {
    Query,
    Mutation,
    Subscription,
}

impl<'a> Words<'a> {
    /// Returns the names of the fields of an object or interface.
    pub(super) fn fields(self, type_name: &str) -> Vec<&'a str> {
        let fields = match self.0.types.get(type_name) {
            Some(ExtendedType::Object(object)) => &object.fields,
            Some(ExtendedType::Interface(interface)) => &interface.fields,
            _ => return Vec::new(),
        };
        fields.keys().map(apollo_compiler::Name::as_str).collect()
    }

    pub(super) fn root(self, type_name: &str) -> Option<Root> {
        let is = |operation| {
            self.0.root_operation(operation).is_some_and(|name| name.as_str() == type_name)
        };
        if is(OperationType::Query) {
            Some(Root::Query)
        } else if is(OperationType::Mutation) {
            Some(Root::Mutation)
        } else if is(OperationType::Subscription) {
            Some(Root::Subscription)
        } else {
            None
        }
    }

    /// Returns `true` for a scalar or an enum.
    pub(super) fn is_leaf(self, type_name: &str) -> bool {
        self.0.types.get(type_name).is_some_and(ExtendedType::is_leaf)
    }

    /// Returns `true` for a scalar whose values may be anything, including objects and lists.
    pub(super) fn is_custom_scalar(self, type_name: &str) -> bool {
        self.0.types.get(type_name).is_some_and(|found| found.is_scalar() && !found.is_built_in())
    }

    /// Returns the object types that the SDL defines, including roots, in schema order.
    pub(super) fn objects(
        self,
    ) -> impl Iterator<Item = (&'a str, &'a apollo_compiler::schema::ObjectType)> {
        self.0
            .types
            .iter()
            .filter(|(_, found)| !found.is_built_in())
            .filter_map(|(name, found)| Some((name.as_str(), found.as_object()?)))
    }
}

/// Returns `true` if a value of type `from` is valid for type `to`: the same name, or two of the scalars that keys are
/// written in.
pub(super) fn same_scalar(from: &Type, to: &Type) -> bool {
    let (from, to) = (from.inner_named_type().as_str(), to.inner_named_type().as_str());
    let key = |name: &str| matches!(name, "ID" | "String" | "Int");
    from == to || (key(from) && key(to) && (from == "ID" || to == "ID"))
}

/// Returns the number of lists around a type.
pub(super) fn list_depth(ty: &Type) -> usize {
    let mut depth = 0;
    let mut at = ty;
    while at.is_list() {
        depth += 1;
        at = at.item_type();
    }
    depth
}

pub(super) fn is_list(ty: &Type) -> bool {
    list_depth(ty) > 0
}

/// Returns the paths to the leaves of a field set, in order.
pub(super) fn leaf_paths(fields: &[FieldSelection]) -> Vec<KeyPath> {
    let mut paths = Vec::new();
    for field in fields {
        if field.fields.is_empty() {
            paths.push(vec![field.name.clone()]);
        }
        for path in leaf_paths(&field.fields) {
            paths.push(std::iter::once(field.name.clone()).chain(path).collect());
        }
    }
    paths
}

/// Adds the leaf at `path` to a field set.
pub(super) fn insert_path(fields: &mut Vec<FieldSelection>, path: &[Name]) {
    let Some((first, rest)) = path.split_first() else { return };
    let at = fields.iter().position(|field| field.name == *first).unwrap_or_else(|| {
        fields.push(FieldSelection { name: first.clone(), fields: Vec::new() });
        fields.len() - 1
    });
    insert_path(&mut fields[at].fields, rest);
}

/// Joins a path with dots: `org.id`.
pub(super) fn dotted<S: AsRef<str>>(path: &[S]) -> String {
    path.iter().map(AsRef::as_ref).collect::<Vec<_>>().join(".")
}

/// Prints a field set as it is written.
pub(super) fn print(fields: &[FieldSelection]) -> String {
    let one = |field: &FieldSelection| {
        if field.fields.is_empty() {
            field.name.to_string()
        } else {
            format!("{} {{ {} }}", field.name, print(&field.fields))
        }
    };
    fields.iter().map(one).collect::<Vec<_>>().join(" ")
}
