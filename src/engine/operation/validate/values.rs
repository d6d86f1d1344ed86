//! "Values of Correct Type", "Input Object Field Names", "Input Object Field Uniqueness" and "Input Object Required
//! Fields" (GraphQL spec, section 5.6), for arguments and for the defaults of variables.

use super::{GivenArguments, Rules, visit, visit_directives};
use crate::graph::{misfits, repeated_fields};

pub(super) fn check(rules: &mut Rules<'_>) {
    let (schema, bound, document) = (rules.schema, rules.bound, rules.document);
    let mut found = Vec::new();
    let mut see = |given: GivenArguments<'_>| {
        for (definition, argument) in given.pairs() {
            let mut report = |at, message| found.push((at, message));
            repeated_fields(&argument.value, &mut report);
            misfits(bound, &definition.ty, &argument.value, &mut report);
        }
    };
    for operation in document.operations.iter() {
        visit_directives(schema, &operation.directives, &mut see);
        for variable in &operation.variables {
            visit_directives(schema, &variable.directives, &mut see);
        }
        visit(schema, &operation.selection_set, &mut see);
    }
    for fragment in document.fragments.values() {
        visit_directives(schema, &fragment.directives, &mut see);
        visit(schema, &fragment.selection_set, &mut see);
    }
    for operation in document.operations.iter() {
        for variable in &operation.variables {
            if let Some(default) = &variable.default_value {
                let mut report = |at, message| found.push((at, message));
                repeated_fields(default, &mut report);
                misfits(bound, &variable.ty, default, &mut report);
            }
        }
    }
    for (at, message) in found {
        rules.report(at, message);
    }
}
