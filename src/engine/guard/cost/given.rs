//! Cost of the values given to fields: arguments and input fields by their `@cost`, input objects for each one. Values
//! that an operation omits cost nothing, even if the schema has a default.

use crate::engine::plan::Input;
use crate::graph::{Costs, InputCost};
use serde_json::{Map, Value};

/// The arguments of one field that have a cost.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::engine) enum Given {
    Fixed(u64),
    /// Depends on variables.
    Open(Vec<(InputCost, Input)>),
}

impl Given {
    pub fn new(costs: &Costs, given: Vec<(InputCost, Input)>) -> Self {
        let open = given.iter().any(|(_, input)| !matches!(input, Input::Constant(_)));
        let given = Self::Open(given);
        if open { given } else { Self::Fixed(given.evaluate(costs, &Map::new())) }
    }

    /// Returns the cost of the arguments with these variables. Saturates.
    pub fn evaluate(&self, costs: &Costs, variables: &Map<String, Value>) -> u64 {
        match self {
            Self::Fixed(cost) => *cost,
            Self::Open(given) => given
                .iter()
                .map(|(cost, given)| input(costs, cost, given, variables))
                .fold(0, u64::saturating_add),
        }
    }

    /// Describes it: a number, or the variables that it depends on.
    pub fn describe(&self) -> String {
        match self {
            Self::Fixed(cost) => cost.to_string(),
            Self::Open(given) => {
                let mut names = Vec::new();
                for (_, input) in given {
                    variables(input, &mut names);
                }
                format!("cost of {}", names.join(", "))
            }
        }
    }
}

fn variables(input: &Input, names: &mut Vec<String>) {
    match input {
        Input::Constant(_) => {}
        Input::Variable { name, .. } => {
            let name = format!("${name}");
            if !names.contains(&name) {
                names.push(name);
            }
        }
        Input::List(items) => items.iter().for_each(|item| variables(item, names)),
        Input::Object(fields) => fields.iter().for_each(|(_, field)| variables(field, names)),
        Input::Translated { of, .. } => variables(of, names),
    }
}

/// Returns the cost of an input. Its depth was bounded when it was parsed.
fn input(costs: &Costs, cost: &InputCost, given: &Input, variables: &Map<String, Value>) -> u64 {
    match given {
        Input::Constant(given) => value(costs, cost, given),
        Input::Variable { name, default } => {
            let given = variables.get(&**name).or(default.as_ref());
            given.map_or(0, |given| value(costs, cost, given))
        }
        Input::List(items) => items
            .iter()
            .map(|item| input(costs, cost, item, variables))
            .fold(0, u64::saturating_add),
        Input::Object(fields) => {
            let fields = fields.iter().filter_map(|(name, field)| {
                Some(input(costs, field_cost(costs, cost, name)?, field, variables))
            });
            fields.fold(cost.weight, u64::saturating_add)
        }
        Input::Translated { of, .. } => input(costs, cost, of, variables),
    }
}

fn value(costs: &Costs, cost: &InputCost, given: &Value) -> u64 {
    match given {
        Value::Null => 0,
        Value::Array(elements) => {
            elements.iter().map(|one| value(costs, cost, one)).fold(0, u64::saturating_add)
        }
        Value::Object(fields) => {
            let fields = fields.iter().filter_map(|(name, field)| {
                Some(value(costs, field_cost(costs, cost, name)?, field))
            });
            fields.fold(cost.weight, u64::saturating_add)
        }
        _ => cost.weight,
    }
}

fn field_cost<'c>(costs: &'c Costs, cost: &InputCost, field: &str) -> Option<&'c InputCost> {
    costs.inputs.get(cost.object.as_ref()?)?.get(field)
}
