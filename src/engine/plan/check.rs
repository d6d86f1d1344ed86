//! Rules over `$this`: asked for each object, when what they look at is there.
//!
//! A check is one such rule at one place of the plan. Its verdict gets a slot of its own in the object's row: the
//! executor fills it before it asks for what the rule guards, and for all objects in the end; the writer shows nothing
//! whose slot does not say `true`.

use super::arguments::{self, Input};
use super::condition::Condition;
use super::draft::Planner;
use super::error::Result;
use super::{FetchId, Wanted};
use crate::engine::response::{NodeId, Slot};
use crate::graph::{Guard, GuardId};
use crate::graphql::Name;
use apollo_compiler::Node;
use apollo_compiler::ast::Argument;

/// The position of a check in [`super::QueryPlan::checks`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(in crate::engine) struct CheckId(pub u32);

/// A check being planned.
pub(super) struct CheckDraft {
    pub guard: GuardId,
    pub arguments: Vec<(Name, Input)>,
    pub node: NodeId,
    pub ty: Name,
    pub verdict: Slot,
    pub this: Vec<Wanted>,
    pub depends_on: Vec<FetchId>,
    /// Somebody wants what it guards.
    pub condition: Condition,
    /// What must hold for the caller to see what it looks at.
    pub allowed: Condition,
    /// The checks of what it looks at.
    pub checks: Vec<CheckId>,
}

/// Who needs a field of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum By {
    Fetch(FetchId),
    Check(CheckId),
}

/// Objects that something may be asked for: under the condition, those that pass all checks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PermitDraft {
    pub condition: Condition,
    pub checks: Vec<CheckId>,
}

impl Planner<'_> {
    /// The checks of a field of a node's objects.
    pub fn checks(
        &mut self,
        node: NodeId,
        ty: &str,
        name: &str,
        given: &[Node<Argument>],
    ) -> Result<Vec<CheckId>> {
        let graph = self.graph;
        let mut checks = Vec::new();
        for guard in graph.guards.of_field(ty, name) {
            let Guard::Allow(allow) = graph.guards.get(*guard) else { continue };
            if allow.this.is_empty() {
                continue;
            }
            let definition = graph.schema.type_field(ty, name).ok();
            let definition = definition.filter(|_| allow.names_arguments);
            let definitions = definition.map_or(&[][..], |field| &field.arguments);
            let arguments = arguments::for_rule(graph, (ty, name), definitions, given);
            let check = self.check(node, ty, *guard, arguments)?;
            add(&mut checks, &[check]);
            let further = self.checks[check.0 as usize].checks.clone();
            add(&mut checks, &further);
        }
        Ok(checks)
    }

    fn check(
        &mut self,
        node: NodeId,
        ty: &str,
        guard: GuardId,
        arguments: Vec<(Name, Input)>,
    ) -> Result<CheckId> {
        let known = self.checks.iter().position(|known| {
            known.node == node
                && *known.ty == *ty
                && known.guard == guard
                && known.arguments == arguments
        });
        if let Some(known) = known {
            return Ok(CheckId(known as u32));
        }
        let id = CheckId(self.checks.len() as u32);
        let at = self.at_mut(node);
        let verdict = at.width;
        at.width += 1;
        self.checks.push(CheckDraft {
            guard,
            arguments,
            node,
            ty: ty.into(),
            verdict,
            this: Vec::new(),
            depends_on: Vec::new(),
            condition: Condition::never(),
            allowed: Condition::always(),
            checks: Vec::new(),
        });
        let Guard::Allow(allow) = self.graph.guards.get(guard) else { return Ok(id) };
        let this = self.want_all(node, ty, &allow.this, By::Check(id))?;
        // Even where a rule looks at objects below, the objects themselves must be there.
        let made_by = self.at(node).providers.first().map(|first| first.fetch);
        let draft = &mut self.checks[id.0 as usize];
        draft.this = this;
        if let Some(fetch) = made_by.filter(|fetch| !draft.depends_on.contains(fetch)) {
            draft.depends_on.push(fetch);
        }
        Ok(id)
    }

    /// What must hold for the caller to see what these checks look at.
    pub fn allowed_by(&self, checks: &[CheckId]) -> Condition {
        checks
            .iter()
            .fold(Condition::always(), |all, check| all.and(&self.checks[check.0 as usize].allowed))
    }

    /// Each fetch waits for the checks that decide whom it is made for, and for those on the way to its objects.
    pub fn wait_for_checks(&mut self) {
        for index in 0..self.fetches.len() {
            let mut checks = Vec::new();
            let fetch = &self.fetches[index];
            if !fetch.is_open() {
                fetch.permits.iter().for_each(|permit| add(&mut checks, &permit.checks));
            }
            let mut node = self.at(fetch.node);
            while let Some(parent) = &node.parent {
                parent.permits.iter().flatten().for_each(|permit| add(&mut checks, permit));
                node = self.at(parent.node);
            }
            let needed: Vec<FetchId> = checks
                .iter()
                .flat_map(|check| self.checks[check.0 as usize].depends_on.iter().copied())
                .collect();
            let depends_on = &mut self.fetches[index].depends_on;
            for fetch in needed {
                if fetch.0 as usize != index && !depends_on.contains(&fetch) {
                    depends_on.push(fetch);
                }
            }
        }
    }

    /// What checks look at is fetched wherever somebody wants what they guard.
    pub fn want_for_checks(&mut self) {
        for check in &self.checks {
            let condition = check.condition.and(&check.allowed);
            for fetch in &check.depends_on {
                self.fetches[fetch.0 as usize].condition.or(&condition);
            }
        }
    }
}

pub(super) fn add(checks: &mut Vec<CheckId>, more: &[CheckId]) {
    for check in more {
        if !checks.contains(check) {
            checks.push(*check);
        }
    }
}
