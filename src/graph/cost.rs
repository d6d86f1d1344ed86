//! `@cost` and `@listSize` (IBM's "GraphQL Cost Directives" specification): the weight of a field, a type or a given
//! value, and the maximum length of a list.
//!
//! Weights are non-negative integers: a negative one could be used to get around every limit. As in IBM's specification
//! a field of an interface has no weight of its own, because the field of the object counts.

use super::merge::Merged;
use super::words::{Words, is_list};
use super::{KeyPath, ListSize};
use crate::graphql::Name;
use crate::problem::{Problem, instead};
use crate::source::{Argument, ArgumentValue};
use apollo_compiler::ast::{Directive, FieldDefinition, InputValueDefinition};
use apollo_compiler::schema::ExtendedType;
use apollo_compiler::{Node, Schema};
use hashbrown::HashMap;

/// Weights of leaves and of given values. Those of objects and their fields are in [`ObjectType`](super::ObjectType)
/// and [`Field`](super::Field).
#[derive(Debug, Default)]
pub struct Costs {
    /// `@cost` of scalars and enums.
    pub leaves: HashMap<Name, u64>,
    /// Costs of the fields of each input object.
    pub inputs: HashMap<Name, HashMap<Name, InputCost>>,
}

/// Cost of one value for an argument or an input field. A list costs the sum of its elements.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InputCost {
    /// `@cost` if it is declared, otherwise that of its type, otherwise 1 for an input object and 0 for a scalar or an
    /// enum.
    pub weight: u64,
    /// The input object whose fields count as well.
    pub object: Option<Name>,
}

/// Reads the weights of all types that are not objects, and refuses those of interface fields.
pub(super) fn read(merged: &Merged, problems: &mut Vec<Problem>) -> Costs {
    let mut costs = Costs::default();
    for (name, found) in merged.schema.types.iter().filter(|(_, found)| !found.is_built_in()) {
        match found {
            ExtendedType::Scalar(_) | ExtendedType::Enum(_) => {
                let directive = found.directives().get("cost").map(|one| &one.node);
                if let Some(weight) = weight(merged, directive, problems) {
                    costs.leaves.insert(name.as_str().into(), weight);
                }
            }
            ExtendedType::Interface(interface) => {
                for field in interface.fields.values() {
                    refuse_on_interface(merged, name, field, problems);
                }
            }
            _ => {}
        }
    }
    for (name, found) in &merged.schema.types {
        let ExtendedType::InputObject(object) = found else { continue };
        let fields = object.fields.values().map(|field| &field.node);
        costs.inputs.insert(name.as_str().into(), values(merged, &costs, fields, problems));
    }
    costs
}

/// Returns the costs of these arguments or input fields. Those without a cost are left out.
pub(super) fn values<'a>(
    merged: &Merged,
    costs: &Costs,
    definitions: impl IntoIterator<Item = &'a Node<InputValueDefinition>>,
    problems: &mut Vec<Problem>,
) -> HashMap<Name, InputCost> {
    let mut found = HashMap::new();
    for definition in definitions {
        let ty = definition.ty.inner_named_type().as_str();
        let own = weight(merged, definition.directives.get("cost"), problems);
        let object = merged.schema.get_input_object(ty).map(|_| Name::from(ty));
        let of_type = costs.leaves.get(ty).copied().unwrap_or(u64::from(object.is_some()));
        let weight = own.unwrap_or(of_type);
        if weight > 0 || object.is_some() {
            found.insert(definition.name.as_str().into(), InputCost { weight, object });
        }
    }
    found
}

/// Returns the weight of `@cost`.
pub(super) fn weight(
    merged: &Merged,
    directive: Option<&Node<Directive>>,
    problems: &mut Vec<Problem>,
) -> Option<u64> {
    let value = directive?.specified_argument_by_name("weight")?;
    let argument = merged.places.argument("weight", value)?;
    let ArgumentValue::Int(weight) = argument.value else { return None };
    let weight = u64::try_from(weight).ok();
    if weight.is_none() {
        let problem = Problem::error("invalid-cost", "a weight cannot be negative");
        problems.push(problem.at(argument.place).help("write 0 or more"));
    }
    weight
}

fn refuse_on_interface(
    merged: &Merged,
    interface: &str,
    field: &FieldDefinition,
    problems: &mut Vec<Problem>,
) {
    let arguments = field.arguments.iter().filter_map(|one| one.directives.get("cost"));
    for directive in field.directives.get("cost").into_iter().chain(arguments) {
        let message = format!(
            "`{interface}.{}` is a field of an interface, which cannot have `@cost`",
            field.name
        );
        problems.push(
            Problem::error("misplaced-directive", message)
                .at(merged.places.of(directive.location()))
                .help("move `@cost` to the field of each object type; the highest weight counts"),
        );
    }
}

/// Returns the values of `@listSize`, if they are valid.
pub(super) fn list_size(
    merged: &Merged,
    type_name: &str,
    field: &FieldDefinition,
    problems: &mut Vec<Problem>,
) -> Option<ListSize> {
    let directive = field.directives.get("listSize")?;
    let given =
        |name: &str| merged.places.argument(name, directive.specified_argument_by_name(name)?);
    let coordinate = format!("{type_name}.{}", field.name);
    let before = problems.len();
    let mut reading = Reading { schema: &merged.schema, problems };
    let elements = |name| given(name).map_or_else(Vec::new, |list| list.elements().to_vec());
    let slicing = elements("slicingArguments");
    let sized = elements("sizedFields");
    let size = ListSize {
        assumed_size: given("assumedSize").and_then(|size| reading.assumed(&size)),
        slicing_arguments: reading.slicing(&coordinate, field, &slicing),
        sized_fields: reading.sized(field.ty.inner_named_type(), &sized),
        require_one: !matches!(
            given("requireOneSlicingArgument").map(|given| given.value),
            Some(ArgumentValue::Boolean(false))
        ),
    };
    let mistaken = problems.len() > before;
    let message = match (is_list(&field.ty), sized.is_empty()) {
        (false, true) => {
            format!("`{coordinate}` is not a list, and `@listSize` has no `sizedFields`")
        }
        (true, false) => {
            format!("`{coordinate}` is a list itself, so `sizedFields` does not apply")
        }
        // The error in one of them is reported already.
        _ if mistaken => return Some(size),
        _ if given("assumedSize").is_none() && slicing.is_empty() => {
            format!("`@listSize` on `{coordinate}` does not set a size")
        }
        _ => return Some(size),
    };
    let help = match (is_list(&field.ty), sized.is_empty()) {
        (false, true) => "name the lists inside the object, such as `sizedFields: [\"edges\"]`",
        (true, false) => "remove `sizedFields`; add `@listSize` to the lists inside its objects",
        _ => "add `assumedSize`, `slicingArguments` or both",
    };
    let place = merged.places.of(directive.location());
    problems.push(Problem::error("invalid-list-size", message).at(place).help(help));
    Some(size)
}

/// Returns the field with this argument that leads to the list, if the list itself has no arguments: `edges` of a
/// connection.
fn leading(schema: &Schema, list: &str, argument: &str) -> Option<String> {
    let (owner, name) = list.split_once('.')?;
    let field = schema.type_field(owner, name).ok()?;
    if !field.arguments.is_empty() || !is_list(&field.ty) {
        return None;
    }
    let (parent, found) = Words(schema).objects().find_map(|(parent, object)| {
        let leads = |field: &&apollo_compiler::schema::Component<FieldDefinition>| {
            field.ty.inner_named_type() == owner && field.argument_by_name(argument).is_some()
        };
        Some((parent, object.fields.values().find(leads)?))
    })?;
    Some(format!(
        "move it to the field that has the argument, `{parent}.{}`: `@listSize(slicingArguments: [\"{argument}\"], sizedFields: [\"{name}\"])`",
        found.name
    ))
}

struct Reading<'a> {
    schema: &'a Schema,
    problems: &'a mut Vec<Problem>,
}

impl Reading<'_> {
    fn refuse(&mut self, argument: &Argument, message: String, help: Option<String>) {
        let problem = Problem::error("invalid-list-size", message).at(argument.place.clone());
        self.problems.push(match help {
            Some(help) => problem.help(help),
            None => problem,
        });
    }

    fn assumed(&mut self, argument: &Argument) -> Option<u64> {
        let ArgumentValue::Int(size) = argument.value else { return None };
        let size = u64::try_from(size).ok();
        if size.is_none() {
            self.refuse(argument, "a list's size cannot be negative".to_owned(), None);
        }
        size
    }

    /// Returns paths from an argument through input objects, to a number or to a list whose length counts.
    fn slicing(
        &mut self,
        coordinate: &str,
        field: &FieldDefinition,
        texts: &[Argument],
    ) -> Vec<KeyPath> {
        let mut paths = Vec::new();
        for text in texts {
            let path = path(text);
            let mut definitions: Vec<&Node<InputValueDefinition>> =
                field.arguments.iter().collect();
            let mut owner = (format!("`{coordinate}`"), "argument");
            for (at, name) in path.iter().enumerate() {
                let found = definitions.iter().find(|known| known.name == **name).copied();
                let Some(found) = found else {
                    let known: Vec<&str> =
                        definitions.iter().map(|known| known.name.as_str()).collect();
                    let leading = leading(self.schema, coordinate, name);
                    let help = leading.or_else(|| instead(name, &known, ""));
                    self.refuse(text, format!("{} has no {} `{name}`", owner.0, owner.1), help);
                    break;
                };
                let ty = found.ty.inner_named_type();
                let last = at + 1 == path.len();
                match self.schema.get_input_object(ty).filter(|_| !last && !is_list(&found.ty)) {
                    Some(object) => {
                        definitions = object.fields.values().map(|field| &field.node).collect();
                        owner = (format!("`{ty}`"), "field");
                    }
                    None if last && (ty == "Int" || is_list(&found.ty)) => {
                        paths.push(path.clone());
                    }
                    None => {
                        let due = if last { "an `Int` or a list" } else { "an input object" };
                        let message =
                            format!("`{name}` is of type `{}`, but must be {due}", found.ty);
                        self.refuse(text, message, None);
                        break;
                    }
                }
            }
        }
        paths
    }

    /// Returns paths from the field's type through objects, to lists.
    fn sized(&mut self, type_name: &str, texts: &[Argument]) -> Vec<KeyPath> {
        let mut paths = Vec::new();
        for text in texts {
            let path = path(text);
            let mut owner = type_name.to_owned();
            for (at, name) in path.iter().enumerate() {
                let Ok(found) = self.schema.type_field(&owner, name) else {
                    let known = Words(self.schema).fields(&owner);
                    let help = instead(name, &known, "");
                    self.refuse(text, format!("`{owner}` has no field `{name}`"), help);
                    break;
                };
                let last = at + 1 == path.len();
                if is_list(&found.ty) != last {
                    let what = if last {
                        "but must be a list"
                    } else {
                        "but a path must not pass through a list"
                    };
                    let message = format!("`{owner}.{name}` is a `{}`, {what}", found.ty);
                    self.refuse(text, message, None);
                    break;
                }
                if last {
                    paths.push(path.clone());
                }
                owner = found.ty.inner_named_type().to_string();
            }
        }
        paths
    }
}

fn path(text: &Argument) -> KeyPath {
    text.text().unwrap_or_default().split('.').map(|name| Name::from(name.trim())).collect()
}
