//! Global IDs: a prefix of the `ID`s of a type, such as `user:1`, and the fields that find an object by its global ID.
//!
//! Clients send and receive IDs with the prefix; services, keys and rules never see it. `Query.node` gets the type from
//! the prefix, so an ID never causes calls to several sources.

mod read;

pub(super) use read::read;

use crate::graphql::Name;
use apollo_compiler::ast;
use hashbrown::{HashMap, HashSet};
use serde_json::{Value, json};
use std::fmt;
use std::sync::Arc;

/// The prefixes of a graph's types, and the places of IDs that have one.
#[derive(Default, PartialEq, Eq)]
pub struct GlobalIds {
    /// Prefixes with the colon, by type.
    prefixes: HashMap<Name, Arc<str>>,
    /// Types by prefix, without the colon.
    types: HashMap<Name, Name>,
    /// Types of the IDs in fields, by type and field.
    fields: HashMap<Name, HashMap<Name, Name>>,
    /// Arguments with IDs, by type, field and argument.
    arguments: HashMap<Name, HashMap<Name, HashMap<Name, IdPlace>>>,
    /// Fields with IDs, by input object.
    inputs: HashMap<Name, Vec<(Name, IdPlace)>>,
    /// Fields of `Query` that find an object by its ID.
    nodes: HashSet<Name>,
}

/// IDs in an argument or an input field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IdPlace {
    /// An ID of this type, or a list of them.
    Id(Name),
    /// An input object that contains IDs, or a list of them.
    Input(Name),
}

impl fmt::Debug for GlobalIds {
    /// In one word: plans print their inputs to compare them, and a graph has one of these.
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str("GlobalIds")
    }
}

impl GlobalIds {
    /// Returns the prefix, with its colon, of the IDs of a field.
    #[must_use]
    pub fn prefix_of_field(&self, ty: &str, field: &str) -> Option<&Arc<str>> {
        self.prefixes.get(self.fields.get(ty)?.get(field)?)
    }

    /// Returns the prefix, with its colon, of the IDs of a type.
    #[must_use]
    pub fn prefix(&self, ty: &str) -> Option<&Arc<str>> {
        self.prefixes.get(ty)
    }

    /// Returns the IDs in an argument of a field.
    #[must_use]
    pub fn place(&self, ty: &str, field: &str, argument: &str) -> Option<&IdPlace> {
        self.arguments.get(ty)?.get(field)?.get(argument)
    }

    /// Returns `true` if the field of `Query` finds objects of any type with a prefix by their IDs.
    #[must_use]
    pub fn is_node(&self, query_field: &str) -> bool {
        self.nodes.contains(query_field)
    }

    /// Removes the prefixes of the IDs in a value. An ID without its prefix becomes null. The recursion is as deep as
    /// the value.
    pub fn strip(&self, place: &IdPlace, value: &mut Value) {
        match (place, value) {
            (_, Value::Array(items)) => items.iter_mut().for_each(|item| self.strip(place, item)),
            (IdPlace::Id(ty), id @ Value::String(_)) => {
                let local = id.as_str().and_then(|id| self.local(ty, id)).map(str::to_owned);
                *id = local.map_or(Value::Null, Value::String);
            }
            (IdPlace::Input(ty), Value::Object(fields)) => {
                for (field, place) in self.inputs.get(ty).into_iter().flatten() {
                    if let Some(value) = fields.get_mut(&**field) {
                        self.strip(place, value);
                    }
                }
            }
            _ => {}
        }
    }

    /// Returns `true` if all IDs in the value have the prefix of their type. The recursion is as deep as the value.
    #[must_use]
    pub fn fits(&self, place: &IdPlace, value: &Value) -> bool {
        match (place, value) {
            (_, Value::Array(items)) => items.iter().all(|item| self.fits(place, item)),
            (IdPlace::Id(ty), Value::String(id)) => self.local(ty, id).is_some(),
            (IdPlace::Input(ty), Value::Object(fields)) => {
                let ids = self.inputs.get(ty).into_iter().flatten();
                ids.filter_map(|(field, place)| Some((place, fields.get(&**field)?)))
                    .all(|(place, value)| self.fits(place, value))
            }
            _ => true,
        }
    }

    /// Returns the types of the IDs at a position.
    #[must_use]
    pub fn types_at<'i>(&'i self, place: &'i IdPlace) -> Vec<&'i Name> {
        let (mut types, mut seen, mut open) = (Vec::new(), HashSet::new(), vec![place]);
        while let Some(place) = open.pop() {
            match place {
                IdPlace::Id(ty) if !types.contains(&ty) => types.push(ty),
                IdPlace::Input(ty) if seen.insert(ty) => {
                    let fields = self.inputs.get(ty).into_iter().flatten();
                    open.extend(fields.map(|(_, place)| place));
                }
                _ => {}
            }
        }
        types.sort_unstable();
        types
    }

    /// Splits a global ID into the type and key of its object; null if no type has the prefix. Does the same for each
    /// element of a list.
    #[must_use]
    pub fn object_of(&self, id: &Value) -> Value {
        match id {
            Value::Array(ids) => ids.iter().map(|id| self.object_of(id)).collect(),
            Value::String(id) => {
                let parts = id.split_once(':').filter(|(_, local)| !local.is_empty());
                let found =
                    parts.and_then(|(prefix, local)| Some((self.types.get(prefix)?, local)));
                found.map_or(Value::Null, |(ty, local)| json!({ "__typename": &**ty, "id": local }))
            }
            _ => Value::Null,
        }
    }

    /// As [`GlobalIds::fits`], for a literal without variables. As deep as the literal.
    fn fits_literal(&self, place: &IdPlace, literal: &ast::Value) -> bool {
        match (place, literal) {
            (_, ast::Value::List(items)) => items.iter().all(|item| self.fits_literal(place, item)),
            (IdPlace::Id(ty), ast::Value::String(id)) => self.local(ty, id).is_some(),
            (IdPlace::Id(_), ast::Value::Int(_)) => false,
            (IdPlace::Input(ty), ast::Value::Object(fields)) => {
                let places = || self.inputs.get(ty).into_iter().flatten();
                fields.iter().all(|(name, value)| {
                    let mut places = places().filter(|(field, _)| **field == **name);
                    places.all(|(_, place)| self.fits_literal(place, value))
                })
            }
            _ => true,
        }
    }

    /// The key in a global ID of any type, or null. The same for each of a list.
    #[must_use]
    pub fn key_of(&self, id: &Value) -> Value {
        match id {
            Value::Array(ids) => ids.iter().map(|id| self.key_of(id)).collect(),
            Value::String(id) => {
                let parts =
                    id.split_once(':').filter(|(prefix, _)| self.types.contains_key(*prefix));
                parts.map_or(Value::Null, |(_, local)| local.into())
            }
            _ => Value::Null,
        }
    }

    fn local<'i>(&self, ty: &str, id: &'i str) -> Option<&'i str> {
        let local = id.strip_prefix(&**self.prefixes.get(ty)?)?;
        (!local.is_empty()).then_some(local)
    }
}
