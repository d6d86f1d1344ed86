//! Slots: where a field of an object stands, read from the object itself or filled by a fetch of its own.

use super::arguments::{self, Input};
use super::check::CheckId;
use super::collect::Collected;
use super::condition::Condition;
use super::draft::{Draft, Parent, Planner, Provider, Read, SlotKey, SlotUse};
use super::error::{PlanError, Result};
use super::yields::{self, From, Yields};
use super::{Asking, FetchId, Target};
use crate::engine::response::{NodeId, Slot};
use crate::graph::BindingId;
use crate::graphql::Name;
use apollo_compiler::ast::FieldDefinition;
use apollo_compiler::executable::Field;

impl<'a> Planner<'a> {
    /// The slot of a field that is read from its object by name, fetched through a lookup if it must be.
    pub fn plain(
        &mut self,
        node: NodeId,
        ty: &str,
        name: &'a str,
        condition: &Condition,
        checks: &[CheckId],
    ) -> Result<SlotUse> {
        if !self.provided(node, ty, name) {
            self.route(node, ty, &[name])?;
        }
        let composite = self.composite(ty, name);
        let only = self.narrowed(node, ty).map(|(_, only)| only);
        let key = SlotKey::Plain { only, name: name.into(), composite: composite.clone() };
        if let Some(used) = self.at(node).slots.get(&key).copied() {
            self.fetches[used.filled_by.0 as usize].condition.or(condition);
            self.permit(node, used, condition, checks);
            return Ok(used);
        }
        let graph = self.graph;
        // What a lookup replies goes before what a global ID says.
        let (providers, by_id) = (&self.at(node).providers, self.is_found_by_id(node));
        let (stubs, lookups) = providers.split_at(usize::from(by_id && !providers.is_empty()));
        let found = lookups.iter().chain(stubs).find_map(|provider| {
            let serves = provider.only.as_ref().is_none_or(|only| &**only == ty);
            let found = provider.yields.find(graph, ty, name).filter(|_| serves)?;
            Some((provider.fetch, found))
        });
        let Some((fetch, (from, below))) = found else {
            // Nothing brings it: it is null, which the load allows only where the schema does.
            let first = self.at(node).providers.first().map(|first| first.fetch);
            let unreachable = || PlanError::Unreachable(format!("{ty}.{name}"));
            let fetch = first.ok_or_else(unreachable)?;
            let used = self.allocate(node, key, fetch, None, composite.as_deref());
            if let Some(child) = used.child {
                let nothing = Provider { fetch, yields: Yields::Fields(&[]), only: None };
                self.at_mut(child).providers.push(nothing);
            }
            return Ok(used);
        };
        self.fetches[fetch.0 as usize].condition.or(condition);
        let used = self.allocate(node, key, fetch, Some(from), composite.as_deref());
        if let Some(child) = used.child {
            self.child_provided(node, ty, child, fetch, below, from)?;
        }
        self.permit(node, used, condition, checks);
        Ok(used)
    }

    fn child_provided(
        &mut self,
        node: NodeId,
        ty: &str,
        child: NodeId,
        fetch: FetchId,
        yields: Yields<'a>,
        from: From<'a>,
    ) -> Result<()> {
        let only = self.narrowed(node, ty);
        let child_node = self.at_mut(child);
        child_node.providers.push(Provider { fetch, yields, only: None });
        if let Some(parent) = &mut child_node.parent {
            parent.only = only;
        }
        // A stub made by a group exists whether or not its key does: the key must be read to know.
        let group = matches!(from, From::Expr(expr) | From::Joined(_, Some((_, expr)))
            if matches!(expr.kind, crate::mapping::ExprKind::Object(_)));
        let entity = Name::clone(&self.at(child).ty);
        let graph = self.graph;
        let key = graph.types.get(&entity).and_then(|object| object.keys.first());
        for selection in key.into_iter().flatten().filter(|_| group) {
            if self.provided(child, &entity, &selection.name) {
                self.plain(child, &entity, &selection.name, &Condition::never(), &[])?;
            }
        }
        Ok(())
    }

    /// In an abstract node: the type that is meant, and the slot that tells it.
    pub fn narrowed(&mut self, node: NodeId, ty: &str) -> Option<(Slot, Name)> {
        let is_abstract = !self.graph.types.contains_key(&*self.at(node).ty);
        let narrowed = is_abstract && self.graph.types.contains_key(ty);
        narrowed.then(|| (self.typename_slot(node), ty.into()))
    }

    /// A new slot; with a type, also the node of the objects in it.
    pub fn allocate(
        &mut self,
        node: NodeId,
        key: SlotKey,
        fetch: FetchId,
        from: Option<From<'a>>,
        composite: Option<&str>,
    ) -> SlotUse {
        let slot = self.at(node).width;
        let name = match &key {
            SlotKey::Plain { name, .. } | SlotKey::Bound { field: name, .. } => Name::clone(name),
        };
        let permits = matches!(key, SlotKey::Plain { .. }).then(Vec::new);
        let (key_name, lengths) = (Name::clone(&name), Vec::new());
        let parent = Parent { node, slot, key: key_name, only: None, lengths, permits };
        let child = composite.map(|ty| self.node(Some(parent), ty));
        let used = SlotUse { slot, child, filled_by: fetch };
        let at = self.at_mut(node);
        at.width += 1;
        at.slots.insert(key, used);
        if let Some(from) = from {
            at.reads.push(Read { fetch, name, slot, from, child });
        }
        used
    }

    /// The definition of a field on the type that it is executed on: an object may give its arguments other defaults than its
    /// interface does, take more of them, and promise more of its type.
    pub fn definition(&self, ty: &str, field: &'a Field) -> &'a FieldDefinition {
        let own = self.graph.api_schema.type_field(ty, &field.name);
        own.map_or(&*field.definition, |own| &**own)
    }

    /// The slot of a field with a binding of its own: a fetch, unless the same one is there already.
    pub fn bound(
        &mut self,
        node: NodeId,
        ty: &str,
        collected: &Collected<'a>,
        binding: BindingId,
    ) -> Result<SlotUse> {
        let field = collected.field;
        let definitions = &self.definition(ty, field).arguments;
        let (graph, name) = (self.graph, field.name.as_str());
        let given = if graph.is_node(ty, name) {
            arguments::for_node(graph, definitions, &field.arguments)
        } else {
            arguments::for_call(graph, (ty, name), definitions, &field.arguments)
        };
        let used = self.fetch_field(node, ty, name, binding, given, &collected.condition)?;
        self.permit_call(used.filled_by, &collected.checks);
        Ok(used)
    }

    pub fn fetch_field(
        &mut self,
        node: NodeId,
        ty: &str,
        name: &str,
        binding: BindingId,
        arguments: Vec<(Name, Input)>,
        condition: &Condition,
    ) -> Result<SlotUse> {
        let field = Name::from(name);
        let text = format!("{arguments:?}");
        let key = SlotKey::Bound { ty: ty.into(), field, arguments: text };
        let serial = self.mutation && self.at(node).parent.is_none();
        let changes = serial || self.graph.binding(binding).changes;
        // Two mutations of one name under two response keys are two mutations.
        let repeat = self.at(node).slots.get(&key).copied();
        if let Some(used) = repeat.filter(|_| !changes) {
            self.fetches[used.filled_by.0 as usize].condition.or(condition);
            return Ok(used);
        }
        let only = self.narrowed(node, ty);
        let composite = self.composite(ty, name);
        let id = FetchId(self.fetches.len() as u32);
        let used = self.allocate(node, key, id, None, composite.as_deref());
        let (select, yields) = yields::root(self.graph.binding(binding).call.select());
        if let Some(child) = used.child {
            let yields = self.with_provides(ty, name, yields);
            let child_node = self.at_mut(child);
            child_node.providers.push(Provider { fetch: id, yields, only: None });
            if let Some(parent) = &mut child_node.parent {
                parent.only.clone_from(&only);
            }
        }
        let definition = self.graph.schema.type_field(ty, name).ok();
        let nullable = definition.is_some_and(|definition| !definition.ty.is_non_null());
        let depends_on = self.at(node).providers.first().map(|first| first.fetch);
        self.fetches.push(Draft {
            binding,
            node,
            only,
            target: Target::Slot(used.slot),
            result: used.child,
            select,
            arguments,
            required: Vec::new(),
            parent: Vec::new(),
            asking: Asking::PerObject,
            condition: condition.clone(),
            depends_on: depends_on.into_iter().collect(),
            nullable,
            safe: !changes,
            serial,
            entity: None,
            allowed: Condition::always(),
            checks: Vec::new(),
            exists: None,
            permits: Vec::new(),
        });
        self.require_for_field(node, ty, name, id)?;
        Ok(used)
    }

    fn with_provides(&self, ty: &str, field: &str, yields: Yields<'a>) -> Yields<'a> {
        match (yields, self.graph.field(ty, field)) {
            (Yields::Named { nested, .. }, Some(field)) => {
                Yields::Named { nested, provides: &field.provides }
            }
            (yields, _) => yields,
        }
    }
}
