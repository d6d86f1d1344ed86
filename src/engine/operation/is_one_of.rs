//! `__Type.isOneOf` (GraphQL spec, section 4.2.3), which `apollo-compiler` does not answer. The type's name is selected
//! instead, under a key of its own, and replaced by `true`, `false` or null in the answer.

use crate::graph::is_one_of;
use apollo_compiler::executable::{ExecutableDocument, Operation, Selection, SelectionSet};
use apollo_compiler::validation::Valid;
use apollo_compiler::{Name, Node, Schema};
use hashbrown::HashSet;
use serde_json::{Map, Value};

const FIELD: &str = "isOneOf";

/// Prefix of the response keys under which names are selected instead of `isOneOf`.
pub(super) struct Marked {
    prefix: String,
}

/// Returns the document and the operation with names instead of `isOneOf`; `None` if it is not selected.
pub(super) fn mark(
    schema: &Schema,
    document: &Valid<ExecutableDocument>,
    operation: &Operation,
) -> Option<(Valid<ExecutableDocument>, Operation, Marked)> {
    let text: Vec<&str> = document.sources.values().map(|file| file.source_text()).collect();
    if !text.iter().any(|text| text.contains(FIELD)) {
        return None;
    }
    let prefix = unused_prefix(&text);
    let (mut document, mut operation) = ((**document).clone(), operation.clone());
    rewrite(schema, &mut operation.selection_set, &prefix);
    for fragment in document.fragments.values_mut() {
        rewrite(schema, &mut fragment.make_mut().selection_set, &prefix);
    }
    // As valid as before: `name` exists wherever `isOneOf` does, and no other field has these keys.
    Some((Valid::assume_valid(document), operation, Marked { prefix }))
}

/// Returns `isOneOf_<number>_` with the first number that these texts do not have, so that none of their names begins
/// with it. The texts are read once. The prefix is short for every text, because it is repeated for each `isOneOf`.
fn unused_prefix(texts: &[&str]) -> String {
    let after = |text: &&str| text.split(FIELD).skip(1).filter_map(number).collect::<Vec<_>>();
    let used: HashSet<usize> = texts.iter().flat_map(after).collect();
    let unused = (0..=used.len()).find(|number| !used.contains(number));
    format!("{FIELD}_{}_", unused.unwrap_or(used.len()))
}

/// Parses `_<number>`, unless it has more digits than any number that is picked.
fn number(rest: &str) -> Option<usize> {
    let digits = rest.strip_prefix('_')?;
    let end = digits.bytes().take(10).take_while(u8::is_ascii_digit).count();
    digits[..end].parse().ok()
}

/// Rewrites a selection set. The recursion is as deep as the parser allows.
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
    /// Replaces names in an answer by the values of `isOneOf`.
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

/// Returns the value of `isOneOf`: null unless the type is an input object.
fn answer(schema: &Schema, name: &Value) -> Value {
    let object = name.as_str().and_then(|name| schema.get_input_object(name));
    object.map_or(Value::Null, |object| is_one_of(object).into())
}

#[cfg(test)]
mod tests {
    use super::unused_prefix;

    #[test]
    fn no_name_of_the_document_begins_with_the_prefix() {
        for (text, prefix) in [
            ("{ isOneOf }", "isOneOf_0_"),
            ("isOneOf_0_x isOneOf_2 isOneOf_01_", "isOneOf_3_"),
            ("isOneOf_isOneOf_0_isOneOf_1isOneOf_3", "isOneOf_2_"),
            ("isOneOf_99999999999999999999", "isOneOf_0_"),
        ] {
            assert_eq!(unused_prefix(&[text]), prefix, "{text}");
            assert!(!text.contains(prefix));
        }
        assert_eq!(unused_prefix(&["isOneOf_0_", "isOneOf_1_"]), "isOneOf_2_");
    }

    #[test]
    fn the_prefix_is_short_whatever_the_document_has() {
        let underscores = format!("isOneOf{}", "_".repeat(200_000));
        assert_eq!(unused_prefix(&[&underscores]), "isOneOf_0_");
        let numbers: String = (0..20_000).map(|number| format!("isOneOf_{number}_")).collect();
        assert_eq!(unused_prefix(&[&numbers]), "isOneOf_20000_");
    }
}
