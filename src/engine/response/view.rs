//! Views: how the store is written. A view is the client's selection in the client's order. All decisions that do not
//! depend on the data are already made.

use super::store::{NodeId, Slot};
use crate::graph::EnumAliases;
use crate::graphql::{Location, Name, ScalarFormat};
use hashbrown::HashSet;
use std::sync::Arc;

/// Fields of an object, in the order in which they are written.
#[derive(Debug, Clone)]
pub(in crate::engine) enum View {
    /// The same fields for every possible type.
    One(Entries),
    /// By the object's `__typename`, which is in a slot.
    ByType { typename: Slot, types: Vec<TypeView> },
}

#[derive(Debug, Clone)]
pub(in crate::engine) struct TypeView {
    pub name: Name,
    /// Number of the condition under which objects of the type may be seen; 0 always holds.
    pub guard: u32,
    /// Cost of one such object.
    pub weight: u64,
    /// Slot that is `true` if the object exists. `None`: it always does.
    pub exists: Option<Slot>,
    /// Shared by types with the same selection.
    pub entries: Arc<Entries>,
}

/// Fields of an object in one selection.
#[derive(Debug, Clone)]
pub(in crate::engine) struct Entries {
    pub list: Vec<Entry>,
    /// `None`: no variable of a request can make them an error.
    pub sound: Option<Arc<Sound>>,
}

/// Condition on a request's variables. If it does not hold, the field or object is an error.
#[derive(Debug, Clone)]
pub(in crate::engine) struct Sound {
    /// Number of the condition.
    pub condition: u32,
    /// Message for the client if it does not hold.
    pub message: Arc<str>,
    /// Locations of the invalid selections, for an error at the root, which has no field to point to.
    pub at: Vec<Location>,
}

/// One field of the response.
#[derive(Debug, Clone)]
pub(in crate::engine) struct Entry {
    pub key: Arc<str>,
    /// The text `"key":`.
    pub prefix: Box<[u8]>,
    /// Layout of the row that the slot belongs to.
    pub node: NodeId,
    pub slot: Slot,
    /// Coordinate of the field, such as `User.name`.
    pub coordinate: Name,
    /// Source of the reply with the value; `None` if the value is in no reply.
    pub source: Option<Name>,
    /// Number of the condition under which it is written; 0 always holds.
    pub condition: u32,
    /// Number of the condition under which it may be seen; 0 always holds.
    pub guard: u32,
    /// `None`: nothing that a request gives it can be wrong.
    pub sound: Option<Arc<Sound>>,
    /// The field in the operation's text.
    pub at: Option<Location>,
    /// Number of the cost of its given arguments; 0 costs nothing.
    pub given: u32,
    /// Slots of the object that must be `true` for the caller to see the field.
    pub checks: Arc<[Slot]>,
    pub output: Output,
}

/// Parts of a field's type that writing needs.
#[derive(Debug, Clone)]
pub(in crate::engine) struct Output {
    pub non_null: bool,
    /// Cost of one value: of a leaf, or of an object with only one possible type.
    pub weight: u64,
    /// A list without a declared length: `limits.list_size` is assumed.
    pub assumed: bool,
    pub kind: OutputKind,
}

impl Output {
    /// Replaces the format of the leaves, including those in lists.
    pub fn set_leaf(&mut self, leaf: &Leaf) {
        match &mut self.kind {
            OutputKind::Leaf(own) => *own = leaf.clone(),
            OutputKind::List(of) => of.set_leaf(leaf),
            _ => {}
        }
    }
}

#[derive(Debug, Clone)]
pub(in crate::engine) enum OutputKind {
    Leaf(Leaf),
    List(Box<Output>),
    Object(Arc<View>),
    /// `__typename` of a known type: the JSON text. The slot is not read.
    Typename(Box<str>),
    /// `__typename` of an abstract type, from the slot.
    DynamicTypename(Arc<HashSet<Name>>),
    /// Answer to an introspection field, by number.
    Introspection(usize),
}

#[derive(Debug, Clone)]
pub(in crate::engine) enum Leaf {
    Int,
    Float,
    String,
    Id,
    /// An ID that clients see with this prefix.
    GlobalId(Arc<str>),
    Boolean,
    Enum(Arc<HashSet<Name>>),
    /// An enum whose values have other names in services.
    AliasedEnum(Arc<EnumAliases>),
    /// A custom scalar with a checked format.
    Formatted(ScalarFormat),
    /// A custom scalar: any JSON.
    Custom,
}
