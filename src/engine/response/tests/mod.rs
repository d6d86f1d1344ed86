//! Reading and writing without a service: bodies, shapes and views built by hand.

mod json;
mod leaf;
mod proto;
mod proto_text;
mod strict;
mod values;
mod write;

use super::shape::Frame;
use super::{
    Group, KeyTargets, NodeId, ObjectShape, RowId, Shape, Store, Target, Value, read_json,
};
use crate::mapping::{Expr, Mapping, Variable, Variables};
use bytes::Bytes;
use serde_json::Value as Json;
use std::borrow::Cow;
use std::fmt::Write as _;

/// `$status` is 200; no other variable has a value.
pub(super) struct Status;

impl Variables for Status {
    fn value(&self, variable: Variable) -> Cow<'_, Json> {
        Cow::Owned(if variable == Variable::Status { 200.into() } else { Json::Null })
    }
}

/// Reads a body and prints the store.
pub(super) fn read(body: &str, shape: &Shape) -> String {
    let mut store = Store::new(1_000_000);
    match read_json(&mut store, &Bytes::copy_from_slice(body.as_bytes()), shape, &Status) {
        Ok(value) => show(&store, value, shape),
        Err(error) => format!("error: {error}"),
    }
}

/// Prints a value: JSON slices as they are, strings in `'`, other scalars after a letter, objects in parentheses.
pub(super) fn show(store: &Store, value: Value, shape: &Shape) -> String {
    let text = |slice| String::from_utf8(store.bytes(slice).to_vec()).expect("slices are UTF-8");
    match value {
        Value::Null => "null".into(),
        Value::Misfit => "misfit".into(),
        Value::Hole(index) => format!("hole{index}"),
        Value::Bool(value) => format!("b{value}"),
        Value::Int(value) => format!("i{value}"),
        Value::Float(value) => format!("f{value}"),
        Value::Json(slice) => text(slice),
        Value::Text(slice) => format!("'{}'", text(slice)),
        Value::List { start, len } => {
            let of = match shape {
                Shape::Entries(then) => then,
                shape => shape,
            };
            let shown = store.items(start, len).iter().map(|item| show(store, *item, of));
            format!("[{}]", shown.collect::<Vec<_>>().join(" "))
        }
        Value::Object(row) => match inner(shape) {
            Some(object) => show_row(store, row, object, 0),
            None => "an object nobody shaped".into(),
        },
    }
}

fn inner(shape: &Shape) -> Option<&ObjectShape> {
    match shape {
        Shape::Object(object) => Some(object),
        Shape::Key { then, .. } | Shape::Entries(then) => inner(then),
        Shape::General(general) => inner(&general.then),
        Shape::OneOfWhole(one) => inner(&one.then),
        Shape::Leaf => None,
    }
}

fn show_row(store: &Store, row: RowId, object: &ObjectShape, frame: Frame) -> String {
    let width = if frame == 0 { object.width } else { object.groups[frame - 1].width };
    let mut shown = String::from("(");
    for slot in 0..width {
        let value = store.get(row, slot);
        let group =
            object.groups.iter().position(|group| (group.frame, group.slot) == (frame, slot));
        let mut targets = object.keys.iter().flat_map(|key| &key.targets);
        let target = targets.find(|target| (target.frame, target.slot) == (frame, slot));
        let text = match (value, group, target) {
            (Value::Object(row), Some(group), _) => show_row(store, row, object, group + 1),
            (value, _, Some(target)) => show(store, value, &target.shape),
            (value, _, None) => show(store, value, &Shape::Leaf),
        };
        let _ = write!(shown, "{}{text}", if slot == 0 { "" } else { " " });
    }
    shown + ")"
}

/// Frame, slot and shape of a target.
type To = (Frame, u32, Shape);

fn target(frame: Frame, slot: u32, shape: Shape) -> Target {
    Target { frame, slot, node: NodeId(0), field: "field".into(), shape }
}

/// Returns a shape of `width` slots whose keys fill `(frame, slot)`.
pub(super) fn object(width: u32, keys: &[(&str, &[To])]) -> ObjectShape {
    let targets = |targets: &[To]| {
        let target = |(frame, slot, shape): &To| target(*frame, *slot, shape.clone());
        targets.iter().map(target).collect()
    };
    let keys = keys.iter().map(|(key, of)| KeyTargets { key: (*key).into(), targets: targets(of) });
    ObjectShape { width, keys: keys.collect(), ..ObjectShape::default() }
}

/// Returns a shape of leaves under these keys, in this order.
pub(super) fn leaves(keys: &[&str]) -> Shape {
    let targets = |slot| vec![target(0, slot, Shape::Leaf)];
    let key =
        |(slot, key): (u32, &&str)| KeyTargets { key: (**key).into(), targets: targets(slot) };
    let keys: Vec<_> = (0..).zip(keys).map(key).collect();
    let width = keys.len() as u32;
    row(ObjectShape { width, keys, ..ObjectShape::default() })
}

pub(super) fn row(object: ObjectShape) -> Shape {
    Shape::Object(Box::new(object))
}

pub(super) fn key(key: &str, then: Shape) -> Shape {
    Shape::Key { key: key.into(), then: Box::new(then) }
}

pub(super) fn group(frame: Frame, slot: u32, width: u32, identity: &[u32]) -> Group {
    Group { frame, slot, width, identity: identity.to_vec() }
}

pub(super) fn general(mapping: &str, then: Shape) -> Shape {
    Shape::General(Box::new(super::General::new(expr(mapping), then)))
}

pub(super) fn expr(mapping: &str) -> Expr {
    Mapping::parse(mapping).expect("the mapping parses").expr().clone()
}
