//! Random operations that are valid by construction as far as that is simple; the caller drops the rest.

use super::operation::{Fragment, Kind, Operation, Selection, Variable};
use crate::support::random::Random;
use apollo_compiler::Schema;
use apollo_compiler::ast::{FieldDefinition, InputValueDefinition, Type};
use apollo_compiler::schema::ExtendedType;
use serde_json::{Value, json};
use std::collections::HashMap;

const DEPTH: usize = 6;
/// Fields that a whole operation may have, so that answers stay small.
const FIELDS: usize = 40;

/// Ids that exist, that do not, and that no service would expect.
const IDS: &[&str] = &[
    "1", "2", "3", "17", "500", "1000", "20000", "99999", "P-0001", "P-0042", "P-0500", "P-9999",
    "01", "x", "a/b", "é",
];
const COUNTRIES: &[&str] = &["DE", "FR", "JP", "XX"];

pub struct Generator<'a> {
    schema: &'a Schema,
    random: Random,
    operation: Operation,
    /// What each response key means: the same everywhere, so that merged fields never conflict.
    keys: HashMap<String, String>,
    fields: usize,
}

/// The operation of a number.
pub fn operation(schema: &Schema, seed: u64) -> Operation {
    let operation = Operation::default();
    let random = Random::new(seed);
    let mut generator = Generator { schema, random, operation, keys: HashMap::new(), fields: 0 };
    let root = schema.schema_definition.query.as_ref().expect("a query type").to_string();
    let selections = generator.set(&root, 0);
    generator.operation.selections = selections;
    generator.operation
}

impl Generator<'_> {
    /// A selection set on a type; never empty.
    fn set(&mut self, on: &str, depth: usize) -> Vec<Selection> {
        let count = 1 + self.random.below(if depth == 0 { 4 } else { 5 });
        let mut selections: Vec<Selection> =
            (0..count).filter_map(|_| self.selection(on, depth)).collect();
        if selections.is_empty() {
            selections.push(plain("__typename"));
        }
        selections
    }

    fn selection(&mut self, on: &str, depth: usize) -> Option<Selection> {
        match self.random.below(100) {
            0..8 => Some(self.spread(on, depth)),
            8..20 => {
                let condition = self.type_condition(on);
                let inside = condition.clone().unwrap_or_else(|| on.to_owned());
                let conditions = self.conditions();
                Some(Selection {
                    kind: Kind::Inline(condition),
                    conditions,
                    selections: self.set(&inside, depth),
                })
            }
            20..26 => Some(Selection { conditions: self.conditions(), ..plain("__typename") }),
            _ => self.field(on, depth),
        }
    }

    /// A type that every object of type `on` has: itself, or one of its interfaces.
    fn type_condition(&mut self, on: &str) -> Option<String> {
        let mut choices = vec![None, Some(on.to_owned())];
        let interfaces = match self.schema.types.get(on) {
            Some(ExtendedType::Object(object)) => &object.implements_interfaces,
            Some(ExtendedType::Interface(interface)) => &interface.implements_interfaces,
            _ => return None,
        };
        choices.extend(interfaces.iter().map(|interface| Some(interface.to_string())));
        self.random.pick(&choices).clone()
    }

    fn spread(&mut self, on: &str, depth: usize) -> Selection {
        let conditions = self.conditions();
        let known: Vec<String> = self
            .operation
            .fragments
            .iter()
            .filter(|f| f.on == on)
            .map(|f| f.name.clone())
            .collect();
        let name = if !known.is_empty() && self.random.percent(60) {
            self.random.pick(&known).clone()
        } else {
            // Deep fragments stay shallow, wherever they are spread later.
            let selections = self.set(on, depth.max(DEPTH - 2));
            let name = format!("F{}", self.operation.fragments.len());
            self.operation.fragments.push(Fragment {
                name: name.clone(),
                on: on.to_owned(),
                selections,
            });
            name
        };
        Selection { kind: Kind::Spread(name), conditions, selections: Vec::new() }
    }

    fn field(&mut self, on: &str, depth: usize) -> Option<Selection> {
        let fields: Vec<FieldDefinition> = match self.schema.types.get(on)? {
            ExtendedType::Object(object) => {
                object.fields.values().map(|f| f.node.as_ref().clone()).collect()
            }
            ExtendedType::Interface(interface) => {
                interface.fields.values().map(|f| f.node.as_ref().clone()).collect()
            }
            _ => return None,
        };
        let field = self.random.pick(&fields).clone();
        let below = field.ty.inner_named_type().to_string();
        let composite = matches!(
            self.schema.types.get(below.as_str()),
            Some(ExtendedType::Object(_) | ExtendedType::Interface(_) | ExtendedType::Union(_))
        );
        if self.fields >= FIELDS || (composite && depth >= DEPTH) {
            return None;
        }
        self.fields += 1;
        let arguments = self.arguments(&field);
        let alias = self.alias(&field.name, &arguments);
        let conditions = self.conditions();
        let selections = if composite { self.set(&below, depth + 1) } else { Vec::new() };
        let name = field.name.to_string();
        Some(Selection { kind: Kind::Field { alias, name, arguments }, conditions, selections })
    }

    /// A response key that means this field with these arguments and nothing else.
    fn alias(&mut self, field: &str, arguments: &[(String, String)]) -> Option<String> {
        let meaning = format!("{field}{arguments:?}");
        let mut wanted = if self.random.percent(20) {
            (*self.random.pick(&["a", "b", "c", "id", "name", "data"])).to_owned()
        } else {
            field.to_owned()
        };
        while self.keys.entry(wanted.clone()).or_insert_with(|| meaning.clone()) != &meaning {
            wanted.push_str(&self.random.below(10).to_string());
        }
        (wanted != field).then_some(wanted)
    }

    fn arguments(&mut self, field: &FieldDefinition) -> Vec<(String, String)> {
        let mut arguments = Vec::new();
        for argument in &field.arguments {
            let required = argument.is_required();
            if required || self.random.percent(70) {
                arguments.push((argument.name.to_string(), self.argument(argument)));
            }
        }
        arguments
    }

    /// A literal, or a variable that holds it.
    fn argument(&mut self, argument: &InputValueDefinition) -> String {
        let value = self.value(&argument.name, &argument.ty);
        if self.random.percent(65) {
            return value.to_string();
        }
        let named = argument.ty.inner_named_type();
        let nullable = !argument.ty.is_non_null();
        let (kind, default, value) = match self.random.below(5) {
            0 => (argument.ty.to_string(), None, Some(value)),
            1 => (format!("{named}!"), None, Some(value)),
            2 => (format!("{named}!"), Some(value), None),
            3 => {
                (named.to_string(), Some(self.value(&argument.name, &argument.ty)), not_null(value))
            }
            // Not sent: the argument's own default stands, or nothing.
            _ if nullable || argument.default_value.is_some() => (named.to_string(), None, None),
            _ => (argument.ty.to_string(), None, Some(value)),
        };
        if value.as_ref().is_some_and(Value::is_null) && kind.ends_with('!') {
            return "null".to_owned();
        }
        let default =
            default.filter(|default| !(default.is_null() && (kind.ends_with('!') || !nullable)));
        if value.is_none() && default.is_none() && kind.ends_with('!') {
            return self.value("first", &argument.ty).to_string();
        }
        self.variable(kind, default.map(|default| default.to_string()), value)
    }

    fn variable(&mut self, kind: String, default: Option<String>, value: Option<Value>) -> String {
        let name = format!("v{}", self.operation.variables.len());
        let text = format!("${name}");
        self.operation.variables.push(Variable { name, kind, default, value });
        text
    }

    /// A value as JSON, which is also how it stands in the text.
    fn value(&mut self, name: &str, kind: &Type) -> Value {
        if !kind.is_non_null() && self.random.percent(15) {
            return Value::Null;
        }
        match (name, kind.inner_named_type().as_str()) {
            (_, "ID") if self.random.percent(20) => json!(self.random.below(30)),
            (_, "ID") => json!(self.random.pick(IDS)),
            (_, "Int") if self.random.percent(3) => {
                json!(self.random.pick(&[-1, 501, 2_147_483_647]))
            }
            (_, "Int") => json!(self.random.below(5)),
            ("country", _) => json!(self.random.pick(COUNTRIES)),
            (_, "Boolean") => json!(self.random.percent(50)),
            _ => json!("text"),
        }
    }

    fn conditions(&mut self) -> Vec<String> {
        let mut conditions = Vec::new();
        for name in ["@skip", "@include"] {
            if self.random.percent(8) {
                let holds = self.random.percent(if name == "@skip" { 30 } else { 70 });
                let text = match self.random.below(3) {
                    0 => holds.to_string(),
                    1 => self.variable("Boolean!".into(), None, Some(json!(holds))),
                    _ => {
                        let sent = self.random.percent(50).then(|| json!(!holds));
                        self.variable("Boolean!".into(), Some(holds.to_string()), sent)
                    }
                };
                conditions.push(format!("{name}(if: {text})"));
            }
        }
        conditions
    }
}

fn not_null(value: Value) -> Option<Value> {
    Some(value).filter(|value| !value.is_null())
}

fn plain(name: &str) -> Selection {
    let kind = Kind::Field { alias: None, name: name.to_owned(), arguments: Vec::new() };
    Selection { kind, conditions: Vec::new(), selections: Vec::new() }
}
