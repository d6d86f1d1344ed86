//! Writes the store as the response: one pass to the output buffer, in the client's field order. Coercion, null
//! bubbling and error paths happen here (GraphQL spec, section 6.4.4 "Handling Execution Errors").

use super::errors::{Errors, Kind};
use super::leaf::write_leaf;
use super::missing::MissingKeys;
use super::store::{RowId, Slot, Store, Value};
use super::view::{Entries, Entry, Output, OutputKind, Sound, TypeView, View};
use crate::engine::settings::{Limit, Mode};
use crate::graphql::{Error, ErrorCode, Location, Name, PathSegment, error_id};
use crate::memory::EXHAUSTED;
use crate::source::Trace;
use bytes::Bytes;
use serde::Serialize;
use std::fmt;
use std::sync::Arc;

/// A response whose `data` is written.
pub(in crate::engine) struct Written {
    /// `{"data":…`, without its closing brace.
    text: Vec<u8>,
    pub errors: Vec<Error>,
    /// Cost of the written values, including those that became null with their parents: they were fetched all the same.
    pub cost: u64,
    /// Length of the longest list without a declared length.
    pub longest: u64,
    /// Writing stopped because the response exceeds its limit.
    too_large: bool,
}

/// Inputs of writing a response.
#[derive(Clone, Copy)]
pub(in crate::engine) struct Writing<'a> {
    /// Value of each numbered condition.
    pub conditions: &'a [bool],
    /// JSON text of each introspection field, by number.
    pub introspection: &'a [String],
    /// Costs of given arguments, by number.
    pub given: &'a [u64],
    pub size: Size,
    /// Limit on lists without a declared length.
    pub list_size: Limit,
    /// Trace of the request, for lines of the log.
    pub trace: &'a Trace,
    /// Keys that were in no reply; `None` in production.
    pub missing: Option<&'a MissingKeys>,
}

/// Writes `data`. [`Written::finish`] adds errors and extensions.
pub(in crate::engine) fn write(
    store: &Store,
    root: RowId,
    view: &View,
    writing: Writing<'_>,
) -> Written {
    let Writing { conditions, introspection, given, size, list_size, trace, missing } = writing;
    let mut out = Vec::with_capacity(size.expected.clamp(64, size.most.max(64)));
    out.extend_from_slice(OPEN);
    let errors = Errors::default();
    let mut writer = Writer {
        store,
        out,
        conditions,
        introspection,
        given,
        cost: 0,
        list_size,
        trace,
        missing,
        longest: 0,
        errors,
        most: size.most,
        visits: 0,
        too_large: false,
    };
    let outcome = writer.object(root, view, &Path::Root);
    writer.too_large |= writer.out.len() > size.most;
    if outcome.is_err() || writer.too_large {
        writer.out.truncate(OPEN.len());
        writer.out.extend_from_slice(b"null");
    }
    let errors = if writer.too_large { vec![size.exceeded()] } else { writer.errors.finish() };
    let Writer { out: text, cost, longest, too_large, .. } = writer;
    let too_large = too_large && !size.lacks_room;
    Written { text, errors, cost, longest, too_large }
}

/// Maximum unused bytes in the buffer of a response that waits for its client.
const SPARE: usize = 16 << 10;

const OPEN: &[u8] = b"{\"data\":";

impl Written {
    /// Returns the number of bytes of `data`; `u64::MAX` if it exceeded the limit.
    pub fn size(&self) -> u64 {
        if self.too_large { u64::MAX } else { self.text.len() as u64 }
    }

    /// Returns the whole response: `"errors"` first if there are any, `"extensions"` last if there are any.
    pub fn finish(self, extensions: Option<&impl Serialize>) -> Bytes {
        let mut out = self.text;
        if !self.errors.is_empty() {
            let mut with_errors = Vec::with_capacity(out.len() + 256 * self.errors.len() + 256);
            with_errors.extend_from_slice(b"{\"errors\":");
            serde_json::to_writer(&mut with_errors, &self.errors).expect("errors serialise");
            with_errors.push(b',');
            with_errors.extend_from_slice(&out[1..]);
            out = with_errors;
        }
        if let Some(extensions) = extensions {
            out.extend_from_slice(b",\"extensions\":");
            serde_json::to_writer(&mut out, extensions).expect("extensions serialise");
        }
        out.push(b'}');
        if out.capacity() - out.len() > SPARE {
            out.shrink_to_fit();
        }
        Bytes::from(out)
    }
}

/// Size of a response, in bytes.
#[derive(Debug, Clone, Copy)]
pub(in crate::engine) struct Size {
    /// Initial capacity.
    pub expected: usize,
    /// Maximum. Past it, writing stops and `data` is null.
    pub most: usize,
    /// `most` is the memory that other responses leave, not the configured limit.
    pub lacks_room: bool,
}

impl Size {
    fn exceeded(self) -> Error {
        if self.lacks_room {
            return Error::new(ErrorCode::Overloaded, EXHAUSTED);
        }
        let message = format!("the response is larger than {} bytes (limits.response)", self.most);
        Error::new(ErrorCode::LimitExceeded, message)
    }
}

struct Writer<'a> {
    store: &'a Store,
    out: Vec<u8>,
    conditions: &'a [bool],
    introspection: &'a [String],
    given: &'a [u64],
    cost: u64,
    list_size: Limit,
    trace: &'a Trace,
    missing: Option<&'a MissingKeys>,
    longest: u64,
    errors: Errors,
    most: usize,
    /// Number of visited values, including those that became null with their parents.
    visits: usize,
    /// Writing has stopped: no parent is made null.
    too_large: bool,
}

/// Path from the root to the current value, kept on the stack. It becomes a list only for an error.
pub(super) enum Path<'a> {
    Root,
    Field(&'a Path<'a>, &'a Entry),
    Index(&'a Path<'a>, usize),
}

/// A non-null value is null, and its error is recorded: the parent must become null.
struct Bubble;

impl Writer<'_> {
    fn object(&mut self, row: RowId, view: &View, path: &Path<'_>) -> Result<(), Bubble> {
        match view {
            View::One(entries) => self.entries(row, entries, path),
            View::ByType { typename, types } => match self.type_of(row, *typename, types) {
                Some(found) if self.refuses(found.guard) => self.refused(path),
                Some(found) => {
                    self.charge(found.weight);
                    self.entries(row, &found.entries, path)
                }
                None => self.misfit("an object whose `__typename` is a possible type", path),
            },
        }
    }

    /// Returns `true` if an object exists, or the value instead of it. An object that the caller may not see is refused
    /// later.
    fn existence(&self, row: RowId, view: &View) -> Value {
        let View::ByType { typename, types } = view else { return Value::Bool(true) };
        // Either all types of a view have such a slot, or none.
        if types.first().is_none_or(|first| first.exists.is_none()) {
            return Value::Bool(true);
        }
        // An ID of a type that cannot stand here is an ID of nothing.
        let Some(found) = self.type_of(row, *typename, types) else { return Value::Null };
        let slot = found.exists.filter(|_| !self.refuses(found.guard));
        slot.map_or(Value::Bool(true), |slot| self.store.get(row, slot))
    }

    fn type_of<'v>(
        &self,
        row: RowId,
        typename: Slot,
        types: &'v [TypeView],
    ) -> Option<&'v TypeView> {
        let mut name = Vec::new();
        super::key_text(self.store, self.store.get(row, typename), &mut name);
        types.iter().find(|candidate| candidate.name.as_bytes() == name)
    }

    fn charge(&mut self, cost: u64) {
        self.cost = self.cost.saturating_add(cost);
    }

    fn entries(&mut self, row: RowId, entries: &Entries, path: &Path<'_>) -> Result<(), Bubble> {
        if let Some(sound) = &entries.sound {
            self.check_sound(sound, path)?;
        }
        self.out.push(b'{');
        let mut first = true;
        for entry in &entries.list {
            if entry.condition != 0 && !self.conditions[entry.condition as usize] {
                continue;
            }
            if !first {
                self.out.push(b',');
            }
            first = false;
            self.out.extend_from_slice(&entry.prefix);
            if self.refuses(entry.guard) || self.fails(row, &entry.checks) {
                self.refused_field(entry, path)?;
                continue;
            }
            if let Some(sound) = &entry.sound
                && let Err(bubble) = self.check_sound(sound, &Path::Field(path, entry))
            {
                self.null_for(entry, Err(bubble))?;
                continue;
            }
            if entry.given != 0 {
                self.charge(self.given[entry.given as usize]);
            }
            let value = match entry.output.kind {
                // Independent of the store; their rows may have no slots at all.
                OutputKind::Typename(_) | OutputKind::Introspection(_) => Value::Null,
                _ => self.store.get(row, entry.slot),
            };
            self.value(value, &entry.output, &Path::Field(path, entry))?;
        }
        self.out.push(b'}');
        Ok(())
    }

    /// Returns `true` if the condition of this number refuses access.
    fn refuses(&self, guard: u32) -> bool {
        guard != 0 && !self.conditions[guard as usize]
    }

    /// Returns `true` if the object fails one of these checks, or a check was not evaluated.
    fn fails(&self, row: RowId, checks: &[Slot]) -> bool {
        checks.iter().any(|slot| self.store.get(row, *slot) != Value::Bool(true))
    }

    /// Writes null for a field that the caller may not see, whatever is in its slot.
    fn refused_field(&mut self, entry: &Entry, path: &Path<'_>) -> Result<(), Bubble> {
        let outcome = self.refused(&Path::Field(path, entry));
        self.null_for(entry, outcome)
    }

    /// Writes null for a field with an error, if the field is nullable.
    fn null_for(&mut self, entry: &Entry, outcome: Result<(), Bubble>) -> Result<(), Bubble> {
        match outcome {
            Err(Bubble) if !entry.output.non_null => {
                self.out.extend_from_slice(b"null");
                Ok(())
            }
            outcome => outcome,
        }
    }

    /// Adds an error at the path if the request's variables do not meet the condition.
    fn check_sound(&mut self, sound: &Sound, path: &Path<'_>) -> Result<(), Bubble> {
        if !self.refuses(sound.condition) {
            return Ok(());
        }
        let code = ErrorCode::BadVariables;
        let error = || Error { locations: sound.at.clone(), ..Error::new(code, &*sound.message) };
        self.errors.add(Kind::of(path, code), path, error);
        Err(Bubble)
    }

    fn refused(&mut self, path: &Path<'_>) -> Result<(), Bubble> {
        self.errors.withhold(path);
        Err(Bubble)
    }

    /// Writes a value, or null instead of it if the type allows that.
    fn value(&mut self, value: Value, output: &Output, path: &Path<'_>) -> Result<(), Bubble> {
        let start = self.out.len();
        self.visits += 1;
        // A value takes at least two bytes, so this many visits are enough for any response within the limit.
        if start > self.most || self.visits > self.most / 2 {
            self.too_large = true;
            return Err(Bubble);
        }
        match self.non_null(value, output, path) {
            Err(Bubble) if !output.non_null && !self.too_large => {
                self.out.truncate(start);
                self.out.extend_from_slice(b"null");
                Ok(())
            }
            outcome => outcome,
        }
    }

    fn non_null(&mut self, value: Value, output: &Output, path: &Path<'_>) -> Result<(), Bubble> {
        match (&output.kind, value) {
            (OutputKind::Typename(json), _) => self.out.extend_from_slice(json.as_bytes()),
            (OutputKind::Introspection(number), _) => {
                self.charge(output.weight);
                self.out.extend_from_slice(self.introspection[*number].as_bytes());
            }
            (_, Value::Hole(index)) => return self.hole(index, path),
            (_, Value::Null) => return self.null(output, path),
            (OutputKind::Leaf(leaf), value) => {
                self.charge(output.weight);
                if let Err(due) = write_leaf(&mut self.out, self.store, value, leaf) {
                    return self.misfit(due, path);
                }
            }
            (OutputKind::Object(view), Value::Object(row)) => {
                match self.existence(row, view) {
                    Value::Bool(true) => {}
                    Value::Hole(index) => return self.hole(index, path),
                    Value::Misfit => return self.misfit("an object", path),
                    _ => return self.null(output, path),
                }
                self.charge(output.weight);
                return self.object(row, view, path);
            }
            (OutputKind::List(of), value) => return self.list(value, of, output.assumed, path),
            (OutputKind::DynamicTypename(names), value) => {
                let leaf = super::Leaf::Enum(Arc::clone(names));
                if write_leaf(&mut self.out, self.store, value, &leaf).is_err() {
                    return self.misfit("the name of a possible type", path);
                }
            }
            (OutputKind::Object(_), _) => return self.misfit("an object", path),
        }
        Ok(())
    }

    fn list(
        &mut self,
        value: Value,
        of: &Output,
        assumed: bool,
        path: &Path<'_>,
    ) -> Result<(), Bubble> {
        let Some(elements) = self.store.elements(value) else {
            return self.misfit("a list", path);
        };
        if assumed {
            self.longest = self.longest.max(elements.len() as u64);
            let Limit { max, mode } = self.list_size;
            if elements.len() as u64 > max && mode == Mode::Enforce {
                let message = format!("the list is longer than {max} (limits.list_size)");
                self.broken(ErrorCode::LimitExceeded, message, path);
                return Err(Bubble);
            }
        }
        self.out.push(b'[');
        for (index, element) in elements.iter().enumerate() {
            if index > 0 {
                self.out.push(b',');
            }
            self.value(*element, of, &Path::Index(path, index))?;
        }
        self.out.push(b']');
        Ok(())
    }

    fn null(&mut self, output: &Output, path: &Path<'_>) -> Result<(), Bubble> {
        if output.non_null {
            let message = self.why_null(path);
            self.broken(ErrorCode::NullInNonNull, message, path);
        }
        Err(Bubble)
    }

    /// Names the field that is null and, in development, the key that no reply had for it.
    fn why_null(&self, path: &Path<'_>) -> String {
        let Some(entry) = path.entry() else { return "a value is null".to_owned() };
        let (element, coordinate) = match path {
            Path::Index(..) => ("an element of ", &entry.coordinate),
            _ => ("", &entry.coordinate),
        };
        let why =
            self.missing.and_then(|missing| missing.why_null(coordinate, entry.node, entry.slot));
        match why {
            Some(why) => format!("{element}`{coordinate}` is null: {why}"),
            None => format!("{element}`{coordinate}` is null, and its type is non-null"),
        }
    }

    fn misfit(&mut self, due: &'static str, path: &Path<'_>) -> Result<(), Bubble> {
        self.broken(ErrorCode::InvalidValue, format!("the value is not {due}"), path);
        Err(Bubble)
    }

    /// Adds the error of a reply that does not match the schema.
    fn broken(&mut self, code: ErrorCode, message: String, path: &Path<'_>) {
        let (kind, is_development) = (Kind::of(path, code), self.missing.is_some());
        let error_id = self.errors.id_of(&kind, || {
            let id = error_id();
            tracing::warn!(
                error_id = id,
                request_id = self.trace.request_id(),
                trace_id = self.trace.trace_id(),
                source = path.source().map(|source| &**source),
                coordinate = path.entry().map(|entry| &*entry.coordinate),
                field = %path,
                code = code.as_str(),
                "{message}"
            );
            id
        });
        self.errors.add(kind, path, || {
            let mut error = Error::new(code, message);
            // A service's keys are not names of the schema.
            error.is_verbatim = code == ErrorCode::NullInNonNull && is_development;
            if let Some(source) = path.source() {
                error.extensions.insert("source".into(), source.to_string().into());
            }
            error.extensions.insert("errorId".into(), error_id.into());
            error
        });
    }

    fn hole(&mut self, index: u32, path: &Path<'_>) -> Result<(), Bubble> {
        let hole = self.store.hole_at(index);
        self.errors.add_hole(index, hole.code, path, || {
            let mut error = Error::new(hole.code, hole.message.as_str());
            if let Some(source) = &hole.source {
                error.extensions.insert("source".into(), source.to_string().into());
            }
            if let Some(status) = hole.status {
                error.extensions.insert("status".into(), status.into());
            }
            if let Some(outcome) = hole.outcome {
                error.extensions.insert("outcome".into(), outcome.into());
            }
            error.extensions.insert("errorId".into(), hole.error_id.as_str().into());
            if let Some(detail) = &hole.detail {
                error.extensions.insert("detail".into(), detail.to_string().into());
            }
            if let Some(mapped) = &hole.mapped {
                if let Some(message) = &mapped.message {
                    error.message.clone_from(message);
                    error.is_verbatim = true;
                }
                error.extensions.extend(mapped.extensions.clone());
            }
            error
        });
        Err(Bubble)
    }
}

impl Path<'_> {
    /// Returns the source of the reply that holds the value.
    fn source(&self) -> Option<&Name> {
        self.entry()?.source.as_ref()
    }

    /// Returns the field of the value.
    fn entry(&self) -> Option<&Entry> {
        match self {
            Path::Root => None,
            Path::Field(_, entry) => Some(entry),
            Path::Index(parent, _) => parent.entry(),
        }
    }

    /// Returns the location of the field in the operation's text.
    pub(super) fn location(&self) -> Option<Location> {
        self.entry()?.at
    }

    pub(super) fn segments(&self) -> Vec<PathSegment> {
        let mut segments = Vec::new();
        let mut path = self;
        loop {
            path = match path {
                Path::Root => break,
                Path::Field(parent, entry) => {
                    segments.push(PathSegment::Key(Arc::clone(&entry.key)));
                    parent
                }
                Path::Index(parent, index) => {
                    segments.push(PathSegment::Index(*index));
                    parent
                }
            };
        }
        segments.reverse();
        segments
    }
}

impl fmt::Display for Path<'_> {
    /// Writes the response keys of the path, separated by dots.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut first = true;
        for segment in self.segments() {
            if let PathSegment::Key(key) = segment {
                formatter.write_str(if first { "" } else { "." })?;
                formatter.write_str(&key)?;
                first = false;
            }
        }
        Ok(())
    }
}
