//! "Single Root Field" (GraphQL spec, section 5.2.4.1): a subscription has one response key at its root, no matter how
//! often it is selected.

use super::Rules;
use apollo_compiler::executable::{ExecutableDocument, Selection, SelectionSet};
use hashbrown::HashSet;

pub(super) fn check(rules: &mut Rules<'_>) {
    let document = rules.document;
    for operation in document.operations.iter().filter(|one| one.is_subscription()) {
        let mut keys = HashSet::new();
        collect(document, &operation.selection_set, &mut HashSet::new(), &mut keys);
        if keys.len() > 1 {
            let message = "a subscription has one field at its root".to_owned();
            rules.report(operation.location(), message);
        }
    }
}

fn collect<'a>(
    document: &'a ExecutableDocument,
    set: &'a SelectionSet,
    spread: &mut HashSet<&'a str>,
    keys: &mut HashSet<&'a str>,
) {
    for selection in &set.selections {
        match selection {
            Selection::Field(field) => {
                keys.insert(field.response_key());
            }
            Selection::InlineFragment(fragment) => {
                collect(document, &fragment.selection_set, spread, keys);
            }
            Selection::FragmentSpread(fragment) => {
                if spread.insert(&fragment.fragment_name)
                    && let Some(fragment) = fragment.fragment_def(document)
                {
                    collect(document, &fragment.selection_set, spread, keys);
                }
            }
        }
    }
}
