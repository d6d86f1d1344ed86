//! The query plan: a DAG of fetches, each one question to one source, and the view the answers are written along.
//!
//! Planning walks the selection once. What a source's reply provides stays with its fetch; a field with a binding of
//! its own is a fetch of its own; what is left of an entity is fetched through lookups. A plan holds no variable,
//! claim or header: one plan serves all callers of an operation.

mod access;
mod aliases;
mod arguments;
mod build;
mod check;
mod collect;
mod condition;
mod draft;
mod error;
mod explain;
mod fan_out;
mod finish;
mod held;
mod length;
mod need;
mod price;
mod route;
mod select;
mod shapes;
mod slots;
mod sound;
#[cfg(test)]
mod tests;
mod usages;
mod yields;

pub(super) use arguments::{Input, constant, evaluate_all};
pub(super) use build::plan;

pub(super) use check::CheckId;
pub(super) use condition::Conditions;
pub use explain::ExplainedPlan;
pub(super) use explain::explain;
pub(super) use length::{Length, Slice};
pub(super) use usages::{VariableUsage, usages};

use super::guard::access::Access;
use super::guard::cost::Cost;
use super::response::{NodeId, Shape, Slot, View};
use crate::graph::{BatchReply, BindingId, CacheHint, EnumAliases, GuardId, Spelling};
use crate::graphql::Name;
use crate::source::Computed;
use fan_out::Objects;
use serde_json::{Map, Value};
use std::sync::Arc;
use std::time::Duration;

/// The position of a fetch in [`QueryPlan::fetches`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct FetchId(pub u32);

pub(super) struct QueryPlan {
    /// Some call may come up twice in one request.
    pub repeats: bool,
    /// Each comes after everything it depends on.
    pub fetches: Vec<Fetch>,
    /// Slots of the root row.
    pub root_width: u32,
    /// Rules that are asked for each object.
    pub checks: Vec<Check>,
    pub view: View,
    pub conditions: Conditions,
    pub cost: Cost,
    /// Response keys of `__schema` and `__type` at the root, by number.
    pub introspection: Vec<Name>,
    /// Bytes it takes, roughly; what the cache weighs it by.
    pub weight: usize,
}

/// One question to one source, asked in as many calls as its grouping needs.
pub(super) struct Fetch {
    pub binding: BindingId,
    /// The field of the binding, such as `User.orders`.
    pub coordinate: Name,
    pub place: Place,
    /// How many objects there can be at the place.
    pub objects: Objects,
    pub target: Target,
    pub arguments: Vec<(Name, Input)>,
    /// Arguments that take their value from the parent object.
    pub required: Vec<Required>,
    /// What the call's texts name of the parent object.
    pub parent: Vec<Wanted>,
    pub asking: Asking,
    pub shape: Shape,
    /// For a batch that keys of other requests may join: how one key's part of the reply is read, once the mapping
    /// has been evaluated.
    pub joined: Option<Shape>,
    /// How the result of the mapping is read for a reply without a body; `None`: such a reply is null.
    pub without_body: Option<Shape>,
    /// There is no call: the mapping is evaluated for each object, and its result read by `without_body`.
    pub computed: Option<Computed>,
    /// A mapping of the reply is evaluated, which may name what the call was made from.
    pub evaluates: bool,
    /// Number of the condition under which it is made; 0 always holds.
    pub condition: u32,
    pub depends_on: Vec<FetchId>,
    pub dependents: Vec<FetchId>,
    /// The field may be null: a call that finds nothing is no error.
    pub nullable: bool,
    /// The call is safe to repeat, so identical ones may share one execution.
    pub safe: bool,
    /// What `@cacheControl` says of the types of the objects that are read from its replies.
    pub cache: CacheHint,
    /// Earlier objects of the same entity that may hold all that this fetch asks for.
    pub held: Vec<Held>,
    /// Which objects it is made for: those of any of these. Empty: all.
    pub permits: Vec<Permit>,
    /// Takes `true` if the call finds the object.
    pub exists: Option<Slot>,
    /// It is made for objects of one type of a single abstract object.
    pub branch: Option<Branch>,
}

/// One type of an abstract object that is not in a list: fetches of its other types are not made beside those of this one.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Branch {
    pub node: NodeId,
    pub ty: Name,
}

/// Objects that pass these checks, where the condition with this number holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Permit {
    pub condition: u32,
    pub checks: Vec<CheckId>,
}

/// A rule that is asked for each object at a place.
pub(super) struct Check {
    pub guard: GuardId,
    /// What it looks at of the field's arguments.
    pub arguments: Vec<(Name, Input)>,
    pub place: Place,
    /// What it looks at of the object.
    pub this: Vec<Wanted>,
    /// Takes `true` or `false`.
    pub verdict: Slot,
    /// Number of the condition under which it is asked; 0 always holds.
    pub condition: u32,
}

/// The objects of the response that a fetch is for: a way down from the root row, through lists.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Place {
    pub steps: Vec<Slot>,
    /// With an abstract type: the slot of `__typename`, and the one type that is meant.
    pub only: Option<(Slot, Name)>,
    /// Response keys on the way, for people.
    pub keys: Vec<Name>,
    /// For each step, the abstract object it starts from must be of this type.
    pub step_types: Vec<Option<(Slot, Name)>>,
    /// For each step, the object it starts from must pass all checks of one of these. Empty: no matter.
    pub step_checks: Vec<Vec<Vec<CheckId>>>,
}

/// Where the result goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Target {
    /// The field's own slot.
    Slot(Slot),
    /// The result is the same entity once more: these slots of it are filled in.
    Entity(Vec<Slot>),
}

/// An `@require`d argument.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Required {
    pub argument: Name,
    pub part: KeyPart,
}

/// A leaf below an object: slots from row to row, the last one a leaf.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct KeyPart {
    pub path: Vec<Slot>,
    /// Field names, for people and for `$batch`.
    pub names: Vec<Name>,
    /// Its type is `ID`, and it goes out as a string.
    pub id: bool,
    /// Its type is an enum with aliases, and it goes out with the service's name.
    pub aliases: Option<Arc<EnumAliases>>,
}

/// A field of the parent object, with those below it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wanted {
    pub name: Name,
    pub slot: Slot,
    pub id: bool,
    /// An enum with aliases: its value is passed in one spelling, however the service spelled it.
    pub spelling: Option<(Spelling, Arc<EnumAliases>)>,
    pub fields: Vec<Wanted>,
}

/// How the objects at a place become calls.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Asking {
    /// A call for each object.
    PerObject,
    /// A call for each distinct key: each argument takes one part of it.
    PerKey { parts: Vec<KeyPart>, arguments: Vec<Name> },
    /// A call for each `max` distinct keys.
    Batch { parts: Vec<KeyPart>, keys: KeysAs, rule: BatchRule },
    /// A batch whose keys the client gave in an argument: the result is a list in their order. With aliases, they gave
    /// the keys, and the results stay with the fetch until [`Asking::Unanswered`] takes them.
    Given { argument: Name, fields: Vec<Name>, rule: BatchRule, aliases: Vec<Alias> },
    /// A call for each key of a batch of aliases for which the batch brought no object.
    Unanswered { batch: FetchId, aliases: Vec<Alias> },
}

/// Aliases of a lookup with one key.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Alias {
    pub keys: Vec<Name>,
    /// Of the root row.
    pub slot: Slot,
    /// Of the lookup for this key alone.
    pub arguments: Vec<(Name, Input)>,
}

/// How the keys of a batch reach the call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum KeysAs {
    /// As `$batch`.
    Parents,
    /// As a list argument of scalars.
    Scalars(Name),
    /// As a list argument of input objects with these fields.
    Objects(Name, Vec<Name>),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct BatchRule {
    pub reply: BatchReply,
    pub max: usize,
    pub wait: Duration,
    /// Slots of a reply's object that hold its key, in the order asked.
    pub key: Vec<Slot>,
    /// Their names in the mapping's result.
    pub key_names: Vec<Name>,
}

/// Objects of the same entity, filled from the same source by a fetch that is always done before.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Held {
    pub place: Place,
    pub parts: Vec<KeyPart>,
    /// From its slots to ours.
    pub copies: Vec<(Slot, Slot)>,
}

impl QueryPlan {
    pub fn fetch(&self, id: FetchId) -> &Fetch {
        &self.fetches[id.0 as usize]
    }

    /// Some of it may be seen by some callers only.
    pub fn is_guarded(&self) -> bool {
        self.conditions.has_rules() || !self.checks.is_empty()
    }

    pub fn check(&self, id: CheckId) -> &Check {
        &self.checks[id.0 as usize]
    }

    /// The outcome of each numbered condition for a request.
    pub fn conditions(&self, variables: &Map<String, Value>, access: Access<'_>) -> Vec<bool> {
        self.conditions.evaluate(variables, |guard, arguments| {
            access.allows(guard, || evaluate_all(arguments, variables))
        })
    }
}
