//! A `select` held against the type it fills.

use super::fill::{Via, Walk, place};
use super::shape::{Named, Object, Shape};
use crate::graph::words::{dotted, leaf_paths};
use crate::graph::{Batch, BatchReply};
use crate::problem::{Problem, nearest};
use crate::source::Argument;
use apollo_compiler::ast::FieldDefinition;
use hashbrown::HashSet;

/// Maximum number of noted fields that are null along one path. Fewer are shown.
const MAX_DOUBTS: usize = 5_000;

/// One mapping on its way through the schema.
pub(super) struct Mapped<'w, 'a, 'p> {
    walk: &'w mut Walk<'a, 'p>,
    select: &'w Argument,
    batch: Option<&'w Batch>,
}

impl<'w, 'a, 'p> Mapped<'w, 'a, 'p> {
    pub(super) fn new(
        walk: &'w mut Walk<'a, 'p>,
        select: &'w Argument,
        batch: Option<&'w Batch>,
    ) -> Self {
        Self { walk, select, batch }
    }

    /// The whole mapping, for the type of the bound field.
    pub(super) fn top(&mut self, via: Via<'a>, type_name: &str, shape: &Shape) {
        if let Shape::Object(object) = shape {
            self.keys(object);
        }
        match shape {
            Shape::Reply => self.walk.whole(type_name),
            _ => self.value(via, type_name, shape, &(0..self.text_length()), true),
        }
    }

    fn text_length(&self) -> usize {
        self.select.text().map_or(0, str::len)
    }

    fn warn_or_refuse(
        &mut self,
        problem: Problem,
        span: &crate::mapping::Span,
        help: Option<String>,
    ) {
        let problem = problem.at(place(self.select, span));
        self.walk.problems.push(match help {
            Some(help) => problem.help(help),
            None => problem,
        });
    }

    /// The batch's key must be among what the mapping yields.
    fn keys(&mut self, object: &Object) {
        let Some(batch) = self.batch else { return };
        if !matches!(batch.reply, BatchReply::ByKey | BatchReply::GroupBy) {
            return;
        }
        for key in &batch.key {
            if object.get(key).is_none() && !object.open {
                let message = format!(
                    "the mapping does not return `{key}`, which the batch needs to match objects to keys"
                );
                // No name of the mapping is suggested: another field of the row would load, and match no parent.
                let help = match batch.reply {
                    BatchReply::GroupBy => {
                        let asked = dotted(batch.asked.first().map_or(&[][..], Vec::as_slice));
                        format!(
                            "map the row's field with the parent's `{asked}` to a name of its own, and use that as the key: `select: \"parentId: …\"` and `key: \"parentId\"`; the type does not need this field"
                        )
                    }
                    _ => format!(
                        "map the key field of the reply: `{key}: …`; the type does not need this field"
                    ),
                };
                let span = object.span.clone();
                self.warn_or_refuse(Problem::error("invalid-batch", message), &span, Some(help));
            }
        }
    }

    fn value(
        &mut self,
        via: Via<'a>,
        type_name: &str,
        shape: &Shape,
        span: &crate::mapping::Span,
        top: bool,
    ) {
        let words = self.walk.parts.words();
        let possible = self.walk.parts.possible(type_name);
        if possible.is_empty() {
            if matches!(shape, Shape::Object(_))
                && words.is_leaf(type_name)
                && !words.is_custom_scalar(type_name)
            {
                let message = format!(
                    "the mapping returns an object, but `{}` is of type `{type_name}`",
                    via.field.name
                );
                let help = format!(
                    "return one value of the object, or change the type of the field from `{type_name}` to an object type"
                );
                self.warn_or_refuse(Problem::error("mapping-mismatch", message), span, Some(help));
            }
            return;
        }
        match shape {
            Shape::Null => {}
            Shape::Leaf => {
                let message = format!(
                    "the mapping returns a scalar, but `{}` is of type `{type_name}`",
                    via.field.name
                );
                let help = format!("return an object: `{}: {{ … }}`", via.field.name);
                self.warn_or_refuse(Problem::error("mapping-mismatch", message), span, Some(help));
            }
            Shape::Reply => {
                for plain in self.walk.nested(via.type_name, via.field) {
                    self.walk.whole(&plain);
                }
            }
            Shape::Object(object) if words.0.get_object(type_name).is_none() => {
                self.abstract_type(via, type_name, possible, object, top);
            }
            Shape::Object(object) => {
                self.unknown_names(type_name, object, top, &[type_name]);
                self.object(via, type_name, object);
            }
        }
    }

    fn abstract_type(
        &mut self,
        via: Via<'a>,
        type_name: &str,
        possible: &[&'a str],
        object: &Object,
        top: bool,
    ) {
        if object.get("__typename").is_none() && !object.open {
            let message = format!(
                "the mapping does not return `__typename`, so the object type of a `{type_name}` is unknown"
            );
            let help =
                "select `__typename`, or compute it: `__typename: kind->match(['b', 'Book'])`";
            self.warn_or_refuse(
                Problem::error("missing-typename", message),
                &object.span,
                Some(help.into()),
            );
        }
        self.unknown_names(type_name, object, top, possible);
        for name in possible {
            for field in self.walk.unbound(name) {
                if let Some(named) = object.get(&field.name) {
                    self.walk.filled.provide(name, &field.name);
                    self.field(name, field, named);
                } else if object.open {
                    self.walk.filled.provide(name, &field.name);
                }
            }
            let missing = self.missing(name, object);
            self.settle(via, name, object, &missing);
        }
    }

    fn field(&mut self, parent: &'a str, field: &'a FieldDefinition, named: &Named) {
        let via = Via { type_name: parent, field };
        self.value(via, field.ty.inner_named_type(), &named.shape, &named.span, false);
    }

    fn object(&mut self, via: Via<'a>, type_name: &str, object: &Object) {
        let Some((name, _)) = self.walk.parts.merged.schema.types.get_key_value(type_name) else {
            return;
        };
        let name = name.as_str();
        for field in self.walk.unbound(name) {
            if let Some(named) = object.get(&field.name) {
                self.walk.filled.provide(name, &field.name);
                self.field(name, field, named);
            } else if object.open {
                self.walk.filled.provide(name, &field.name);
                for plain in self.walk.nested(name, field) {
                    self.walk.whole(&plain);
                }
            }
        }
        let missing = self.missing(name, object);
        self.settle(via, name, object, &missing);
    }

    fn missing(&self, type_name: &str, object: &Object) -> Vec<&'a FieldDefinition> {
        let is_missing =
            |field: &&FieldDefinition| !object.open && object.get(&field.name).is_none();
        self.walk.unbound(type_name).into_iter().filter(is_missing).collect()
    }

    /// What the mapping leaves out must come through lookups.
    fn settle(
        &mut self,
        via: Via<'a>,
        type_name: &str,
        object: &Object,
        missing: &[&'a FieldDefinition],
    ) {
        let names: Vec<&str> = missing.iter().map(|field| field.name.as_str()).collect();
        let unfilled = self.walk.complete(via, type_name, &names, &|path| object.has(path));
        let non_null = missing.iter().filter(|field| field.ty.is_non_null());
        let non_null: HashSet<&str> = non_null.map(|field| field.name.as_str()).collect();
        let (required, optional): (Vec<&str>, Vec<&str>) =
            unfilled.iter().partition(|name| non_null.contains(*name));
        let at = place(self.select, &object.span);
        let left = MAX_DOUBTS.saturating_sub(self.walk.filled.doubts.len());
        for name in optional.into_iter().take(left) {
            let message = format!(
                "neither the mapping nor a lookup returns `{name}`, so `{type_name}.{name}` has no value here"
            );
            let problem = Problem::warning("unmapped-field", message)
                .at(at.clone())
                .help("add it to the mapping; if it is always null here, write `$(null)`");
            self.walk.filled.doubts.push((type_name.to_owned(), name.to_owned(), problem));
        }
        if required.is_empty() {
            return;
        }
        let has_key = self.walk.parts.types.get(type_name).is_some_and(|found| {
            found.keys.iter().any(|key| leaf_paths(key).iter().all(|path| object.has(path)))
        });
        // A root field that is mapped itself lacks a name; what comes by its key lacks a lookup.
        let is_stub = self.walk.parts.words().root(via.type_name).is_none();
        if has_key && is_stub {
            self.walk.refuse_lacking(Some(at), via, type_name, &required);
        } else {
            self.walk.refuse_mapped(at, type_name, &required);
        }
    }

    /// Names that go nowhere are probably misspelt.
    fn unknown_names(&mut self, type_name: &str, object: &Object, top: bool, possible: &[&str]) {
        let words = self.walk.parts.words();
        let known: HashSet<&str> = possible.iter().flat_map(|name| words.fields(name)).collect();
        let keys = self.batch.filter(|_| top).map_or(&[][..], |batch| &batch.key);
        for named in &object.fields {
            let name = &*named.name;
            if known.contains(name) || name == "__typename" || keys.iter().any(|key| &**key == name)
            {
                continue;
            }
            // A name that is mapped already is not the one that was meant.
            let open = known.iter().copied().filter(|name| object.get(name).is_none());
            let groups = top && self.batch.is_some_and(|batch| batch.reply == BatchReply::GroupBy);
            let help = match nearest(name, open) {
                // Often the parent's key, and the batch names another one.
                None if groups => format!(
                    "if rows belong to their parent by it, write `key: \"{name}\"` in `batch`; otherwise remove it from the mapping"
                ),
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("remove it from the mapping, or add the field to `{type_name}`"),
            };
            let message =
                format!("the mapping returns `{name}`, but `{type_name}` has no such field");
            self.warn_or_refuse(
                Problem::warning("unknown-mapped-field", message),
                &named.span,
                Some(help),
            );
        }
    }
}
