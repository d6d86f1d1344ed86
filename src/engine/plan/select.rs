//! Selection sets become views: the fields of an object in the client's order, each with its slot and its price.

use super::FetchId;
use super::access::restrict;
use super::check::{CheckId, add};
use super::collect::{Collected, Sets};
use super::draft::Planner;
use super::error::Result;
use super::length::Sized;
use crate::engine::guard::cost::{FLOOR, Formula, MUTATION};
use crate::engine::response::{
    Entries, Entry, Leaf, NodeId, Output, OutputKind, Slot, TypeView, View,
};
use crate::graph::{BindingId, Field, format_of};
use crate::graphql::Name;
use apollo_compiler::ast::Type;
use apollo_compiler::schema::ExtendedType;
use hashbrown::HashSet;
use std::sync::Arc;

/// A field as it is written, and what it costs.
struct Planned {
    slot: Slot,
    source: Option<Name>,
    output: Output,
    given: u32,
    cost: Formula,
}

/// What a selection inherits from those around it.
#[derive(Clone, Copy)]
pub(super) struct Around<'s, 'a> {
    /// The number of their condition.
    pub condition: u32,
    /// Lists below that they say the length of.
    pub sized: &'s [Sized<'a>],
}

impl Around<'_, '_> {
    /// What a field below costs under its condition, which is not told where it is that of all around it.
    fn cost_of(self, field: &Collected<'_>, condition: u32, cost: Formula) -> Formula {
        let own = if condition == self.condition { 0 } else { condition };
        Formula::only_if(own, Formula::named(field.key, cost))
    }
}

impl<'a> Planner<'a> {
    /// The fields that `sets` select of objects of type `ty` at a node, in the order written, and what they cost.
    pub fn entries(
        &mut self,
        node: NodeId,
        ty: &str,
        sets: &Sets<'a>,
        around: Around<'_, 'a>,
    ) -> Result<(Entries, Formula)> {
        let (sets, sound) = self.check_conditions(ty, sets)?;
        let mut collected = self.collector.collect(&mut self.conditions, ty, &sets)?;
        for field in &mut collected {
            self.guard(node, ty, field)?;
        }
        self.merge_aliases(node, ty, &collected)?;
        self.look_up(node, ty, &collected)?;
        let mut placed = Vec::new();
        let mut costs = Vec::new();
        for field in &mut collected {
            self.step()?;
            let sound = self.check_arguments(ty, field)?;
            let at = field.field.name.location().map(|at| self.lines.place(at.offset()));
            let Planned { slot, source, output, given, cost } =
                self.field(node, ty, field, around)?;
            costs.push(cost);
            let guard = self.conditions.number(&field.allowed, &[]);
            let checks: Arc<[Slot]> = self.verdicts(field).into();
            let key: Arc<str> = field.key.as_str().into();
            let coordinate: Name = format!("{ty}.{}", field.field.name).as_str().into();
            let prefix = format!("\"{key}\":").into_bytes().into_boxed_slice();
            for (position, condition) in &field.positions {
                let entry = Entry {
                    key: Arc::clone(&key),
                    prefix: prefix.clone(),
                    node,
                    slot,
                    coordinate: Name::clone(&coordinate),
                    source: source.clone(),
                    condition: *condition,
                    guard,
                    sound: sound.clone(),
                    at,
                    given,
                    checks: Arc::clone(&checks),
                    output: output.clone(),
                };
                placed.push((*position, entry));
            }
        }
        placed.sort_by_key(|(position, _)| *position);
        let list = placed.into_iter().map(|(_, entry)| entry).collect();
        Ok((Entries { list, sound }, Formula::sum(costs)))
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
        around: Around<'_, 'a>,
    ) -> Result<Planned> {
        let field = collected.field;
        let name = field.name.as_str();
        let definition = self.definition(ty, field);
        if name == "__typename" {
            let (slot, output) = self.typename(node, ty);
            return Ok(Planned { slot, source: None, output, given: 0, cost: Formula::NOTHING });
        }
        if name.starts_with("__") {
            self.introspection.push(collected.key.as_str().into());
            let kind = OutputKind::Introspection(self.introspection.len() - 1);
            let output = Output { non_null: false, weight: FLOOR, assumed: false, kind };
            let condition = self.conditions.number(&collected.condition, &[]);
            let cost = around.cost_of(collected, condition, Formula::Constant(FLOOR));
            return Ok(Planned { slot: 0, source: None, output, given: 0, cost });
        }
        let binding = self.binding(ty, name);
        let used = match binding {
            Some(binding) => self.bound(node, ty, collected, binding)?,
            None => self.plain(node, ty, name, &collected.condition, &collected.checks)?,
        };
        if self.brings(used.filled_by, ty, name) {
            collected.restrict(&self.fetches[used.filled_by.0 as usize].allowed);
            add(&mut collected.checks, &self.fetches[used.filled_by.0 as usize].checks);
            collected.restrict(&self.allowed_by(&collected.checks));
        }
        let condition = self.conditions.number(&collected.condition, &[]);
        let price = self.price(ty, collected, condition, around.sized);
        let inner = definition.ty.inner_named_type().as_str();
        let (view, element) = match used.child {
            None => (None, Formula::Constant(self.graph.weight(price.field, inner))),
            Some(child) => {
                self.size(child, &price);
                let around = Around { condition, sized: &price.sized };
                let (view, cost) = self.view(child, inner, &collected.sets, price.field, around)?;
                (Some(Arc::new(view)), cost)
            }
        };
        let given = Formula::given(price.given);
        let changes = binding.is_some_and(|binding| self.changes(node, binding));
        let fixed = Formula::Constant(if changes { MUTATION } else { 0 });
        let cost = Formula::sum([fixed, given, Formula::times(price.length, element)]);
        let cost = around.cost_of(collected, condition, cost);
        // Of an abstract type, each member has its weight in the view.
        let by_type = matches!(view.as_deref(), Some(View::ByType { .. }));
        let weight = if by_type { 0 } else { self.graph.weight(price.field, inner) };
        let mut output = self.output(&definition.ty, view.as_ref(), weight);
        if let Some(prefix) = self.graph.global_ids.prefix_of_field(ty, name) {
            output.set_leaf(&Leaf::GlobalId(Arc::clone(prefix)));
        }
        output.assumed = price.assumed;
        let (slot, source) = (used.slot, self.source(used.filled_by));
        Ok(Planned { slot, source, output, given: price.given, cost })
    }

    /// The slots that say whether an object passes the checks of a field, which are asked wherever the field is.
    fn verdicts(&mut self, field: &Collected<'a>) -> Vec<Slot> {
        let verdict = |check: &CheckId| {
            let check = &mut self.checks[check.0 as usize];
            check.condition.or(&field.condition);
            check.verdict
        };
        field.checks.iter().map(verdict).collect()
    }

    /// The source that a fetch asks; `None`: what it brings is computed.
    fn source(&self, fetch: FetchId) -> Option<Name> {
        let call = &self.graph.binding(self.fetches[fetch.0 as usize].binding).call;
        call.computed().is_none().then(|| Name::clone(call.source()))
    }

    /// The field is a mutation, and a call is made for it.
    fn changes(&self, node: NodeId, binding: BindingId) -> bool {
        let binding = self.graph.binding(binding);
        let is_root = self.mutation && node == NodeId(0);
        binding.changes || is_root && binding.call.computed().is_none()
    }

    fn typename(&mut self, node: NodeId, ty: &str) -> (Slot, Output) {
        if self.graph.types.contains_key(ty) {
            let kind = OutputKind::Typename(format!("\"{ty}\"").into());
            return (0, Output { non_null: true, weight: 0, assumed: false, kind });
        }
        let names = self.possible_types(ty).into_iter().collect();
        let kind = OutputKind::DynamicTypename(Arc::new(names));
        (self.typename_slot(node), Output { non_null: true, weight: 0, assumed: false, kind })
    }

    /// The view of the objects in a field, and what one of them costs.
    fn view(
        &mut self,
        node: NodeId,
        ty: &str,
        sets: &Sets<'a>,
        field: Option<&Field>,
        around: Around<'_, 'a>,
    ) -> Result<(View, Formula)> {
        let graph = self.graph;
        let object = |name: &str, fields: Formula| {
            Formula::sum([Formula::Constant(graph.weight(field, name)), fields])
        };
        if graph.types.contains_key(ty) {
            let (entries, cost) = self.entries(node, ty, sets, around)?;
            return Ok((View::One(entries), object(ty, cost)));
        }
        let typename = self.typename_slot(node);
        let mut possible = self.possible_types(ty);
        let by_id = self.is_found_by_id(node);
        if by_id {
            possible.retain(|name| graph.global_ids.prefix(name).is_some());
        }
        let mut types = Vec::new();
        if !by_id && self.is_uniform(node, ty, sets)? {
            let (entries, cost) = self.entries(node, ty, sets, around)?;
            let entries = Arc::new(entries);
            for name in possible {
                let weight = graph.weight(field, &name);
                let entries = Arc::clone(&entries);
                types.push(TypeView { name, guard: 0, weight, exists: None, entries });
            }
            let dearest = types.iter().map(|view| view.weight).max().unwrap_or(0);
            let cost = Formula::sum([Formula::Constant(dearest), cost]);
            return Ok((View::ByType { typename, types }, cost));
        }
        let mut costs = Vec::new();
        for name in possible {
            self.step()?;
            let mut allowed = self.may_see_type(&name)?;
            let mut sets = sets.clone();
            restrict(&mut sets, &allowed);
            let mut exists = None;
            if by_id {
                let fields = self.collector.collect(&mut self.conditions, &name, &sets)?;
                self.look_up(node, &name, &fields)?;
                let (slot, lookup) = self.look_for(node, &name)?;
                allowed = allowed.and(&self.fetches[lookup.0 as usize].allowed);
                exists = Some(slot);
            }
            let (entries, cost) = self.entries(node, &name, &sets, around)?;
            let guard = self.conditions.number(&allowed, &[]);
            costs.push(Formula::only_if(guard, object(&name, cost)));
            let weight = graph.weight(field, &name);
            types.push(TypeView { name, guard, weight, exists, entries: Arc::new(entries) });
        }
        Ok((View::ByType { typename, types }, Formula::largest(costs)))
    }

    /// Every object that can stand here is asked for the same at the same price, and none of it needs a call.
    fn is_uniform(&mut self, node: NodeId, ty: &str, sets: &Sets<'a>) -> Result<bool> {
        if self.collector.narrows(ty, sets) {
            return Ok(false);
        }
        let fields = self.collector.collect(&mut self.conditions, ty, sets)?;
        let possible = self.possible_types(ty);
        Ok(fields.iter().all(|field| {
            let name = field.field.name.as_str();
            let ready = |ty: &Name| {
                self.binding(ty, name).is_none()
                    && self.provided(node, ty, name)
                    && self.graph.global_ids.prefix_of_field(ty, name).is_none()
                    && self.definition(ty, field.field).ty == field.field.definition.ty
            };
            !self.any_guarded(&possible, name)
                && (name == "__typename"
                    || (possible.iter().all(ready) && self.priced_alike(&possible, name)))
        }))
    }

    fn output(&self, ty: &Type, view: Option<&Arc<View>>, weight: u64) -> Output {
        let (kind, weight) = match ty {
            Type::List(of) | Type::NonNullList(of) => {
                (OutputKind::List(Box::new(self.output(of, view, weight))), 0)
            }
            Type::Named(name) | Type::NonNullNamed(name) => match view {
                Some(view) => (OutputKind::Object(Arc::clone(view)), weight),
                None => (OutputKind::Leaf(self.leaf(name)), weight),
            },
        };
        Output { non_null: ty.is_non_null(), weight, assumed: false, kind }
    }

    fn leaf(&self, name: &str) -> Leaf {
        match (name, self.graph.api_schema.types.get(name)) {
            ("Int", _) => Leaf::Int,
            ("Float", _) => Leaf::Float,
            ("String", _) => Leaf::String,
            ("ID", _) => Leaf::Id,
            ("Boolean", _) => Leaf::Boolean,
            (name, Some(ExtendedType::Enum(definition))) => {
                if let Some(aliases) = self.graph.aliases.of_enum(name) {
                    return Leaf::AliasedEnum(Arc::clone(aliases));
                }

                let values: HashSet<Name> =
                    definition.values.keys().map(|value| value.as_str().into()).collect();
                Leaf::Enum(Arc::new(values))
            }
            // Clients do not see which scalars are unchecked.
            _ => match self.graph.schema.types.get(name) {
                Some(ExtendedType::Scalar(scalar)) => {
                    format_of(scalar).map_or(Leaf::Custom, Leaf::Formatted)
                }
                _ => Leaf::Custom,
            },
        }
    }
}
