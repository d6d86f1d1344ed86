//! Rules on who may see what, as conditions of the plan: a fetch is made only where what it is for may be seen, and the
//! writer is told which fields and objects it must not show.
//!
//! A field is also refused where something that its call cannot be made without is refused: the value of a field that a
//! caller may not see must not come back to it in another one's shape.

use super::FetchId;
use super::arguments;
use super::check::{By, CheckId, add};
use super::collect::{Collected, Sets};
use super::condition::Condition;
use super::draft::Planner;
use super::error::Result;
use crate::engine::response::NodeId;
use crate::graph::{Guard, GuardId};
use apollo_compiler::Node;
use apollo_compiler::ast::Argument;

impl<'a> Planner<'a> {
    /// Restricts a selected field, and all that is selected below it, to callers who may see it.
    pub fn guard(&mut self, node: NodeId, ty: &str, field: &mut Collected<'a>) -> Result<()> {
        let (name, given) = (field.field.name.as_str(), &field.field.arguments);
        let allowed = self.may_see(ty, name, given)?;
        field.checks = self.checks(node, ty, name, given)?;
        field.restrict(&allowed);
        field.restrict(&self.allowed_by(&field.checks));
        Ok(())
    }

    /// The condition under which the field of an object type may be seen.
    fn may_see(&mut self, ty: &str, name: &str, given: &[Node<Argument>]) -> Result<Condition> {
        let graph = self.graph;
        let mut all = Condition::always();
        for guard in graph.guards.of_field(ty, name) {
            let rule = graph.guards.get(*guard);
            let of_object = rule.of_object();
            // A check asks about each object; only whether there is a token is known before.
            if of_object.is_some_and(|allow| !allow.names_claims) {
                continue;
            }
            let looks =
                of_object.is_none() && matches!(rule, Guard::Allow(allow) if allow.names_arguments);
            let definition = graph.schema.type_field(ty, name).ok().filter(|_| looks);
            let definitions = definition.map_or(&[][..], |field| &field.arguments);
            let arguments = arguments::for_rule(graph, (ty, name), definitions, given);
            all = all.and(&self.conditions.rule(*guard, arguments)?);
        }
        Ok(all)
    }

    /// The condition under which objects of a type may be seen.
    pub fn may_see_type(&mut self, ty: &str) -> Result<Condition> {
        let mut all = Condition::always();
        for guard in self.graph.guards.of_type(ty) {
            all = all.and(&self.conditions.rule(*guard, Vec::new())?);
        }
        Ok(all)
    }

    /// Something needs a field: whoever may not see that is not shown what it is needed for. Of an abstract type, every
    /// object that can stand there counts.
    pub fn guard_need(&mut self, ty: &str, name: &str, by: By, from: FetchId) -> Result<()> {
        let mut all = self.allowed_of(by).clone();
        if self.graph.types.contains_key(ty) {
            all = all.and(&self.may_see(ty, name, &[])?);
        } else {
            for ty in self.possible_types(ty) {
                all = all.and(&self.may_see_type(&ty)?).and(&self.may_see(&ty, name, &[])?);
            }
        }
        if By::Fetch(from) != by && self.brings(from, ty, name) {
            all = all.and(&self.fetches[from.0 as usize].allowed);
        }
        *self.allowed_of(by) = all;
        Ok(())
    }

    /// The checks of what something needs of an object are its own. Of another object than its own there are none: the
    /// load sees to that, and if it did not, nobody would see anything.
    pub fn check_need(&mut self, node: NodeId, by: By, checks: &[CheckId]) {
        let (own, known) = match by {
            By::Fetch(id) => {
                let fetch = &mut self.fetches[id.0 as usize];
                (fetch.node, &mut fetch.checks)
            }
            By::Check(id) => {
                let check = &mut self.checks[id.0 as usize];
                (check.node, &mut check.checks)
            }
        };
        if own == node {
            add(known, checks);
        } else if !checks.is_empty() {
            *self.allowed_of(by) = Condition::never();
        }
    }

    fn allowed_of(&mut self, by: By) -> &mut Condition {
        match by {
            By::Fetch(id) => &mut self.fetches[id.0 as usize].allowed,
            By::Check(id) => &mut self.checks[id.0 as usize].allowed,
        }
    }

    /// What `from` itself asks of the caller is not asked on the way to the field's object: it is a lookup, or the
    /// field's own call.
    pub fn brings(&self, from: FetchId, ty: &str, name: &str) -> bool {
        self.fetches[from.0 as usize].entity.is_some() || self.binding(ty, name).is_some()
    }

    /// Some type that can stand in an abstract place, or the field of it, has a rule.
    pub fn any_guarded(&self, possible: &[crate::graphql::Name], name: &str) -> bool {
        let guards = &self.graph.guards;
        possible
            .iter()
            .any(|ty| !guards.of_type(ty).is_empty() || !guards.of_field(ty, name).is_empty())
    }

    /// The rules of the query field that a lookup calls. One that looks at the arguments cannot be asked in a join,
    /// where they differ from object to object, so it denies.
    pub fn may_look_up(&mut self, field: &str) -> Result<Condition> {
        let graph = self.graph;
        let query = graph.schema.schema_definition.query.as_ref();
        let query = query.map_or("Query", |query| query.as_str());
        let looks = |guard: &GuardId| matches!(graph.guards.get(*guard), Guard::Allow(rule) if rule.names_arguments);
        if graph.guards.of_field(query, field).iter().any(looks) {
            return Ok(Condition::never());
        }
        self.may_see(query, field, &[])
    }
}

impl Collected<'_> {
    /// Adds to what must hold for the field to be seen.
    pub fn restrict(&mut self, allowed: &Condition) {
        if allowed.is_always() {
            return;
        }
        self.allowed = self.allowed.and(allowed);
        self.condition = self.condition.and(allowed);
        restrict(&mut self.sets, allowed);
    }
}

/// The same selections, under a further condition.
pub(super) fn restrict(sets: &mut Sets<'_>, allowed: &Condition) {
    for (_, condition) in sets {
        *condition = condition.and(allowed);
    }
}
