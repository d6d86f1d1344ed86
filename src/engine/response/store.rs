//! The response store: an arena of slots.
//!
//! An object is a row: a run of slots. The planner decided which slot holds which field. A list is a run of items. A
//! leaf is a slice of a reply's body. Everything is an index, so placing an entity in twenty parents copies slots and
//! no data, and dropping a response is dropping a few vectors.

use crate::graphql::{ErrorCode, Name};
use crate::mapping::MAX_STEPS;
use crate::source::{self, ErrorKind, MappedError};
use bytes::Bytes;
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::cell::Cell;
use std::sync::Arc;

/// Position of a row's first slot in the arena.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(in crate::engine) struct RowId(pub u32);

/// Number of a slot within its row.
pub(in crate::engine) type Slot = u32;

/// Layout of a row's slots: a position in the plan's tree of objects.
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
    /// Returns the position of its first byte.
    pub fn start(self) -> usize {
        self.start as usize
    }

    /// Returns a part of this slice.
    pub fn within(self, offset: usize, len: usize) -> Self {
        Self { body: self.body, start: self.start + offset as u32, len: len as u32 }
    }
}

/// Value of a slot or of a list's element. Small and `Copy`: it does not own data.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::engine) enum Value {
    /// Null or missing. The schema decides if that is allowed.
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    /// JSON text with valid syntax: a scalar, or any JSON for a leaf.
    Json(Slice),
    /// A string's content, not escaped.
    Text(Slice),
    List {
        start: u32,
        len: u32,
    },
    Object(RowId),
    /// A scalar instead of the expected object.
    Misfit,
    /// No value, because the call that should have filled it failed. Index into the store's holes.
    Hole(u32),
}

/// Failure of one call, shared by all the slots that it should have filled.
#[derive(Debug, Clone)]
pub(in crate::engine) struct Hole {
    pub code: ErrorCode,
    pub kind: ErrorKind,
    /// Safe for clients.
    pub message: String,
    /// `None` if the field is computed.
    pub source: Option<Name>,
    /// Status of the upstream's reply, if there was one.
    pub status: Option<u16>,
    /// Outcome of a mutation's call: if it took effect.
    pub outcome: Option<&'static str>,
    /// Id of the log line with the upstream's own message.
    pub error_id: String,
    /// Description of the failure, if clients may see it (`server.expose_upstream_errors`).
    pub detail: Option<Box<str>>,
    /// Error of the source for clients, mapped by the binding's `errors`.
    pub mapped: Option<Arc<MappedError>>,
}

#[derive(Default)]
pub(in crate::engine) struct Store {
    /// Maximum number of values of one reply. While one is read, the number that remains.
    most_values: u64,
    values: Cell<u64>,
    /// Remaining steps of mappings for the reply that is being read.
    steps: u64,
    /// The reply that is being read exceeds the limit.
    is_exceeded: Cell<bool>,
    bodies: Vec<Bytes>,
    /// JSON text and strings created here, such as unescaped keys and encoded enums.
    scratch: Vec<u8>,
    slots: Vec<Value>,
    items: Vec<Value>,
    /// Elements of the lists that are being read, innermost last.
    stack: Vec<Value>,
    holes: Vec<Hole>,
}

/// Error of a reply that could not be read; for the log.
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

/// Remaining values and steps for one reply, or for one computed field.
#[derive(Debug, Clone, Copy)]
pub(in crate::engine) struct Budget {
    values: u64,
    steps: u64,
}

impl Budget {
    /// Adds the steps that each further object allows.
    pub fn add_object(&mut self) {
        self.steps = self.steps.saturating_add(STEPS_OF_OBJECT);
    }
}

/// Steps that each object adds to those of a computed field, so that work that is linear in objects is never refused.
const STEPS_OF_OBJECT: u64 = 64;

/// Body number of the scratch buffer.
pub(super) const SCRATCH: u32 = u32::MAX;

impl Store {
    /// Creates a store that keeps at most `most_values` of one reply.
    pub fn new(most_values: u64) -> Self {
        Self { most_values, ..Self::default() }
    }

    /// Reads one reply, and counts its values. If reading fails, the partial values are dropped.
    ///
    /// # Errors
    /// If the reply has too many values, or `read` fails.
    pub fn read_reply<T>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<T, String>,
    ) -> Result<T, Unreadable> {
        self.read_within(&mut self.budget(), read)
    }

    /// Returns the budget of one reply.
    pub fn budget(&self) -> Budget {
        Budget { values: self.most_values, steps: MAX_STEPS }
    }

    /// Like [`Store::read_reply`], within an existing budget.
    ///
    /// # Errors
    /// Like [`Store::read_reply`].
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

    /// Counts values before they are kept.
    ///
    /// # Errors
    /// If there are too many.
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

    /// Returns the number of remaining values, for callers that count by themselves.
    pub fn values(&self) -> u64 {
        self.values.get()
    }

    /// Returns the number of remaining steps, for callers that count by themselves.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// Sets the remaining steps of the reply that is being read.
    pub fn keep_steps(&mut self, steps: u64) {
        self.steps = steps;
    }

    #[cold]
    pub fn exceed(&self) -> String {
        self.is_exceeded.set(true);
        "too many values".to_owned()
    }

    /// Keeps a body alive, and returns its number.
    pub fn keep(&mut self, body: Bytes) -> u32 {
        self.bodies.push(body);
        self.bodies.len() as u32 - 1
    }

    pub fn slice(body: u32, start: usize, len: usize) -> Slice {
        Slice { body, start: start as u32, len: len as u32 }
    }

    /// Copies a text into the scratch buffer.
    pub fn scratch(&mut self, text: &str) -> Slice {
        let start = self.scratch.len();
        self.scratch.extend_from_slice(text.as_bytes());
        Self::slice(SCRATCH, start, text.len())
    }

    /// Returns the bytes of a slice. Always valid UTF-8: readers check before they slice.
    pub fn bytes(&self, slice: Slice) -> &[u8] {
        let body: &[u8] =
            if slice.body == SCRATCH { &self.scratch } else { &self.bodies[slice.body as usize] };
        &body[slice.start as usize..(slice.start + slice.len) as usize]
    }

    /// Adds a row of `width` nulls.
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

    /// Returns `len` elements of a list, from the position `start` in the arena.
    pub fn items(&self, start: u32, len: u32) -> &[Value] {
        &self.items[start as usize..(start + len) as usize]
    }

    /// Returns the elements of a list, from the store or parsed from JSON text; `None` for other values.
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

    /// Adds a list of these elements.
    pub fn list(&mut self, elements: impl IntoIterator<Item = Value>) -> Value {
        let start = self.items.len();
        self.items.extend(elements);
        Value::List { start: start as u32, len: (self.items.len() - start) as u32 }
    }

    /// Opens a list whose elements are pushed one by one. Other lists may be read in between.
    pub fn open_list(&self) -> usize {
        self.stack.len()
    }

    /// Adds an element to the innermost open list.
    pub fn push(&mut self, element: Value) {
        self.stack.push(element);
    }

    /// Closes the innermost open list; `opened` is the result of [`Store::open_list`].
    pub fn close_list(&mut self, opened: usize) -> Value {
        let start = self.items.len();
        self.items.extend(self.stack.drain(opened..));
        Value::List { start: start as u32, len: (self.items.len() - start) as u32 }
    }

    /// Adds a failure. Returns the value for the slots that it leaves empty.
    pub fn hole(&mut self, hole: Hole) -> Value {
        self.holes.push(hole);
        Value::Hole(self.holes.len() as u32 - 1)
    }

    pub fn hole_at(&self, index: u32) -> &Hole {
        &self.holes[index as usize]
    }
}
