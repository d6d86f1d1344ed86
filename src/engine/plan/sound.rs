//! The last check of a request's values: null where null is not allowed, and global IDs of another type.
//!
//! Validation allows a variable that may be null where a default makes up for one that is left out (GraphQL spec,
//! section 5.8.5), but a request can still send null. In an argument, the field is then an error with a path (section
//! 6.4.1) and its call is not made. In `@skip` or `@include`, the object whose selections it decides is the error,
//! and nothing below it is called. A selection that the request does not reach is not checked: one that is skipped,
//! one in a fragment on another type, an `@include` beside a `@skip` that holds.

use super::access::restrict;
use super::arguments::{self, Input};
use super::collect::{Collected, Sets, condition_if, directives_of};
use super::condition::{Condition, Flaw, ForeignId};
use super::draft::Planner;
use super::error::{PlanError, Result};
use super::usages::usages;
use crate::engine::response::Sound;
use apollo_compiler::ast::{Type, Value};
use apollo_compiler::executable::{DirectiveList, Selection, SelectionSet};
use apollo_compiler::parser::SourceSpan;
use hashbrown::HashMap;
use serde_json::Map;
use std::borrow::Cow;
use std::sync::Arc;

/// Flaws that must not occur, and the selections that they decide.
#[derive(Default)]
struct Flaws {
    list: Vec<Flaw>,
    at: Vec<SourceSpan>,
}

impl Flaws {
    fn add(&mut self, flaw: Flaw, at: Option<SourceSpan>) {
        if !self.list.contains(&flaw) {
            self.list.push(flaw);
            self.at.extend(at);
        }
    }
}

/// Conditions under which the checked spreads of each fragment are reached.
type Spread<'a> = HashMap<&'a str, Vec<Condition>>;

impl<'a> Planner<'a> {
    /// Restricts a field, and all below it, to requests that give no null to an argument that cannot be null, and no ID
    /// to one that takes those of another type.
    pub fn check_arguments(
        &mut self,
        ty: &str,
        field: &mut Collected<'a>,
    ) -> Result<Option<Arc<Sound>>> {
        let foreign = self.foreign_ids(ty, field);
        if self.nullable.is_empty() && foreign.is_empty() {
            return Ok(None);
        }
        let mut found = Vec::new();
        let definitions = &self.definition(ty, field.field).arguments;
        for argument in &field.field.arguments {
            if let Some(definition) = definitions.iter().find(|one| one.name == argument.name) {
                usages(&self.graph.api_schema, definition, &argument.value, &mut found);
            }
        }
        let mut flaws = Flaws::default();
        for usage in found.into_iter().filter(|usage| usage.due.is_some_and(Type::is_non_null)) {
            self.add_null(usage.variable, &Condition::always(), None, &mut flaws)?;
        }
        for id in foreign {
            flaws.add(Flaw::Foreign(id), None);
        }
        let (condition, sound) = self.sound(flaws)?;
        field.condition = field.condition.and(&condition);
        restrict(&mut field.sets, &condition);
        Ok(sound)
    }

    /// The arguments of a field whose values may hold IDs of other types.
    fn foreign_ids(&self, ty: &str, field: &Collected<'a>) -> Vec<ForeignId> {
        let (graph, name) = (self.graph, field.field.name.as_str());
        let definitions = &self.definition(ty, field.field).arguments;
        let place = |argument: &str| graph.global_ids.place(ty, name, argument);
        if !definitions.iter().any(|argument| place(&argument.name).is_some()) {
            return Vec::new();
        }
        let prepared = arguments::prepare(&graph.schema, definitions, &field.field.arguments);
        let ids = prepared.into_iter().filter_map(|(name, input)| {
            let (place, ids) = (place(&name)?.clone(), Arc::clone(&graph.global_ids));
            Some(ForeignId { input, place, ids })
        });
        let may_occur =
            |id: &ForeignId| !matches!(id.input, Input::Constant(_)) || id.occurs(&Map::new());
        ids.filter(may_occur).collect()
    }

    /// Restricts what is selected of an object to requests that give no null to a `@skip` or `@include` among it.
    pub fn check_conditions<'s>(
        &mut self,
        ty: &str,
        sets: &'s Sets<'a>,
    ) -> Result<(Cow<'s, Sets<'a>>, Option<Arc<Sound>>)> {
        if self.nullable.is_empty() {
            return Ok((Cow::Borrowed(sets), None));
        }
        let (mut spread, mut flaws) = (HashMap::new(), Flaws::default());
        for (set, reached) in sets {
            self.check_set(ty, set, reached, &mut spread, &mut flaws)?;
        }
        let (condition, sound) = self.sound(flaws)?;
        let mut sets = Cow::Borrowed(sets);
        if sound.is_some() {
            restrict(sets.to_mut(), &condition);
        }
        Ok((sets, sound))
    }

    /// Returns the condition that none of these flaws occurs, and the error if one does.
    fn sound(&mut self, flaws: Flaws) -> Result<(Condition, Option<Arc<Sound>>)> {
        let Flaws { list: flaws, at } = flaws;
        if flaws.is_empty() {
            return Ok((Condition::always(), None));
        }
        let at = at.into_iter().map(|at| self.lines.place(at.offset())).collect();
        let mut messages = Vec::new();
        let names = self.conditions.names(&flaws);
        if !names.is_empty() {
            messages
                .push(format!("null was sent for {names}, and cannot stand where it is used here"));
        }
        for flaw in &flaws {
            let Flaw::Foreign(id) = flaw else { continue };
            let types = id.ids.types_at(&id.place);
            let due = types.into_iter().filter_map(|ty| {
                Some(format!("the identifier does not begin with `{}`", id.ids.prefix(ty)?))
            });
            messages.extend(due.filter(|due| !messages.contains(due)).collect::<Vec<_>>());
        }
        let message = messages.join("; ");
        let condition = self.conditions.none_of(flaws)?;
        let number = self.conditions.number(&condition, &[]);
        let sound = Sound { condition: number, message: message.into(), at };
        Ok((condition, Some(Arc::new(sound))))
    }

    fn add_null(
        &mut self,
        variable: &str,
        reached: &Condition,
        at: Option<SourceSpan>,
        flaws: &mut Flaws,
    ) -> Result<()> {
        if self.nullable.contains(variable) {
            flaws.add(self.conditions.null(variable, reached)?, at);
        }
        Ok(())
    }

    fn check_set(
        &mut self,
        ty: &str,
        set: &'a SelectionSet,
        around: &Condition,
        spread: &mut Spread<'a>,
        flaws: &mut Flaws,
    ) -> Result<()> {
        for selection in &set.selections {
            let visits = &self.collector.visits;
            visits.set(visits.get().checked_sub(1).ok_or(PlanError::TooLarge)?);
            match selection {
                Selection::Field(field) => {
                    self.check_directives(&field.directives, field.location(), around, flaws)?;
                }
                Selection::InlineFragment(fragment) => {
                    let at = fragment.location();
                    let reached = self.check_directives(&fragment.directives, at, around, flaws)?;
                    let wanted = fragment.type_condition.as_ref();
                    if wanted.is_none_or(|wanted| self.collector.satisfies(ty, wanted)) {
                        self.check_set(ty, &fragment.selection_set, &reached, spread, flaws)?;
                    }
                }
                Selection::FragmentSpread(fragment) => {
                    let at = fragment.location();
                    let reached = self.check_directives(&fragment.directives, at, around, flaws)?;
                    let Some(definition) = fragment.fragment_def(self.collector.document) else {
                        continue;
                    };
                    let before = spread.entry(&fragment.fragment_name).or_default();
                    let is_new = !before.iter().any(|before| reached.implies(before));
                    if is_new && self.collector.satisfies(ty, definition.type_condition()) {
                        before.push(reached.clone());
                        self.check_set(ty, &definition.selection_set, &reached, spread, flaws)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Adds the flaws of the directives of a selection. Returns the condition under which it is kept.
    fn check_directives(
        &mut self,
        directives: &'a DirectiveList,
        at: Option<SourceSpan>,
        around: &Condition,
        flaws: &mut Flaws,
    ) -> Result<Condition> {
        let mut reached = around.clone();
        for (directive, wanted) in directives_of(directives) {
            let value = directive.specified_argument_by_name("if").map(|value| &**value);
            if let (Some(Value::Variable(variable)), false) = (value, reached.is_never()) {
                self.add_null(variable, &reached, at, flaws)?;
            }
            reached = reached.and(&condition_if(&mut self.conditions, directive, wanted)?);
        }
        Ok(reached)
    }
}
