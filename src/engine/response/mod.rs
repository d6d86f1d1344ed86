//! From replies to the response: bytes of replies are read into the slots of a [`Store`] along a [`Shape`], and written
//! out along a [`View`] in one pass.
//!
//! The planner creates shapes and views once. A leaf is a slice of its reply. It is checked against its GraphQL type as
//! it is written, and never copied. Nothing here depends on the source of a reply.

mod errors;
mod leaf;
mod missing;
mod missing_walk;
mod proto_text;
mod read_json;
mod read_proto;
mod shape;
mod store;
mod strict;
#[cfg(test)]
mod tests;
mod view;
mod wire;
mod write;

pub(super) use leaf::{key_text, number_key, to_json};
pub(super) use missing::{MissingKey, MissingKeys};
pub(super) use read_json::{read_decoded, read_json, read_without_body};
pub(super) use read_proto::{json_of as proto_to_json, read_proto};
pub(super) use shape::{
    Constant, General, Group, KeyTargets, ObjectShape, OneOfWhole, Shape, Target,
};
pub(super) use store::{Budget, Hole, NodeId, RowId, Slot, Store, Unreadable, Value};
pub(super) use strict::valid as valid_json;
pub(super) use view::{Entries, Entry, Leaf, Output, OutputKind, Sound, TypeView, View};
pub(super) use write::{Size, Writing, Written, write};

/// Variables of a mapping that has been evaluated: it has none.
pub(super) struct Nothing;

impl crate::mapping::Variables for Nothing {
    fn value(&self, _: crate::mapping::Variable) -> std::borrow::Cow<'_, serde_json::Value> {
        std::borrow::Cow::Owned(serde_json::Value::Null)
    }
}
