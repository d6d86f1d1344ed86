//! Conditions as bits. `@skip` and `@include` on a field, and the rules on who may see it, together with those of
//! everything around it, become one condition over the operation's boolean variables and rules; equal conditions share a
//! number, and a request evaluates each number once.

use super::arguments::Input;
use crate::graph::{GlobalIds, GuardId, Guards, IdPlace};
use crate::graphql::Name;
use serde_json::{Map, Value};
use smallvec::SmallVec;
use std::sync::Arc;

/// All of these bits set, none of those.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Conjunction {
    /// Variables.
    set: u64,
    clear: u64,
    /// Lists of flaws that must not occur.
    sound: u128,
    /// Rules that must hold.
    allowed: u128,
}

/// The outcome of every variable, list of flaws and rule for one request.
#[derive(Clone, Copy, Default)]
struct Bits {
    variables: u64,
    sound: u128,
    rules: u128,
}

/// Any of several conjunctions: a field may be selected more than once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::engine) struct Condition {
    any: Vec<Conjunction>,
}

/// A condition that also asks that others do not hold: the first selection of a response key decides its place, so a
/// later one is written only where no earlier one was.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Entry {
    condition: Condition,
    unless: Vec<Condition>,
}

/// Something wrong with the values of a request.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Flaw {
    Null(Null),
    Foreign(ForeignId),
}

/// A variable that may be null, used where null is not allowed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Null {
    /// The number of the variable.
    variable: usize,
    /// The requests that reach its use, as far as `@skip` and `@include` decide.
    reached: Condition,
}

/// An argument whose IDs may be of another type than theirs.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct ForeignId {
    pub input: Input,
    pub place: IdPlace,
    pub ids: Arc<GlobalIds>,
}

impl ForeignId {
    /// It occurs with these variables.
    pub(super) fn occurs(&self, variables: &Map<String, Value>) -> bool {
        let value = self.input.evaluate(variables);
        value.is_some_and(|value| !self.ids.fits(&self.place, &value))
    }
}

/// A rule as an operation asks it: once for each set of arguments it looks at.
#[derive(Debug, PartialEq)]
struct Rule {
    guard: GuardId,
    arguments: Vec<(Name, Input)>,
}

/// The numbered conditions of an operation. Number 0 always holds.
#[derive(Debug)]
pub(in crate::engine) struct Conditions {
    variables: Vec<Name>,
    /// Variables that may be null where null is not allowed.
    nullable: Vec<Name>,
    sound: Vec<Vec<Flaw>>,
    rules: Vec<Rule>,
    entries: Vec<Entry>,
}

/// More than there are bits.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum TooMany {
    Variables,
    Nullable,
    Rules,
}

impl Conjunction {
    /// Both; `None` where they contradict each other.
    fn and(self, other: Self) -> Option<Self> {
        let both = Self {
            set: self.set | other.set,
            clear: self.clear | other.clear,
            sound: self.sound | other.sound,
            allowed: self.allowed | other.allowed,
        };
        (both.set & both.clear == 0).then_some(both)
    }

    fn implies(self, other: Self) -> bool {
        self.set & other.set == other.set
            && self.clear & other.clear == other.clear
            && self.sound & other.sound == other.sound
            && self.allowed & other.allowed == other.allowed
    }

    fn holds(self, bits: Bits) -> bool {
        bits.variables & self.set == self.set
            && bits.variables & self.clear == 0
            && bits.sound & self.sound == self.sound
            && bits.rules & self.allowed == self.allowed
    }
}

impl Condition {
    pub(super) fn always() -> Self {
        Self { any: vec![Conjunction::default()] }
    }

    pub(super) fn never() -> Self {
        Self { any: Vec::new() }
    }

    pub(super) fn is_always(&self) -> bool {
        self.any.contains(&Conjunction::default())
    }

    pub(super) fn is_never(&self) -> bool {
        self.any.is_empty()
    }

    pub(super) fn and(&self, other: &Self) -> Self {
        let mut both = Self::never();
        for left in &self.any {
            for right in &other.any {
                if let Some(conjunction) = left.and(*right) {
                    both.add(conjunction);
                }
            }
        }
        both
    }

    pub(super) fn or(&mut self, other: &Self) {
        for conjunction in &other.any {
            self.add(*conjunction);
        }
    }

    fn add(&mut self, conjunction: Conjunction) {
        if self.any.iter().any(|present| conjunction.implies(*present)) {
            return;
        }
        self.any.retain(|present| !present.implies(conjunction));
        self.any.push(conjunction);
    }

    pub(super) fn implies(&self, other: &Self) -> bool {
        self.any.iter().all(|left| other.any.iter().any(|right| left.implies(*right)))
    }

    fn holds(&self, bits: Bits) -> bool {
        self.any.iter().any(|conjunction| conjunction.holds(bits))
    }

    /// Returns its part about the variables of `@skip` and `@include`.
    fn of_variables(&self) -> Self {
        let mut all = Self::never();
        for Conjunction { set, clear, .. } in &self.any {
            all.add(Conjunction { set: *set, clear: *clear, ..Conjunction::default() });
        }
        all
    }
}

impl Conditions {
    pub(super) fn new() -> Self {
        let always = Entry { condition: Condition::always(), unless: Vec::new() };
        let (variables, nullable, sound) = (Vec::new(), Vec::new(), Vec::new());
        Self { variables, nullable, sound, rules: Vec::new(), entries: vec![always] }
    }

    pub(super) fn has_rules(&self) -> bool {
        !self.rules.is_empty()
    }

    /// The condition that a boolean variable is true, or is not.
    pub(super) fn variable(&mut self, name: &str, is: bool) -> Result<Condition, TooMany> {
        let bit = match self.variables.iter().position(|known| &**known == name) {
            Some(bit) => bit,
            None if self.variables.len() == 64 => return Err(TooMany::Variables),
            None => {
                self.variables.push(name.into());
                self.variables.len() - 1
            }
        };
        let mask = 1 << bit;
        let conjunction = if is {
            Conjunction { set: mask, ..Conjunction::default() }
        } else {
            Conjunction { clear: mask, ..Conjunction::default() }
        };
        Ok(Condition { any: vec![conjunction] })
    }

    /// Returns a null that counts where `reached` holds.
    pub(super) fn null(&mut self, name: &str, reached: &Condition) -> Result<Flaw, TooMany> {
        let variable = match self.nullable.iter().position(|known| &**known == name) {
            Some(variable) => variable,
            None if self.nullable.len() == 64 => return Err(TooMany::Nullable),
            None => {
                self.nullable.push(name.into());
                self.nullable.len() - 1
            }
        };
        Ok(Flaw::Null(Null { variable, reached: reached.of_variables() }))
    }

    /// Returns the condition that none of these flaws occurs.
    pub(super) fn none_of(&mut self, flaws: Vec<Flaw>) -> Result<Condition, TooMany> {
        if flaws.is_empty() {
            return Ok(Condition::always());
        }
        let bit = match self.sound.iter().position(|known| *known == flaws) {
            Some(bit) => bit,
            None if self.sound.len() == 128 => return Err(TooMany::Nullable),
            None => {
                self.sound.push(flaws);
                self.sound.len() - 1
            }
        };
        Ok(Condition { any: vec![Conjunction { sound: 1 << bit, ..Conjunction::default() }] })
    }

    /// Returns the variables of these nulls, for messages.
    pub(super) fn names(&self, flaws: &[Flaw]) -> String {
        let mut names: Vec<String> = Vec::new();
        for flaw in flaws {
            let Flaw::Null(null) = flaw else { continue };
            let name = format!("`${}`", self.nullable[null.variable]);
            if !names.contains(&name) {
                names.push(name);
            }
        }
        names.join(", ")
    }

    /// The condition that a rule holds, with these arguments where it looks at them.
    pub(super) fn rule(
        &mut self,
        guard: GuardId,
        arguments: Vec<(Name, Input)>,
    ) -> Result<Condition, TooMany> {
        let rule = Rule { guard, arguments };
        let bit = match self.rules.iter().position(|known| *known == rule) {
            Some(bit) => bit,
            None if self.rules.len() == 128 => return Err(TooMany::Rules),
            None => {
                self.rules.push(rule);
                self.rules.len() - 1
            }
        };
        Ok(Condition { any: vec![Conjunction { allowed: 1 << bit, ..Conjunction::default() }] })
    }

    /// The number of "`condition`, and none of `unless`".
    pub(super) fn number(&mut self, condition: &Condition, unless: &[Condition]) -> u32 {
        let entry = Entry { condition: condition.clone(), unless: unless.to_vec() };
        let known = self.entries.iter().position(|known| *known == entry);
        known.unwrap_or_else(|| {
            self.entries.push(entry);
            self.entries.len() - 1
        }) as u32
    }

    /// The outcome of each number for a request: with its variables, and for its caller, of whom `allows` tells whether
    /// a rule holds.
    pub(in crate::engine) fn evaluate(
        &self,
        variables: &Map<String, Value>,
        allows: impl Fn(GuardId, &[(Name, Input)]) -> bool,
    ) -> Vec<bool> {
        let is_true = |name: &Name| variables.get(&**name) == Some(&Value::Bool(true));
        let is_null = |name: &Name| variables.get(&**name) == Some(&Value::Null);
        let set = self.variables.iter().enumerate();
        let set = set.fold(0, |bits, (bit, name)| bits | (u64::from(is_true(name)) << bit));
        let nulls: SmallVec<[bool; 8]> = self.nullable.iter().map(is_null).collect();
        let bits = Bits { variables: set, ..Bits::default() };
        let bits = Bits {
            sound: self.sound.iter().enumerate().fold(0, |sound, (bit, list)| {
                let is_there = |flaw: &Flaw| match flaw {
                    Flaw::Null(null) => nulls[null.variable] && null.reached.holds(bits),
                    Flaw::Foreign(id) => id.occurs(variables),
                };
                sound | (u128::from(!list.iter().any(is_there)) << bit)
            }),
            rules: self.rules.iter().enumerate().fold(0, |rules, (bit, rule)| {
                rules | (u128::from(allows(rule.guard, &rule.arguments)) << bit)
            }),
            ..bits
        };
        self.entries
            .iter()
            .map(|entry| {
                entry.condition.holds(bits) && !entry.unless.iter().any(|other| other.holds(bits))
            })
            .collect()
    }

    /// The same for a client, who is not told the rules.
    pub(in crate::engine) fn describe_in_short(&self, number: u32) -> Option<String> {
        self.in_words(number, |_| "allowed".to_owned())
    }

    /// A condition in words, such as `$a and not $b`; `None` if it always holds.
    pub(super) fn describe(&self, number: u32, guards: &Guards) -> Option<String> {
        self.in_words(number, |rule| guards.get(rule.guard).to_string())
    }

    fn in_words(&self, number: u32, rule: impl Fn(&Rule) -> String) -> Option<String> {
        if number == 0 {
            return None;
        }
        let condition = &self.entries[number as usize].condition;
        let words: Vec<_> = condition.any.iter().map(|each| self.words(*each, &rule)).collect();
        // Nulls where none may be are mistakes, and not told as conditions.
        let says = words.iter().all(|words| !words.is_empty());
        says.then(|| words.join(" or "))
    }

    fn words(&self, conjunction: Conjunction, rule: impl Fn(&Rule) -> String) -> String {
        let mut words = Vec::new();
        for (bit, name) in self.variables.iter().enumerate() {
            let mask = 1 << bit;
            if conjunction.set & mask != 0 {
                words.push(format!("${name}"));
            }
            if conjunction.clear & mask != 0 {
                words.push(format!("not ${name}"));
            }
        }
        for (bit, asked) in self.rules.iter().enumerate() {
            if conjunction.allowed & (1 << bit) != 0 {
                words.push(rule(asked));
            }
        }
        words.dedup();
        words.join(" and ")
    }
}
