//! `__Type.isOneOf` (GraphQL spec, section 4.2.3), which `apollo-compiler` does not answer: the type's name is asked for
//! in its place, under a key of its own, and becomes `true`, `false` or null in the answer.

use crate::graph::is_one_of;
use apollo_compiler::executable::{ExecutableDocument, Operation, Selection, SelectionSet};
use apollo_compiler::validation::Valid;
use apollo_compiler::{Name, Node, Schema};
use serde_json::{Map, Value};

const FIELD: &str = "isOneOf";

/// What stands before the response keys of `isOneOf` while it is asked for as a name.
pub(super) struct Marked {
    prefix: String,
}

/// The document and the operation with names in place of `isOneOf`; `None` where it is not asked for.
pub(super) fn mark(
    schema: &Schema,
    document: &Valid<ExecutableDocument>,
    operation: &Operation,
) -> Option<(Valid<ExecutableDocument>, Operation, Marked)> {
    let text: Vec<&str> = document.sources.values().map(|file| file.source_text()).collect();
    if !text.iter().any(|text| text.contains(FIELD)) {
        return None;
    }
    let mut prefix = format!("{FIELD}_");
    while text.iter().any(|text| text.contains(&prefix)) {
        prefix.push('_');
    }
    let (mut document, mut operation) = ((**document).clone(), operation.clone());
    rewrite(schema, &mut operation.selection_set, &prefix);
    for fragment in document.fragments.values_mut() {
        rewrite(schema, &mut fragment.make_mut().selection_set, &prefix);
    }
    // As valid as before: `name` stands wherever `isOneOf` does, under keys that are in no one's way.
    Some((Valid::assume_valid(document), operation, Marked { prefix }))
}

/// As deep as the parser lets documents be.
fn rewrite(schema: &Schema, set: &mut SelectionSet, prefix: &str) {
    let is_type = set.ty == "__Type";
    for selection in &mut set.selections {
        match selection {
            Selection::Field(field) if is_type && field.name == FIELD => {
                let Ok(definition) = schema.type_field("__Type", "name") else { continue };
                let key = Name::new(&format!("{prefix}{}", field.response_key()));
                let (Ok(key), Ok(name)) = (key, Name::new("name")) else { continue };
                let definition: Node<_> = definition.node.clone();
                let field = field.make_mut();
                (field.alias, field.name, field.definition) = (Some(key), name, definition);
            }
            Selection::Field(field) => rewrite(schema, &mut field.make_mut().selection_set, prefix),
            Selection::InlineFragment(fragment) => {
                rewrite(schema, &mut fragment.make_mut().selection_set, prefix);
            }
            Selection::FragmentSpread(_) => {}
        }
    }
}

impl Marked {
    /// The answer with names turned into what was asked for.
    pub fn resolve(&self, schema: &Schema, value: Value) -> Value {
        match value {
            Value::Array(items) => {
                items.into_iter().map(|item| self.resolve(schema, item)).collect()
            }
            Value::Object(fields) => {
                let resolved =
                    fields.into_iter().map(|(key, value)| match key.strip_prefix(&self.prefix) {
                        Some(key) => (key.to_owned(), answer(schema, &value)),
                        None => (key, self.resolve(schema, value)),
                    });
                Value::Object(resolved.collect::<Map<_, _>>())
            }
            other => other,
        }
    }
}

/// Only input objects are `@oneOf` or not; of every other type it is null.
fn answer(schema: &Schema, name: &Value) -> Value {
    let object = name.as_str().and_then(|name| schema.get_input_object(name));
    object.map_or(Value::Null, |object| is_one_of(object).into())
}
