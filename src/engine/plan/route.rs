//! Routes: which lookups bring what an object lacks.
//!
//! Fewest sequential rounds first, then fewest calls, then schema order, so that plans are deterministic. A lookup
//! whose key another lookup must bring first is one round further away.

use super::check::By;
use super::condition::Condition;
use super::draft::{Draft, Planner, Provider, SlotKey};
use super::error::{PlanError, Result};
use super::yields::{self, Yields};
use super::{Asking, FetchId, KeyPart, KeysAs, Target, arguments};
use crate::engine::response::{NodeId, Slot};
use crate::graph::{KeyPath, Lookup, LookupArguments, LookupElement};
use crate::graphql::Name;
use hashbrown::HashMap;

/// A lookup with what is known of it before it is chosen.
struct Candidate<'a> {
    lookup: &'a Lookup,
    yields: Yields<'a>,
    /// After how many sequential lookups its answer can be there; `None` if its key cannot be had.
    round: Option<usize>,
}

impl<'a> Planner<'a> {
    /// Adds lookups to a node until every field in `missing` is provided that any lookup has.
    pub(super) fn route(&mut self, node: NodeId, ty: &str, missing: &[&'a str]) -> Result<()> {
        let candidates = self.candidates(node, ty);
        let mut missing = missing.to_vec();
        while !missing.is_empty() {
            let in_list = self.in_list(node);
            let best = candidates
                .iter()
                .enumerate()
                .filter_map(|(order, candidate)| {
                    let yields = |name: &&&str| self.yields(candidate, ty, name);
                    let covered = missing.iter().filter(yields).count();
                    let batched =
                        matches!(candidate.lookup.arguments, LookupArguments::Many { .. });
                    let rank = (candidate.round?, usize::MAX - covered, in_list && !batched, order);
                    (covered > 0).then_some((rank, candidate))
                })
                .min_by_key(|(rank, _)| *rank);
            let Some((_, chosen)) = best else { return Ok(()) };
            self.add(node, ty, chosen, &candidates)?;
            missing.retain(|name| !self.yields(chosen, ty, name));
        }
        Ok(())
    }

    /// The lookup that decides whether the object of a global ID is there, and the slot that it fills: of the nearest, the
    /// one that yields most fields of the type, whatever is selected. It is called wherever the object is selected.
    pub(super) fn look_for(&mut self, node: NodeId, ty: &str) -> Result<(Slot, FetchId)> {
        let graph = self.graph;
        let candidates = self.candidates(node, ty);
        let in_list = self.in_list(node);
        let fields = || graph.types.get(ty).into_iter().flat_map(|object| object.fields.keys());
        let rank = |candidate: &Candidate<'a>| {
            let covered = fields().filter(|name| self.yields(candidate, ty, &&***name)).count();
            let batched = matches!(candidate.lookup.arguments, LookupArguments::Many { .. });
            (candidate.round, usize::MAX - covered, in_list && !batched)
        };
        let near = candidates.iter().filter(|candidate| candidate.round.is_some());
        let deciding = near
            .min_by_key(|candidate| rank(candidate))
            .ok_or_else(|| PlanError::Unreachable(format!("{ty} by its global ID")))?;
        let made_for = |planner: &Self| {
            let mut fetches = planner.at(node).providers.iter().map(|provider| provider.fetch);
            fetches.find(|id| {
                let fetch = &planner.fetches[id.0 as usize];
                fetch.binding == deciding.lookup.binding && fetch.entity.as_deref() == Some(ty)
            })
        };
        if made_for(self).is_none() {
            self.add(node, ty, deciding, &candidates)?;
        }
        let first = self.at(node).providers.first().map(|first| first.fetch);
        let (Some(lookup), Some(first)) = (made_for(self), first) else {
            return Err(PlanError::Unreachable(format!("{ty} by its global ID")));
        };
        let condition = self.fetches[first.0 as usize].condition.clone();
        let draft = &mut self.fetches[lookup.0 as usize];
        draft.condition.or(&condition);
        draft.permit(&Condition::always(), &[]);
        if let Some(slot) = draft.exists {
            return Ok((slot, lookup));
        }
        let at = self.at_mut(node);
        let slot = at.width;
        at.width += 1;
        self.fetches[lookup.0 as usize].exists = Some(slot);
        Ok((slot, lookup))
    }

    /// The key in a global ID, in a slot of its own: the object's `id` is what the lookup replies.
    fn stub_key(&mut self, node: NodeId, ty: &str, path: &KeyPath, by: FetchId) -> Result<KeyPart> {
        let field = Name::from("id");
        let key = SlotKey::Bound { ty: ty.into(), field, arguments: "of the stub".to_owned() };
        let slot = if let Some(used) = self.at(node).slots.get(&key) {
            used.slot
        } else {
            let graph = self.graph;
            let stub = self.at(node).providers.first().cloned();
            let found =
                stub.and_then(|stub| Some((stub.fetch, stub.yields.find(graph, ty, "id")?.0)));
            let missing = || PlanError::Unreachable(format!("the global ID of {ty}"));
            let (fetch, from) = found.ok_or_else(missing)?;
            self.allocate(node, key, fetch, Some(from), None).slot
        };
        let id = !self.sends_json(By::Fetch(by));
        Ok(KeyPart { path: vec![slot], names: path.clone(), id, aliases: None })
    }

    /// The node's objects are stubs made of global IDs.
    pub(super) fn is_found_by_id(&self, node: NodeId) -> bool {
        let parent = self.at(node).parent.as_ref();
        parent.is_some_and(|parent| self.graph.is_node(&self.at(parent.node).ty, &parent.key))
    }

    fn yields(&self, candidate: &Candidate<'a>, ty: &str, name: &&'a str) -> bool {
        candidate.yields.find(self.graph, ty, name).is_some()
    }

    fn candidates(&self, node: NodeId, ty: &str) -> Vec<Candidate<'a>> {
        let graph = self.graph;
        let mut candidates: Vec<_> = graph
            .lookups
            .iter()
            .filter(|lookup| &*lookup.entity == ty)
            .map(|lookup| {
                let (_, yields) = yields::root(graph.binding(lookup.binding).call.select());
                Candidate { lookup, yields, round: None }
            })
            .collect();
        // Candidates by the field that they wait for, and the number of fields that each one waits for.
        let mut waiting: HashMap<&str, Vec<usize>> = HashMap::new();
        let mut missing = vec![0_usize; candidates.len()];
        for (index, candidate) in candidates.iter().enumerate() {
            for name in keys(candidate.lookup).into_iter().filter_map(|path| path.first()) {
                if self.binding(ty, name).is_none() && !self.provided(node, ty, name) {
                    waiting.entry(name).or_default().push(index);
                    missing[index] += 1;
                }
            }
        }
        let mut ready: Vec<usize> =
            (0..candidates.len()).filter(|index| missing[*index] == 0).collect();
        let mut round = 0;
        while !ready.is_empty() {
            round += 1;
            for index in std::mem::take(&mut ready) {
                candidates[index].round = Some(round);
                let yields = candidates[index].yields;
                let brought = waiting.extract_if(|name, _| yields.find(graph, ty, name).is_some());
                for index in brought.flat_map(|(_, candidates)| candidates) {
                    missing[index] -= 1;
                    if missing[index] == 0 {
                        ready.push(index);
                    }
                }
            }
        }
        candidates
    }

    /// The node's objects stand in some list, so that one call for each would be many.
    fn in_list(&self, node: NodeId) -> bool {
        let mut node = node;
        while let Some(parent) = &self.at(node).parent {
            let ty = parent.only.as_ref().map_or(&self.at(parent.node).ty, |(_, only)| only);
            let field = self.graph.schema.type_field(ty, &parent.key);
            if field.is_ok_and(|field| field.ty.is_list()) {
                return true;
            }
            node = parent.node;
        }
        false
    }

    fn add(
        &mut self,
        node: NodeId,
        ty: &str,
        chosen: &Candidate<'a>,
        candidates: &[Candidate<'a>],
    ) -> Result<()> {
        self.descend()?;
        for path in keys(chosen.lookup) {
            let Some(name) = path.first() else { continue };
            if self.binding(ty, name).is_none() && !self.provided(node, ty, name) {
                let earlier = candidates
                    .iter()
                    .filter(|other| other.round.is_some() && other.round < chosen.round)
                    .filter(|other| other.yields.find(self.graph, ty, name).is_some())
                    .min_by_key(|other| other.round);
                let Some(earlier) = earlier else {
                    return Err(PlanError::Unreachable(format!("{ty}.{name}")));
                };
                self.add(node, ty, earlier, candidates)?;
            }
        }
        self.ascend();
        self.add_reachable(node, ty, chosen)
    }

    fn add_reachable(&mut self, node: NodeId, ty: &str, chosen: &Candidate<'a>) -> Result<()> {
        let lookup = chosen.lookup;
        let id = FetchId(self.fetches.len() as u32);
        let draft = self.draft(node, ty, lookup)?;
        self.fetches.push(draft);
        let mut parts = Vec::new();
        let by_id = self.is_found_by_id(node);
        for path in keys(lookup) {
            let of_stub = by_id && matches!(path.as_slice(), [key] if &**key == "id");
            parts.push(if of_stub {
                self.stub_key(node, ty, path, id)?
            } else {
                self.part(node, ty, path, By::Fetch(id))?
            });
        }
        let only = self.narrowed(node, ty).map(|(_, only)| only);
        let provider = Provider { fetch: id, yields: chosen.yields, only };
        self.at_mut(node).providers.push(provider);
        let asking = match (&lookup.arguments, &self.graph.binding(lookup.binding).batch) {
            (LookupArguments::Many { argument, element }, Some(batch)) => {
                let keys = keys_as(argument, element);
                Asking::Batch { parts, keys, rule: self.rule(batch, Some(node), id)? }
            }
            (LookupArguments::One(arguments), _) => {
                let arguments = arguments.iter().map(|(name, _)| Name::clone(name)).collect();
                Asking::PerKey { parts, arguments }
            }
            (LookupArguments::Many { .. }, None) => {
                return Err(PlanError::Unreachable(format!("{ty} through `{}`", lookup.field)));
            }
        };
        self.fetches[id.0 as usize].asking = asking;
        Ok(())
    }

    /// A lookup that nobody asked for yet: the fields that it fills say when they are asked for.
    fn draft(&mut self, node: NodeId, ty: &str, lookup: &'a Lookup) -> Result<Draft<'a>> {
        let (select, _) = yields::root(self.graph.binding(lookup.binding).call.select());
        let query = self.graph.schema.schema_definition.query.as_ref();
        let query = query.map_or("", |query| query.as_str());
        let field = self.graph.schema.type_field(query, &lookup.field).ok();
        let definitions = field.map_or(&[][..], |field| &field.arguments);
        let first = self.at(node).providers.first().map(|provider| provider.fetch);
        Ok(Draft {
            binding: lookup.binding,
            node,
            only: self.narrowed(node, ty),
            target: Target::Entity(Vec::new()),
            result: Some(node),
            select,
            arguments: arguments::for_call(self.graph, (query, &lookup.field), definitions, &[]),
            required: Vec::new(),
            parent: Vec::new(),
            asking: Asking::PerObject,
            condition: Condition::never(),
            depends_on: first.into_iter().collect(),
            nullable: true,
            safe: true,
            serial: false,
            entity: Some(ty.into()),
            allowed: self.may_look_up(&lookup.field)?,
            checks: Vec::new(),
            exists: None,
            permits: Vec::new(),
        })
    }
}

fn keys(lookup: &Lookup) -> Vec<&KeyPath> {
    match &lookup.arguments {
        LookupArguments::One(arguments) => arguments.iter().map(|(_, path)| path).collect(),
        LookupArguments::Many { element: LookupElement::Scalar(path), .. } => vec![path],
        LookupArguments::Many { element: LookupElement::Object(fields), .. } => {
            fields.iter().map(|(_, path)| path).collect()
        }
    }
}

fn keys_as(argument: &Name, element: &LookupElement) -> KeysAs {
    match element {
        LookupElement::Scalar(_) => KeysAs::Scalars(Name::clone(argument)),
        LookupElement::Object(fields) => {
            let names = fields.iter().map(|(name, _)| Name::clone(name)).collect();
            KeysAs::Objects(Name::clone(argument), names)
        }
    }
}
