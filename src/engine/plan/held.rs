//! What a request already holds: a graph that returns to where it was costs nothing.
//!
//! `user { orders { buyer { name } } }` comes back to a user whose name is there. A lookup therefore names the earlier
//! objects of its entity that were filled with all it wants, from the same source, by fetches that are done before it.
//! Only leaves are taken over, and only in queries: a mutation reads its effects anew.

use super::draft::{Node, Planner, SlotKey};
use super::{Asking, FetchId, Held, KeyPart};
use crate::engine::response::{NodeId, Slot};
use crate::graphql::Name;
use hashbrown::HashSet;

/// Plans with more fetches do without: finding what is held is quadratic.
const MAX_FETCHES: usize = 200;

/// For each fetch in `order`, the places to look before it asks.
pub(super) fn find(planner: &Planner<'_>, order: &[FetchId]) -> Vec<Vec<Held>> {
    let idle = planner.mutation || order.len() > MAX_FETCHES;
    let one = |id: &FetchId| if idle { Vec::new() } else { for_fetch(planner, *id) };
    order.iter().map(one).collect()
}

fn for_fetch(planner: &Planner<'_>, id: FetchId) -> Vec<Held> {
    let draft = &planner.fetches[id.0 as usize];
    let Some(entity) = draft.entity.as_ref().filter(|_| draft.exists.is_none()) else {
        return Vec::new();
    };
    let (Asking::PerKey { parts, .. } | Asking::Batch { parts, .. }) = &draft.asking else {
        return Vec::new();
    };
    let Some(wanted) = wanted(planner.at(draft.node), id) else { return Vec::new() };
    let before = before(planner, id);
    let candidates = planner
        .nodes
        .iter()
        .enumerate()
        .filter(|(index, node)| NodeId(*index as u32) != draft.node && node.ty == *entity)
        .filter(|(_, node)| is_reached(planner, node));
    candidates
        .filter_map(|(index, node)| {
            let parts = parts.iter().map(|part| same_part(node, part, &before));
            let copies = wanted.iter().map(|(name, slot)| {
                let (from, filled_by) = leaf(node, name, &before)?;
                // What was asked for some objects only is not there for the others.
                let whole = planner.fetches[filled_by.0 as usize].is_open();
                (whole && same_source(planner, filled_by, id)).then_some((from, *slot))
            });
            Some(Held {
                place: planner.place(NodeId(index as u32)),
                parts: parts.collect::<Option<_>>()?,
                copies: copies.collect::<Option<_>>()?,
            })
        })
        .collect()
}

/// No rule over single objects stands on the way to a node: whether they hold may not be known yet.
fn is_reached(planner: &Planner<'_>, node: &Node<'_>) -> bool {
    let mut node = node;
    while let Some(parent) = &node.parent {
        if parent.permits.is_some() {
            return false;
        }
        node = planner.at(parent.node);
    }
    true
}

/// The leaves that a lookup fills; `None` if it fills objects too.
fn wanted(node: &Node<'_>, id: FetchId) -> Option<Vec<(Name, Slot)>> {
    let filled = node.slots.iter().filter(|(_, used)| used.filled_by == id);
    filled
        .map(|(key, used)| match key {
            SlotKey::Plain { only: None, name, composite: None } => {
                Some((Name::clone(name), used.slot))
            }
            SlotKey::Plain { .. } | SlotKey::Bound { .. } => None,
        })
        .collect()
}

/// The same key in another node of the entity. Keys within keys are not looked for.
fn same_part(node: &Node<'_>, part: &KeyPart, before: &HashSet<FetchId>) -> Option<KeyPart> {
    let [name] = part.names.as_slice() else { return None };
    let (slot, _) = leaf(node, name, before)?;
    Some(KeyPart { path: vec![slot], ..part.clone() })
}

fn leaf(node: &Node<'_>, name: &Name, before: &HashSet<FetchId>) -> Option<(Slot, FetchId)> {
    let used =
        node.slots.get(&SlotKey::Plain { only: None, name: Name::clone(name), composite: None })?;
    let known = before.contains(&used.filled_by);
    known.then_some((used.slot, used.filled_by))
}

fn same_source(planner: &Planner<'_>, one: FetchId, other: FetchId) -> bool {
    let source =
        |id: FetchId| planner.graph.binding(planner.fetches[id.0 as usize].binding).call.source();
    source(one) == source(other)
}

/// All fetches that are done before this one starts.
fn before(planner: &Planner<'_>, id: FetchId) -> HashSet<FetchId> {
    let mut before = HashSet::new();
    let mut open = vec![id];
    while let Some(next) = open.pop() {
        for dependency in &planner.fetches[next.0 as usize].depends_on {
            if before.insert(*dependency) {
                open.push(*dependency);
            }
        }
    }
    before
}
