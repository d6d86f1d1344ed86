//! Which fields a selection set asks of one type (GraphQL spec, section 6.3.2 "Field Collection"), done once for all
//! requests: each field comes with the condition under which it is asked for.

use super::check::CheckId;
use super::condition::{Condition, Conditions};
use super::error::{PlanError, Result};
use apollo_compiler::Name as ApolloName;
use apollo_compiler::Node;
use apollo_compiler::Schema;
use apollo_compiler::ast::{Directive, Value};
use apollo_compiler::executable::{
    DirectiveList, ExecutableDocument, Field, Selection, SelectionSet,
};
use indexmap::IndexMap;
use std::cell::Cell;

/// Selection sets that are merged, each with its condition.
pub(super) type Sets<'a> = Vec<(&'a SelectionSet, Condition)>;

/// One response key.
pub(super) struct Collected<'a> {
    pub key: &'a ApolloName,
    /// The first of the merged fields; the others have the same name and arguments.
    pub field: &'a Field,
    /// Under which it is asked for and may be seen.
    pub condition: Condition,
    /// Under which it may be seen.
    pub allowed: Condition,
    /// What an object must pass for it to be seen.
    pub checks: Vec<CheckId>,
    /// The fields' selection sets.
    pub sets: Sets<'a>,
    /// The places at which it may stand among its siblings, with the number of the condition for each.
    pub positions: Vec<(usize, u32)>,
}

struct Occurrence<'a> {
    field: &'a Field,
    condition: Condition,
    position: usize,
}

pub(super) struct Collector<'a> {
    pub schema: &'a Schema,
    pub document: &'a ExecutableDocument,
    /// Selections that may still be looked at: an abstract type in an abstract type looks at each once for each pair of
    /// possible types.
    pub visits: Cell<usize>,
}

impl<'a> Collector<'a> {
    /// The fields that `sets` ask of the type `ty`, in order of first appearance. An abstract `ty` takes the fragments
    /// that every object of it satisfies.
    pub fn collect(
        &self,
        conditions: &mut Conditions,
        ty: &str,
        sets: &Sets<'a>,
    ) -> Result<Vec<Collected<'a>>> {
        let mut found = IndexMap::new();
        let mut position = 0;
        for (set, condition) in sets {
            self.visit(conditions, ty, set, condition, &mut position, &mut found)?;
        }
        let merge = |(key, occurrences): (_, Vec<_>)| merge(conditions, key, &occurrences);
        Ok(found.into_iter().map(merge).collect())
    }

    fn visit(
        &self,
        conditions: &mut Conditions,
        ty: &str,
        set: &'a SelectionSet,
        around: &Condition,
        position: &mut usize,
        found: &mut IndexMap<&'a ApolloName, Vec<Occurrence<'a>>>,
    ) -> Result<()> {
        for selection in &set.selections {
            let left = self.visits.get().checked_sub(1).ok_or(PlanError::TooLarge)?;
            self.visits.set(left);
            let condition = around.and(&condition_of(conditions, selection.directives())?);
            if condition.is_never() {
                continue;
            }
            match selection {
                Selection::Field(field) => {
                    let occurrence = Occurrence { field, condition, position: *position };
                    *position += 1;
                    found.entry(field.response_key()).or_default().push(occurrence);
                }
                Selection::InlineFragment(fragment) => {
                    let wanted = fragment.type_condition.as_ref();
                    if wanted.is_none_or(|wanted| self.satisfies(ty, wanted)) {
                        let set = &fragment.selection_set;
                        self.visit(conditions, ty, set, &condition, position, found)?;
                    }
                }
                Selection::FragmentSpread(spread) => {
                    let Some(fragment) = spread.fragment_def(self.document) else { continue };
                    if self.satisfies(ty, fragment.type_condition()) {
                        let set = &fragment.selection_set;
                        self.visit(conditions, ty, set, &condition, position, found)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Every object of type `ty` is a `wanted`.
    pub fn satisfies(&self, ty: &str, wanted: &str) -> bool {
        ty == wanted || self.schema.is_subtype(wanted, ty)
    }

    /// Some fragment in the sets narrows `ty`: its objects are not all asked for the same.
    pub fn narrows(&self, ty: &str, sets: &Sets<'a>) -> bool {
        sets.iter().any(|(set, _)| self.set_narrows(ty, set))
    }

    fn set_narrows(&self, ty: &str, set: &SelectionSet) -> bool {
        set.selections.iter().any(|selection| match selection {
            Selection::Field(_) => false,
            Selection::InlineFragment(fragment) => {
                let condition = fragment.type_condition.as_ref();
                condition.is_some_and(|wanted| !self.satisfies(ty, wanted))
                    || self.set_narrows(ty, &fragment.selection_set)
            }
            Selection::FragmentSpread(spread) => {
                spread.fragment_def(self.document).is_some_and(|fragment| {
                    !self.satisfies(ty, fragment.type_condition())
                        || self.set_narrows(ty, &fragment.selection_set)
                })
            }
        })
    }
}

fn merge<'a>(
    conditions: &mut Conditions,
    key: &'a ApolloName,
    occurrences: &[Occurrence<'a>],
) -> Collected<'a> {
    let mut all = Condition::never();
    let mut earlier: Vec<Condition> = Vec::new();
    let mut positions = Vec::new();
    for occurrence in occurrences {
        if !earlier.iter().any(|before| occurrence.condition.implies(before)) {
            let number = conditions.number(&occurrence.condition, &earlier);
            positions.push((occurrence.position, number));
            earlier.push(occurrence.condition.clone());
        }
        all.or(&occurrence.condition);
    }
    let sets = occurrences
        .iter()
        .map(|occurrence| (&occurrence.field.selection_set, occurrence.condition.clone()))
        .collect();
    let (allowed, checks) = (Condition::always(), Vec::new());
    let (field, condition) = (occurrences[0].field, all);
    Collected { key, field, condition, allowed, checks, sets, positions }
}

/// What `@skip` and `@include` say.
fn condition_of(conditions: &mut Conditions, directives: &DirectiveList) -> Result<Condition> {
    let mut all = Condition::always();
    for (directive, wanted) in directives_of(directives) {
        all = all.and(&condition_if(conditions, directive, wanted)?);
    }
    Ok(all)
}

/// `@skip` and `@include` in the order of their evaluation, each with the value of `if` that keeps the selection.
pub(super) fn directives_of(
    directives: &DirectiveList,
) -> impl Iterator<Item = (&Node<Directive>, bool)> {
    let named = |(name, wanted)| directives.get_all(name).map(move |one| (one, wanted));
    [("skip", false), ("include", true)].into_iter().flat_map(named)
}

/// Returns the condition under which one directive keeps its selection.
pub(super) fn condition_if(
    conditions: &mut Conditions,
    directive: &Directive,
    wanted: bool,
) -> Result<Condition> {
    Ok(match directive.specified_argument_by_name("if").map(Node::as_ref) {
        Some(Value::Boolean(value)) if *value == wanted => Condition::always(),
        Some(Value::Variable(variable)) => conditions.variable(variable, wanted)?,
        _ => Condition::never(),
    })
}
