//! The fan-out bound: how many calls an operation can come to at the worst, before it makes one.
//!
//! A batch under lists of n objects costs ⌈n/max⌉ calls, anything else n. A list is as long as the largest slicing
//! argument of its `@listSize` says, else its assumed size, else the limit's default. Splits of refused batches are not
//! in it. All arithmetic saturates.

use super::draft::{Draft, Planner};
use super::{Asking, Fetch, FetchId, Input, Target};
use crate::engine::response::NodeId;
use crate::graph::ListSize;
use serde_json::{Map, Value};

/// How long a list can get.
#[derive(Debug, Clone, PartialEq, Default)]
pub(in crate::engine) struct Length {
    /// The values of the slicing arguments.
    slicing: Vec<Input>,
    assumed: Option<u64>,
}

impl Length {
    fn evaluate(&self, variables: &Map<String, Value>, default: u64) -> u64 {
        let given = self.slicing.iter().filter_map(|input| match input.evaluate(variables)? {
            Value::Array(elements) => Some(elements.len() as u64),
            number => number.as_u64(),
        });
        given.max().or(self.assumed).unwrap_or(default)
    }
}

impl Fetch {
    /// The most calls that the fetch can make with these variables.
    pub(super) fn fan_out(&self, variables: &Map<String, Value>, default: u64) -> u64 {
        let lengths = self.lengths.iter().map(|length| length.evaluate(variables, default));
        let objects = lengths.fold(1, u64::saturating_mul);
        match &self.asking {
            Asking::PerObject | Asking::PerKey { .. } => objects,
            Asking::Batch { rule, .. } => objects.div_ceil(rule.max as u64),
            Asking::Given { argument, rule, .. } => {
                let list = self.arguments.iter().find(|(name, _)| name == argument);
                let list = list.and_then(|(_, input)| input.evaluate(variables));
                let keys = list.as_ref().and_then(Value::as_array).map_or(0, Vec::len);
                keys.div_ceil(rule.max) as u64
            }
        }
    }
}

/// The lists on the way from the root to a node.
pub(super) fn lengths(planner: &Planner<'_>, node: NodeId) -> Vec<Length> {
    let mut lengths = Vec::new();
    let mut node = planner.at(node);
    while let Some(parent) = &node.parent {
        let above = planner.at(parent.node);
        let ty = parent.only.as_ref().map_or(&above.ty, |(_, only)| only);
        let field = planner.graph.schema.type_field(ty, &parent.key);
        if field.is_ok_and(|field| field.ty.is_list()) {
            let own =
                planner.graph.field(ty, &parent.key).and_then(|field| field.list_size.clone());
            let filled_by = above.slots.values().find(|used| used.slot == parent.slot);
            let filled_by = filled_by.map(|used| used.filled_by);
            lengths.push(match own {
                Some(size) => length(planner, &size, filled_by),
                None => sized_from_above(planner, parent.node, &parent.key),
            });
        }
        node = above;
    }
    lengths
}

/// The list is one of the `sizedFields` of the field that its object came from.
fn sized_from_above(planner: &Planner<'_>, node: NodeId, field: &str) -> Length {
    let Some(parent) = &planner.at(node).parent else { return Length::default() };
    let above = planner.at(parent.node);
    let ty = parent.only.as_ref().map_or(&above.ty, |(_, only)| only);
    let size = planner.graph.field(ty, &parent.key).and_then(|field| field.list_size.as_ref());
    let filled_by = above.slots.values().find(|used| used.slot == parent.slot);
    match size.filter(|size| size.sized_fields.iter().any(|sized| &**sized == field)) {
        Some(size) => length(planner, size, filled_by.map(|used| used.filled_by)),
        None => Length::default(),
    }
}

fn length(planner: &Planner<'_>, size: &ListSize, filled_by: Option<FetchId>) -> Length {
    let draft: Option<&Draft<'_>> = filled_by.map(|id| &planner.fetches[id.0 as usize]);
    let arguments = draft
        .filter(|draft| matches!(draft.target, Target::Slot(_)))
        .map_or(&[][..], |draft| &draft.arguments);
    let slicing = arguments
        .iter()
        .filter(|(name, _)| size.slicing_arguments.contains(name))
        .map(|(_, input)| input.clone());
    Length { slicing: slicing.collect(), assumed: size.assumed_size }
}
