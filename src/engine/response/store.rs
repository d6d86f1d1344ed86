//! The response store: an arena of slots.
//!
//! An object is a row: a run of slots whose meaning (which field stands where) the planner fixed. A list is a run of
//! items. A leaf is a slice of a reply's body. Everything is an index, so placing an entity in twenty parents copies
//! slots and no data, and dropping a response is dropping a few vectors.

use crate::graphql::{ErrorCode, Name};
use bytes::Bytes;
use serde_json::value::RawValue;
use std::borrow::Cow;

/// The position of a row's first slot in the arena.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(in crate::engine) struct RowId(pub u32);

/// A slot's number within its row.
pub(in crate::engine) type Slot = u32;

/// Which layout of slots a row has: a position in the plan's tree of objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(in crate::engine) struct NodeId(pub u32);

/// A range of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::engine) struct Slice {
    body: u32,
    start: u32,
    len: u32,
}

impl Slice {
    /// A part of this slice.
    pub fn within(self, offset: usize, len: usize) -> Self {
        Self { body: self.body, start: self.start + offset as u32, len: len as u32 }
    }
}

/// What stands in a slot or in a list. Small and `Copy`: data stays where it is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::engine) enum Value {
    /// Null, or missing: the schema says whether that is allowed.
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    /// JSON text, syntax checked: a scalar, or any JSON where a leaf is due.
    Json(Slice),
    /// A string's content, not escaped.
    Text(Slice),
    List {
        start: u32,
        len: u32,
    },
    Object(RowId),
    /// A scalar where an object was due.
    Misfit,
    /// Nothing here: the call that should have filled it failed. An index into the store's holes.
    Hole(u32),
}

/// Why a slot is empty: one failed call, shared by all the slots it was to fill.
#[derive(Debug, Clone)]
pub(in crate::engine) struct Hole {
    pub code: ErrorCode,
    /// Safe for clients.
    pub message: String,
    pub source: Name,
    pub status: Option<u16>,
    /// Stands on the log line that has the upstream's own words.
    pub error_id: String,
    /// What happened, where clients may know (`server.expose_upstream_errors`).
    pub detail: Option<Box<str>>,
}

#[derive(Default)]
pub(in crate::engine) struct Store {
    bodies: Vec<Bytes>,
    /// JSON text and strings made here, such as unescaped keys and encoded enums.
    scratch: Vec<u8>,
    slots: Vec<Value>,
    items: Vec<Value>,
    /// Elements of the lists being read, innermost last.
    stack: Vec<Value>,
    holes: Vec<Hole>,
}

/// The body number that stands for the scratch buffer.
const SCRATCH: u32 = u32::MAX;

impl Store {
    pub fn new() -> Self {
        Self::default()
    }

    /// Keeps a body alive and gives it a number.
    pub fn keep(&mut self, body: Bytes) -> u32 {
        self.bodies.push(body);
        self.bodies.len() as u32 - 1
    }

    pub fn slice(body: u32, start: usize, len: usize) -> Slice {
        Slice { body, start: start as u32, len: len as u32 }
    }

    /// Copies bytes made here (valid UTF-8) into the scratch buffer.
    pub fn scratch(&mut self, text: &str) -> Slice {
        let start = self.scratch.len();
        self.scratch.extend_from_slice(text.as_bytes());
        Self::slice(SCRATCH, start, text.len())
    }

    /// The bytes of a slice. Always valid UTF-8: readers check before they slice.
    pub fn bytes(&self, slice: Slice) -> &[u8] {
        let body: &[u8] =
            if slice.body == SCRATCH { &self.scratch } else { &self.bodies[slice.body as usize] };
        &body[slice.start as usize..(slice.start + slice.len) as usize]
    }

    /// A new row of `width` nulls.
    pub fn row(&mut self, width: u32) -> RowId {
        let start = self.slots.len();
        self.slots.resize(start + width as usize, Value::Null);
        RowId(start as u32)
    }

    #[inline]
    pub fn get(&self, row: RowId, slot: Slot) -> Value {
        self.slots[(row.0 + slot) as usize]
    }

    #[inline]
    pub fn set(&mut self, row: RowId, slot: Slot, value: Value) {
        self.slots[(row.0 + slot) as usize] = value;
    }

    pub fn items(&self, start: u32, len: u32) -> &[Value] {
        &self.items[start as usize..(start + len) as usize]
    }

    /// The elements of a list, read as one or kept as JSON text; `None` if it is no list.
    pub fn elements(&self, value: Value) -> Option<Cow<'_, [Value]>> {
        match value {
            Value::List { start, len } => Some(Cow::Borrowed(self.items(start, len))),
            Value::Json(slice) => {
                let text = std::str::from_utf8(self.bytes(slice)).ok()?;
                let elements: Vec<&RawValue> = serde_json::from_str(text).ok()?;
                let element = |raw: &RawValue| match raw.get() {
                    "null" => Value::Null,
                    element => {
                        let offset = element.as_ptr() as usize - text.as_ptr() as usize;
                        Value::Json(slice.within(offset, element.len()))
                    }
                };
                Some(elements.into_iter().map(element).collect())
            }
            _ => None,
        }
    }

    /// A list of these elements.
    pub fn list(&mut self, elements: impl IntoIterator<Item = Value>) -> Value {
        let start = self.items.len();
        self.items.extend(elements);
        Value::List { start: start as u32, len: (self.items.len() - start) as u32 }
    }

    /// Opens a list whose elements come one by one, with other lists being read in between.
    pub fn open_list(&self) -> usize {
        self.stack.len()
    }

    pub fn push(&mut self, element: Value) {
        self.stack.push(element);
    }

    /// Closes the innermost open list; `opened` is what [`Store::open_list`] gave.
    pub fn close_list(&mut self, opened: usize) -> Value {
        let start = self.items.len();
        self.items.extend(self.stack.drain(opened..));
        Value::List { start: start as u32, len: (self.items.len() - start) as u32 }
    }

    pub fn hole(&mut self, hole: Hole) -> Value {
        self.holes.push(hole);
        Value::Hole(self.holes.len() as u32 - 1)
    }

    pub fn hole_at(&self, index: u32) -> &Hole {
        &self.holes[index as usize]
    }
}
