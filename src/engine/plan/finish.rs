//! From drafts to a plan: order, conditions, places and shapes.

use super::check::CheckDraft;
use super::draft::{Draft, Node, Planner, SlotKey};
use super::error::{PlanError, Result};
use super::shapes::Shapes;
use super::{Asking, Check, Fetch, FetchId, Permit, QueryPlan, Target, fan_out, held};
use crate::engine::guard::cost::Formula;
use crate::engine::response::{NodeId, Slot, View};
use crate::graph::{BatchReply, CacheHint};
use crate::graphql::Name;

pub(super) fn finish(mut planner: Planner<'_>, view: View, cost: &Formula) -> Result<QueryPlan> {
    planner.wait_for_checks();
    planner.want_for_checks();
    if planner.mutation {
        serialise(&mut planner.fetches);
    }
    let order = order(&planner.fetches)?;
    spread_conditions(&mut planner.fetches, &order);
    let held = held::find(&planner, &order);
    let mut fetches: Vec<Fetch> = Vec::with_capacity(order.len());
    let mut number = vec![FetchId(0); order.len()];
    for (new, old) in order.iter().enumerate() {
        number[old.0 as usize] = FetchId(new as u32);
    }
    for (old, held) in order.iter().zip(held) {
        let fetch = fetch(&mut planner, *old, &number, held);
        fetches.push(fetch);
    }
    connect(&mut fetches);
    let checks = checks(&mut planner);
    let weight = weigh(&planner, &fetches);
    let root_width = planner.at(NodeId(0)).width;
    let cost = planner.pricing.finish(cost, &planner.conditions);
    Ok(QueryPlan {
        repeats: repeats(&fetches),
        fetches,
        root_width,
        checks,
        view,
        conditions: planner.conditions,
        cost,
        introspection: planner.introspection,
        weight,
    })
}

/// Tells each fetch who waits for it.
fn connect(fetches: &mut [Fetch]) {
    let waits: Vec<Vec<FetchId>> = fetches.iter().map(|fetch| fetch.depends_on.clone()).collect();
    for (index, waits_for) in waits.into_iter().enumerate() {
        for dependency in waits_for {
            fetches[dependency.0 as usize].dependents.push(FetchId(index as u32));
        }
    }
}

/// Mutations run one after another (GraphQL spec, section 6.2.2 "Mutation"): a root field waits for everything below
/// the ones before it, all of which was drafted before it.
fn serialise(fetches: &mut [Draft<'_>]) {
    for (index, fetch) in fetches.iter_mut().enumerate() {
        if fetch.serial {
            fetch.depends_on = (0..index as u32).map(FetchId).collect();
        }
    }
}

/// Each fetch after those it depends on, otherwise in the order drafted.
fn order(fetches: &[Draft<'_>]) -> Result<Vec<FetchId>> {
    let mut waiting: Vec<usize> = fetches.iter().map(|fetch| fetch.depends_on.len()).collect();
    let mut dependents = vec![Vec::new(); fetches.len()];
    for (index, fetch) in fetches.iter().enumerate() {
        for dependency in &fetch.depends_on {
            dependents[dependency.0 as usize].push(index);
        }
    }
    let mut ready: std::collections::BTreeSet<usize> =
        (0..fetches.len()).filter(|index| waiting[*index] == 0).collect();
    let mut order = Vec::with_capacity(fetches.len());
    while let Some(index) = ready.pop_first() {
        order.push(FetchId(index as u32));
        for dependent in &dependents[index] {
            waiting[*dependent] -= 1;
            if waiting[*dependent] == 0 {
                ready.insert(*dependent);
            }
        }
    }
    if order.len() < fetches.len() {
        return Err(PlanError::Unreachable("a field that waits for itself".into()));
    }
    Ok(order)
}

/// A fetch is made if it, or one that depends on it, is wanted, and if somebody may see what it brings.
fn spread_conditions(fetches: &mut [Draft<'_>], order: &[FetchId]) {
    for id in order.iter().rev() {
        let fetch = &mut fetches[id.0 as usize];
        fetch.condition = fetch.condition.and(&fetch.allowed);
        let condition = fetch.condition.clone();
        for dependency in fetches[id.0 as usize].depends_on.clone() {
            // A mutation waits for the one before it without needing it.
            if !fetches[id.0 as usize].serial {
                fetches[dependency.0 as usize].condition.or(&condition);
            }
        }
    }
}

fn fetch(
    planner: &mut Planner<'_>,
    id: FetchId,
    number: &[FetchId],
    held: Vec<super::Held>,
) -> Fetch {
    let draft = &planner.fetches[id.0 as usize];
    // What reads alike is planned once.
    let read_as = match &draft.asking {
        Asking::Unanswered { batch, .. } => *batch,
        _ => id,
    };
    let shapes = Shapes { graph: planner.graph, nodes: &planner.nodes, fetch: read_as };
    let shape = shapes.of(draft);
    let joined = joined(&draft.asking).then(|| shapes.evaluated(draft));
    let call = &planner.graph.binding(draft.binding).call;
    let computed = call.computed();
    let select = call
        .select()
        .filter(|select| computed.is_some() || select.needs_no_body() && !is_map(&draft.asking));
    let without_body = select.map(|_| shapes.evaluated(draft));
    let evaluates = shape.evaluates() || without_body.is_some() || call.rules().read_refusals();
    let mut place = planner.place(draft.node);
    place.only.clone_from(&draft.only);
    let objects = fan_out::objects(planner, draft.node);
    let target = match &draft.target {
        Target::Slot(slot) => Target::Slot(*slot),
        Target::Entity(_) => Target::Entity(filled_by(planner.at(draft.node), id)),
    };
    let condition = planner.conditions.number(&draft.condition, &[]);
    let draft = &planner.fetches[id.0 as usize];
    let permits = if draft.is_open() { &[][..] } else { &draft.permits };
    let permits = permits.iter().map(|permit| Permit {
        condition: planner.conditions.number(&permit.condition, &[]),
        checks: permit.checks.clone(),
    });
    let permits = permits.collect();
    Fetch {
        binding: draft.binding,
        coordinate: Name::clone(&planner.graph.binding(draft.binding).coordinate),
        place,
        objects,
        target,
        arguments: draft.arguments.clone(),
        required: draft.required.clone(),
        parent: draft.parent.clone(),
        asking: asking(draft, number),
        evaluates,
        shape,
        joined,
        without_body,
        computed,
        condition,
        depends_on: draft.depends_on.iter().map(|id| number[id.0 as usize]).collect(),
        dependents: Vec::new(),
        nullable: draft.nullable,
        safe: draft.safe,
        cache: cache_hint(planner, id),
        held,
        permits,
        exists: draft.exists,
        branch: fan_out::branch(planner, id),
    }
}

fn asking(draft: &Draft<'_>, number: &[FetchId]) -> Asking {
    let mut asking = draft.asking.clone();
    if let Asking::Unanswered { batch, .. } = &mut asking {
        *batch = number[batch.0 as usize];
    }
    asking
}

/// Objects below the result: of the result itself the binding knows.
fn cache_hint(planner: &Planner<'_>, id: FetchId) -> CacheHint {
    let hints = &planner.graph.cache_hints;
    if hints.is_empty() {
        return CacheHint::default();
    }
    let reads = planner.nodes.iter().flat_map(|node| &node.reads);
    let below = reads.filter(|read| read.fetch == id).filter_map(|read| read.child);
    let said = below.filter_map(|child| hints.get(&planner.at(child).ty).copied());
    said.reduce(CacheHint::and).unwrap_or_default()
}

fn checks(planner: &mut Planner<'_>) -> Vec<Check> {
    let drafts = std::mem::take(&mut planner.checks);
    let check = |draft: CheckDraft| {
        let mut place = planner.place(draft.node);
        place.only = planner.narrowed(draft.node, &draft.ty);
        let condition = draft.condition.and(&draft.allowed);
        Check {
            guard: draft.guard,
            arguments: draft.arguments,
            place,
            this: draft.this,
            verdict: draft.verdict,
            condition: planner.conditions.number(&condition, &[]),
        }
    };
    drafts.into_iter().map(check).collect()
}

/// Keys of other requests may join the batch.
fn joined(asking: &Asking) -> bool {
    match asking {
        Asking::Batch { rule, .. } | Asking::Given { rule, .. } => !rule.wait.is_zero(),
        Asking::PerObject | Asking::PerKey { .. } | Asking::Unanswered { .. } => false,
    }
}

/// The reply is an object from key to value.
fn is_map(asking: &Asking) -> bool {
    match asking {
        Asking::Batch { rule, .. } | Asking::Given { rule, .. } => rule.reply == BatchReply::Map,
        Asking::PerObject | Asking::PerKey { .. } | Asking::Unanswered { .. } => false,
    }
}

/// Two fetches have one binding, or one fetch makes a call for each of several objects.
fn repeats(fetches: &[Fetch]) -> bool {
    let mut seen = hashbrown::HashSet::new();
    fetches.iter().any(|fetch| {
        let many = fetch.asking == Asking::PerObject && !fetch.place.steps.is_empty();
        many || !seen.insert(fetch.binding)
    })
}

/// The slots of a node that a lookup fills.
fn filled_by(node: &Node<'_>, id: FetchId) -> Vec<Slot> {
    let filled = |(key, used): (&SlotKey, &super::draft::SlotUse)| {
        let plain = matches!(key, SlotKey::Plain { .. });
        (plain && used.filled_by == id).then_some(used.slot)
    };
    let mut slots: Vec<Slot> = node.slots.iter().filter_map(filled).collect();
    slots.sort_unstable();
    slots
}

/// A rough count of bytes; the cache's bound is as good as this.
fn weigh(planner: &Planner<'_>, fetches: &[Fetch]) -> usize {
    let slots: usize = planner.nodes.iter().map(|node| node.width as usize).sum();
    1_024 + slots * 400 + fetches.len() * 1_200
}
