//! "Input Object Default Value Has Cycle" (GraphQL spec, section 3.10): a default that contains itself never ends.
//!
//! A finite default may still multiply: ten input objects, each with the next one in two fields, are a thousand values.
//! So each default is also counted with everything that it fills in, and one that is too large or too deep is refused.

use super::{InputValue, arguments, input_objects};
use crate::graph::merge::Merged;
use crate::graphql::Name;
use crate::problem::Problem;
use apollo_compiler::ast::{InputValueDefinition, Type, Value};
use apollo_compiler::{Node, Schema};
use hashbrown::HashMap;

/// Maximum number of values of one default, including the defaults inside it.
const MAX_VALUES: u64 = 1_000;
/// Maximum nesting of lists and objects in one default, including the defaults inside it.
const MAX_LEVELS: u64 = 100;

/// Maximum number of fields of one cycle that are named.
const MAX_NAMED: usize = 10;

/// A field of an input object, by the names of both.
type FieldCoordinate<'a> = (&'a str, &'a str);

/// Size of a value, including the defaults that it fills in.
#[derive(Debug, Clone, Copy, Default)]
struct DefaultExtent {
    values: u64,
    levels: u64,
}

/// Refuses defaults that never end or are too large. Returns the sizes of those of input fields.
pub(super) fn check(merged: &Merged, problems: &mut Vec<Problem>) -> Defaults {
    let mut search = DefaultSearch { merged, known: HashMap::new(), problems };
    for object in input_objects(&merged.schema) {
        for field in object.fields.values() {
            search.field((object.name.as_str(), field.name.as_str()));
        }
    }
    for InputValue { coordinate, definition } in arguments(&merged.schema) {
        if let Some(default) = &definition.default_value {
            let extent = search.extent(&definition.ty, default);
            search.hold(&format!("the default of `{coordinate}`"), definition, extent);
        }
    }
    let mut defaults = Defaults::default();
    for ((object, field), extent) in search.known {
        let fields = defaults.sizes.entry(object.into()).or_default();
        fields.insert(field.into(), extent.values);
    }
    defaults
}

/// Numbers of values of the defaults of input fields, including the defaults inside them.
#[derive(Debug, Default)]
pub struct Defaults {
    /// By input object and field.
    sizes: HashMap<Name, HashMap<Name, u64>>,
}

impl Defaults {
    /// Returns the number of values that defaults add to a value of this type.
    #[must_use]
    pub fn added(&self, schema: &Schema, ty: &Type, value: &Value) -> u64 {
        let mut added: u64 = 0;
        walk(schema, ty, value, &mut |(object, field)| {
            let size = self.sizes.get(object).and_then(|fields| fields.get(field));
            added = added.saturating_add(size.copied().unwrap_or(0));
        });
        added
    }
}

struct DefaultSearch<'a, 'p> {
    merged: &'a Merged,
    /// Sizes of fields' defaults, once all defaults inside them are known.
    known: HashMap<FieldCoordinate<'a>, DefaultExtent>,
    problems: &'p mut Vec<Problem>,
}

impl<'a> DefaultSearch<'a, '_> {
    /// Walks from one field's default to everything that it fills in. It has a stack of its own: a chain may be as long
    /// as the schema.
    fn field(&mut self, start: FieldCoordinate<'a>) {
        let mut way: Vec<(FieldCoordinate<'a>, Vec<FieldCoordinate<'a>>)> = Vec::new();
        // The position of each field on the current path.
        let mut open: HashMap<FieldCoordinate<'a>, usize> = HashMap::new();
        let mut next = Some(start);
        loop {
            if let Some(field) = next.take().filter(|field| !self.known.contains_key(field)) {
                if let Some(&begin) = open.get(&field) {
                    let fields: Vec<_> = way[begin..].iter().map(|(open, _)| *open).collect();
                    self.report(&fields);
                    // Counted as nothing, so that each cycle is one problem.
                    self.known.insert(field, DefaultExtent::default());
                } else {
                    open.insert(field, way.len());
                    way.push((field, self.filled_by(field)));
                }
            }
            let Some((field, waiting)) = way.last_mut() else { return };
            next = waiting.pop();
            if next.is_none() {
                let field = *field;
                way.pop();
                open.remove(&field);
                self.close(field);
            }
        }
    }

    fn close(&mut self, field: FieldCoordinate<'a>) {
        let Some(definition) = self.definition(field) else { return };
        let Some(default) = &definition.default_value else { return };
        if !self.known.contains_key(&field) {
            let extent = self.extent(&definition.ty, default);
            // A default that is too large is one problem, and not one of each default around it.
            let extent =
                self.hold(&format!("the default of `{}.{}`", field.0, field.1), definition, extent);
            self.known.insert(field, extent);
        }
    }

    fn definition(&self, (object, field): FieldCoordinate<'a>) -> Option<&'a InputValueDefinition> {
        self.merged.schema.get_input_object(object)?.fields.get(field).map(|field| &***field)
    }

    /// Returns the fields whose defaults are filled in by this field's default.
    fn filled_by(&self, field: FieldCoordinate<'a>) -> Vec<FieldCoordinate<'a>> {
        let mut found = Vec::new();
        if let Some(definition) = self.definition(field)
            && let Some(default) = &definition.default_value
        {
            walk(&self.merged.schema, &definition.ty, default, &mut |field| found.push(field));
        }
        found
    }

    fn extent(&self, ty: &Type, value: &Value) -> DefaultExtent {
        let mut extent = of_literal(value);
        let mut below = 0;
        walk(&self.merged.schema, ty, value, &mut |field| {
            let filled = self.known.get(&field).copied().unwrap_or_default();
            extent.values = extent.values.saturating_add(filled.values);
            below = below.max(filled.levels);
        });
        extent.levels = extent.levels.saturating_add(below);
        extent
    }

    fn hold(
        &mut self,
        what: &str,
        definition: &InputValueDefinition,
        extent: DefaultExtent,
    ) -> DefaultExtent {
        let message = if extent.values > MAX_VALUES {
            format!("{what} expands to more than {MAX_VALUES} values, including nested defaults")
        } else if extent.levels > MAX_LEVELS {
            format!(
                "{what} is nested more than {MAX_LEVELS} levels deep, including nested defaults"
            )
        } else {
            return extent;
        };
        let at = definition.default_value.as_ref().and_then(Node::location);
        let problem = Problem::error("cyclic-default", message).at(self.merged.places.of(at));
        self.problems.push(problem.help("use fewer defaults that are objects"));
        DefaultExtent::default()
    }

    fn report(&mut self, fields: &[FieldCoordinate<'a>]) {
        let Some((first, rest)) = fields.split_first() else { return };
        let name = |(object, field): &FieldCoordinate<'_>| format!("`{object}.{field}`");
        let via = match rest {
            [] => String::new(),
            rest => {
                let named: Vec<_> = rest.iter().take(MAX_NAMED).map(name).collect();
                let others = match rest.len() - named.len() {
                    0 => String::new(),
                    others => format!(" and {others} others"),
                };
                format!(", through {}{others}", named.join(", "))
            }
        };
        let message = format!("the default of {} contains itself{via}", name(first));
        let at = self.definition(*first).and_then(|field| field.default_value.as_ref()?.location());
        self.problems.push(
            Problem::error("cyclic-default", message)
                .at(self.merged.places.of(at))
                .help("remove one of these defaults, or make it `null`"),
        );
    }
}

/// Visits each field with a default that `value` omits. Literals are as deep as the parser allows.
fn walk<'a>(
    schema: &'a Schema,
    ty: &Type,
    value: &Value,
    visit: &mut impl FnMut(FieldCoordinate<'a>),
) {
    match value {
        Value::List(items) => items.iter().for_each(|item| walk(schema, ty, item, visit)),
        Value::Object(given) => {
            let Some(object) = schema.get_input_object(ty.inner_named_type()) else { return };
            for (name, field) in &object.fields {
                match given.iter().find(|(given, _)| given == name) {
                    Some((_, value)) => walk(schema, &field.ty, value, visit),
                    None if field.default_value.is_some() => {
                        visit((object.name.as_str(), name.as_str()));
                    }
                    None => {}
                }
            }
        }
        _ => {}
    }
}

fn of_literal(value: &Value) -> DefaultExtent {
    let inner = |values: &mut dyn Iterator<Item = &Value>| {
        let mut extent = DefaultExtent { values: 1, levels: 1 };
        for one in values.map(of_literal) {
            extent.values = extent.values.saturating_add(one.values);
            extent.levels = extent.levels.max(one.levels.saturating_add(1));
        }
        extent
    };
    match value {
        Value::List(items) => inner(&mut items.iter().map(|item| &**item)),
        Value::Object(fields) => inner(&mut fields.iter().map(|(_, value)| &**value)),
        _ => DefaultExtent { values: 1, levels: 1 },
    }
}
