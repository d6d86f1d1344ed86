//! Walks one reply along its shape, to find the keys that are present. Mappings are followed as far as they select
//! values of the reply. The result of a method is not part of the reply, so nothing is read below it.
//!
//! A key that may be absent is not counted: on either side of `??`, or before `?`. Fields of a message are checked when
//! the schema is loaded, so in messages only maps and JSON values count.

use super::General;
use super::missing::{BindingReads, KeyRead, Sighting};
use super::read_proto::field;
use super::shape::{Shape, Target};
use super::store::{NodeId, Slot};
use crate::graphql::Name;
use crate::mapping::{Expr, ExprKind, Field, Method};
use prost_reflect::{FieldDescriptor, Kind, MessageDescriptor};
use serde_json::{Map, Value as Json};

/// Maximum number of objects and elements that are visited for one reply.
const MOST_VISITS: usize = 1_000_000;

/// Values of a reply at one path.
#[derive(Clone, Default)]
pub(super) struct Spots<'v> {
    values: Vec<(&'v Json, SpotKind)>,
    path: String,
}

/// Kind of an object, which decides its possible keys.
#[derive(Clone)]
enum SpotKind {
    /// Any key.
    Open,
    /// The fields of a message.
    Message(MessageDescriptor),
    /// A map of a message, with values of this kind.
    Map(FieldDescriptor),
}

/// The field that keys are read for.
#[derive(Clone, Copy, Default)]
struct FieldLabel<'s> {
    name: Option<&'s str>,
    target: Option<(NodeId, Slot)>,
    /// Shape that reads the result.
    then: Option<&'s Shape>,
    /// The key may be absent.
    is_optional: bool,
}

/// Values of `$` and `@`; `None` if they are not part of the reply.
#[derive(Clone)]
struct Start<'v> {
    current: Option<Spots<'v>>,
    at: Option<Spots<'v>>,
}

pub(super) struct KeyWalk<'m> {
    reads: &'m mut BindingReads,
    visits: usize,
}

impl<'m> KeyWalk<'m> {
    pub fn new(reads: &'m mut BindingReads) -> Self {
        Self { reads, visits: 0 }
    }

    pub fn whole(mut self, shape: &Shape, reply: Spots<'_>) {
        self.shape(shape, reply, FieldLabel::default());
    }

    fn shape<'s>(&mut self, shape: &'s Shape, spots: Spots<'_>, label: FieldLabel<'s>) {
        match shape {
            Shape::Leaf => {}
            Shape::Key { key, then } => {
                let found = self.read(&spots, key, label);
                self.shape(then, found, label);
            }
            Shape::Object(object) => {
                for key in &object.keys {
                    for target in &key.targets {
                        let label = FieldLabel::of(target);
                        let found = self.read(&spots, &key.key, label);
                        self.shape(&target.shape, found, label);
                    }
                }
            }
            Shape::Entries(then) => {
                let entries = self.entries(&spots);
                self.shape(then, entries, label);
            }
            Shape::General(general) => self.general(general, spots, label),
            Shape::OneOfWhole(one) => {
                let (wholes, others): (Vec<_>, Vec<_>) =
                    spots.values.into_iter().partition(|(value, _)| !value.is_object());
                let path = spots.path;
                self.general(&one.whole, Spots { values: wholes, path: path.clone() }, label);
                self.shape(&one.then, Spots { values: others, path }, label);
            }
        }
    }

    fn general<'s>(&mut self, general: &'s General, spots: Spots<'_>, label: FieldLabel<'s>) {
        let label = FieldLabel { then: Some(&general.then), ..label };
        let start = Start { current: Some(spots.clone()), at: Some(spots) };
        if let Some(result) = self.expr(&general.expr, &start, label) {
            self.shape(&general.then, result, label);
        }
    }

    /// Returns the values that an expression selects; `None` if it computes values.
    fn expr<'s, 'v>(
        &mut self,
        expr: &'s Expr,
        start: &Start<'v>,
        label: FieldLabel<'s>,
    ) -> Option<Spots<'v>> {
        match &expr.kind {
            ExprKind::Current => start.current.clone(),
            ExprKind::At => start.at.clone(),
            ExprKind::Variable(_) | ExprKind::Literal(_) => None,
            ExprKind::List(items) => {
                self.all(items, start, label);
                None
            }
            ExprKind::Object(fields) => {
                self.fields(fields, start, label);
                None
            }
            ExprKind::Key { of, name, optional } => {
                let spots = self.expr(of, start, label.optional_if(*optional))?;
                Some(self.read(&spots, name, label))
            }
            ExprKind::Select { of, fields } => {
                let current = self.expr(of, start, label);
                self.fields(fields, &Start { current, at: start.at.clone() }, label);
                None
            }
            ExprKind::Optional { of } => self.expr(of, start, label.optional_if(true)),
            ExprKind::Coalesce { left, right } => {
                self.expr(left, start, label.optional_if(true));
                self.expr(right, start, label.optional_if(true));
                None
            }
            ExprKind::Method { of, method, arguments, optional } => {
                let receiver = self.expr(of, start, label.optional_if(*optional));
                let start = Start { current: start.current.clone(), at: receiver.clone() };
                match (method, &arguments[..]) {
                    (Method::Map | Method::Echo, [value]) => self.expr(value, &start, label),
                    (method, arguments) => {
                        self.all(arguments, &start, label);
                        receiver.filter(|_| method.keeps_elements())
                    }
                }
            }
        }
    }

    fn all<'s>(&mut self, exprs: &'s [Expr], start: &Start<'_>, label: FieldLabel<'s>) {
        for expr in exprs {
            self.expr(expr, start, label);
        }
    }

    fn fields<'s>(&mut self, fields: &'s [Field], start: &Start<'_>, label: FieldLabel<'s>) {
        for field in fields {
            let label = field.name.as_deref().map_or(label, |name| label.below(name));
            self.expr(&field.value, start, label);
        }
    }

    /// Returns the values under a key of objects.
    fn read<'v>(&mut self, from: &Spots<'v>, key: &str, label: FieldLabel<'_>) -> Spots<'v> {
        let mut seen = None;
        let mut values = Vec::new();
        for (object, kind) in self.objects(from) {
            let (found, kind) = match kind {
                SpotKind::Message(message) => {
                    let Some(field) = field(&message, key) else { continue };
                    (object.get(field.name()), SpotKind::of_field(&field))
                }
                open => {
                    let found = object.get(key);
                    let sighting: &mut Sighting = seen.get_or_insert_default();
                    sighting.add(object, found.is_some());
                    (found, open.of_value())
                }
            };
            values.extend(found.map(|found| (found, kind)));
        }
        if let Some(seen) = seen.filter(|_| !label.is_optional) {
            let (path, key) = (from.path.clone(), key.to_owned());
            let read = KeyRead { path, key, field: label.name.map(Name::from) };
            self.reads.add(read, seen, label.target);
        }
        Spots { values, path: from.below(key) }
    }

    /// Returns the values of objects that are read as maps: their keys are data.
    fn entries<'v>(&mut self, from: &Spots<'v>) -> Spots<'v> {
        let mut values = Vec::new();
        for (object, kind) in self.objects(from) {
            values.extend(object.values().map(|value| (value, kind.clone().of_value())));
        }
        Spots { values, path: from.below("*") }
    }

    /// Returns the objects among values, including those in lists at any depth.
    fn objects<'v>(&mut self, from: &Spots<'v>) -> Vec<(&'v Map<String, Json>, SpotKind)> {
        let mut open = from.values.clone();
        let mut objects = Vec::new();
        while let Some((value, kind)) = open.pop() {
            self.visits += 1;
            if self.visits > MOST_VISITS {
                self.reads.is_incomplete = true;
                return Vec::new();
            }
            match value {
                Json::Array(list) => open.extend(list.iter().map(|value| (value, kind.clone()))),
                Json::Object(object) => objects.push((object, kind)),
                _ => {}
            }
        }
        objects
    }
}

impl<'s> FieldLabel<'s> {
    fn of(target: &'s Target) -> Self {
        let (name, then) = (Some(&*target.field), Some(&target.shape));
        Self { name, target: Some((target.node, target.slot)), then, is_optional: false }
    }

    /// Returns the label of a field of the constructed object.
    fn below(self, name: &'s str) -> Self {
        let target = match self.then {
            Some(Shape::Object(object)) => {
                let of_name = object.keys.iter().find(|known| &*known.key == name);
                of_name.and_then(|known| known.targets.first())
            }
            _ => None,
        };
        let label = target.map_or_else(Self::default, Self::of);
        Self { name: Some(name), is_optional: self.is_optional, ..label }
    }

    fn optional_if(self, is_optional: bool) -> Self {
        Self { is_optional: self.is_optional || is_optional, ..self }
    }
}

impl<'v> Spots<'v> {
    pub fn of_reply(reply: &'v Json, message: Option<&MessageDescriptor>) -> Self {
        let kind = message.map_or(SpotKind::Open, |message| SpotKind::of_message(message.clone()));
        Self { values: vec![(reply, kind)], path: String::new() }
    }

    fn below(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }
}

impl SpotKind {
    fn of_message(message: MessageDescriptor) -> Self {
        // `Struct`, `Value` and `Any` hold any JSON.
        let is_open = message.full_name().starts_with("google.protobuf.");
        if is_open { Self::Open } else { Self::Message(message) }
    }

    fn of_field(field: &FieldDescriptor) -> Self {
        match field.kind() {
            Kind::Message(entry) if field.is_map() => Self::Map(entry.map_entry_value_field()),
            Kind::Message(message) => Self::of_message(message),
            _ => Self::Open,
        }
    }

    /// Returns the kind of a value under one of its keys.
    fn of_value(self) -> Self {
        match self {
            Self::Map(value) => Self::of_field(&value),
            other => other,
        }
    }
}
