//! "Field Selection Merging" (GraphQL spec, section 5.3.2), for the cases that `apollo-compiler` accepts although the
//! arguments differ. It compares lists only up to the length of the shorter one, and ignores if a string is a block
//! string (the specification compares values as they are written).
//!
//! In most documents, no two fields of one response key have lists or block strings that differ. One walk proves that.
//! In all others, selection sets are merged as the specification says, within a budget of steps.

use super::Rules;
use crate::graphql::{Error, ErrorCode};
use apollo_compiler::ast::Value;
use apollo_compiler::executable::{Argument, ExecutableDocument, Field, Selection, SelectionSet};
use apollo_compiler::parser::SourceSpan;
use apollo_compiler::{Node, Schema};
use hashbrown::{HashMap, HashSet};
use indexmap::IndexMap;

pub(super) fn check(rules: &mut Rules<'_>, steps: u64) {
    let (schema, document) = (rules.schema, rules.document);
    let written = Written { text: rules.text, blocks: rules.text.contains(BLOCK) };
    if !any_differ(document, written) {
        return;
    }
    let mut merging = FieldMerge { schema, document, written, steps, found: Vec::new() };
    for operation in document.operations.iter() {
        merging.sets(&[&operation.selection_set]);
    }
    for fragment in document.fragments.values() {
        merging.sets(&[&fragment.selection_set]);
    }
    let FieldMerge { steps, mut found, .. } = merging;
    found.sort_by_key(|(at, _)| at.map(|at| at.offset()));
    found.dedup();
    for (at, message) in found {
        rules.report(at, message);
    }
    if steps == 0 && rules.errors.is_empty() {
        let message = "too many selections merge to compare all of their arguments";
        rules.errors.push(Error::new(ErrorCode::LimitExceeded, message));
    }
}

/// Opens a block string.
const BLOCK: &str = "\"\"\"";

/// The text that values are written in.
#[derive(Clone, Copy)]
struct Written<'a> {
    text: &'a str,
    /// The text may have block strings.
    blocks: bool,
}

/// Returns `true` if any two fields of one response key, anywhere in the document, have lists or block strings that
/// differ.
fn any_differ(document: &ExecutableDocument, written: Written<'_>) -> bool {
    let mut first: HashMap<&str, &Field> = HashMap::new();
    let operations = document.operations.iter().map(|operation| &operation.selection_set);
    let fragments = document.fragments.values().map(|fragment| &fragment.selection_set);
    operations.chain(fragments).any(|set| differs(set, written, &mut first))
}

fn differs<'a>(
    set: &'a SelectionSet,
    written: Written<'_>,
    first: &mut HashMap<&'a str, &'a Field>,
) -> bool {
    set.selections.iter().any(|selection| match selection {
        Selection::Field(field) => {
            let known = field
                .arguments
                .iter()
                .any(|argument| written.may_differ(&argument.value))
                .then(|| *first.entry(field.response_key()).or_insert(field));
            known.is_some_and(|known| !written.same_arguments(&known.arguments, &field.arguments))
                || differs(&field.selection_set, written, first)
        }
        Selection::InlineFragment(fragment) => differs(&fragment.selection_set, written, first),
        Selection::FragmentSpread(_) => false,
    })
}

struct FieldMerge<'a> {
    schema: &'a Schema,
    document: &'a ExecutableDocument,
    written: Written<'a>,
    /// Number of fields that may still be visited.
    steps: u64,
    found: Vec<(Option<SourceSpan>, String)>,
}

/// A field, and the type that it is selected on.
type SelectedField<'a> = (&'a str, &'a Field);

impl<'a> FieldMerge<'a> {
    /// Compares all fields of one response key, then their merged selections. The recursion is as deep as the parser
    /// allows, including fragments.
    fn sets(&mut self, sets: &[&'a SelectionSet]) {
        let mut keys: IndexMap<&str, Vec<SelectedField<'a>>> = IndexMap::new();
        let mut spread = HashSet::new();
        for set in sets {
            self.expand(set, &mut spread, &mut keys);
        }
        for fields in keys.values() {
            for group in self.groups(fields) {
                let Some(((_, first), rest)) = group.split_first() else { continue };
                for (_, field) in rest {
                    if !self.written.same_arguments(&first.arguments, &field.arguments) {
                        let key = field.response_key();
                        let at = field.name.location();
                        let message = format!("the fields `{key}` have different arguments");
                        self.found.push((at, format!("{message}: use an alias for one of them")));
                    }
                }
                let inner: Vec<_> = group.iter().map(|(_, field)| &field.selection_set).collect();
                if group.len() > 1 || inner.iter().any(|set| !set.selections.is_empty()) {
                    self.sets(&inner);
                }
            }
        }
    }

    fn expand(
        &mut self,
        set: &'a SelectionSet,
        spread: &mut HashSet<&'a str>,
        keys: &mut IndexMap<&'a str, Vec<SelectedField<'a>>>,
    ) {
        for selection in &set.selections {
            self.steps = self.steps.saturating_sub(1);
            if self.steps == 0 {
                return;
            }
            match selection {
                Selection::Field(field) => {
                    keys.entry(field.response_key()).or_default().push((&set.ty, field));
                }
                Selection::InlineFragment(fragment) => {
                    self.expand(&fragment.selection_set, spread, keys);
                }
                Selection::FragmentSpread(fragment) => {
                    if spread.insert(&fragment.fragment_name)
                        && let Some(fragment) = fragment.fragment_def(self.document)
                    {
                        self.expand(&fragment.selection_set, spread, keys);
                    }
                }
            }
        }
    }

    /// Groups the fields that one object can have: those of its type, and those of abstract types.
    fn groups(&self, fields: &[SelectedField<'a>]) -> Vec<Vec<SelectedField<'a>>> {
        let is_object = |ty: &str| self.schema.get_object(ty).is_some();
        let mut objects: Vec<&str> =
            fields.iter().map(|(ty, _)| *ty).filter(|ty| is_object(ty)).collect();
        objects.sort_unstable();
        objects.dedup();
        if objects.is_empty() {
            return vec![fields.to_vec()];
        }
        let of = |object: &&str| {
            let can = |(ty, _): &&SelectedField<'a>| ty == object || !is_object(ty);
            fields.iter().filter(can).copied().collect()
        };
        objects.iter().map(of).collect()
    }
}

impl Written<'_> {
    /// Returns `true` if Apollo may consider the value equal to a different one.
    fn may_differ(self, value: &Value) -> bool {
        match value {
            Value::List(_) => true,
            Value::String(_) => self.blocks,
            Value::Object(fields) => fields.iter().any(|(_, value)| self.may_differ(value)),
            _ => false,
        }
    }

    fn same_arguments(self, left: &[Node<Argument>], right: &[Node<Argument>]) -> bool {
        left.len() == right.len()
            && left.iter().all(|one| {
                let other = right.iter().find(|other| other.name == one.name);
                other.is_some_and(|other| self.same_value(&one.value, &other.value))
            })
    }

    fn same_value(self, left: &Node<Value>, right: &Node<Value>) -> bool {
        match (&**left, &**right) {
            (Value::List(left), Value::List(right)) => {
                let mut pairs = left.iter().zip(right);
                left.len() == right.len() && pairs.all(|(left, right)| self.same_value(left, right))
            }
            (Value::Object(left), Value::Object(right)) => {
                let same = |(name, value): &(apollo_compiler::Name, Node<Value>)| {
                    let other = right.iter().find(|(other, _)| other == name);
                    other.is_some_and(|(_, other)| self.same_value(value, other))
                };
                left.len() == right.len() && left.iter().all(same)
            }
            (Value::String(one), Value::String(other)) => {
                one == other && self.is_block(left) == self.is_block(right)
            }
            (left, right) => left == right,
        }
    }

    fn is_block(self, value: &Node<Value>) -> bool {
        let text = value.location().and_then(|at| self.text.get(at.offset()..));
        self.blocks && text.is_some_and(|text| text.starts_with(BLOCK))
    }
}
