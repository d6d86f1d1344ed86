//! Cuts a failing operation until nothing more can go.

use super::operation::{Kind, Operation, Selection};

/// Every operation that is one cut smaller, the deepest cuts first.
pub fn smaller(operation: &Operation) -> Vec<Operation> {
    let mut found = Vec::new();
    for selections in cuts(&operation.selections) {
        found.push(Operation { selections, ..operation.clone() });
    }
    for (index, fragment) in operation.fragments.iter().enumerate() {
        for selections in cuts(&fragment.selections) {
            let mut smaller = operation.clone();
            smaller.fragments[index].selections = selections;
            found.push(smaller);
        }
    }
    for (index, variable) in operation.variables.iter().enumerate() {
        if variable.default.is_some() && variable.value.is_some() {
            let mut smaller = operation.clone();
            smaller.variables[index].default = None;
            found.push(smaller);
        }
    }
    found
}

/// The selection set with one thing less.
fn cuts(selections: &[Selection]) -> Vec<Vec<Selection>> {
    let mut found = Vec::new();
    let mut replace = |index: usize, with: Vec<Selection>| {
        let mut set = selections.to_vec();
        set.splice(index..=index, with);
        if !set.is_empty() {
            found.push(set);
        }
    };
    for (index, selection) in selections.iter().enumerate() {
        replace(index, Vec::new());
        if matches!(selection.kind, Kind::Inline(_)) {
            replace(index, selection.selections.clone());
        }
        for kept in 0..selection.conditions.len() {
            let mut smaller = selection.clone();
            smaller.conditions.remove(kept);
            replace(index, vec![smaller]);
        }
        if let Kind::Field { arguments, alias, name } = &selection.kind {
            for gone in 0..arguments.len() {
                let mut arguments = arguments.clone();
                arguments.remove(gone);
                let kind = Kind::Field { arguments, alias: alias.clone(), name: name.clone() };
                replace(index, vec![Selection { kind, ..selection.clone() }]);
            }
            if alias.is_some() {
                let kind =
                    Kind::Field { arguments: arguments.clone(), alias: None, name: name.clone() };
                replace(index, vec![Selection { kind, ..selection.clone() }]);
            }
        }
        for inner in cuts(&selection.selections) {
            replace(index, vec![Selection { selections: inner, ..selection.clone() }]);
        }
    }
    found
}
