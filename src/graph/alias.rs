//! `@alias`: names of enum values in services.
//!
//! Clients and rules use the names of the schema. Calls are written with the names of the service, and replies are read
//! with them.

use super::merge::Merged;
use crate::graphql::Name;
use crate::problem::Problem;
use apollo_compiler::Schema;
use apollo_compiler::ast::EnumValueDefinition;
use apollo_compiler::schema::{EnumType, ExtendedType};
use hashbrown::{HashMap, HashSet};
use serde_json::Value;
use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

/// Name of the directive.
const ALIAS: &str = "alias";

/// The enums that services spell otherwise, and the input objects that lead to one.
#[derive(Default, PartialEq, Eq)]
pub struct Aliases {
    enums: HashMap<Name, Arc<EnumAliases>>,
    /// By input object: the fields that contain such an enum, and their types.
    inputs: HashMap<Name, Vec<(Name, Name)>>,
}

/// Names of the values of one enum.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct EnumAliases {
    /// The service's name of each value that has one.
    sent: HashMap<Name, Name>,
    /// Values by their text in a reply: an alias, or the name of a value.
    pub read: HashMap<Name, Name>,
}

/// Names to convert the values of an enum to: those of the schema or of the service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spelling {
    Schema,
    Service,
}

impl EnumAliases {
    /// Gives a value of a reply, or each of a list, the names of the schema or of the service. Other values stay as they
    /// are.
    pub fn respell(&self, value: &mut Value, to: Spelling) {
        if let Value::Array(items) = value {
            return items.iter_mut().for_each(|item| self.respell(item, to));
        }
        let text = match &*value {
            Value::String(text) => Cow::Borrowed(text.as_str()),
            Value::Number(number) => Cow::Owned(number.to_string()),
            _ => return,
        };
        let Some(name) = self.read.get(&*text) else { return };
        let name = match to {
            Spelling::Schema => name,
            Spelling::Service => self.sent.get(name).unwrap_or(name),
        };
        if **name != *text {
            *value = Value::String(name.to_string());
        }
    }
}

impl fmt::Debug for Aliases {
    /// In one word: plans print their inputs to compare them, and a graph has one of these.
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str("Aliases")
    }
}

impl Aliases {
    /// Returns the enum, if one of its values has an alias.
    #[must_use]
    pub fn of_enum(&self, ty: &str) -> Option<&Arc<EnumAliases>> {
        self.enums.get(ty)
    }

    /// Returns `true` if a value of this type may contain an enum value with an alias.
    #[must_use]
    pub fn reach(&self, ty: &str) -> bool {
        self.enums.contains_key(ty) || self.inputs.contains_key(ty)
    }

    /// Converts a coerced value of this type, or of a list of it, to the service's names. The recursion is as deep as
    /// the value, which was bounded when it was parsed.
    pub fn spell(&self, ty: &str, value: &mut Value) {
        match value {
            Value::Array(items) => items.iter_mut().for_each(|item| self.spell(ty, item)),
            Value::String(name) => {
                let alias = self.enums.get(ty).and_then(|values| values.sent.get(name.as_str()));
                if let Some(alias) = alias {
                    *name = alias.to_string();
                }
            }
            Value::Object(fields) => {
                for (field, ty) in self.inputs.get(ty).into_iter().flatten() {
                    if let Some(value) = fields.get_mut(&**field) {
                        self.spell(ty, value);
                    }
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
}

/// Reads the aliases of all enums.
pub(super) fn read(merged: &Merged, problems: &mut Vec<Problem>) -> Aliases {
    let enums = merged.schema.types.values().filter_map(|ty| match ty {
        ExtendedType::Enum(definition) => {
            let aliases = values(merged, definition, problems)?;
            Some((definition.name.as_str().into(), Arc::new(aliases)))
        }
        _ => None,
    });
    let enums: HashMap<Name, Arc<EnumAliases>> = enums.collect();
    let inputs = if enums.is_empty() { HashMap::new() } else { inputs(&merged.schema, &enums) };
    Aliases { enums, inputs }
}

fn values(
    merged: &Merged,
    definition: &EnumType,
    problems: &mut Vec<Problem>,
) -> Option<EnumAliases> {
    let mut found = EnumAliases::default();
    for (name, value) in &definition.values {
        let Some(directive) = value.directives.get(ALIAS) else { continue };
        let alias = directive.specified_argument_by_name("name").and_then(|alias| alias.as_str());
        let Some(alias) = alias else { continue };
        let mistake = if alias.is_empty() {
            Some("an alias must not be empty".to_owned())
        } else if let Some(other) = found.read.get(alias) {
            Some(format!("`{other}` and `{name}` have the same alias, `{alias}`"))
        } else if is_unaliased(definition, alias) {
            Some(format!("`{alias}` is the name of another value of `{}`", definition.name))
        } else {
            None
        };
        if let Some(message) = mistake {
            let problem = Problem::error("invalid-alias", message);
            problems.push(
                problem
                    .at(merged.places.of(directive.location()))
                    .help("give each value the name that the service uses for it"),
            );
            continue;
        }
        found.sent.insert(name.as_str().into(), alias.into());
        found.read.insert(alias.into(), name.as_str().into());
    }
    if found.sent.is_empty() {
        return None;
    }
    for name in definition.values.keys() {
        found.read.entry(name.as_str().into()).or_insert_with(|| name.as_str().into());
    }
    Some(found)
}

/// Returns the alias of an enum value.
pub(super) fn of(value: &EnumValueDefinition) -> Option<&str> {
    value.directives.get(ALIAS)?.specified_argument_by_name("name")?.as_str()
}

/// Returns the names and the aliases of an enum's values.
pub(super) fn names(definition: &EnumType) -> Vec<&str> {
    let aliases = definition.values.values().filter_map(|value| of(value));
    definition.values.keys().map(apollo_compiler::Name::as_str).chain(aliases).collect()
}

/// Returns `true` if the enum has a value of this name without an alias.
fn is_unaliased(definition: &EnumType, name: &str) -> bool {
    definition.values.get(name).is_some_and(|value| !value.directives.has(ALIAS))
}

/// Collects the input objects that contain one of the enums, directly or indirectly. Repeats until nothing is added.
fn inputs(
    schema: &Schema,
    enums: &HashMap<Name, Arc<EnumAliases>>,
) -> HashMap<Name, Vec<(Name, Name)>> {
    let objects = || {
        schema.types.values().filter_map(|ty| match ty {
            ExtendedType::InputObject(object) => Some(object),
            _ => None,
        })
    };
    let mut used_by: HashMap<&str, Vec<&str>> = HashMap::new();
    for object in objects() {
        for field in object.fields.values() {
            used_by.entry(field.ty.inner_named_type().as_str()).or_default().push(&object.name);
        }
    }
    let mut leading: HashSet<&str> = enums.keys().map(|name| &**name).collect();
    let mut open: Vec<&str> = leading.iter().copied().collect();
    while let Some(name) = open.pop() {
        for user in used_by.get(name).into_iter().flatten().copied() {
            if leading.insert(user) {
                open.push(user);
            }
        }
    }
    let of_object = objects().filter(|object| leading.contains(object.name.as_str()));
    let fields = of_object.map(|object| {
        let fields = object.fields.values();
        let fields = fields.map(|field| (&field.name, field.ty.inner_named_type()));
        let fields = fields.filter(|(_, ty)| leading.contains(ty.as_str()));
        let fields = fields.map(|(name, ty)| (name.as_str().into(), ty.as_str().into()));
        (object.name.as_str().into(), fields.collect())
    });
    fields.collect()
}
