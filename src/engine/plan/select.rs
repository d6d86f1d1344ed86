//! Selection sets become views: the fields of an object in the client's order, each with its slot.

use super::FetchId;
use super::access::restrict;
use super::collect::{Collected, Sets};
use super::draft::Planner;
use super::error::Result;
use crate::engine::response::{Entry, Leaf, NodeId, Output, OutputKind, Slot, TypeView, View};
use crate::graphql::Name;
use apollo_compiler::ast::Type;
use apollo_compiler::schema::ExtendedType;
use hashbrown::HashSet;
use std::sync::Arc;

impl<'a> Planner<'a> {
    /// The fields that `sets` select of objects of type `ty` at a node, in the order written.
    pub fn entries(&mut self, node: NodeId, ty: &str, sets: &Sets<'a>) -> Result<Vec<Entry>> {
        let mut collected = self.collector.collect(&mut self.conditions, ty, sets)?;
        for field in &mut collected {
            self.guard(ty, field)?;
        }
        self.look_up(node, ty, &collected)?;
        let mut placed = Vec::new();
        for field in &mut collected {
            self.step()?;
            let (slot, source, output) = self.field(node, ty, field)?;
            let guard = self.conditions.number(&field.allowed, &[]);
            let key: Arc<str> = field.key.as_str().into();
            let prefix = format!("\"{key}\":").into_bytes().into_boxed_slice();
            for (position, condition) in &field.positions {
                let entry = Entry {
                    key: Arc::clone(&key),
                    prefix: prefix.clone(),
                    slot,
                    source: source.clone(),
                    condition: *condition,
                    guard,
                    output: output.clone(),
                };
                placed.push((*position, entry));
            }
        }
        placed.sort_by_key(|(position, _)| *position);
        Ok(placed.into_iter().map(|(_, entry)| entry).collect())
    }

    /// Adds the lookups for what no provider of the node has.
    fn look_up(&mut self, node: NodeId, ty: &str, fields: &[Collected<'a>]) -> Result<()> {
        let mut missing = Vec::new();
        for field in fields {
            let name = field.field.name.as_str();
            let plain = !name.starts_with("__") && self.binding(ty, name).is_none();
            if plain && !self.provided(node, ty, name) {
                missing.push(name);
            }
        }
        if missing.is_empty() { Ok(()) } else { self.route(node, ty, &missing) }
    }

    fn field(
        &mut self,
        node: NodeId,
        ty: &str,
        collected: &mut Collected<'a>,
    ) -> Result<(Slot, Option<Name>, Output)> {
        let field = collected.field;
        let name = field.name.as_str();
        if name == "__typename" {
            let (slot, output) = self.typename(node, ty);
            return Ok((slot, None, output));
        }
        if name.starts_with("__") {
            self.introspection.push(collected.key.as_str().into());
            let kind = OutputKind::Introspection(self.introspection.len() - 1);
            return Ok((0, None, Output { non_null: false, kind }));
        }
        let used = match self.binding(ty, name) {
            Some(binding) => self.bound(node, ty, collected, binding)?,
            None => self.plain(node, ty, name, &collected.condition)?,
        };
        if self.brings(used.filled_by, ty, name) {
            collected.restrict(&self.fetches[used.filled_by.0 as usize].allowed);
        }
        let view = match used.child {
            None => None,
            Some(child) => {
                let inner = field.definition.ty.inner_named_type().as_str();
                Some(Arc::new(self.view(child, inner, &collected.sets)?))
            }
        };
        let output = self.output(&field.definition.ty, view.as_ref());
        Ok((used.slot, Some(self.source(used.filled_by)), output))
    }

    fn source(&self, fetch: FetchId) -> Name {
        let binding = self.fetches[fetch.0 as usize].binding;
        Name::clone(self.graph.binding(binding).call.source())
    }

    fn typename(&mut self, node: NodeId, ty: &str) -> (Slot, Output) {
        if self.graph.types.contains_key(ty) {
            let kind = OutputKind::Typename(format!("\"{ty}\"").into());
            return (0, Output { non_null: true, kind });
        }
        let names = self.possible_types(ty).into_iter().collect();
        let kind = OutputKind::DynamicTypename(Arc::new(names));
        (self.typename_slot(node), Output { non_null: true, kind })
    }

    fn view(&mut self, node: NodeId, ty: &str, sets: &Sets<'a>) -> Result<View> {
        if self.graph.types.contains_key(ty) {
            return Ok(View::One(self.entries(node, ty, sets)?));
        }
        let typename = self.typename_slot(node);
        let possible = self.possible_types(ty);
        if self.is_uniform(node, ty, sets)? {
            let entries = Arc::new(self.entries(node, ty, sets)?);
            let view = |name| TypeView { name, guard: 0, entries: Arc::clone(&entries) };
            return Ok(View::ByType { typename, types: possible.into_iter().map(view).collect() });
        }
        let mut types = Vec::new();
        for name in possible {
            self.step()?;
            let allowed = self.may_see_type(&name)?;
            let guard = self.conditions.number(&allowed, &[]);
            let mut sets = sets.clone();
            restrict(&mut sets, &allowed);
            let entries = Arc::new(self.entries(node, &name, &sets)?);
            types.push(TypeView { name, guard, entries });
        }
        Ok(View::ByType { typename, types })
    }

    /// Every object that can stand here is asked for the same, and none of it needs a call.
    fn is_uniform(&mut self, node: NodeId, ty: &str, sets: &Sets<'a>) -> Result<bool> {
        if self.collector.narrows(ty, sets) {
            return Ok(false);
        }
        let fields = self.collector.collect(&mut self.conditions, ty, sets)?;
        let possible = self.possible_types(ty);
        Ok(fields.iter().map(|field| field.field.name.as_str()).all(|name| {
            let ready =
                |ty: &Name| self.binding(ty, name).is_none() && self.provided(node, ty, name);
            !self.any_guarded(&possible, name)
                && (name == "__typename" || possible.iter().all(ready))
        }))
    }

    fn output(&self, ty: &Type, view: Option<&Arc<View>>) -> Output {
        let kind = match ty {
            Type::List(of) | Type::NonNullList(of) => {
                OutputKind::List(Box::new(self.output(of, view)))
            }
            Type::Named(name) | Type::NonNullNamed(name) => match view {
                Some(view) => OutputKind::Object(Arc::clone(view)),
                None => OutputKind::Leaf(self.leaf(name)),
            },
        };
        Output { non_null: ty.is_non_null(), kind }
    }

    fn leaf(&self, name: &str) -> Leaf {
        match (name, self.graph.api_schema.types.get(name)) {
            ("Int", _) => Leaf::Int,
            ("Float", _) => Leaf::Float,
            ("String", _) => Leaf::String,
            ("ID", _) => Leaf::Id,
            ("Boolean", _) => Leaf::Boolean,
            (_, Some(ExtendedType::Enum(definition))) => {
                let values: HashSet<Name> =
                    definition.values.keys().map(|value| value.as_str().into()).collect();
                Leaf::Enum(Arc::new(values))
            }
            _ => Leaf::Custom,
        }
    }
}
