//! Shapes: how a reply is read into slots. A shape is the selection composed with the mapping, arranged by the
//! structure of the reply.

use super::store::{NodeId, Slot, Value};
use crate::graphql::Name;
use crate::mapping::{Expr, Reads};

/// Handling of the value at a position of a reply. A shape is applied to each element of a list, at every depth.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::engine) enum Shape {
    /// Keeps the text.
    Leaf,
    /// Reads the value under one key of an object.
    Key { key: Box<str>, then: Box<Shape> },
    /// Creates a row.
    Object(Box<ObjectShape>),
    /// Reads an object's entries as one list of alternating keys and values.
    Entries(Box<Shape>),
    /// Evaluates a mapping with methods over the value, and reads its result.
    General(Box<General>),
    /// Reads a whole reply into one object, although the reply may be a list or a scalar.
    OneOfWhole(Box<OneOfWhole>),
}

#[derive(Debug, Clone, PartialEq)]
pub(in crate::engine) struct OneOfWhole {
    /// Shape for a list, and for a scalar that is not null.
    pub whole: General,
    /// Shape for an object.
    pub then: Shape,
}

impl Shape {
    /// Returns the value of a scalar, for a shape that is not a leaf: it has no keys, and it is not an object.
    pub fn of_scalar(&self) -> Value {
        if matches!(self, Self::Key { .. }) { Value::Null } else { Value::Misfit }
    }

    /// Returns `true` if some part of it evaluates a mapping.
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
    /// Named selections take the value as a whole: they do not iterate a list, and accept a scalar.
    pub takes_whole: bool,
    pub expr: Expr,
    /// Part of the value that `expr` reads.
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

/// How an object of a reply fills a row, and the rows of its groups.
#[derive(Debug, Clone, PartialEq, Default)]
pub(in crate::engine) struct ObjectShape {
    /// Number of slots of the row.
    pub width: u32,
    pub keys: Vec<KeyTargets>,
    /// Groups: objects of the response whose fields are in the same object of the reply.
    pub groups: Vec<Group>,
    pub constants: Vec<Constant>,
    /// Slots of an entity's key. If all of them are null, the entity is null. Empty for plain objects.
    pub identity: Vec<Slot>,
}

/// Slots that one key of the reply fills.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::engine) struct KeyTargets {
    pub key: Box<str>,
    pub targets: Vec<Target>,
}

/// Index of a row: frame 0 is the object's own row; frame `n` is that of group `n - 1`.
pub(in crate::engine) type Frame = usize;

#[derive(Debug, Clone, PartialEq)]
pub(in crate::engine) struct Target {
    pub frame: Frame,
    pub slot: Slot,
    /// Layout of the row that the slot belongs to.
    pub node: NodeId,
    /// Name of the field in the schema, without its type.
    pub field: Name,
    pub shape: Shape,
}

#[derive(Debug, Clone, PartialEq)]
pub(in crate::engine) struct Group {
    /// Frame of its row.
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
