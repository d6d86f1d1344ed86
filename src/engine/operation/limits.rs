//! Size limits of an operation, checked in one pass over the syntax tree before any call. Each fragment is measured
//! once and its measure reused, so thirty fragments that each spread the next one twice take thirty steps here.

use crate::engine::guard::limits::{LimitName, Verdict};
use crate::engine::settings::Limits;
use crate::graphql::{Error, ErrorCode};
use apollo_compiler::Name;
use apollo_compiler::ast::{Definition, Document, Selection};
use hashbrown::{HashMap, HashSet};

/// Size of a selection set with fragments expanded. All sums saturate.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Measure {
    /// Levels of fields, without introspection.
    depth: usize,
    aliases: usize,
    directives: usize,
    selections: usize,
    /// Fields on the first level.
    fields: usize,
}

/// Checks every operation and fragment of a document against the limits.
///
/// # Errors
/// If selections nest deeper than [`MAX_LEVELS`]. Exceeded limits are added to `verdict`.
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
            // Validation processes fragments that no operation uses, too.
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

/// Maximum depth of selection sets, with fragments expanded.
const MAX_LEVELS: usize = 500;

struct Meter<'a> {
    fragments: HashMap<&'a Name, &'a [Selection]>,
    known: HashMap<&'a Name, Measure>,
    /// Fragments that are being measured. A cycle counts nothing here, and validation refuses it.
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

/// Size of a document's text.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Extent {
    /// Deepest nesting of brackets.
    pub nesting: usize,
    /// Number of names, numbers, strings and punctuators (GraphQL spec, section 2.1.6).
    pub tokens: usize,
    /// Number of runs of white space, commas and comments. They mean nothing, but cost the parser as much as tokens do.
    pub ignored: usize,
}

/// Maximum number of ignored pieces for each token that a text may have. A normal text has one or two.
const IGNORED_FOR_EACH_TOKEN: usize = 8;

impl Extent {
    /// Returns `true` if the text has more tokens than `most`, or more ignored pieces than a normal document of that
    /// size.
    pub fn exceeds(self, most: usize) -> bool {
        self.tokens > most || self.ignored > most.saturating_mul(IGNORED_FOR_EACH_TOKEN)
    }
}

/// Measures the text alone, so that the parser never gets an oversized text. As in the lexer, an unclosed string ends
/// with its line. Stops once the limit is exceeded.
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

/// Returns the length of the string, or block string, that begins here.
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
