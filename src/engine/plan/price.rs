//! What a selected field costs: its length, if it is a list, what is given to it, and the rule on its slicing
//! arguments.

use super::arguments::{self, Input};
use super::collect::Collected;
use super::draft::Planner;
use super::length::{self, Length, Sized, Slice};
use crate::engine::guard::cost::{Given, Rule};
use crate::engine::response::NodeId;
use crate::graph::Field;
use crate::graphql::Name;

/// What the price of a field is made of.
pub(super) struct Price<'a> {
    /// The field of the object type, or of one whose price is that of all.
    pub field: Option<&'a Field>,
    pub length: Option<Length>,
    /// Nothing says how long its list is.
    pub assumed: bool,
    /// Lists below whose length is said here, or above.
    pub sized: Vec<Sized<'a>>,
    /// The number of what is given to it.
    pub given: u32,
}

impl<'a> Planner<'a> {
    pub fn price(
        &mut self,
        ty: &str,
        collected: &Collected<'a>,
        condition: u32,
        sized: &[Sized<'a>],
    ) -> Price<'a> {
        let graph = self.graph;
        let selected = collected.field;
        let name = selected.name.as_str();
        let (field, ty) = match graph.types.get(ty) {
            Some(object) => (object.fields.get(name), Name::from(ty)),
            None => self.any_member(ty, name),
        };
        let definition = self.definition(&ty, selected);
        let arguments =
            arguments::prepare(&graph.schema, &definition.arguments, &selected.arguments);
        let named = |name: &str| selected.arguments.iter().any(|given| given.name == name);
        let size = field.and_then(|field| field.list_size.as_ref());
        let slices = size.map(|size| Slice::of_field(size, &arguments, named));
        let slices = slices.unwrap_or_default();
        let assumed = self.pricing.list_size;
        let said = size.is_some() || length::is_sized(name, sized);
        let (length, sized) =
            length::of_field(name, &definition.ty, field, &slices, sized, assumed);
        if let Some(size) = size.filter(|size| size.require_one) {
            let dotted = |path: &Vec<Name>| Name::from(path.join("."));
            let one_of: Vec<Name> = size.slicing_arguments.iter().map(dotted).collect();
            if !one_of.is_empty() {
                let coordinate = format!("{ty}.{name}");
                self.pricing.rules.push(Rule { coordinate, condition, one_of, slices });
            }
        }
        let given = field.map_or(0, |field| self.given(field, &arguments, named));
        let assumed = length.is_some() && !said;
        Price { field, length, assumed, sized, given }
    }

    /// The field of some member of an abstract type: asked for only where all have the same price.
    fn any_member(&self, ty: &str, name: &str) -> (Option<&'a Field>, Name) {
        let first = self.possible_types(ty).into_iter().next();
        let field = first.as_ref().and_then(|member| self.graph.field(member, name));
        (field, first.unwrap_or_else(|| ty.into()))
    }

    /// The number of what is given to a field, if it costs anything.
    fn given(
        &mut self,
        field: &Field,
        arguments: &[(Name, Input)],
        named: impl Fn(&str) -> bool,
    ) -> u32 {
        let priced = arguments.iter().filter_map(|(name, input)| {
            let cost = field.arguments.get(name)?;
            named(name).then(|| (cost.clone(), without_default(input)))
        });
        let priced: Vec<_> = priced.collect();
        if priced.is_empty() {
            return 0;
        }
        let given = Given::new(&self.graph.costs, priced);
        if given == Given::Fixed(0) {
            return 0;
        }
        self.pricing.given.push(given);
        self.pricing.given.len() as u32 - 1
    }

    /// The field costs the same, and is as long, on each of these types.
    pub fn priced_alike(&self, types: &[Name], name: &str) -> bool {
        let mut fields = types.iter().map(|ty| self.graph.field(ty, name));
        let price = |field: Option<&'a Field>| {
            field.map(|field| (field.cost, &field.list_size, &field.arguments))
        };
        let first = fields.next().and_then(price);
        fields.all(|field| price(field) == first)
    }

    /// Tells a node how long the list of its objects is, and which lists below it are sized.
    pub fn size(&mut self, node: NodeId, price: &Price<'a>) {
        let node = self.at_mut(node);
        if let (Some(parent), Some(length)) = (&mut node.parent, &price.length)
            && !parent.lengths.contains(length)
        {
            parent.lengths.push(length.clone());
        }
        for sized in &price.sized {
            if !node.sized.contains(sized) {
                node.sized.push(sized.clone());
            }
        }
    }
}

/// A variable that the request leaves out gives nothing.
fn without_default(input: &Input) -> Input {
    match input {
        Input::Variable { name, .. } => Input::Variable { name: Name::clone(name), default: None },
        other => other.clone(),
    }
}
