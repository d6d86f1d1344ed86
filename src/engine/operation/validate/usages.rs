//! "All Variable Uses Defined" and "All Variable Usages Are Allowed" (GraphQL spec, sections 5.8.3 and 5.8.5),
//! including lists and objects. Also checks that a variable in a `@oneOf` object is never null.

use super::{GivenArguments, Rules, short, visit, visit_directives};
use crate::engine::plan::{VariableUsage, usages};
use apollo_compiler::ast::{Type, VariableDefinition};
use apollo_compiler::executable::{
    ExecutableDocument, Fragment, Operation, Selection, SelectionSet,
};
use apollo_compiler::parser::SourceSpan;
use apollo_compiler::{Name, Schema};
use hashbrown::{HashMap, HashSet};

pub(super) fn check(rules: &mut Rules<'_>) {
    let (schema, document) = (rules.schema, rules.document);
    // Each fragment once, no matter how many operations use it.
    let fragments: HashMap<&str, Vec<VariableUsage<'_>>> = document
        .fragments
        .values()
        .map(|fragment| (fragment.name.as_str(), of_fragment(schema, fragment)))
        .collect();
    let mut found = Vec::new();
    for operation in document.operations.iter() {
        let declared = operation.variables.iter().map(|one| (one.name.as_str(), &**one)).collect();
        let own = of_operation(schema, operation);
        let mut used = HashSet::new();
        spread(document, &operation.selection_set, &mut used);
        let others = used.iter().filter_map(|name| fragments.get(name)).flatten();
        for usage in own.iter().chain(others) {
            if let Some(message) = mistake(&declared, usage) {
                // A name may be as long as the document, and used by each of its operations.
                found.push((usage.at, short(message)));
            }
        }
    }
    // An error in a fragment is reported once, not once for each operation.
    found.sort_by_key(|(at, _)| at.map(|at: SourceSpan| at.offset()));
    found.dedup();
    for (at, message) in found {
        rules.report(at, message);
    }
}

fn of_operation<'a>(schema: &'a Schema, operation: &'a Operation) -> Vec<VariableUsage<'a>> {
    let mut found = Vec::new();
    let mut see = |given: GivenArguments<'a>| add(schema, &given, &mut found);
    visit_directives(schema, &operation.directives, &mut see);
    visit(schema, &operation.selection_set, &mut see);
    found
}

fn of_fragment<'a>(schema: &'a Schema, fragment: &'a Fragment) -> Vec<VariableUsage<'a>> {
    let mut found = Vec::new();
    let mut see = |given: GivenArguments<'a>| add(schema, &given, &mut found);
    visit_directives(schema, &fragment.directives, &mut see);
    visit(schema, &fragment.selection_set, &mut see);
    found
}

fn add<'a>(schema: &'a Schema, given: &GivenArguments<'a>, found: &mut Vec<VariableUsage<'a>>) {
    for (definition, argument) in given.pairs() {
        usages(schema, definition, &argument.value, found);
    }
}

/// Returns the fragments that a selection set spreads, directly or indirectly.
fn spread<'a>(
    document: &'a ExecutableDocument,
    set: &'a SelectionSet,
    used: &mut HashSet<&'a str>,
) {
    for selection in &set.selections {
        match selection {
            Selection::Field(field) => spread(document, &field.selection_set, used),
            Selection::InlineFragment(fragment) => spread(document, &fragment.selection_set, used),
            Selection::FragmentSpread(fragment) => {
                if used.insert(&fragment.fragment_name)
                    && let Some(fragment) = fragment.fragment_def(document)
                {
                    spread(document, &fragment.selection_set, used);
                }
            }
        }
    }
}

fn mistake(
    declared: &HashMap<&str, &VariableDefinition>,
    usage: &VariableUsage<'_>,
) -> Option<String> {
    let name = usage.variable;
    let Some(variable) = declared.get(name.as_str()) else {
        return Some(format!("the operation declares no variable `${name}`"));
    };
    let due = usage.due?;
    if !is_allowed(variable, due, usage.has_default) {
        return Some(format!(
            "the variable `${name}` of type `{}` cannot stand where `{due}` is due",
            variable.ty
        ));
    }
    let one_of = usage.one_of.filter(|_| !variable.ty.is_non_null())?;
    Some(nullable_in_one_of(name, &variable.ty, one_of))
}

fn nullable_in_one_of(name: &Name, ty: &Type, one_of: &Name) -> String {
    format!("the variable `${name}` of type `{ty}` must be non-null to stand in `{one_of}`")
}

/// Checks "AreTypesCompatible". A default may compensate for an omitted variable.
fn is_allowed(variable: &VariableDefinition, due: &Type, has_default: bool) -> bool {
    if due.is_non_null() && !variable.ty.is_non_null() {
        let own = variable.default_value.as_ref().is_some_and(|value| !value.is_null());
        return (own || has_default) && variable.ty.is_assignable_to(&due.clone().nullable());
    }
    variable.ty.is_assignable_to(due)
}
