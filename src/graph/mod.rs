//! SDL becomes a [`Graph`]: which field comes from which call, which keys name an entity, which lookups answer for it.
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

/// What the engine plans and runs against.
pub struct Graph {
    /// What clients see, validate against and introspect: no bindings, no `@internal`, no `@require`d arguments.
    pub api_schema: Arc<Valid<Schema>>,
    /// Everything, directives included.
    pub schema: Arc<Valid<Schema>>,
    /// By name. Object types only, roots included.
    pub types: HashMap<Name, ObjectType>,
    /// Indexed by [`BindingId`].
    pub bindings: Vec<Binding>,
    /// In schema order.
    pub lookups: Vec<Lookup>,
    /// Who may see what.
    pub guards: Guards,
    pub costs: Costs,
    /// How services spell the values of enums.
    pub aliases: Arc<Aliases>,
    /// The prefixes of IDs.
    pub global_ids: Arc<GlobalIds>,
    pub defaults: Defaults,
    /// What `@cacheControl` says of objects, interfaces and unions; only those of which it says something.
    pub cache_hints: HashMap<Name, CacheHint>,
    /// Values of the environment variables that texts name: an object.
    pub env: Value,
    /// Differs between any two graphs of one process.
    pub version: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BindingId(pub u32);

/// An object type with what the SDL says beside its fields' types.
pub struct ObjectType {
    pub name: Name,
    /// `@cost`.
    pub cost: Option<u64>,
    /// One per `@key`; empty for a plain object.
    pub keys: Vec<Vec<FieldSelection>>,
    /// In schema order.
    pub fields: HashMap<Name, Field>,
}

/// A field of an object type.
pub struct Field {
    pub name: Name,
    /// `None`: read from the parent's object by name.
    pub binding: Option<BindingId>,
    /// Arguments that the planner fills from the parent object (`@require`), hidden from clients.
    pub requires: Vec<(Name, KeyPath)>,
    /// `@provides`: what of a nested entity comes along beside its key.
    pub provides: Vec<FieldSelection>,
    pub list_size: Option<ListSize>,
    /// `@cost`.
    pub cost: Option<u64>,
    /// What values for arguments cost, of those that may cost something.
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
    /// From an argument through input objects to a number, or to a list.
    pub slicing_arguments: Vec<KeyPath>,
    /// Where the lists are, if the field is none itself: from its object down.
    pub sized_fields: Vec<KeyPath>,
    /// Exactly one slicing argument must be given, unless one of them has a default.
    pub require_one: bool,
}

/// What a field's directive says, compiled.
pub struct Binding {
    /// Such as `User.orders`.
    pub coordinate: Name,
    pub call: Arc<dyn Call>,
    /// The call may change something: it is made for each time that the field is selected, and shared with nothing.
    pub changes: bool,
    /// `@timeout`, where it is less than the source's.
    pub timeout: Option<Duration>,
    /// `@onError(do: NULL)`: where the field's own call fails, the field is null without an error.
    pub null_on_error: bool,
    /// The parent's fields that the call's texts name through `$this` or `$batch`.
    pub parent: Vec<FieldSelection>,
    pub batch: Option<Batch>,
    /// The field is not a list.
    pub is_one: bool,
    /// Of the field, and of the type it returns.
    pub cache: CacheHint,
}

/// How N calls become ⌈N/max⌉.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    pub reply: BatchReply,
    /// The names, in the mapping's result (or in the reply, without `select`), of the fields that hold the key, in the
    /// order of `asked`.
    pub key: Vec<Name>,
    /// On an entity field: the parent's fields that make the key. On a lookup: the entity's, in the argument's order.
    pub asked: Vec<KeyPath>,
    pub max: usize,
    /// Zero: no timer, and no keys of other requests.
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
    /// Of `Query`.
    pub field: Name,
    pub binding: BindingId,
    /// The object type it answers for.
    pub entity: Name,
    pub arguments: LookupArguments,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LookupArguments {
    /// One entity a call: each argument takes one key field.
    One(Vec<(Name, KeyPath)>),
    /// A batch: the argument is a list of keys.
    Many { argument: Name, element: LookupElement },
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LookupElement {
    /// `ids: [ID!]!`.
    Scalar(KeyPath),
    /// `keys: [ProductKey!]!`: input fields, and the key fields they take.
    Object(Vec<(Name, KeyPath)>),
}

impl Graph {
    #[must_use]
    pub fn binding(&self, id: BindingId) -> &Binding {
        &self.bindings[id.0 as usize]
    }

    /// The field of an object type; `None` for introspection fields and unknown names.
    #[must_use]
    pub fn field(&self, parent: &str, field: &str) -> Option<&Field> {
        self.types.get(parent)?.fields.get(field)
    }

    /// What one value of a field weighs: `@cost` on the field, else on its type (an object's, a scalar's or an enum's
    /// name), else 1 for an object and 0 for a leaf.
    #[must_use]
    pub fn weight(&self, field: Option<&Field>, ty: &str) -> u64 {
        let of_type = || match self.types.get(ty) {
            Some(object) => object.cost.unwrap_or(1),
            None => self.costs.leaves.get(ty).copied().unwrap_or(0),
        };
        field.and_then(|field| field.cost).unwrap_or_else(of_type)
    }

    /// The lookups that answer for an entity, in schema order.
    pub fn lookups_of<'a>(&'a self, entity: &'a str) -> impl Iterator<Item = &'a Lookup> {
        self.lookups.iter().filter(move |lookup| &*lookup.entity == entity)
    }
}
