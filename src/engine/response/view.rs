//! How the store is written: the client's selection in the client's order, every question that does not depend on the
//! data already answered.

use super::store::{NodeId, Slot};
use crate::graph::EnumAliases;
use crate::graphql::{Location, Name, ScalarFormat};
use hashbrown::HashSet;
use std::sync::Arc;

/// The fields of an object in the order written.
#[derive(Debug, Clone)]
pub(in crate::engine) enum View {
    /// The same for every type that can stand here.
    One(Entries),
    /// By the object's `__typename`, which stands in a slot.
    ByType { typename: Slot, types: Vec<TypeView> },
}

#[derive(Debug, Clone)]
pub(in crate::engine) struct TypeView {
    pub name: Name,
    /// Number of the condition under which objects of the type may be seen; 0 always holds.
    pub guard: u32,
    /// What one such object costs.
    pub weight: u64,
    /// The slot that says `true` if the object is there. `None`: it is.
    pub exists: Option<Slot>,
    /// Shared by the types that are asked for the same.
    pub entries: Arc<Entries>,
}

/// The fields of an object, as one selection asks for them.
#[derive(Debug, Clone)]
pub(in crate::engine) struct Entries {
    pub list: Vec<Entry>,
    /// `None`: no variable of a request can make them an error.
    pub sound: Option<Sound>,
}

/// A condition on a request's variables without which a field or an object is an error.
#[derive(Debug, Clone)]
pub(in crate::engine) struct Sound {
    /// Number of the condition.
    pub condition: u32,
    /// For the client, where it does not hold.
    pub message: Arc<str>,
    /// Places of the selections that cannot be decided, for an error at the root, which has no field to point to.
    pub at: Vec<Location>,
}

/// One field of the response.
#[derive(Debug, Clone)]
pub(in crate::engine) struct Entry {
    pub key: Arc<str>,
    /// `"key":`.
    pub prefix: Box<[u8]>,
    /// The layout of the row that the slot is of.
    pub node: NodeId,
    pub slot: Slot,
    /// The field of the schema, such as `User.name`.
    pub coordinate: Name,
    /// Whose reply it stands in; `None` where no reply does.
    pub source: Option<Name>,
    /// Number of the condition under which it is written; 0 always holds.
    pub condition: u32,
    /// Number of the condition under which it may be seen; 0 always holds.
    pub guard: u32,
    /// `None`: nothing that a request gives it can be wrong.
    pub sound: Option<Sound>,
    /// The field in the operation's text.
    pub at: Option<Location>,
    /// Number of what is given to it, as far as that costs something; 0 costs nothing.
    pub given: u32,
    /// Slots of the object that must say `true` for it to be seen.
    pub checks: Arc<[Slot]>,
    pub output: Output,
}

/// A field's type as far as writing needs it.
#[derive(Debug, Clone)]
pub(in crate::engine) struct Output {
    pub non_null: bool,
    /// What one value costs: a leaf, or an object that can be of one type only.
    pub weight: u64,
    /// A list that nothing says the length of: `limits.list_size` assumes one.
    pub assumed: bool,
    pub kind: OutputKind,
}

impl Output {
    /// Gives the leaves, in lists as well, another form.
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
    /// `__typename` where the type is known: the JSON text. The slot is not read.
    Typename(Box<str>),
    /// `__typename` of an abstract type: the slot holds it.
    DynamicTypename(Arc<HashSet<Name>>),
    /// The answer to an introspection field: its number.
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
    /// An enum that services spell otherwise.
    AliasedEnum(Arc<EnumAliases>),
    /// A custom scalar whose form is checked.
    Formatted(ScalarFormat),
    /// A custom scalar: any JSON.
    Custom,
}
