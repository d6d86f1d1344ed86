//! The fan-out bound: how many calls an operation can come to at the worst, before it makes one.
//!
//! A batch under lists of n objects costs ⌈n/max⌉ calls, anything else n; so does a batch whose arguments its objects
//! give, because each may give others. How long a list is says `length.rs`. Splits of refused batches are not in it:
//! they answer for a source's failure, not for what a client asked, and have a budget of their own
//! (`execute/batch.rs`). A batch that keys of other requests join counts once for each request. All arithmetic
//! saturates.

use super::draft::Planner;
use super::length::{self, Length, Slice};
use super::{Asking, Branch, Fetch, FetchId, QueryPlan};
use crate::engine::response::NodeId;
use hashbrown::HashMap;
use serde_json::{Map, Value};

/// How many objects there can be at a place: the lists on the way to it, multiplied.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::engine) struct Objects {
    fixed: u64,
    /// Those that arguments decide. One list may be asked for with different arguments: the longest counts.
    open: Vec<Vec<Length>>,
}

impl QueryPlan {
    /// The most calls that the plan can come to with these variables.
    pub fn fan_out(&self, conditions: &[bool], variables: &Map<String, Value>) -> u64 {
        let made = self.fetches.iter().filter(|fetch| conditions[fetch.condition as usize]);
        let mut total: u64 = 0;
        let mut branches: HashMap<NodeId, HashMap<&str, u64>> = HashMap::new();
        for fetch in made {
            let calls = fetch.fan_out(variables);
            let of_branch = fetch.branch.as_ref().map(|branch| {
                branches.entry(branch.node).or_default().entry(&*branch.ty).or_default()
            });
            let sum = of_branch.unwrap_or(&mut total);
            *sum = sum.saturating_add(calls);
        }
        // An object is of one type.
        let dearest = branches.values().filter_map(|types| types.values().max());
        dearest.fold(total, |total, calls| total.saturating_add(*calls))
    }
}

impl Fetch {
    /// The most calls that the fetch can make with these variables, if it is made.
    pub(super) fn fan_out(&self, variables: &Map<String, Value>) -> u64 {
        if self.computed.is_some() {
            return 0;
        }
        let objects = self.objects.evaluate(variables);
        match &self.asking {
            Asking::Batch { rule, .. } if self.required.is_empty() => {
                objects.div_ceil(rule.max as u64)
            }
            Asking::PerObject | Asking::PerKey { .. } | Asking::Batch { .. } => objects,
            Asking::Unanswered { aliases, .. } => aliases.len() as u64,
            Asking::Given { argument, rule, .. } => {
                let list = self.arguments.iter().find(|(name, _)| name == argument);
                let keys = list.and_then(|(_, input)| length::count(input, &[], variables));
                keys.unwrap_or(0).div_ceil(rule.max as u64)
            }
        }
    }
}

impl Objects {
    fn evaluate(&self, variables: &Map<String, Value>) -> u64 {
        let longest = |lengths: &Vec<Length>| {
            lengths.iter().map(|length| length.evaluate(variables)).max().unwrap_or(0)
        };
        self.open.iter().map(longest).fold(self.fixed, u64::saturating_mul)
    }
}

/// The objects of a node.
pub(super) fn objects(planner: &Planner<'_>, node: NodeId) -> Objects {
    let mut objects = Objects { fixed: 1, open: Vec::new() };
    let mut node = planner.at(node);
    while let Some(parent) = &node.parent {
        let lengths = match parent.lengths.as_slice() {
            [] => unselected(planner, parent).into_iter().collect(),
            lengths => lengths.to_vec(),
        };
        if lengths.iter().all(|length| matches!(length, Length::Fixed(_))) {
            let longest = lengths.iter().map(|length| length.evaluate(&Map::new())).max();
            objects.fixed = objects.fixed.saturating_mul(longest.unwrap_or(1));
        } else {
            objects.open.push(lengths);
        }
        node = planner.at(parent.node);
    }
    objects
}

/// The branch of a fetch: the outermost abstract object above it, if no list leads there.
pub(super) fn branch(planner: &Planner<'_>, id: FetchId) -> Option<Branch> {
    let draft = &planner.fetches[id.0 as usize];
    let (mut at, mut only) = (draft.node, draft.only.clone());
    let mut found = None;
    loop {
        if let Some((_, ty)) = only {
            found = Some(Branch { node: at, ty });
        }
        let Some(parent) = &planner.at(at).parent else { break };
        let is_list = !parent.lengths.is_empty() || unselected(planner, parent).is_some();
        if is_list {
            found = None;
        }
        (at, only) = (parent.node, parent.only.clone());
    }
    found
}

/// The length of a list that no selection names, but that a call or a key needs: its arguments are the defaults.
fn unselected(planner: &Planner<'_>, parent: &super::draft::Parent) -> Option<Length> {
    let above = planner.at(parent.node);
    let ty = parent.only.as_ref().map_or(&above.ty, |(_, only)| only);
    let definition = planner.graph.schema.type_field(ty, &parent.key).ok()?;
    let field = planner.graph.field(ty, &parent.key);
    let arguments = super::arguments::prepare(&planner.graph.schema, &definition.arguments, &[]);
    let size = field.and_then(|field| field.list_size.as_ref());
    let slices = size.map(|size| Slice::of_field(size, &arguments, |_| false));
    let slices = slices.unwrap_or_default();
    let (name, assumed) = (&*parent.key, planner.pricing.list_size);
    length::of_field(name, &definition.ty, field, &slices, &above.sized, assumed).0
}
