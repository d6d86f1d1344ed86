//! Validation rules of the GraphQL specification (September 2025, section 5) that `apollo-compiler` lacks or implements
//! only in part. One rule per file, named as in the specification.
//!
//! They run after its own validation has passed, so fields, arguments and types exist. Each rule reports all its
//! errors.

mod defaults;
mod field_selection_merging;
mod single_root_field;
mod usages;
mod values;

use super::parse::short;
use crate::engine::guard::limits::LimitName;
use crate::engine::settings::Limits;
use crate::graph::{Graph, is_misread};
use crate::graphql::{Error, ErrorCode, Location};
use apollo_compiler::ast::{DirectiveList, InputValueDefinition};
use apollo_compiler::executable::{Argument, ExecutableDocument, Selection, SelectionSet};
use apollo_compiler::parser::SourceSpan;
use apollo_compiler::{Node, Schema};

/// Inputs of a rule, and its errors.
pub(super) struct Rules<'a> {
    /// The schema that clients see.
    pub schema: &'a Schema,
    /// The schema including everything hidden from clients.
    pub bound: &'a Schema,
    pub document: &'a ExecutableDocument,
    pub text: &'a str,
    pub errors: Vec<Error>,
}

/// Maximum number of errors that are listed for one document.
pub(super) const LISTED: usize = 10;

/// Budget of field visits while selections are merged, for each selection that is allowed.
const STEPS_FOR_EACH_SELECTION: u64 = 8;

/// Checks all rules. Returns the number of values that the schema's defaults add to a document.
///
/// # Errors
/// If a rule is broken. At most the first [`LISTED`] errors are returned.
pub(super) fn validate(
    graph: &Graph,
    document: &ExecutableDocument,
    text: &str,
    limits: &Limits,
) -> Result<u64, Vec<Error>> {
    let (schema, bound) = (&graph.api_schema, &graph.schema);
    let mut rules = Rules { schema, bound, document, text, errors: Vec::new() };
    let selections = limits.selections.bound(LimitName::Selections);
    let steps = selections.saturating_mul(STEPS_FOR_EACH_SELECTION);
    single_root_field::check(&mut rules);
    values::check(&mut rules);
    usages::check(&mut rules);
    field_selection_merging::check(&mut rules, steps);
    let most = limits.variables.bound(LimitName::Variables);
    let added = defaults::check(&mut rules, &graph.defaults, most);
    if rules.errors.is_empty() { Ok(added) } else { Err(rules.errors) }
}

/// Returns `true` for an error of Apollo's that is decided here instead. Apollo counts fields where the specification
/// counts response keys ([`single_root_field`]), and confuses null in a list with null for the list ([`values`]).
pub(super) fn is_decided_here(message: &str) -> bool {
    message.ends_with("can only have one root field") || is_misread(message)
}

impl Rules<'_> {
    fn report(&mut self, at: Option<SourceSpan>, message: String) {
        if self.errors.len() == LISTED {
            return;
        }
        let locations = at.map(|at| Location::of(self.text, at.offset())).into_iter().collect();
        let error = Error::new(ErrorCode::ValidationFailed, short(message));
        self.errors.push(Error { locations, ..error });
    }
}

/// Arguments of a field or a directive, and their definitions.
struct GivenArguments<'a> {
    definitions: &'a [Node<InputValueDefinition>],
    arguments: &'a [Node<Argument>],
}

impl<'a> GivenArguments<'a> {
    /// Returns each argument that exists, with its definition.
    fn pairs(&self) -> impl Iterator<Item = (&'a InputValueDefinition, &'a Node<Argument>)> {
        let definitions = self.definitions;
        self.arguments.iter().filter_map(move |argument| {
            let definition = definitions.iter().find(|one| one.name == argument.name)?;
            Some((&**definition, argument))
        })
    }
}

/// Visits the arguments of all fields and directives of a selection set, without spread fragments. The recursion is as
/// deep as the parser allows.
fn visit<'a>(schema: &'a Schema, set: &'a SelectionSet, see: &mut impl FnMut(GivenArguments<'a>)) {
    for selection in &set.selections {
        visit_directives(schema, selection.directives(), see);
        match selection {
            Selection::Field(field) => {
                let definitions = &field.definition.arguments;
                see(GivenArguments { definitions, arguments: &field.arguments });
                visit(schema, &field.selection_set, see);
            }
            Selection::InlineFragment(fragment) => visit(schema, &fragment.selection_set, see),
            Selection::FragmentSpread(_) => {}
        }
    }
}

fn visit_directives<'a>(
    schema: &'a Schema,
    directives: &'a DirectiveList,
    see: &mut impl FnMut(GivenArguments<'a>),
) {
    for directive in directives {
        if let Some(definition) = schema.directive_definitions.get(&directive.name) {
            see(GivenArguments {
                definitions: &definition.arguments,
                arguments: &directive.arguments,
            });
        }
    }
}
