//! The cost of an operation as a formula over its variables. It is built once, with the plan, and evaluated for each request.
//!
//! ```text
//! cost(op)    = 10 · (root fields of a mutation) + Σ cost(root field)
//! cost(field) = n · (w + Σ cost(child)) + Σ argument cost
//! ```
//!
//! Calls are charged separately, by the plan's fan-out bound.
//!
//! It exists twice: with the fields' names, for printing, and folded, with everything that depends on no variable as one
//! number. All arithmetic saturates.

use crate::engine::plan::{Conditions, Length};
use crate::graphql::Name;
use serde_json::{Map, Value};
use std::fmt::{self, Write};

#[derive(Debug, Clone, PartialEq)]
pub(in crate::engine) enum Formula {
    Constant(u64),
    Sum(Vec<Formula>),
    /// A list: its length times the cost of an element.
    Times(Length, Box<Formula>),
    /// Zero, unless the condition of this number holds.
    If(u32, Box<Formula>),
    /// An abstract type: its most expensive member.
    Largest(Vec<Formula>),
    /// Cost of the values given to a field, by number.
    Given(u32),
    /// Cost of a response key, with its name for printing.
    Named(Name, Box<Formula>),
}

/// Inputs of an evaluation.
#[derive(Clone, Copy)]
pub(in crate::engine) struct Values<'a> {
    pub conditions: &'a [bool],
    pub variables: &'a Map<String, Value>,
    /// Costs of given values, by number.
    pub given: &'a [u64],
}

impl Formula {
    pub const NOTHING: Self = Self::Constant(0);

    pub fn is_nothing(&self) -> bool {
        *self == Self::NOTHING
    }

    /// Adds terms. Terms that cost nothing are left out.
    pub fn sum(terms: impl IntoIterator<Item = Self>) -> Self {
        let mut terms: Vec<_> = terms.into_iter().filter(|term| !term.is_nothing()).collect();
        match terms.len() {
            0 => Self::NOTHING,
            1 => terms.remove(0),
            _ => Self::Sum(terms),
        }
    }

    pub fn given(number: u32) -> Self {
        if number == 0 { Self::NOTHING } else { Self::Given(number) }
    }

    pub fn times(length: Option<Length>, element: Self) -> Self {
        match length {
            Some(length) if !element.is_nothing() => Self::Times(length, Box::new(element)),
            _ => element,
        }
    }

    pub fn only_if(condition: u32, formula: Self) -> Self {
        let always = condition == 0 || formula.is_nothing();
        if always { formula } else { Self::If(condition, Box::new(formula)) }
    }

    pub fn named(name: &str, formula: Self) -> Self {
        if formula.is_nothing() { formula } else { Self::Named(name.into(), Box::new(formula)) }
    }

    /// Returns the most expensive member. Equal members are merged.
    pub fn largest(members: impl IntoIterator<Item = Self>) -> Self {
        let mut distinct: Vec<Self> = Vec::new();
        for member in members {
            if !distinct.contains(&member) {
                distinct.push(member);
            }
        }
        match distinct.len() {
            0 => Self::NOTHING,
            1 => distinct.remove(0),
            _ => Self::Largest(distinct),
        }
    }

    /// Returns the cost with these values. Saturates.
    pub fn evaluate(&self, values: Values<'_>) -> u64 {
        match self {
            Self::Constant(cost) => *cost,
            Self::Sum(terms) => {
                terms.iter().map(|term| term.evaluate(values)).fold(0, u64::saturating_add)
            }
            Self::Times(length, element) => {
                length.evaluate(values.variables).saturating_mul(element.evaluate(values))
            }
            Self::If(condition, formula) => {
                if values.conditions[*condition as usize] {
                    formula.evaluate(values)
                } else {
                    0
                }
            }
            Self::Largest(members) => {
                members.iter().map(|member| member.evaluate(values)).max().unwrap_or(0)
            }
            Self::Given(number) => values.given[*number as usize],
            Self::Named(_, formula) => formula.evaluate(values),
        }
    }

    /// Returns the same formula without names, with all constants added up.
    pub fn fold(&self) -> Self {
        match self {
            Self::Constant(_) | Self::Given(_) => self.clone(),
            Self::Named(_, formula) => formula.fold(),
            Self::If(condition, formula) => Self::only_if(*condition, formula.fold()),
            Self::Times(length, element) => match (length, element.fold()) {
                (Length::Fixed(length), Self::Constant(cost)) => {
                    Self::Constant(length.saturating_mul(cost))
                }
                (length, element) => Self::times(Some(length.clone()), element),
            },
            Self::Sum(terms) => Self::fold_all(terms, u64::saturating_add, Self::sum),
            Self::Largest(members) => Self::fold_all(members, u64::max, Self::largest),
        }
    }

    fn fold_all(
        formulas: &[Self],
        join: impl Fn(u64, u64) -> u64,
        rest: impl Fn(Vec<Self>) -> Self,
    ) -> Self {
        let mut known = 0;
        let mut open = Vec::new();
        for formula in formulas {
            match formula.fold() {
                Self::Constant(cost) => known = join(known, cost),
                formula => open.push(formula),
            }
        }
        if known > 0 {
            open.insert(0, Self::Constant(known));
        }
        rest(open)
    }

    /// Prints the formula, such as `team: $first × (1 + orders: 5 × 1)`. Long ones are cut.
    pub fn print(&self, conditions: &Conditions, given: &[String]) -> String {
        let mut printer = Printer { out: String::new(), conditions, given };
        match printer.formula(self, false) {
            Ok(()) => {}
            Err(fmt::Error) => printer.out.push('…'),
        }
        printer.out
    }
}

/// Maximum number of characters of a printed formula.
const LONGEST: usize = 400;

struct Printer<'a> {
    out: String,
    conditions: &'a Conditions,
    given: &'a [String],
}

impl Write for Printer<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = LONGEST.saturating_sub(self.out.len());
        let fits = text.len() <= room;
        self.out.extend(text.chars().take(if fits { text.len() } else { room }));
        if fits { Ok(()) } else { Err(fmt::Error) }
    }
}

impl Printer<'_> {
    /// Prints a formula. `factor`: it is an operand of `×`, so a sum needs parentheses.
    fn formula(&mut self, formula: &Formula, factor: bool) -> fmt::Result {
        match formula {
            Formula::Constant(cost) => write!(self, "{cost}"),
            Formula::Given(number) => {
                let given = self.given;
                self.write_str(given.get(*number as usize).map_or("0", String::as_str))
            }
            Formula::Sum(terms) => self.joined(if factor { "(" } else { "" }, terms, " + ", factor),
            Formula::Largest(members) => self.joined("max(", members, ", ", true),
            Formula::Times(length, element) => {
                write!(self, "{length} × ")?;
                self.formula(element, true)
            }
            Formula::If(condition, formula) => {
                let Some(words) = self.conditions.describe_in_short(*condition) else {
                    return self.formula(formula, factor);
                };
                write!(self, "(if {words}: ")?;
                self.formula(formula, false)?;
                self.write_str(")")
            }
            Formula::Named(name, formula) if factor => {
                write!(self, "({name}: ")?;
                self.formula(formula, false)?;
                self.write_str(")")
            }
            Formula::Named(name, formula) => {
                write!(self, "{name}: ")?;
                self.formula(formula, true)
            }
        }
    }

    fn joined(
        &mut self,
        open: &str,
        formulas: &[Formula],
        between: &str,
        close: bool,
    ) -> fmt::Result {
        self.write_str(open)?;
        for (index, formula) in formulas.iter().enumerate() {
            if index > 0 {
                self.write_str(between)?;
            }
            self.formula(formula, false)?;
        }
        self.write_str(if close { ")" } else { "" })
    }
}
