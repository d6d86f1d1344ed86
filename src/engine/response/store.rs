//! The response store: an arena of slots.
//!
//! An object is a row: a run of slots whose meaning (which field stands where) the planner fixed. A list is a run of
//! items. A leaf is a slice of a reply's body. Everything is an index, so placing an entity in twenty parents copies
//! slots and no data, and dropping a response is dropping a few vectors.

use crate::graphql::{ErrorCode, Name};
use crate::mapping::MAX_STEPS;
use crate::source::{self, ErrorKind, MappedError};
use bytes::Bytes;
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::cell::Cell;
use std::sync::Arc;

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
    /// The place of its first byte.
    pub fn start(self) -> usize {
        self.start as usize
    }

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
    pub kind: ErrorKind,
    /// Safe for clients.
    pub message: String,
    /// `None`: the field is computed.
    pub source: Option<Name>,
    pub status: Option<u16>,
    /// Of a mutation's call: whether it took effect.
    pub outcome: Option<&'static str>,
    /// Stands on the log line that has the upstream's own words.
    pub error_id: String,
    /// What happened, where clients may know (`server.expose_upstream_errors`).
    pub detail: Option<Box<str>>,
    /// What the source says to clients, by the binding's `errors`.
    pub mapped: Option<Arc<MappedError>>,
}

#[derive(Default)]
pub(in crate::engine) struct Store {
    /// The number of values that may be kept of one reply, and of the one being read, those that are left.
    most_values: u64,
    values: Cell<u64>,
    /// The steps that mappings may still take for the reply being read.
    steps: u64,
    /// The reply being read has more.
    is_exceeded: Cell<bool>,
    bodies: Vec<Bytes>,
    /// JSON text and strings made here, such as unescaped keys and encoded enums.
    scratch: Vec<u8>,
    slots: Vec<Value>,
    items: Vec<Value>,
    /// Elements of the lists being read, innermost last.
    stack: Vec<Value>,
    holes: Vec<Hole>,
}

/// Why a reply could not be read; for the log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(in crate::engine) enum Unreadable {
    #[error("{0}")]
    Invalid(String),
    #[error("the reply has more than {0} values that are read (limits.reply_values)")]
    TooManyValues(u64),
}

impl From<Unreadable> for source::Error {
    fn from(unreadable: Unreadable) -> Self {
        let code = match unreadable {
            Unreadable::Invalid(_) => ErrorCode::UpstreamInvalidReply,
            Unreadable::TooManyValues(_) => ErrorCode::UpstreamTooLarge,
        };
        Self::new(code, unreadable.to_string())
    }
}

/// What may still be kept, and done, for the values of one reply, or of one field that is computed.
#[derive(Debug, Clone, Copy)]
pub(in crate::engine) struct Budget {
    values: u64,
    steps: u64,
}

impl Budget {
    /// One more object has the field: so much is done for it without counting.
    pub fn add_object(&mut self) {
        self.steps = self.steps.saturating_add(STEPS_OF_OBJECT);
    }
}

/// Steps that each object adds to those of a computed field, so that work which is linear in objects is never refused.
const STEPS_OF_OBJECT: u64 = 64;

/// The body number that stands for the scratch buffer.
pub(super) const SCRATCH: u32 = u32::MAX;

impl Store {
    /// At most `most_values` are kept of one reply.
    pub fn new(most_values: u64) -> Self {
        Self { most_values, ..Self::default() }
    }

    /// Reads one reply, whose values are counted. What it leaves half read is dropped.
    ///
    /// # Errors
    /// The reply has too many values, or whatever reading it says.
    pub fn read_reply<T>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<T, String>,
    ) -> Result<T, Unreadable> {
        self.read_within(&mut self.budget(), read)
    }

    /// The budget of one reply.
    pub fn budget(&self) -> Budget {
        Budget { values: self.most_values, steps: MAX_STEPS }
    }

    /// As [`Store::read_reply`], for a part of what a budget is for.
    ///
    /// # Errors
    /// As for [`Store::read_reply`].
    pub fn read_within<T>(
        &mut self,
        budget: &mut Budget,
        read: impl FnOnce(&mut Self) -> Result<T, String>,
    ) -> Result<T, Unreadable> {
        self.values.set(budget.values);
        self.steps = budget.steps;
        self.is_exceeded.set(false);
        let lengths = (self.slots.len(), self.items.len(), self.stack.len(), self.bodies.len());
        let read = read(self);
        *budget = Budget { values: self.values.get(), steps: self.steps };
        read.map_err(|detail| {
            self.slots.truncate(lengths.0);
            self.items.truncate(lengths.1);
            self.stack.truncate(lengths.2);
            self.bodies.truncate(lengths.3);
            if self.is_exceeded.get() {
                Unreadable::TooManyValues(self.most_values)
            } else {
                Unreadable::Invalid(detail)
            }
        })
    }

    /// Counts values that are about to be kept.
    ///
    /// # Errors
    /// They are too many.
    #[inline]
    pub fn charge(&self, count: u64) -> Result<(), String> {
        match self.values.get().checked_sub(count) {
            Some(left) => {
                self.values.set(left);
                Ok(())
            }
            None => Err(self.exceed()),
        }
    }

    /// The values that are left, for who counts them itself.
    pub fn values(&self) -> u64 {
        self.values.get()
    }

    /// The steps that are left, for who takes them itself.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// The steps that are left of the reply being read.
    pub fn keep_steps(&mut self, steps: u64) {
        self.steps = steps;
    }

    #[cold]
    pub fn exceed(&self) -> String {
        self.is_exceeded.set(true);
        "too many values".to_owned()
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
