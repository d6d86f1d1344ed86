//! A plan being made: nodes with their slots, and fetches as far as they are known.
//!
//! A node is a position in the tree of objects; its slots are the fields that somebody needs there, whether the client
//! selected them or a call requires them. Its providers are the fetch that made the object and the lookups added to it.

use super::arguments::Input;
use super::check::{CheckDraft, CheckId, PermitDraft, add};
use super::collect::Collector;
use super::condition::{Condition, Conditions};
use super::error::{PlanError, Result};
use super::length::{Length, Sized};
use super::yields::{From, Yields};
use super::{Asking, FetchId, Place, Required, Target, Wanted};
use crate::engine::guard::cost::Pricing;
use crate::engine::replies::CacheSettings;
use crate::engine::response::{NodeId, Slot};
use crate::graph::{BindingId, Graph};
use crate::graphql::{Lines, Name};
use apollo_compiler::schema::ExtendedType;
use hashbrown::{HashMap, HashSet};

pub(super) struct Planner<'a> {
    pub graph: &'a Graph,
    pub collector: Collector<'a>,
    pub conditions: Conditions,
    pub nodes: Vec<Node<'a>>,
    pub fetches: Vec<Draft<'a>>,
    pub checks: Vec<CheckDraft>,
    pub introspection: Vec<Name>,
    pub lines: Lines<'a>,
    /// Variables that may be null.
    pub nullable: HashSet<&'a str>,
    pub pricing: Pricing,
    pub mutation: bool,
    pub cache: &'a CacheSettings,
    pub steps: usize,
    /// Number of nested requirements that are being followed.
    pub depth: usize,
}

/// Maximum depth of nested requirements and lookups. Each takes stack. Loading refuses long chains of fields, and
/// long chains of lookups; this bounds chains that mix both.
const MAX_DEPTH: usize = 200;

/// A position in the tree of objects.
pub(super) struct Node<'a> {
    /// Object, interface or union.
    pub ty: Name,
    pub parent: Option<Parent>,
    pub width: u32,
    pub slots: HashMap<SlotKey, SlotUse>,
    /// The fetch that makes the objects comes first, then lookups.
    pub providers: Vec<Provider<'a>>,
    pub reads: Vec<Read<'a>>,
    /// Lists below its objects that fields above size.
    pub sized: Vec<Sized<'a>>,
}

#[derive(Clone)]
pub(super) struct Parent {
    pub node: NodeId,
    pub slot: Slot,
    /// The field, for people.
    pub key: Name,
    /// In an abstract parent: the one type that has the field.
    pub only: Option<(Slot, Name)>,
    /// Where the field is a list: how long it can get, for each selection of it that says otherwise.
    pub lengths: Vec<Length>,
    /// Which of the parent's objects lead here: those that pass all checks of one of these. `None`: all.
    pub permits: Option<Vec<Vec<CheckId>>>,
}

/// What makes two uses of a field one slot.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) enum SlotKey {
    /// Read from the object by name. Composite types of one name but different types are read apart, and so is what is
    /// selected of one type (`only`) in an abstract place: each has lookups, rules and calls below it of its own.
    Plain { only: Option<Name>, name: Name, composite: Option<Name> },
    /// From a call of its own: the type it is on, the field, and its arguments as text.
    Bound { ty: Name, field: Name, arguments: String },
}

#[derive(Clone, Copy)]
pub(super) struct SlotUse {
    pub slot: Slot,
    pub child: Option<NodeId>,
    pub filled_by: FetchId,
}

#[derive(Clone)]
pub(super) struct Provider<'a> {
    pub fetch: FetchId,
    pub yields: Yields<'a>,
    /// A lookup answers for one type only.
    pub only: Option<Name>,
}

/// One slot of a node as one fetch reads it.
pub(super) struct Read<'a> {
    pub fetch: FetchId,
    pub name: Name,
    pub slot: Slot,
    pub from: From<'a>,
    pub child: Option<NodeId>,
}

/// A fetch being planned.
pub(super) struct Draft<'a> {
    pub binding: BindingId,
    pub node: NodeId,
    pub only: Option<(Slot, Name)>,
    pub target: Target,
    /// The node of the objects in the reply; `None` if they are leaves.
    pub result: Option<NodeId>,
    pub select: Option<&'a crate::mapping::Expr>,
    pub arguments: Vec<(Name, Input)>,
    pub required: Vec<Required>,
    pub parent: Vec<Wanted>,
    pub asking: Asking,
    pub condition: Condition,
    pub depends_on: Vec<FetchId>,
    pub nullable: bool,
    pub safe: bool,
    /// It is at the root of a mutation: it waits for everything before it.
    pub serial: bool,
    /// The entity a lookup is for.
    pub entity: Option<Name>,
    /// Takes `true` if the call finds the object. A lookup that decides whether an object is there fills it.
    pub exists: Option<Slot>,
    /// What must hold for anybody to see what it brings, beside the rules of the fields themselves.
    pub allowed: Condition,
    /// What an object must pass for anybody to see what is brought for it: the rules of the field itself, and of what
    /// its call needs.
    pub checks: Vec<CheckId>,
    /// Which objects it is made for. Empty: all.
    pub permits: Vec<PermitDraft>,
}

impl Draft<'_> {
    /// It is made for all objects.
    pub fn is_open(&self) -> bool {
        let all = |permit: &PermitDraft| permit.condition.is_always() && permit.checks.is_empty();
        let checked = |permit: &PermitDraft| !permit.checks.is_empty();
        !self.permits.iter().any(checked) || self.permits.iter().any(all)
    }

    /// Makes it for these objects, too.
    pub fn permit(&mut self, condition: &Condition, checks: &[CheckId]) {
        match self.permits.iter_mut().find(|known| *known.checks == *checks) {
            Some(known) => known.condition.or(condition),
            None => self
                .permits
                .push(PermitDraft { condition: condition.clone(), checks: checks.to_vec() }),
        }
    }
}

impl Parent {
    /// Leads from these objects, too.
    fn permit(&mut self, checks: &[CheckId]) {
        match &mut self.permits {
            Some(_) if checks.is_empty() => self.permits = None,
            Some(known) if !known.iter().any(|known| *known == *checks) => {
                known.push(checks.to_vec());
            }
            _ => {}
        }
    }
}

impl<'a> Planner<'a> {
    /// A plain field is used, of objects that pass these checks: what brings it is made for them, and what is below it
    /// is reached from them.
    pub fn permit(
        &mut self,
        node: NodeId,
        used: SlotUse,
        condition: &Condition,
        checks: &[CheckId],
    ) {
        let always = Condition::always();
        // What something else needs is wanted whenever that is.
        let condition = if condition.is_never() { &always } else { condition };
        let fetch = &mut self.fetches[used.filled_by.0 as usize];
        if fetch.entity.is_some() && fetch.node == node {
            fetch.permit(condition, checks);
        }
        let parent = used.child.and_then(|child| self.at_mut(child).parent.as_mut());
        if let Some(parent) = parent {
            parent.permit(checks);
        }
    }

    /// A call is made for the objects that pass its checks.
    pub fn permit_call(&mut self, id: FetchId, checks: &[CheckId]) {
        let fetch = &mut self.fetches[id.0 as usize];
        add(&mut fetch.checks, checks);
        let checks = fetch.checks.clone();
        fetch.permits.clear();
        if !checks.is_empty() {
            fetch.permit(&Condition::always(), &checks);
        }
    }

    pub fn node(&mut self, parent: Option<Parent>, ty: &str) -> NodeId {
        self.nodes.push(Node {
            ty: ty.into(),
            parent,
            width: 0,
            slots: HashMap::new(),
            providers: Vec::new(),
            reads: Vec::new(),
            sized: Vec::new(),
        });
        NodeId(self.nodes.len() as u32 - 1)
    }

    pub fn at(&self, node: NodeId) -> &Node<'a> {
        &self.nodes[node.0 as usize]
    }

    pub fn at_mut(&mut self, node: NodeId) -> &mut Node<'a> {
        &mut self.nodes[node.0 as usize]
    }

    pub fn step(&mut self) -> Result<()> {
        self.steps = self.steps.checked_sub(1).ok_or(PlanError::TooLarge)?;
        Ok(())
    }

    /// Follows a requirement.
    pub fn descend(&mut self) -> Result<()> {
        self.depth += 1;
        if self.depth > MAX_DEPTH { Err(PlanError::TooDeep(MAX_DEPTH)) } else { Ok(()) }
    }

    /// Returns from a requirement.
    pub fn ascend(&mut self) {
        self.depth -= 1;
    }

    pub fn binding(&self, ty: &str, field: &str) -> Option<BindingId> {
        self.graph.field(ty, field)?.binding
    }

    /// Some provider of the node has the field.
    pub fn provided(&self, node: NodeId, ty: &str, name: &'a str) -> bool {
        self.at(node).providers.iter().any(|provider| {
            let serves = provider.only.as_ref().is_none_or(|only| &**only == ty);
            serves && provider.yields.find(self.graph, ty, name).is_some()
        })
    }

    /// The slot of `__typename` in an abstract node.
    pub fn typename_slot(&mut self, node: NodeId) -> Slot {
        let key = SlotKey::Plain { only: None, name: "__typename".into(), composite: None };
        if let Some(used) = self.at(node).slots.get(&key) {
            return used.slot;
        }
        let ty = Name::clone(&self.at(node).ty);
        let Some(Provider { fetch, yields, .. }) = self.at(node).providers.first().cloned() else {
            return 0;
        };
        let found = yields.find(self.graph, &ty, "__typename");
        let from = found.map_or(From::Name("__typename"), |(from, _)| from);
        self.allocate(node, key, fetch, Some(from), None).slot
    }

    pub fn possible_types(&self, ty: &str) -> Vec<Name> {
        let schema = &self.graph.api_schema;
        match schema.types.get(ty) {
            Some(ExtendedType::Union(union)) => {
                union.members.iter().map(|member| member.name.as_str().into()).collect()
            }
            _ => schema
                .types
                .iter()
                .filter(|(name, candidate)| candidate.is_object() && schema.is_subtype(ty, name))
                .map(|(name, _)| name.as_str().into())
                .collect(),
        }
    }

    /// The inner type of a field of an object type, hidden lookup targets included, if it is composite.
    pub fn composite(&self, ty: &str, field: &str) -> Option<Name> {
        let definition = self.graph.schema.type_field(ty, field).ok()?;
        let inner = definition.ty.inner_named_type();
        let composite = self.graph.schema.types.get(inner)?;
        let is_composite =
            composite.is_object() || composite.is_interface() || composite.is_union();
        is_composite.then(|| inner.as_str().into())
    }

    /// The way from the root row to a node's objects.
    pub fn place(&self, node: NodeId) -> Place {
        let mut place = Place::default();
        let mut node = self.at(node);
        while let Some(parent) = &node.parent {
            place.steps.push(parent.slot);
            place.keys.push(Name::clone(&parent.key));
            place.step_types.push(parent.only.clone());
            place.step_checks.push(parent.permits.clone().unwrap_or_default());
            node = self.at(parent.node);
        }
        place.steps.reverse();
        place.keys.reverse();
        place.step_types.reverse();
        place.step_checks.reverse();
        place
    }
}
