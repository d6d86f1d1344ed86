//! Loads SDL into a [`Graph`]: the bindings of fields, the keys of entities, and their lookups.
//!
//! Loading merges a folder of files, adds the built-in directive definitions, has every binding compiled by its
//! connector, and reports all problems at once. The result is immutable and shared; a reload builds another one beside
//! it. No IO but reading files.

mod alias;
mod api_schema;
mod batch;
mod binding;
mod cache;
mod call_policy;
mod check;
mod codes;
mod cost;
mod directive;
mod entity;
mod field_set;
mod global_id;
mod guard;
mod input;
mod load;
mod lookup;
mod merge;
mod namespace;
mod place;
mod reference;
mod requirement;
mod scalar_format;
mod sdl;
mod spellings;
mod type_system;
mod words;

#[cfg(test)]
mod tests;

pub use alias::{Aliases, EnumAliases, Spelling};
pub use cache::CacheHint;
pub use codes::CODES;
pub use cost::{Costs, InputCost};
pub use directive::sdl as directives;
pub use global_id::{GlobalIds, IdPlace};
pub use guard::{Allow, Guard, GuardId, Guards};
pub use input::{Defaults, expected, is_misread, is_one_of, misfits, repeated_fields};
pub use load::{Surroundings, deny, load, load_in, load_with_env};
pub use scalar_format::format_of;
pub use sdl::Sdl;

use crate::graphql::Name;
use crate::source::Call;
use apollo_compiler::Schema;
use apollo_compiler::validation::Valid;
use hashbrown::HashMap;
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;

/// The loaded schema that the engine plans and runs against. Immutable.
pub struct Graph {
    /// The schema for clients, for validation and introspection: no bindings, no `@internal`, no `@require`d arguments.
    pub api_schema: Arc<Valid<Schema>>,
    /// The complete schema, including directives.
    pub schema: Arc<Valid<Schema>>,
    /// Object types by name, including roots.
    pub types: HashMap<Name, ObjectType>,
    /// Indexed by [`BindingId`].
    pub bindings: Vec<Binding>,
    /// In schema order.
    pub lookups: Vec<Lookup>,
    /// Access rules.
    pub guards: Guards,
    pub costs: Costs,
    /// Names of enum values in services.
    pub aliases: Arc<Aliases>,
    /// Prefixes of IDs.
    pub global_ids: Arc<GlobalIds>,
    pub defaults: Defaults,
    /// `@cacheControl` of objects, interfaces and unions; types without it are absent.
    pub cache_hints: HashMap<Name, CacheHint>,
    /// Values of the environment variables that texts use, as an object.
    pub env: Value,
    /// Unique among the graphs of one process.
    pub version: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BindingId(pub u32);

/// An object type: its keys, cost and fields.
pub struct ObjectType {
    pub name: Name,
    /// Weight by `@cost`.
    pub cost: Option<u64>,
    /// One per `@key`; empty for a plain object.
    pub keys: Vec<Vec<FieldSelection>>,
    /// In schema order.
    pub fields: HashMap<Name, Field>,
}

/// A field of an object type.
pub struct Field {
    pub name: Name,
    /// `None` if it is read from the parent's object by name.
    pub binding: Option<BindingId>,
    /// Arguments that the planner fills from the parent object (`@require`), hidden from clients.
    pub requires: Vec<(Name, KeyPath)>,
    /// `@provides`: fields of a nested entity that the reply contains in addition to its key.
    pub provides: Vec<FieldSelection>,
    pub list_size: Option<ListSize>,
    /// Weight by `@cost`.
    pub cost: Option<u64>,
    /// Costs of values for arguments; arguments without a cost are absent.
    pub arguments: HashMap<Name, InputCost>,
}

/// A field set such as `id org { id }`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldSelection {
    pub name: Name,
    pub fields: Vec<FieldSelection>,
}

/// Field names from an object down to a leaf, such as `["org", "id"]`.
pub type KeyPath = Vec<Name>;

/// `@listSize` (IBM cost directives, "List size").
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ListSize {
    pub assumed_size: Option<u64>,
    /// Paths from an argument through input objects to a number, or to a list.
    pub slicing_arguments: Vec<KeyPath>,
    /// Paths from the field's object to its lists, if the field is not a list itself.
    pub sized_fields: Vec<KeyPath>,
    /// Requires exactly one slicing argument, unless one of them has a default.
    pub require_one: bool,
}

/// A compiled binding directive of a field.
pub struct Binding {
    /// Coordinate of the field, such as `User.orders`.
    pub coordinate: Name,
    pub call: Arc<dyn Call>,
    /// The call may have side effects: it is made each time that the field is selected, and never shared.
    pub changes: bool,
    /// Timeout by `@timeout`, if it is shorter than the source's.
    pub timeout: Option<Duration>,
    /// `@onError(do: NULL)`: if the field's own call fails, the field is null without an error.
    pub null_on_error: bool,
    /// Fields of the parent that the call's texts use through `$this` or `$batch`.
    pub parent: Vec<FieldSelection>,
    pub batch: Option<Batch>,
    /// The field is not a list.
    pub is_one: bool,
    /// Cache hint of the field and of the type that it returns.
    pub cache: CacheHint,
}

/// Batch rule: N calls become ⌈N/max⌉.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    pub reply: BatchReply,
    /// Names of the key fields in the mapping's result (or in the reply, without `select`), in the order of `asked`.
    pub key: Vec<Name>,
    /// Paths of the key fields. On an entity field: in the parent. On a lookup: in the entity, in the argument's order.
    pub asked: Vec<KeyPath>,
    pub max: usize,
    /// Time to wait for keys of other requests. Zero: no timer, and no such keys.
    pub wait: Duration,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BatchReply {
    ByKey,
    Positional,
    Map,
    GroupBy,
}

/// A query field that returns an entity for its key (`@lookup`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lookup {
    /// Field of `Query`.
    pub field: Name,
    pub binding: BindingId,
    /// Object type of the entity.
    pub entity: Name,
    pub arguments: LookupArguments,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LookupArguments {
    /// One entity for each call: each argument takes one key field.
    One(Vec<(Name, KeyPath)>),
    /// A batch: the argument is a list of keys.
    Many { argument: Name, element: LookupElement },
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LookupElement {
    /// `ids: [ID!]!`.
    Scalar(KeyPath),
    /// `keys: [ProductKey!]!`: input fields, and the key fields that they take.
    Object(Vec<(Name, KeyPath)>),
}

impl Graph {
    #[must_use]
    pub fn binding(&self, id: BindingId) -> &Binding {
        &self.bindings[id.0 as usize]
    }

    /// Returns the field of an object type; `None` for introspection fields and unknown names.
    #[must_use]
    pub fn field(&self, parent: &str, field: &str) -> Option<&Field> {
        self.types.get(parent)?.fields.get(field)
    }

    /// Returns the weight of one value of a field: `@cost` on the field, otherwise on its type (an object, a scalar or
    /// an enum). Without `@cost`, an object weighs 1 and a leaf 0.
    #[must_use]
    pub fn weight(&self, field: Option<&Field>, ty: &str) -> u64 {
        let of_type = || match self.types.get(ty) {
            Some(object) => object.cost.unwrap_or(1),
            None => self.costs.leaves.get(ty).copied().unwrap_or(0),
        };
        field.and_then(|field| field.cost).unwrap_or_else(of_type)
    }

    /// Returns whether a field finds objects of any type by their global IDs (`@node`).
    #[must_use]
    pub fn is_node(&self, ty: &str, field: &str) -> bool {
        let query = self.schema.schema_definition.query.as_ref();
        query.is_some_and(|query| query.as_str() == ty) && self.global_ids.is_node(field)
    }

    /// Returns the lookups of an entity, in schema order.
    pub fn lookups_of<'a>(&'a self, entity: &'a str) -> impl Iterator<Item = &'a Lookup> {
        self.lookups.iter().filter(move |lookup| &*lookup.entity == entity)
    }
}
