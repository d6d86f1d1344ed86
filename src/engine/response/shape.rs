//! How a reply is read into slots: the selection, composed with the mapping, from the reply's point of view.

use super::store::{NodeId, Slot, Value};
use crate::graphql::Name;
use crate::mapping::{Expr, Reads};

/// What to make of the value at a place in a reply. Lists are followed wherever they come: a shape is applied to each
/// element.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::engine) enum Shape {
    /// Keep the text.
    Leaf,
    /// The value under one key of an object.
    Key { key: Box<str>, then: Box<Shape> },
    /// A new row.
    Object(Box<ObjectShape>),
    /// An object's entries as one list of alternating key and value.
    Entries(Box<Shape>),
    /// A mapping with methods: the value is evaluated as a tree, and the result read.
    General(Box<General>),
    /// A whole reply of which the mapping makes one object, though it may be a list or a scalar.
    OneOfWhole(Box<OneOfWhole>),
}

#[derive(Debug, Clone, PartialEq)]
pub(in crate::engine) struct OneOfWhole {
    /// Of a list, and of a scalar that is not null.
    pub whole: General,
    /// Of an object.
    pub then: Shape,
}

impl Shape {
    /// What a scalar is along a shape that is no leaf: it has no keys, and it is no object.
    pub fn of_scalar(&self) -> Value {
        if matches!(self, Self::Key { .. }) { Value::Null } else { Value::Misfit }
    }

    /// Somewhere in it, a mapping is evaluated.
    pub fn evaluates(&self) -> bool {
        match self {
            Self::Leaf => false,
            Self::General(_) | Self::OneOfWhole(_) => true,
            Self::Key { then, .. } | Self::Entries(then) => then.evaluates(),
            Self::Object(object) => {
                let mut targets = object.keys.iter().flat_map(|key| &key.targets);
                targets.any(|target| target.shape.evaluates())
            }
        }
    }
}

#[derive(Debug, Clone, PartialEq)]
pub(in crate::engine) struct General {
    /// Named selections take the value as it is: a list is not followed, and a scalar is not a misfit.
    pub takes_whole: bool,
    pub expr: Expr,
    /// The part of the value that `expr` reads.
    pub reads: Reads,
    pub then: Shape,
}

impl General {
    pub fn new(expr: Expr, then: Shape) -> Self {
        Self { takes_whole: false, reads: expr.reads(), expr, then }
    }

    /// Applies named selections to a list or a scalar as a whole.
    pub fn of_whole(expr: Expr, then: Shape) -> Self {
        Self { takes_whole: true, ..Self::new(expr, then) }
    }
}

/// How an object of a reply fills a row, and the rows of the groups in it.
#[derive(Debug, Clone, PartialEq, Default)]
pub(in crate::engine) struct ObjectShape {
    pub width: u32,
    pub keys: Vec<KeyTargets>,
    /// Groups: objects of the response whose fields stand in the same object of the reply.
    pub groups: Vec<Group>,
    pub constants: Vec<Constant>,
    /// The slots that hold an entity's key. Where all of them are null, the object is no entity but null. Empty for
    /// plain objects.
    pub identity: Vec<Slot>,
}

/// The places that one key of the reply fills.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::engine) struct KeyTargets {
    pub key: Box<str>,
    pub targets: Vec<Target>,
}

/// Frame 0 is the object's own row; frame `n` is that of group `n - 1`.
pub(in crate::engine) type Frame = usize;

#[derive(Debug, Clone, PartialEq)]
pub(in crate::engine) struct Target {
    pub frame: Frame,
    pub slot: Slot,
    /// The layout of the row that the slot is of.
    pub node: NodeId,
    /// The field of the schema, without its type.
    pub field: Name,
    pub shape: Shape,
}

#[derive(Debug, Clone, PartialEq)]
pub(in crate::engine) struct Group {
    /// Where its row goes.
    pub frame: Frame,
    pub slot: Slot,
    pub width: u32,
    pub identity: Vec<Slot>,
}

/// A literal of the mapping.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::engine) struct Constant {
    pub frame: Frame,
    pub slot: Slot,
    /// JSON text.
    pub json: Box<str>,
}
