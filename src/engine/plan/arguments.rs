//! A field's arguments, prepared: literals are coerced once (GraphQL spec, section 6.4.1 "Coercing Field Arguments"),
//! and a request only puts its variables in.

use crate::graph::{Aliases, GlobalIds, Graph, IdPlace};
use crate::graphql::Name;
use crate::source::OBJECTS;
use apollo_compiler::Node;
use apollo_compiler::Schema;
use apollo_compiler::ast::{Argument, InputValueDefinition, Type, Value as Literal};
use apollo_compiler::schema::ExtendedType;
use serde_json::{Map, Value};
use std::sync::Arc;

/// A value with holes for variables.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::engine) enum Input {
    Constant(Value),
    /// A variable that the request leaves out takes the default; without one, it is absent.
    Variable {
        name: Name,
        default: Option<Value>,
    },
    List(Vec<Input>),
    Object(Vec<(Name, Input)>),
    /// The value in other words. It has as many elements.
    Translated {
        of: Box<Input>,
        to: Translation,
    },
}

/// What clients send, in the words of services.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::engine) enum Translation {
    /// The enums in values of this type with the names of services: see [`Aliases`].
    Enums(Name, Arc<Aliases>),
    /// The IDs at this place without their prefixes.
    Ids(IdPlace, Arc<GlobalIds>),
    /// IDs of any type without their prefixes. An ID without a known one becomes null.
    Keys(Arc<GlobalIds>),
    /// IDs become the objects that they name: see [`GlobalIds::object_of`].
    Objects(Arc<GlobalIds>),
}

impl Translation {
    fn apply(&self, value: &mut Value) {
        match self {
            Self::Enums(ty, aliases) => aliases.spell(ty, value),
            Self::Ids(place, ids) => ids.strip(place, value),
            Self::Keys(ids) => *value = ids.key_of(value),
            Self::Objects(ids) => *value = ids.object_of(value),
        }
    }
}

impl Input {
    /// The value for a request; `None` if it is absent.
    pub fn evaluate(&self, variables: &Map<String, Value>) -> Option<Value> {
        match self {
            Self::Constant(value) => Some(value.clone()),
            Self::Variable { name, default } => {
                variables.get(&**name).cloned().or_else(|| default.clone())
            }
            Self::List(items) => Some(
                items.iter().map(|item| item.evaluate(variables).unwrap_or_default()).collect(),
            ),
            Self::Object(fields) => Some(Value::Object(evaluate_all(fields, variables))),
            Self::Translated { of, to } => {
                let mut value = of.evaluate(variables)?;
                to.apply(&mut value);
                Some(value)
            }
        }
    }
}

/// The arguments of a field for a request.
pub(in crate::engine) fn evaluate_all(
    arguments: &[(Name, Input)],
    variables: &Map<String, Value>,
) -> Map<String, Value> {
    arguments
        .iter()
        .filter_map(|(name, input)| Some((name.to_string(), input.evaluate(variables)?)))
        .collect()
}

/// A literal without variables, coerced to its type: lists of one, input fields' defaults, integers that are IDs.
pub(in crate::engine) fn constant(schema: &Schema, ty: &Type, literal: &Literal) -> Value {
    input(schema, ty, literal).evaluate(&Map::new()).unwrap_or_default()
}

/// The arguments that a field was given, with the defaults of those that it was not. Validated before.
pub(super) fn prepare(
    schema: &Schema,
    definitions: &[Node<InputValueDefinition>],
    given: &[Node<Argument>],
) -> Vec<(Name, Input)> {
    definitions
        .iter()
        .filter_map(|definition| {
            let given = given.iter().find(|argument| argument.name == definition.name);
            let literal = given.map(|argument| &*argument.value);
            let input = with_default(schema, definition, literal)?;
            Some((definition.name.as_str().into(), input))
        })
        .collect()
}

/// [`prepare`] for a rule over a field's arguments: IDs have no prefix, as in claims, and enums the names of the schema.
pub(super) fn for_rule(
    graph: &Graph,
    (ty, field): (&str, &str),
    definitions: &[Node<InputValueDefinition>],
    given: &[Node<Argument>],
) -> Vec<(Name, Input)> {
    let mut prepared = prepare(&graph.schema, definitions, given);
    let is_node = graph.is_node(ty, field);
    for (name, input) in &mut prepared {
        let ids = || Arc::clone(&graph.global_ids);
        if is_node {
            translate(input, Translation::Keys(ids()));
        } else if let Some(place) = graph.global_ids.place(ty, field, name) {
            translate(input, Translation::Ids(place.clone(), ids()));
        }
    }
    prepared
}

/// [`prepare`] for a field's call: IDs have no prefix, and enums the names that services know.
pub(super) fn for_call(
    graph: &Graph,
    coordinate: (&str, &str),
    definitions: &[Node<InputValueDefinition>],
    given: &[Node<Argument>],
) -> Vec<(Name, Input)> {
    let mut prepared = for_rule(graph, coordinate, definitions, given);
    for (name, input) in &mut prepared {
        let definition = definitions.iter().find(|definition| *definition.name == **name);
        let ty = definition.map(|definition| definition.ty.inner_named_type());
        if let Some(ty) = ty.filter(|ty| graph.aliases.reach(ty)) {
            let aliases = Arc::clone(&graph.aliases);
            translate(input, Translation::Enums(ty.as_str().into(), aliases));
        }
    }
    prepared
}

/// The argument of a `@node` field as the objects that its IDs name.
pub(super) fn for_node(
    graph: &Graph,
    definitions: &[Node<InputValueDefinition>],
    given: &[Node<Argument>],
) -> Vec<(Name, Input)> {
    let mut prepared = prepare(&graph.schema, definitions, given);
    for (name, input) in &mut prepared {
        *name = OBJECTS.into();
        translate(input, Translation::Objects(Arc::clone(&graph.global_ids)));
    }
    prepared
}

fn translate(input: &mut Input, to: Translation) {
    let of = Box::new(std::mem::replace(input, Input::Constant(Value::Null)));
    *input = fold(Input::Translated { of, to });
}

fn with_default(
    schema: &Schema,
    definition: &InputValueDefinition,
    literal: Option<&Literal>,
) -> Option<Input> {
    // Only where it is needed: a default may give a value to the very field that it is the default of.
    let default = || {
        let value = definition.default_value.as_deref()?;
        input(schema, &definition.ty, value).evaluate(&Map::new())
    };
    match literal {
        Some(Literal::Variable(name)) => {
            Some(Input::Variable { name: name.as_str().into(), default: default() })
        }
        Some(literal) => Some(input(schema, &definition.ty, literal)),
        None => default().map(Input::Constant),
    }
}

/// The depth of a literal is bounded by the parser, that of defaults at load.
fn input(schema: &Schema, ty: &Type, literal: &Literal) -> Input {
    match (ty, literal) {
        (_, Literal::Variable(name)) => {
            Input::Variable { name: name.as_str().into(), default: None }
        }
        (_, Literal::Null) => Input::Constant(Value::Null),
        (Type::List(of) | Type::NonNullList(of), Literal::List(items)) => {
            fold(Input::List(items.iter().map(|item| input(schema, of, item)).collect()))
        }
        (Type::List(of) | Type::NonNullList(of), single) => {
            fold(Input::List(vec![input(schema, of, single)]))
        }
        (Type::Named(name) | Type::NonNullNamed(name), literal) => match schema.types.get(name) {
            Some(ExtendedType::InputObject(object)) => {
                let Literal::Object(given) = literal else { return Input::Constant(Value::Null) };
                let fields = object.fields.values().filter_map(|field| {
                    let given = given.iter().find(|(name, _)| *name == field.name);
                    let input = with_default(schema, field, given.map(|(_, value)| &**value))?;
                    Some((Name::from(field.name.as_str()), input))
                });
                fold(Input::Object(fields.collect()))
            }
            _ => scalar(name, literal),
        },
    }
}

/// A value without variables is a constant.
fn fold(input: Input) -> Input {
    let constant = match &input {
        Input::List(items) => items.iter().all(|item| matches!(item, Input::Constant(_))),
        Input::Object(fields) => {
            fields.iter().all(|(_, field)| matches!(field, Input::Constant(_)))
        }
        Input::Translated { of, .. } => matches!(**of, Input::Constant(_)),
        Input::Constant(_) | Input::Variable { .. } => return input,
    };
    if !constant {
        return input;
    }
    input.evaluate(&Map::new()).map_or(input, Input::Constant)
}

fn scalar(ty: &str, literal: &Literal) -> Input {
    match literal {
        // Inside a custom scalar, lists and objects may hold variables too.
        Literal::List(items) => {
            fold(Input::List(items.iter().map(|item| scalar(ty, item)).collect()))
        }
        Literal::Object(fields) => fold(Input::Object(
            fields.iter().map(|(name, value)| (name.as_str().into(), scalar(ty, value))).collect(),
        )),
        Literal::Variable(name) => Input::Variable { name: name.as_str().into(), default: None },
        Literal::Null => Input::Constant(Value::Null),
        Literal::Boolean(value) => Input::Constant((*value).into()),
        Literal::String(text) => Input::Constant(text.as_str().into()),
        Literal::Enum(name) => Input::Constant(name.as_str().into()),
        Literal::Int(number) if ty == "ID" => Input::Constant(number.as_str().into()),
        // `-0` is 0.
        Literal::Int(number) => Input::Constant(
            number
                .as_str()
                .parse::<i64>()
                .map_or_else(|_| parse_number(number.as_str()), Value::from),
        ),
        Literal::Float(number) => Input::Constant(parse_number(number.as_str())),
    }
}

fn parse_number(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_default()
}
