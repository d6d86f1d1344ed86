//! The last check of a request's variables: null where null is not allowed.
//!
//! Validation allows a variable that may be null where a default makes up for one that is left out (GraphQL spec,
//! section 5.8.5), but a request can still send null. In an argument, the field is then an error with a path (section
//! 6.4.1) and its call is not made. In `@skip` or `@include`, the object whose selections it decides is the error,
//! and nothing below it is called. A selection that the request does not reach is not checked: one that is skipped,
//! one in a fragment on another type, an `@include` beside a `@skip` that holds.

use super::access::restrict;
use super::collect::{Collected, Sets, condition_if, directives_of};
use super::condition::{Condition, Null};
use super::draft::Planner;
use super::error::{PlanError, Result};
use super::usages::usages;
use crate::engine::response::Sound;
use apollo_compiler::ast::{Type, Value};
use apollo_compiler::executable::{DirectiveList, Selection, SelectionSet};
use apollo_compiler::parser::SourceSpan;
use hashbrown::HashMap;
use std::borrow::Cow;

/// Nulls that must not occur, and the selections that they decide.
#[derive(Default)]
struct Nulls {
    list: Vec<Null>,
    at: Vec<SourceSpan>,
}

impl Nulls {
    fn add(&mut self, null: Null, at: Option<SourceSpan>) {
        if !self.list.contains(&null) {
            self.list.push(null);
            self.at.extend(at);
        }
    }
}

/// Conditions under which the checked spreads of each fragment are reached.
type Spread<'a> = HashMap<&'a str, Vec<Condition>>;

impl<'a> Planner<'a> {
    /// Restricts a field, and all below it, to requests that give no null to an argument that cannot be null.
    pub fn check_arguments(
        &mut self,
        ty: &str,
        field: &mut Collected<'a>,
    ) -> Result<Option<Sound>> {
        if self.nullable.is_empty() {
            return Ok(None);
        }
        let mut found = Vec::new();
        let definitions = &self.definition(ty, field.field).arguments;
        for argument in &field.field.arguments {
            if let Some(definition) = definitions.iter().find(|one| one.name == argument.name) {
                usages(&self.graph.api_schema, definition, &argument.value, &mut found);
            }
        }
        let mut nulls = Nulls::default();
        for usage in found.into_iter().filter(|usage| usage.due.is_some_and(Type::is_non_null)) {
            self.add_null(usage.variable, &Condition::always(), None, &mut nulls)?;
        }
        let (condition, sound) = self.sound(nulls)?;
        field.condition = field.condition.and(&condition);
        restrict(&mut field.sets, &condition);
        Ok(sound)
    }

    /// Restricts what is selected of an object to requests that give no null to a `@skip` or `@include` among it.
    pub fn check_conditions<'s>(
        &mut self,
        ty: &str,
        sets: &'s Sets<'a>,
    ) -> Result<(Cow<'s, Sets<'a>>, Option<Sound>)> {
        if self.nullable.is_empty() {
            return Ok((Cow::Borrowed(sets), None));
        }
        let (mut spread, mut nulls) = (HashMap::new(), Nulls::default());
        for (set, reached) in sets {
            self.check_set(ty, set, reached, &mut spread, &mut nulls)?;
        }
        let (condition, sound) = self.sound(nulls)?;
        let mut sets = Cow::Borrowed(sets);
        if sound.is_some() {
            restrict(sets.to_mut(), &condition);
        }
        Ok((sets, sound))
    }

    /// Returns the condition that none of these nulls occurs, and the error if one does.
    fn sound(&mut self, nulls: Nulls) -> Result<(Condition, Option<Sound>)> {
        let Nulls { list: nulls, at } = nulls;
        if nulls.is_empty() {
            return Ok((Condition::always(), None));
        }
        let at = at.into_iter().map(|at| self.lines.place(at.offset())).collect();
        let names = self.conditions.names(&nulls);
        let message = format!("null was sent for {names}, and cannot stand where it is used here");
        let condition = self.conditions.none_of(nulls)?;
        let number = self.conditions.number(&condition, &[]);
        Ok((condition, Some(Sound { condition: number, message: message.into(), at })))
    }

    fn add_null(
        &mut self,
        variable: &str,
        reached: &Condition,
        at: Option<SourceSpan>,
        nulls: &mut Nulls,
    ) -> Result<()> {
        if self.nullable.contains(variable) {
            nulls.add(self.conditions.null(variable, reached)?, at);
        }
        Ok(())
    }

    fn check_set(
        &mut self,
        ty: &str,
        set: &'a SelectionSet,
        around: &Condition,
        spread: &mut Spread<'a>,
        nulls: &mut Nulls,
    ) -> Result<()> {
        for selection in &set.selections {
            let visits = &self.collector.visits;
            visits.set(visits.get().checked_sub(1).ok_or(PlanError::TooLarge)?);
            match selection {
                Selection::Field(field) => {
                    self.check_directives(&field.directives, field.location(), around, nulls)?;
                }
                Selection::InlineFragment(fragment) => {
                    let at = fragment.location();
                    let reached = self.check_directives(&fragment.directives, at, around, nulls)?;
                    let wanted = fragment.type_condition.as_ref();
                    if wanted.is_none_or(|wanted| self.collector.satisfies(ty, wanted)) {
                        self.check_set(ty, &fragment.selection_set, &reached, spread, nulls)?;
                    }
                }
                Selection::FragmentSpread(fragment) => {
                    let at = fragment.location();
                    let reached = self.check_directives(&fragment.directives, at, around, nulls)?;
                    let Some(definition) = fragment.fragment_def(self.collector.document) else {
                        continue;
                    };
                    let before = spread.entry(&fragment.fragment_name).or_default();
                    let is_new = !before.iter().any(|before| reached.implies(before));
                    if is_new && self.collector.satisfies(ty, definition.type_condition()) {
                        before.push(reached.clone());
                        self.check_set(ty, &definition.selection_set, &reached, spread, nulls)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Adds the nulls of the directives of a selection. Returns the condition under which it is kept.
    fn check_directives(
        &mut self,
        directives: &'a DirectiveList,
        at: Option<SourceSpan>,
        around: &Condition,
        nulls: &mut Nulls,
    ) -> Result<Condition> {
        let mut reached = around.clone();
        for (directive, wanted) in directives_of(directives) {
            let value = directive.specified_argument_by_name("if").map(|value| &**value);
            if let (Some(Value::Variable(variable)), false) = (value, reached.is_never()) {
                self.add_null(variable, &reached, at, nulls)?;
            }
            reached = reached.and(&condition_if(&mut self.conditions, directive, wanted)?);
        }
        Ok(reached)
    }
}
