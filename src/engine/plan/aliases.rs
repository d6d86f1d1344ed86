//! Aliases of one lookup at the root of a query become a batch: `a: user(id: 1) b: user(id: 2)` is one call of
//! `usersById`. Each alias keeps its slot and its view; all of them share the node of the list's objects.
//!
//! It is done only where both lookups give the same objects: see [`Planner::stands_in`] and [`Planner::reads_alike`]. A key
//! for which the list has no object is asked for alone, so that nulls and errors are those of the field itself.

use super::arguments::{self, Input};
use super::collect::{Collected, Sets};
use super::condition::Condition;
use super::draft::{Draft, Planner, Provider, SlotKey, SlotUse};
use super::error::Result;
use super::length::Length;
use super::yields::{self, From, Yields, key_path};
use super::{Alias, Asking, FetchId, Target};
use crate::engine::replies::may_keep;
use crate::engine::response::{NodeId, Slot};
use crate::graph::{Binding, Guard, KeyPath, Lookup, LookupArguments, LookupElement};
use crate::graphql::Name;
use crate::mapping::{Expr, ExprKind, Mapping, Variable};
use crate::source::{NotFound, Placed};
use apollo_compiler::ast::FieldDefinition;
use hashbrown::HashSet;

/// A lookup of one entity, and the arguments that take its key.
#[derive(Clone, Copy)]
struct Single<'a> {
    lookup: &'a Lookup,
    definition: &'a FieldDefinition,
    arguments: &'a [(Name, KeyPath)],
}

/// Aliases with the same arguments: they are one slot.
struct Same<'a> {
    keys: Vec<Name>,
    /// The arguments as text.
    text: String,
    arguments: Vec<(Name, Input)>,
    /// The key as an element of the list.
    element: Input,
    /// `None`: the aliases do not agree, or their arguments may be null.
    condition: Option<Condition>,
    sets: Sets<'a>,
}

/// What a mapping yields, and its text.
#[derive(Clone, Copy)]
struct Reads<'a> {
    yields: Yields<'a>,
    text: &'a str,
}

impl<'a> Planner<'a> {
    /// Drafts a batch for the aliases at the root that can share one.
    pub fn merge_aliases(
        &mut self,
        node: NodeId,
        ty: &str,
        fields: &[Collected<'a>],
    ) -> Result<()> {
        let graph = self.graph;
        let query = graph.schema.schema_definition.query.as_ref();
        if node != NodeId(0) || query.is_none_or(|query| query.as_str() != ty) {
            return Ok(());
        }
        let (mut seen, mut repeated) = (HashSet::new(), Vec::new());
        for field in fields {
            let name = field.field.name.as_str();
            if !seen.insert(name) && !repeated.contains(&name) {
                repeated.push(name);
            }
        }
        for name in repeated {
            let Some(single) = self.single(ty, name) else { continue };
            for many in graph.lookups_of(&single.lookup.entity) {
                if self.stands_in(ty, single, many) && self.merge_into(ty, single, many, fields)? {
                    break;
                }
            }
        }
        Ok(())
    }

    /// A lookup whose arguments are the key and nothing else.
    fn single(&self, ty: &str, name: &str) -> Option<Single<'a>> {
        let graph = self.graph;
        let mut lookups = graph.lookups.iter().filter(|lookup| &*lookup.field == name);
        let lookup = lookups.next().filter(|_| lookups.next().is_none())?;
        let LookupArguments::One(arguments) = &lookup.arguments else { return None };
        let definition = graph.schema.type_field(ty, name).ok()?;
        let whole = definition.arguments.len() == arguments.len()
            && definition.arguments.iter().all(|argument| argument.ty.is_non_null())
            && !definition.ty.is_non_null()
            && definition.ty.inner_named_type() == &*lookup.entity;
        whole.then_some(Single { lookup, definition, arguments })
    }

    /// The list lookup takes the same key, asks the same source with no other values than it, answers "not found" and
    /// failures in the same way, and is open to everybody who may use the single one. No reply of either is kept.
    fn stands_in(&self, ty: &str, single: Single<'a>, many: &Lookup) -> bool {
        let graph = self.graph;
        let (one, list) = (graph.binding(single.lookup.binding), graph.binding(many.binding));
        let Some(batch) = &list.batch else { return false };
        let plain = |binding: &Binding| {
            let rules = binding.call.rules();
            let select = binding.call.select().map(Mapping::references).unwrap_or_default();
            rules.is_success.is_none()
                && !rules.map_errors()
                && rules.not_found == NotFound::Null
                && select.is_empty()
                && !binding.null_on_error
                && !may_keep(binding, self.cache)
        };
        let guards = graph.guards.of_field(ty, &single.lookup.field);
        let list_guards = graph.guards.of_field(ty, &many.field);
        one.call.source() == list.call.source()
            && one.timeout == list.timeout
            && batch.wait.is_zero()
            && plain(one)
            && plain(list)
            && values(one) == values(list)
            && list_guards.iter().all(|guard| guards.contains(guard))
            && self.takes_key(ty, single, many)
    }

    /// The list's elements are the key as the single lookup takes it, and there is no other argument.
    fn takes_key(&self, ty: &str, single: Single<'a>, many: &Lookup) -> bool {
        let schema = &self.graph.schema;
        let LookupArguments::Many { element, .. } = &many.arguments else { return false };
        let Ok(definition) = schema.type_field(ty, &many.field) else { return false };
        let [list] = definition.arguments.as_slice() else { return false };
        let element_type = list.ty.inner_named_type();
        // What a key is compared as is all there is to it.
        let is_key = |ty: &&apollo_compiler::Name| {
            ["ID", "String", "Int"].iter().any(|name| ty.as_str() == *name)
        };
        let type_of = |path: &KeyPath| {
            let (name, _) = single.arguments.iter().find(|(_, known)| known == path)?;
            let mut arguments = single.definition.arguments.iter();
            let argument = arguments.find(|argument| argument.name.as_str() == &**name)?;
            Some(argument.ty.inner_named_type()).filter(is_key)
        };
        match element {
            LookupElement::Scalar(path) => {
                single.arguments.len() == 1 && type_of(path) == Some(element_type)
            }
            LookupElement::Object(fields) => {
                let Some(input) = schema.get_input_object(element_type) else { return false };
                let fits = |(name, path): &(Name, KeyPath)| {
                    let field = input.fields.get(&**name);
                    field.is_some_and(|field| type_of(path) == Some(field.ty.inner_named_type()))
                };
                input.fields.len() == fields.len()
                    && single.arguments.len() == fields.len()
                    && fields.iter().all(fits)
            }
        }
    }

    /// Drafts the batches of one list lookup: one for each condition under which several keys are asked for.
    fn merge_into(
        &mut self,
        ty: &str,
        single: Single<'a>,
        many: &'a Lookup,
        fields: &[Collected<'a>],
    ) -> Result<bool> {
        let mut groups: Vec<(Condition, Vec<Same<'a>>)> = Vec::new();
        for mut same in self.classes(ty, single, many, fields) {
            let Some(condition) = same.condition.take() else { continue };
            if !self.reads_alike_all(single, many, &same.sets)? {
                continue;
            }
            match groups.iter_mut().find(|(known, _)| *known == condition) {
                Some((_, group)) => group.push(same),
                None => groups.push((condition, vec![same])),
            }
        }
        groups.retain(|(_, group)| group.len() > 1);
        let merged = !groups.is_empty();
        for (condition, group) in groups {
            self.draft_batch(ty, single, many, &condition, group)?;
        }
        Ok(merged)
    }

    fn classes(
        &self,
        ty: &str,
        single: Single<'a>,
        many: &Lookup,
        fields: &[Collected<'a>],
    ) -> Vec<Same<'a>> {
        let mut classes: Vec<Same<'a>> = Vec::new();
        let mut known = hashbrown::HashMap::new();
        let of_lookup = fields.iter().filter(|field| field.field.name == single.definition.name);
        for field in of_lookup {
            let definitions = &self.definition(ty, field.field).arguments;
            let (name, graph) = (&*field.field.name, self.graph);
            let given = arguments::for_call(graph, (ty, name), definitions, &field.field.arguments);
            let text = format!("{given:?}");
            let at = *known.entry(text.clone()).or_insert(classes.len());
            if at == classes.len() {
                let sound = given.iter().all(|(_, input)| match untranslated(input) {
                    Input::Constant(_) => true,
                    Input::Variable { name, .. } => !self.nullable.contains(&**name),
                    Input::List(_) | Input::Object(_) | Input::Translated { .. } => false,
                });
                let condition = (sound && field.checks.is_empty()).then(|| field.condition.clone());
                let element = element(single, many, &given);
                let (keys, sets) = (Vec::new(), Vec::new());
                classes.push(Same { keys, text, arguments: given, element, condition, sets });
            }
            let same = &mut classes[at];
            same.keys.push(field.key.as_str().into());
            same.condition.take_if(|known| *known != field.condition);
            same.sets.extend(field.sets.iter().cloned());
        }
        classes
    }

    fn reads_alike_all(
        &mut self,
        single: Single<'a>,
        many: &'a Lookup,
        sets: &Sets<'a>,
    ) -> Result<bool> {
        let reads = |lookup: &Lookup| {
            let select = self.graph.binding(lookup.binding).call.select();
            let (_, yields) = yields::root(select);
            Reads { yields, text: select.map_or("", Mapping::text) }
        };
        let (one, list) = (reads(single.lookup), reads(many));
        self.reads_alike(&single.lookup.entity, sets, one, list)
    }

    /// Everything that is selected stands in the replies of both lookups, and is read of them alike: no field has a
    /// binding, a rule over the object, or comes through another lookup.
    fn reads_alike(
        &mut self,
        ty: &str,
        sets: &Sets<'a>,
        one: Reads<'a>,
        list: Reads<'a>,
    ) -> Result<bool> {
        let graph = self.graph;
        if !graph.types.contains_key(ty) {
            return Ok(false);
        }
        for field in self.collector.collect(&mut self.conditions, ty, sets)? {
            self.step()?;
            let name = field.field.name.as_str();
            if name == "__typename" {
                continue;
            }
            let of_object = graph.guards.of_field(ty, name).iter().any(
                |guard| matches!(graph.guards.get(*guard), Guard::Allow(allow) if !allow.this.is_empty()),
            );
            if self.binding(ty, name).is_some() || of_object {
                return Ok(false);
            }
            let (Some((from, below)), Some((list_from, list_below))) =
                (one.yields.find(graph, ty, name), list.yields.find(graph, ty, name))
            else {
                return Ok(false);
            };
            if !same_place(from, one.text, list_from, list.text) {
                return Ok(false);
            }
            let Some(inner) = self.composite(ty, name) else { continue };
            let one = Reads { yields: below, ..one };
            let list = Reads { yields: list_below, ..list };
            if !self.reads_alike(&inner, &field.sets, one, list)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn draft_batch(
        &mut self,
        ty: &str,
        single: Single<'a>,
        many: &'a Lookup,
        condition: &Condition,
        group: Vec<Same<'a>>,
    ) -> Result<()> {
        let LookupArguments::Many { argument, .. } = &many.arguments else { return Ok(()) };
        let root = NodeId(0);
        let id = FetchId(self.fetches.len() as u32);
        let keys: Vec<&str> = group.iter().map(|same| &*same.text).collect();
        // No field that a client selects has this key: it would have to say what becomes of nulls.
        let list = format!("{} of {}", many.field, keys.join(" "));
        let field = Name::clone(&single.lookup.field);
        let key = SlotKey::Bound { ty: ty.into(), field: Name::clone(&field), arguments: list };
        let used = self.allocate(root, key, id, None, Some(&single.lookup.entity));
        let (select, yields) = yields::root(self.graph.binding(many.binding).call.select());
        if let Some(child) = used.child {
            let node = self.at_mut(child);
            node.providers.push(Provider { fetch: id, yields, only: None });
            if let Some(parent) = &mut node.parent {
                parent.lengths.push(Length::Fixed(group.len() as u64));
            }
        }
        let (mut elements, mut aliases) = (Vec::new(), Vec::new());
        for same in group {
            let slot = self.alias_slot(ty, &field, same.text, used);
            elements.push(same.element);
            aliases.push(Alias { keys: same.keys, slot, arguments: same.arguments });
        }
        let draft = |binding, select, arguments, depends_on| Draft {
            binding,
            node: root,
            only: None,
            target: Target::Slot(used.slot),
            result: used.child,
            select,
            arguments,
            required: Vec::new(),
            parent: Vec::new(),
            asking: Asking::PerObject,
            condition: condition.clone(),
            depends_on,
            nullable: true,
            safe: true,
            serial: false,
            entity: None,
            allowed: Condition::always(),
            checks: Vec::new(),
            exists: None,
            permits: Vec::new(),
        };
        let keys = vec![(Name::clone(argument), Input::List(elements))];
        self.fetches.push(draft(many.binding, select, keys, Vec::new()));
        self.require_for_field(root, ty, &many.field, id)?;
        if let Asking::Given { aliases: of_batch, .. } = &mut self.fetches[id.0 as usize].asking {
            of_batch.clone_from(&aliases);
        }
        let one = single.lookup.binding;
        let (select, _) = yields::root(self.graph.binding(one).call.select());
        let first = aliases.first().map(|alias| alias.arguments.clone()).unwrap_or_default();
        let asking = Asking::Unanswered { batch: id, aliases };
        self.fetches.push(Draft { asking, ..draft(one, select, first, vec![id]) });
        Ok(())
    }

    /// The slot that the field itself will look for.
    fn alias_slot(&mut self, ty: &str, field: &Name, arguments: String, list: SlotUse) -> Slot {
        let key = SlotKey::Bound { ty: ty.into(), field: Name::clone(field), arguments };
        let root = self.at_mut(NodeId(0));
        let slot = root.width;
        root.width += 1;
        root.slots.insert(key, SlotUse { slot, ..list });
        slot
    }
}

/// What a call's texts name beside arguments.
fn values(binding: &Binding) -> HashSet<(Variable, &[Box<str>])> {
    let of_call = binding.call.references().iter().map(|Placed { reference, .. }| reference);
    of_call
        .filter(|reference| reference.variable != Variable::Args)
        .map(|reference| (reference.variable, &*reference.path))
        .collect()
}

fn untranslated(input: &Input) -> &Input {
    if let Input::Translated { of, .. } = input { of } else { input }
}

fn element(single: Single<'_>, many: &Lookup, given: &[(Name, Input)]) -> Input {
    let part = |path: &KeyPath| {
        let name = single.arguments.iter().find(|(_, known)| known == path);
        let found = name.and_then(|(name, _)| given.iter().find(|(given, _)| given == name));
        found.map_or(Input::Constant(serde_json::Value::Null), |(_, input)| input.clone())
    };
    match &many.arguments {
        LookupArguments::Many { element: LookupElement::Scalar(path), .. } => part(path),
        LookupArguments::Many { element: LookupElement::Object(fields), .. } => Input::Object(
            fields.iter().map(|(name, path)| (Name::clone(name), part(path))).collect(),
        ),
        LookupArguments::One(_) => Input::Constant(serde_json::Value::Null),
    }
}

/// Both lead to the same keys, or compute the same.
fn same_place(one: From<'_>, text: &str, other: From<'_>, other_text: &str) -> bool {
    match (path(one), path(other)) {
        (Some(one), Some(other)) => one == other,
        (None, None) => computed(one, text)
            .is_some_and(|one| computed(other, other_text).is_some_and(|other| one == other)),
        _ => false,
    }
}

fn path(from: From<'_>) -> Option<Vec<&str>> {
    match from {
        From::Name(name) => Some(vec![name]),
        From::Expr(expr) => path_of(expr),
        From::Joined(_, Some((of, expr))) => Some([key_path(of)?, path_of(expr)?].concat()),
        From::Joined(_, None) => None,
    }
}

fn path_of(expr: &Expr) -> Option<Vec<&str>> {
    match &expr.kind {
        ExprKind::Object(_) => Some(Vec::new()),
        ExprKind::Select { of, .. } => key_path(of),
        _ => key_path(expr),
    }
}

/// The text of what is computed of the object itself.
fn computed<'t>(from: From<'_>, text: &'t str) -> Option<&'t str> {
    let From::Expr(expr) = from else { return None };
    let of = if let ExprKind::Select { of, .. } = &expr.kind { of } else { expr };
    text.get(of.span.clone())
}
