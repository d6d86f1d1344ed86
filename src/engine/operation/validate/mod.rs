//! Rules of the GraphQL specification (September 2025, section 5) that `apollo-compiler` lets through or knows only in
//! part, one a file, named as the specification names them.
//!
//! They run after its own validation has passed, so fields, arguments and types exist. Each reports all that it finds.

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

/// What a rule looks at, and what it found.
pub(super) struct Rules<'a> {
    /// As clients see it.
    pub schema: &'a Schema,
    /// With what clients do not see.
    pub bound: &'a Schema,
    pub document: &'a ExecutableDocument,
    pub text: &'a str,
    pub errors: Vec<Error>,
}

/// Maximum number of errors that are listed for one document.
pub(super) const LISTED: usize = 10;

/// Looks at fields while selections are merged, for each selection that is allowed.
const STEPS_FOR_EACH_SELECTION: u64 = 8;

/// Returns the number of values that the schema's defaults add to a document.
///
/// # Errors
/// The first [`LISTED`] ones of the document.
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

/// A diagnostic of Apollo's that is decided here instead: it counts fields where the specification counts response
/// keys ([`single_root_field`]), and confuses null in a list with null for the list ([`values`]).
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

/// Arguments with their definitions, as they are given to a field or a directive.
struct GivenArguments<'a> {
    definitions: &'a [Node<InputValueDefinition>],
    arguments: &'a [Node<Argument>],
}

impl<'a> GivenArguments<'a> {
    /// Each argument that exists, with its definition.
    fn pairs(&self) -> impl Iterator<Item = (&'a InputValueDefinition, &'a Node<Argument>)> {
        let definitions = self.definitions;
        self.arguments.iter().filter_map(move |argument| {
            let definition = definitions.iter().find(|one| one.name == argument.name)?;
            Some((&**definition, argument))
        })
    }
}

/// Visits the arguments of all fields and directives of a selection set, fragments spread in it left out. As deep as
/// the parser lets it be.
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
