//! How much an operation asks of the gateway before it asks anything of a source, counted in one pass over the syntax
//! tree. Fragments are counted once and multiplied, so thirty that spread each other twice are thirty steps here.

use crate::engine::guard::limits::{LimitName, Verdict};
use crate::engine::settings::Limits;
use crate::graphql::{Error, ErrorCode};
use apollo_compiler::Name;
use apollo_compiler::ast::{Definition, Document, Selection};
use hashbrown::{HashMap, HashSet};

/// What a selection set comes to, fragments expanded. All sums saturate.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Measure {
    /// Levels of fields, introspection aside.
    depth: usize,
    aliases: usize,
    directives: usize,
    selections: usize,
    /// Fields on the first level.
    fields: usize,
}

/// Holds every operation and fragment of a document against the limits.
///
/// # Errors
/// Nesting that nobody should look at any further.
pub(super) fn check(
    document: &Document,
    limits: &Limits,
    verdict: &mut Verdict,
) -> Result<(), Vec<Error>> {
    let fragments = document
        .definitions
        .iter()
        .filter_map(|definition| match definition {
            Definition::FragmentDefinition(fragment) => {
                Some((&fragment.name, &*fragment.selection_set))
            }
            _ => None,
        })
        .collect();
    let mut meter =
        Meter { fragments, known: HashMap::new(), open: HashSet::new(), level: 0, too_deep: false };
    for definition in &document.definitions {
        let measure = match definition {
            Definition::OperationDefinition(operation) => {
                let mut measure = meter.set(&operation.selection_set);
                measure.directives = measure.directives.saturating_add(operation.directives.len());
                measure
            }
            // Validation looks at fragments that no operation uses, too.
            Definition::FragmentDefinition(fragment) => {
                Measure { fields: 0, ..meter.set(&fragment.selection_set) }
            }
            _ => continue,
        };
        if meter.too_deep {
            let message = format!("the document nests selections more than {MAX_LEVELS} deep");
            return Err(vec![Error::new(ErrorCode::LimitExceeded, message)]);
        }
        compare(measure, limits, verdict);
        if !verdict.errors.is_empty() {
            break;
        }
    }
    Ok(())
}

fn compare(measure: Measure, limits: &Limits, verdict: &mut Verdict) {
    for (name, what, found, limit) in [
        (LimitName::Depth, "levels of fields", measure.depth, limits.depth),
        (LimitName::RootFields, "root fields", measure.fields, limits.root_fields),
        (LimitName::Aliases, "aliases", measure.aliases, limits.aliases),
        (LimitName::Directives, "directives", measure.directives, limits.directives),
        (LimitName::Selections, "selections", measure.selections, limits.selections),
    ] {
        verdict.hold(name, limit, found as u64, || {
            let (max, setting) = (limit.max, name.as_str());
            format!("the operation has more than {max} {what} (limits.{setting})")
        });
    }
}

/// Levels of selection sets, fragments expanded, that are looked at.
const MAX_LEVELS: usize = 500;

struct Meter<'a> {
    fragments: HashMap<&'a Name, &'a [Selection]>,
    known: HashMap<&'a Name, Measure>,
    /// Fragments being measured: one that comes back to itself counts nothing here, and validation refuses it.
    open: HashSet<&'a Name>,
    level: usize,
    too_deep: bool,
}

impl<'a> Meter<'a> {
    fn set(&mut self, selections: &'a [Selection]) -> Measure {
        if self.level == MAX_LEVELS {
            self.too_deep = true;
            return Measure::default();
        }
        self.level += 1;
        let mut total = Measure::default();
        for selection in selections {
            total = total.beside(match selection {
                Selection::Field(field) => {
                    let below = self.set(&field.selection_set);
                    let introspects = matches!(field.name.as_str(), "__schema" | "__type");
                    Measure {
                        depth: if introspects { 1 } else { below.depth.saturating_add(1) },
                        aliases: below.aliases.saturating_add(field.alias.is_some().into()),
                        directives: below.directives.saturating_add(field.directives.len()),
                        selections: below.selections.saturating_add(1),
                        fields: 1,
                    }
                }
                Selection::InlineFragment(fragment) => {
                    self.set(&fragment.selection_set).within(fragment.directives.len())
                }
                Selection::FragmentSpread(spread) => {
                    self.fragment(&spread.fragment_name).within(spread.directives.len())
                }
            });
        }
        self.level -= 1;
        total
    }

    fn fragment(&mut self, name: &'a Name) -> Measure {
        if let Some(known) = self.known.get(name) {
            return *known;
        }
        let Some(selections) = self.fragments.get(name).copied() else {
            return Measure::default();
        };
        if !self.open.insert(name) {
            return Measure::default();
        }
        let measure = self.set(selections);
        self.open.remove(name);
        self.known.insert(name, measure);
        measure
    }
}

impl Measure {
    fn beside(self, other: Self) -> Self {
        Self {
            depth: self.depth.max(other.depth),
            aliases: self.aliases.saturating_add(other.aliases),
            directives: self.directives.saturating_add(other.directives),
            selections: self.selections.saturating_add(other.selections),
            fields: self.fields.saturating_add(other.fields),
        }
    }

    fn within(self, directives: usize) -> Self {
        Self {
            directives: self.directives.saturating_add(directives),
            selections: self.selections.saturating_add(1),
            ..self
        }
    }
}

/// What a document's text comes to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Extent {
    /// The deepest nesting of brackets.
    pub nesting: usize,
    /// Names, numbers, strings and signs (GraphQL spec, section 2.1.6).
    pub tokens: usize,
    /// Runs of white space, commas and comments. They mean nothing, and cost the parser as much as tokens do.
    pub ignored: usize,
}

/// Ignored pieces that a text may have for each token that it may have. Written out, a text has one or two.
const IGNORED_FOR_EACH_TOKEN: usize = 8;

impl Extent {
    /// More than any document that is meant well and has `most` tokens.
    pub fn exceeds(self, most: usize) -> bool {
        self.tokens > most || self.ignored > most.saturating_mul(IGNORED_FOR_EACH_TOKEN)
    }
}

/// Looks at the text alone, so that no parser has to be trusted with what is too much; a string that is not closed ends
/// with its line, as in the lexer. Goes no further than to the end of what is allowed.
pub(super) fn extent(text: &str, most: usize) -> Extent {
    let bytes = text.as_bytes();
    let (mut extent, mut depth, mut at) = (Extent::default(), 0_usize, 0);
    while let Some(byte) = bytes.get(at).filter(|_| !extent.exceeds(most)) {
        let rest = &bytes[at..];
        if b" \t\r\n,#".contains(byte) {
            extent.ignored += 1;
        } else {
            extent.tokens += 1;
        }
        at += match byte {
            b' ' | b'\t' | b'\r' | b'\n' => length_until(rest, |byte| !b" \t\r\n".contains(&byte)),
            b'{' | b'[' | b'(' => {
                depth += 1;
                extent.nesting = extent.nesting.max(depth);
                1
            }
            b'}' | b']' | b')' => {
                depth = depth.saturating_sub(1);
                1
            }
            b'#' => length_until(rest, |byte| byte == b'\n' || byte == b'\r'),
            b'"' => string_length(rest),
            b'.' => length_until(rest, |byte| byte != b'.'),
            b'-' | b'0'..=b'9' => {
                let inside = |byte: u8| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte);
                length_until(rest, |byte| !inside(byte))
            }
            b'_' | b'a'..=b'z' | b'A'..=b'Z' => {
                length_until(rest, |byte| byte != b'_' && !byte.is_ascii_alphanumeric())
            }
            _ => 1,
        };
    }
    extent
}

fn length_until(bytes: &[u8], end: impl Fn(u8) -> bool) -> usize {
    bytes.iter().position(|byte| end(*byte)).unwrap_or(bytes.len())
}

/// The length of the string, or block string, that begins here.
fn string_length(bytes: &[u8]) -> usize {
    let block = bytes.starts_with(b"\"\"\"");
    let mut at = if block { 3 } else { 1 };
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'\\' if block && bytes[at..].starts_with(b"\\\"\"\"") => at += 4,
            b'\\' if !block => at += 2,
            b'"' if block && bytes[at..].starts_with(b"\"\"\"") => return at + 3,
            b'"' if !block => return at + 1,
            b'\n' | b'\r' if !block => return at,
            _ => at += 1,
        }
    }
    bytes.len()
}
