//! The last check of what is given to a field: a variable that may be null, where null cannot stand.
//!
//! Validation allows it where a default makes up for a variable that is left out (GraphQL spec, section 5.8.5), but a
//! request can still send null. Then nothing is asked for the field, and it is an error with a path (section 6.4.1).
//! Where the variable stands in `@skip` or `@include`, each object around it is the error: its fields cannot be told.

use super::access::restrict;
use super::collect::Collected;
use super::condition::Condition;
use super::draft::Planner;
use super::error::{PlanError, Result};
use super::usages::{VariableUsage, usages};
use crate::engine::response::Sound;
use apollo_compiler::ast::Type;
use apollo_compiler::executable::{DirectiveList, Selection, SelectionSet};
use hashbrown::HashSet;

/// Conditions that hold while no variable is null where it must not be.
pub(super) struct Soundness {
    pub condition: Condition,
    /// The variables that it looks at.
    variables: Vec<String>,
}

impl Soundness {
    fn new() -> Self {
        Self { condition: Condition::always(), variables: Vec::new() }
    }
}

impl<'a> Planner<'a> {
    /// Restricts a field, and all below it, to requests that give it nothing wrong.
    pub fn check_given(&mut self, ty: &str, field: &mut Collected<'a>) -> Result<Option<Sound>> {
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
        let mut own = Soundness::new();
        self.must_not_be_null(&found, &mut own)?;
        field.condition = field.condition.and(&own.condition);
        let sets: Vec<&'a SelectionSet> = field.sets.iter().map(|(set, _)| *set).collect();
        let mut below = Soundness::new();
        self.check_conditions(&sets, &mut below)?;
        field.sound = self.sound(&below);
        restrict(&mut field.sets, &own.condition.and(&below.condition));
        Ok(self.sound(&own))
    }

    /// The same for the selections at the root.
    pub fn check_root(&mut self, set: &'a SelectionSet) -> Result<(Condition, Option<Sound>)> {
        let mut soundness = Soundness::new();
        if !self.nullable.is_empty() {
            self.check_conditions(&[set], &mut soundness)?;
        }
        let sound = self.sound(&soundness);
        Ok((soundness.condition, sound))
    }

    fn sound(&mut self, soundness: &Soundness) -> Option<Sound> {
        if soundness.condition.is_always() {
            return None;
        }
        let condition = self.conditions.number(&soundness.condition, &[]);
        let names = soundness.variables.join(", ");
        let message = format!("null was sent for {names}, and cannot stand where it is used here");
        Some(Sound { condition, message: message.into() })
    }

    fn must_not_be_null(
        &mut self,
        found: &[VariableUsage<'a>],
        soundness: &mut Soundness,
    ) -> Result<()> {
        for usage in found {
            let name = usage.variable.as_str();
            let is_due = usage.due.is_some_and(Type::is_non_null);
            if is_due && self.nullable.contains(name) {
                let condition = self.conditions.not_null(name)?;
                soundness.condition = soundness.condition.and(&condition);
                let name = format!("`${name}`");
                if !soundness.variables.contains(&name) {
                    soundness.variables.push(name);
                }
            }
        }
        Ok(())
    }

    /// `@skip` and `@include` of the selections themselves, fragments included, not of what is below them.
    fn check_conditions(
        &mut self,
        sets: &[&'a SelectionSet],
        soundness: &mut Soundness,
    ) -> Result<()> {
        let mut spread = HashSet::new();
        for set in sets {
            self.check_set(set, &mut spread, soundness)?;
        }
        Ok(())
    }

    fn check_set(
        &mut self,
        set: &'a SelectionSet,
        spread: &mut HashSet<&'a str>,
        soundness: &mut Soundness,
    ) -> Result<()> {
        for selection in &set.selections {
            let visits = &self.collector.visits;
            visits.set(visits.get().checked_sub(1).ok_or(PlanError::TooLarge)?);
            self.check_directives(selection.directives(), soundness)?;
            match selection {
                Selection::Field(_) => {}
                Selection::InlineFragment(fragment) => {
                    self.check_set(&fragment.selection_set, spread, soundness)?;
                }
                Selection::FragmentSpread(fragment) => {
                    if spread.insert(&fragment.fragment_name)
                        && let Some(fragment) = fragment.fragment_def(self.collector.document)
                    {
                        self.check_set(&fragment.selection_set, spread, soundness)?;
                    }
                }
            }
        }
        Ok(())
    }

    fn check_directives(
        &mut self,
        directives: &'a DirectiveList,
        soundness: &mut Soundness,
    ) -> Result<()> {
        let schema = &self.graph.api_schema;
        let mut found = Vec::new();
        for directive in
            directives.iter().filter(|one| matches!(one.name.as_str(), "skip" | "include"))
        {
            let Some(definition) = schema.directive_definitions.get(&directive.name) else {
                continue;
            };
            for argument in &directive.arguments {
                if let Some(definition) =
                    definition.arguments.iter().find(|one| one.name == argument.name)
                {
                    usages(schema, definition, &argument.value, &mut found);
                }
            }
        }
        self.must_not_be_null(&found, soundness)
    }
}
