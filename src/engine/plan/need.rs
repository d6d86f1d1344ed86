//! What a fetch needs before it can be made: fields of the parent object, keys, and the slots of a batch's key.

use super::arguments;
use super::check::{By, CheckId, add};
use super::condition::Condition;
use super::draft::{Node, Planner, Read, SlotKey, SlotUse};
use super::error::{PlanError, Result};
use super::yields::{From, Yields};
use super::{Asking, BatchRule, FetchId, KeyPart, KeysAs, Required, Wanted};
use crate::engine::response::{NodeId, Slot};
use crate::graph::{
    Binding, EnumAliases, FieldSelection, LookupArguments, LookupElement, Spelling,
};
use crate::graphql::Name;
use std::sync::Arc;

impl<'a> Planner<'a> {
    /// What the call of a field needs of its parent: `$this`, `$batch`, `@require`, and the key of its batch.
    pub fn require_for_field(
        &mut self,
        node: NodeId,
        ty: &str,
        name: &str,
        id: FetchId,
    ) -> Result<()> {
        let graph = self.graph;
        let binding = graph.binding(self.fetches[id.0 as usize].binding);
        let by = By::Fetch(id);
        let parent = self.want_all(node, ty, &binding.parent, by)?;
        let mut required = Vec::new();
        for (argument, path) in graph.field(ty, name).map_or(&[][..], |field| &field.requires) {
            let part = self.part(node, ty, path, by)?;
            required.push(Required { argument: Name::clone(argument), part });
        }
        let asking = self.asking_of_field(node, ty, name, binding, id)?;
        let draft = &mut self.fetches[id.0 as usize];
        (draft.parent, draft.required, draft.asking) = (parent, required, asking);
        Ok(())
    }

    fn asking_of_field(
        &mut self,
        node: NodeId,
        ty: &str,
        name: &str,
        binding: &'a Binding,
        id: FetchId,
    ) -> Result<Asking> {
        let Some(batch) = &binding.batch else { return Ok(Asking::PerObject) };
        let result = self.fetches[id.0 as usize].result;
        let rule = self.rule(batch, result, id)?;
        if self.at(node).parent.is_none() {
            let lookup = self.graph.lookups.iter().find(|lookup| &*lookup.field == name);
            let many = lookup.map(|lookup| &lookup.arguments);
            let Some(LookupArguments::Many { argument, element }) = many else {
                return Ok(Asking::PerObject);
            };
            let fields = match element {
                LookupElement::Scalar(_) => Vec::new(),
                LookupElement::Object(fields) => {
                    fields.iter().map(|(name, _)| Name::clone(name)).collect()
                }
            };
            let argument = Name::clone(argument);
            return Ok(Asking::Given { argument, fields, rule, aliases: Vec::new() });
        }
        let mut parts = Vec::new();
        for path in &batch.asked {
            parts.push(self.part(node, ty, path, By::Fetch(id))?);
        }
        Ok(Asking::Batch { parts, keys: KeysAs::Parents, rule })
    }

    /// A batch rule with the slots of the key in the reply's objects.
    pub fn rule(
        &mut self,
        batch: &'a crate::graph::Batch,
        result: Option<NodeId>,
        fetch: FetchId,
    ) -> Result<BatchRule> {
        use crate::graph::BatchReply::{ByKey, GroupBy};
        let mut key = Vec::new();
        if let (ByKey | GroupBy, Some(node)) = (batch.reply, result) {
            for name in &batch.key {
                key.push(self.reply_key(node, name, fetch)?);
            }
        }
        let (reply, max, wait) = (batch.reply, batch.max, batch.wait);
        Ok(BatchRule { reply, max, wait, key, key_names: batch.key.clone() })
    }

    /// The slot of a key of the reply, which need not be a field of the type.
    fn reply_key(&mut self, node: NodeId, name: &'a Name, fetch: FetchId) -> Result<Slot> {
        let ty = Name::clone(&self.at(node).ty);
        // A lookup fills the objects that it is for, of one type; any other reply has objects of its own.
        let draft = &self.fetches[fetch.0 as usize];
        let only = draft.only.as_ref().filter(|_| draft.entity.is_some());
        let only = only.map(|(_, only)| Name::clone(only));
        let key = SlotKey::Plain { only, name: Name::clone(name), composite: None };
        let read = |node: &Node<'_>| {
            let mut reads = node.reads.iter();
            reads
                .find(|read| read.fetch == fetch && read.name == *name && read.child.is_none())
                .map(|read| read.slot)
        };
        if let Some(slot) = read(self.at(node)) {
            return Ok(slot);
        }
        let provider = self.at(node).providers.iter().find(|provider| provider.fetch == fetch);
        let yields = provider.map(|provider| provider.yields);
        let from = match yields {
            Some(Yields::Fields(_)) => {
                let found = yields.and_then(|yields| yields.find(self.graph, &ty, name));
                let missing = || PlanError::Unreachable(format!("the batch key `{name}` of {ty}"));
                found.map(|(from, _)| from).ok_or_else(missing)?
            }
            _ => From::Name(name),
        };
        Ok(self.allocate_or_read(node, key, fetch, from))
    }

    /// The slot under a key if it is this fetch that fills it, otherwise a slot of its own.
    fn allocate_or_read(
        &mut self,
        node: NodeId,
        key: SlotKey,
        fetch: FetchId,
        from: From<'a>,
    ) -> Slot {
        if !self.at(node).slots.contains_key(&key) {
            return self.allocate(node, key, fetch, Some(from), None).slot;
        }
        let SlotKey::Plain { name, .. } = key else { return 0 };
        let at = self.at_mut(node);
        let slot = at.width;
        at.width += 1;
        at.reads.push(Read { fetch, name, slot, from, child: None });
        slot
    }

    /// The fields of an object that something cannot do without.
    pub fn want_all(
        &mut self,
        node: NodeId,
        ty: &str,
        selections: &'a [FieldSelection],
        by: By,
    ) -> Result<Vec<Wanted>> {
        let mut wanted = Vec::new();
        for selection in selections {
            let used = self.need(node, ty, &selection.name, by)?;
            let fields = match used.child {
                Some(child) => {
                    let inner = Name::clone(&self.at(child).ty);
                    self.want_all(child, &inner, &selection.fields, by)?
                }
                None => Vec::new(),
            };
            let id = self.is_id(ty, &selection.name) && !self.sends_json(by);
            let name = Name::clone(&selection.name);
            let spelling = self.spelling(ty, &name, by);
            wanted.push(Wanted { name, slot: used.slot, id, spelling, fields });
        }
        Ok(wanted)
    }

    /// A path of fields down to a leaf that something cannot do without.
    pub fn part(&mut self, node: NodeId, ty: &str, path: &'a [Name], by: By) -> Result<KeyPart> {
        let (names, aliases) = (path.to_vec(), None);
        let mut part = KeyPart { path: Vec::new(), names, id: false, aliases };
        let (mut node, mut ty) = (node, Name::from(ty));
        for name in path {
            let used = self.need(node, &ty, name, by)?;
            part.path.push(used.slot);
            part.id = self.is_id(&ty, name) && !self.sends_json(by);
            part.aliases = self.spelling(&ty, name, by).map(|(_, aliases)| aliases);
            if let Some(child) = used.child {
                node = child;
                ty = Name::clone(&self.at(child).ty);
            }
        }
        Ok(part)
    }

    /// A field that something cannot do without. What brings it is fetched wherever that is: `finish` sees to it.
    fn need(&mut self, node: NodeId, ty: &str, name: &'a Name, by: By) -> Result<SlotUse> {
        self.step()?;
        self.descend()?;
        let mut checks = self.checks(node, ty, name, &[])?;
        let used = if let Some(binding) = self.binding(ty, name) {
            let definition = self.graph.schema.type_field(ty, name).ok();
            let definitions = definition.map_or(&[][..], |field| &field.arguments);
            let defaults = arguments::for_call(self.graph, (ty, name), definitions, &[]);
            let never = Condition::never();
            let used = self.fetch_field(node, ty, name, binding, defaults, &never)?;
            self.permit_call(used.filled_by, &checks);
            checks.clone_from(&self.fetches[used.filled_by.0 as usize].checks);
            used
        } else {
            let for_whom = self.permitted_by(node, by, &checks);
            self.plain(node, ty, name, &Condition::never(), &for_whom)?
        };
        let depends_on = match by {
            By::Fetch(id) => &mut self.fetches[id.0 as usize].depends_on,
            By::Check(id) => &mut self.checks[id.0 as usize].depends_on,
        };
        if By::Fetch(used.filled_by) != by && !depends_on.contains(&used.filled_by) {
            depends_on.push(used.filled_by);
        }
        self.guard_need(ty, name, by, used.filled_by)?;
        self.check_need(node, by, &checks);
        self.ascend();
        Ok(used)
    }

    /// What an object must pass for something to need a field of it.
    fn permitted_by(&self, node: NodeId, by: By, checks: &[CheckId]) -> Vec<CheckId> {
        let mut all = checks.to_vec();
        if let By::Fetch(id) = by
            && self.fetches[id.0 as usize].node == node
        {
            add(&mut all, &self.fetches[id.0 as usize].checks);
        }
        all
    }

    /// Keys go into a JSON body, where a number that a service wrote stays a number.
    pub fn sends_json(&self, by: By) -> bool {
        let By::Fetch(id) = by else { return false };
        let binding = self.fetches[id.0 as usize].binding;
        self.graph.binding(binding).call.sends_json()
    }

    /// Rules see the names of the schema, calls those of the service.
    fn spelling(&self, ty: &str, field: &str, by: By) -> Option<(Spelling, Arc<EnumAliases>)> {
        let definition = self.graph.schema.type_field(ty, field).ok()?;
        let aliases = self.graph.aliases.of_enum(definition.ty.inner_named_type())?;
        let to = match by {
            By::Check(_) => Spelling::Schema,
            By::Fetch(_) => Spelling::Service,
        };
        Some((to, Arc::clone(aliases)))
    }

    fn is_id(&self, ty: &str, field: &str) -> bool {
        let definition = self.graph.schema.type_field(ty, field).ok();
        definition.is_some_and(|definition| definition.ty.inner_named_type() == "ID")
    }
}
