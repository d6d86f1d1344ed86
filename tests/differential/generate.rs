//! Random operations: most are valid by construction, and some have a value or a variable that does not fit.

use super::operation::{Fragment, Kind, Operation, Selection, Variable};
use super::values::{Form, Values};
use crate::support::random::Random;
use apollo_compiler::Schema;
use apollo_compiler::ast::{FieldDefinition, InputValueDefinition, Type};
use apollo_compiler::schema::ExtendedType;
use std::collections::HashMap;

const DEPTH: usize = 6;
/// Fields that a whole operation may have, so that answers stay small.
const FIELDS: usize = 40;

pub struct Generator<'a> {
    values: Values<'a>,
    operation: Operation,
    /// What each response key means: the same everywhere, so that merged fields never conflict.
    keys: HashMap<String, String>,
    fields: usize,
}

/// The operation of a number. `kinds` are those that may be asked for.
pub fn operation(schema: &Schema, kinds: &[&'static str], seed: u64) -> Operation {
    let mut random = Random::new(seed);
    let kind = if random.percent(60) { kinds[0] } else { random.pick(kinds) };
    let roots = &schema.schema_definition;
    let root = match kind {
        "mutation" => &roots.mutation,
        "subscription" => &roots.subscription,
        _ => &roots.query,
    };
    let root = root.as_ref().expect("a root type").to_string();
    // Half of all operations have values that fit alone.
    let wrong = if random.percent(50) { 0 } else { 4 };
    let described = random.percent(5).then(|| "\"What it is for\"".to_owned());
    let operation = Operation {
        kind,
        description: described,
        variables: Vec::new(),
        fragments: Vec::new(),
        selections: Vec::new(),
    };
    let values = Values { schema, random, wrong };
    let mut generator = Generator { values, operation, keys: HashMap::new(), fields: 0 };
    let selections = if kind == "subscription" {
        (0..8).find_map(|_| generator.field(&root, 0)).into_iter().collect()
    } else {
        generator.set(&root, 0)
    };
    generator.operation.selections = selections;
    generator.operation
}

impl Generator<'_> {
    fn random(&mut self) -> &mut Random {
        &mut self.values.random
    }

    /// A selection set on a type; never empty.
    fn set(&mut self, on: &str, depth: usize) -> Vec<Selection> {
        let most = if depth == 0 { 4 } else { 5 };
        let count = 1 + self.random().below(most);
        let mut selections: Vec<Selection> =
            (0..count).filter_map(|_| self.selection(on, depth)).collect();
        if selections.is_empty() {
            selections.push(plain("__typename"));
        }
        selections
    }

    fn selection(&mut self, on: &str, depth: usize) -> Option<Selection> {
        match self.random().below(100) {
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
            26..28 if on == "Query" && self.values.schema.types.contains_key("Color") => {
                Some(self.introspection())
            }
            _ => self.field(on, depth),
        }
    }

    /// Values of an enum, of which some are deprecated.
    fn introspection(&mut self) -> Selection {
        let all = ["true", "false", "false", "null", "1"];
        let include = (*self.random().pick(&all)).to_owned();
        let field = |name: &str, argument: &str, value: String, selections| Selection {
            kind: Kind::Field {
                alias: Some(format!("{name}s")),
                name: name.to_owned(),
                arguments: vec![(argument.to_owned(), value)],
            },
            conditions: Vec::new(),
            selections,
        };
        let values = field("enumValues", "includeDeprecated", include, vec![plain("name")]);
        field("__type", "name", "\"Color\"".to_owned(), vec![values])
    }

    /// A type that objects of type `on` may have: itself, its interfaces, its members.
    fn type_condition(&mut self, on: &str) -> Option<String> {
        let mut choices = vec![None, Some(on.to_owned())];
        let schema = self.values.schema;
        let has = |name: &str| {
            let interfaces = match schema.types.get(name) {
                Some(ExtendedType::Object(object)) => &object.implements_interfaces,
                Some(ExtendedType::Interface(interface)) => &interface.implements_interfaces,
                _ => return Vec::new(),
            };
            interfaces.iter().map(std::string::ToString::to_string).collect()
        };
        choices.extend(has(on).into_iter().map(Some));
        match schema.types.get(on) {
            Some(ExtendedType::Union(union)) => {
                choices.extend(union.members.iter().map(|member| Some(member.to_string())));
            }
            Some(ExtendedType::Interface(_)) => {
                let names = schema.types.keys().map(std::string::ToString::to_string);
                choices.extend(names.filter(|name| has(name).iter().any(|it| it == on)).map(Some));
            }
            _ => {}
        }
        self.random().pick(&choices).clone()
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
        let name = if !known.is_empty() && self.random().percent(60) {
            self.random().pick(&known).clone()
        } else {
            // Deep fragments stay shallow, wherever they are spread later.
            let selections = self.set(on, depth.max(DEPTH - 2));
            let name = format!("F{}", self.operation.fragments.len());
            let described = self.random().percent(8);
            self.operation.fragments.push(Fragment {
                name: name.clone(),
                description: described.then(|| "\"\"\"Some of it\"\"\"".into()),
                on: on.to_owned(),
                selections,
            });
            name
        };
        Selection { kind: Kind::Spread(name), conditions, selections: Vec::new() }
    }

    fn field(&mut self, on: &str, depth: usize) -> Option<Selection> {
        let schema = self.values.schema;
        let fields: Vec<FieldDefinition> = match schema.types.get(on)? {
            ExtendedType::Object(object) => {
                object.fields.values().map(|f| f.node.as_ref().clone()).collect()
            }
            ExtendedType::Interface(interface) => {
                interface.fields.values().map(|f| f.node.as_ref().clone()).collect()
            }
            _ => return None,
        };
        let field = self.random().pick(&fields).clone();
        let below = field.ty.inner_named_type().to_string();
        let composite = matches!(
            schema.types.get(below.as_str()),
            Some(ExtendedType::Object(_) | ExtendedType::Interface(_) | ExtendedType::Union(_))
        );
        if self.fields >= FIELDS || (composite && depth >= DEPTH) {
            return None;
        }
        self.fields += 1;
        let arguments = self.arguments(&field);
        let alias = self.alias(&field.name, &field.ty.to_string(), &arguments);
        let conditions = if depth == 0 && self.operation.kind == "subscription" {
            Vec::new()
        } else {
            self.conditions()
        };
        let selections = if composite { self.set(&below, depth + 1) } else { Vec::new() };
        let name = field.name.to_string();
        Some(Selection { kind: Kind::Field { alias, name, arguments }, conditions, selections })
    }

    /// A response key that means this field with these arguments and nothing else.
    fn alias(&mut self, field: &str, ty: &str, arguments: &[(String, String)]) -> Option<String> {
        let meaning = format!("{field}:{ty}{arguments:?}");
        let mut wanted = if self.random().percent(20) {
            (*self.random().pick(&["a", "b", "c", "id", "name", "data"])).to_owned()
        } else {
            field.to_owned()
        };
        while self.keys.entry(wanted.clone()).or_insert_with(|| meaning.clone()) != &meaning {
            wanted.push_str(&self.random().below(10).to_string());
        }
        (wanted != field).then_some(wanted)
    }

    fn arguments(&mut self, field: &FieldDefinition) -> Vec<(String, String)> {
        let mut arguments = Vec::new();
        for argument in &field.arguments {
            let required = argument.is_required();
            if required || self.random().percent(60) {
                arguments.push((argument.name.to_string(), self.argument(argument)));
            }
        }
        if self.random().percent(20) {
            arguments.reverse();
        }
        arguments
    }

    /// A literal, which may have variables in it, or a variable.
    fn argument(&mut self, argument: &InputValueDefinition) -> String {
        if self.random().percent(35) {
            return self.variable_for(&argument.name, argument);
        }
        let (values, operation) = (&mut self.values, &mut self.operation);
        let mut hole = |values: &mut Values<'_>, ty: &Type| {
            values.random.percent(12).then(|| inside(values, operation, ty))
        };
        values.value(Form::Literal, &argument.name, &argument.ty, 0, &mut hole)
    }

    fn variable_for(&mut self, name: &str, argument: &InputValueDefinition) -> String {
        let ty = argument.ty.as_ref().clone();
        let has_default = argument.default_value.is_some();
        declare(&mut self.values, &mut self.operation, name, &ty, has_default)
    }

    fn conditions(&mut self) -> Vec<String> {
        let mut conditions = Vec::new();
        for name in ["@skip", "@include"] {
            if self.random().percent(8) {
                let holds = self.random().percent(if name == "@skip" { 30 } else { 70 });
                let text = match self.random().below(4) {
                    0 | 1 => holds.to_string(),
                    2 => {
                        push(&mut self.operation, "Boolean!".into(), None, Some(holds.to_string()))
                    }
                    _ => {
                        let kind = *self.random().pick(&["Boolean", "Boolean!"]);
                        let value = match self.random().below(10) {
                            0 if kind == "Boolean" => Some("null".to_owned()),
                            0..5 => Some((!holds).to_string()),
                            _ => None,
                        };
                        push(&mut self.operation, kind.into(), Some(holds.to_string()), value)
                    }
                };
                conditions.push(format!("{name}(if: {text})"));
            }
        }
        conditions
    }
}

/// A variable in a literal, where a value of a type is due.
fn inside(values: &mut Values<'_>, operation: &mut Operation, ty: &Type) -> String {
    declare(values, operation, "inner", ty, false)
}

/// Declares a variable for a place of the type, which has a default of its own or not.
fn declare(
    values: &mut Values<'_>,
    operation: &mut Operation,
    name: &str,
    ty: &Type,
    has_default: bool,
) -> String {
    let strict = ty.clone().non_null();
    let loose = ty.clone().nullable();
    let json = |values: &mut Values<'_>, ty: &Type| {
        Some(values.value(Form::Json, name, ty, 0, &mut |_, _| None))
    };
    let default = |values: &mut Values<'_>, ty: &Type| {
        Some(values.value(Form::Literal, name, ty, 0, &mut |_, _| None))
    };
    let (kind, default, value) = match values.random.below(12) {
        3 => (strict.clone(), None, json(values, &strict)),
        4 => (strict.clone(), default(values, &strict), json(values, &strict)),
        5 => (strict.clone(), default(values, &strict), None),
        // A nullable variable with a default may stand where null must not, and be given null all the same.
        6 | 7 => (loose.clone(), default(values, &strict), json(values, &loose)),
        8 => (loose.clone(), default(values, &strict), None),
        9 => (loose.clone(), default(values, &loose), json(values, &loose)),
        // Not sent: the place's own default stands, or nothing.
        10 if has_default || !ty.is_non_null() => (loose.clone(), None, None),
        11 if has_default => (loose.clone(), None, json(values, &loose)),
        11 if values.wrong > 0 => {
            // Of another type: one level of list more or less, or nullable where it must not be.
            let other = match ty {
                Type::List(of) | Type::NonNullList(of) => of.as_ref().clone(),
                other if values.random.percent(50) => other.clone().list(),
                _ => loose.clone(),
            };
            (other.clone(), None, json(values, &other))
        }
        _ => (ty.clone(), None, json(values, ty)),
    };
    push(operation, kind.to_string(), default, value)
}

fn push(
    operation: &mut Operation,
    kind: String,
    default: Option<String>,
    value: Option<String>,
) -> String {
    let name = format!("v{}", operation.variables.len());
    let text = format!("${name}");
    let description = (operation.variables.len() % 17 == 16).then(|| "\"One\"".to_owned());
    operation.variables.push(Variable { name, kind, description, default, value });
    text
}

fn plain(name: &str) -> Selection {
    let kind = Kind::Field { alias: None, name: name.to_owned(), arguments: Vec::new() };
    Selection { kind, conditions: Vec::new(), selections: Vec::new() }
}
