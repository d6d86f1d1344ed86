//! Reads one mapping of the YAML: known keys become settings, everything else becomes problems.
//!
//! If a value cannot be read, the setting keeps its default and a problem is added. Reading always continues to the
//! end, so every mistake is shown at once.

use super::env;
use super::keys::{self, Known};
use super::spellings;
use super::values::{Mistake, Read};
use super::yaml::{Entry, Kind, Node, Scalar};
use crate::problem::{Place, Problem, SourceFile, nearest};
use std::cell::RefCell;
use std::ops::Range;
use std::sync::Arc;

/// State shared by all sections of one file.
pub(super) struct Reading<'a> {
    pub file: &'a Arc<SourceFile>,
    pub env: &'a dyn Fn(&str) -> Option<String>,
    pub problems: RefCell<Vec<Problem>>,
}

/// One mapping of the YAML.
pub(super) struct Section<'a> {
    pub reading: &'a Reading<'a>,
    /// Path with `*` for chosen names, as in the table of keys.
    path: String,
    /// Path as the user wrote it.
    shown: String,
    entries: &'a [Entry],
    /// Span of the mapping's first line.
    pub span: Range<usize>,
}

impl<'a> Reading<'a> {
    pub(super) fn problem(&self, code: &'static str, span: &Range<usize>, mistake: Mistake) {
        let mut problem = Problem::error(code, mistake.message);
        problem.help = mistake.help;
        self.problems.borrow_mut().push(problem.at(Place::new(self.file, span.clone())));
    }

    /// Adds a warning: the value is valid, but may not do what its author expects.
    pub(super) fn warning(&self, code: &'static str, span: &Range<usize>, mistake: Mistake) {
        let mut problem = Problem::warning(code, mistake.message);
        problem.help = mistake.help;
        self.problems.borrow_mut().push(problem.at(Place::new(self.file, span.clone())));
    }

    /// Returns the mapping at the top.
    pub(super) fn top(&'a self, root: &'a Node) -> Section<'a> {
        Section::open(self, String::new(), String::new(), root)
    }

    /// Expands the environment variables of a scalar; `None` with problems added.
    pub(super) fn expand(&self, scalar: &Scalar, span: &Range<usize>) -> Option<Scalar> {
        match env::expand(&scalar.text, self.env) {
            Ok(text) => Some(Scalar { text, plain: scalar.plain }),
            Err(mistakes) => {
                for mistake in mistakes {
                    let at = self.find(&mistake.piece, span);
                    let help = Some(mistake.help);
                    self.problem("environment", &at, Mistake { message: mistake.message, help });
                }
                None
            }
        }
    }

    /// Like [`Reading::expand`]; also returns the values of the environment that were used.
    pub(super) fn expand_tracked(
        &self,
        scalar: &Scalar,
        span: &Range<usize>,
    ) -> (Option<Scalar>, Vec<String>) {
        let used = RefCell::new(Vec::new());
        let env = |name: &str| {
            let value = (self.env)(name);
            used.borrow_mut().extend(value.clone().filter(|value| !value.is_empty()));
            value
        };
        let tracked = Reading { file: self.file, env: &env, problems: RefCell::default() };
        let expanded = tracked.expand(scalar, span);
        self.problems.borrow_mut().append(&mut tracked.problems.into_inner());
        (expanded, used.into_inner())
    }

    /// Returns the place of a part inside a value, if the file contains it literally.
    fn find(&self, piece: &str, span: &Range<usize>) -> Range<usize> {
        let text = self.file.text.get(span.clone()).unwrap_or_default();
        match text.find(piece) {
            Some(at) => span.start + at..span.start + at + piece.len(),
            None => span.clone(),
        }
    }
}

impl<'a> Section<'a> {
    fn open(reading: &'a Reading<'a>, path: String, shown: String, node: &'a Node) -> Self {
        let mut entries: &[Entry] = &[];
        match &node.kind {
            Kind::Mapping(found) => entries = found,
            Kind::Scalar(scalar) if scalar.is_null() => {}
            _ => {
                let message = match shown.as_str() {
                    "" => "the configuration must be a mapping of keys to values".to_owned(),
                    _ => format!("`{shown}` must be a mapping of keys to values"),
                };
                let names = keys::children(&path).join("`, `");
                let help = (!path.ends_with('*')).then(|| format!("valid here: `{names}`"));
                reading.problem("wrong-type", &node.span, Mistake { message, help });
            }
        }
        Self { reading, path, shown, entries, span: node.span.clone() }
    }

    /// Returns keys and values as written, for mappings whose keys the user chooses.
    pub(super) fn entries(&self) -> &'a [Entry] {
        self.entries
    }

    /// Returns the mapping below an entry whose key the user chose.
    pub(super) fn named(&self, entry: &'a Entry) -> Section<'a> {
        let path = join(&self.path, "*");
        Section::open(self.reading, path, join(&self.shown, &entry.key), &entry.value)
    }

    /// Adds a problem for every unknown key.
    pub(super) fn check_keys(&self) {
        for entry in self.entries {
            let mistake = match keys::known(&join(&self.path, &entry.key)) {
                Known::Yes => continue,
                Known::Later => Mistake {
                    message: format!("this version does not have `{}` yet", entry.key),
                    help: Some("remove it".to_owned()),
                },
                Known::Elsewhere(place) => Mistake {
                    message: self.unknown(entry),
                    help: Some(self.named_here(&format!("use `{place}`"))),
                },
                Known::No => {
                    let ours =
                        spellings::ours(&self.path, &entry.key).map(|ours| self.named_here(ours));
                    let help = ours.unwrap_or_else(|| self.hint(&entry.key));
                    Mistake { message: self.unknown(entry), help: Some(help) }
                }
            };
            let later = mistake.message.starts_with("this version");
            let code = if later { "later-version" } else { "unknown-key" };
            self.reading.problem(code, &entry.key_span, mistake);
        }
    }

    fn unknown(&self, entry: &Entry) -> String {
        match self.shown.as_str() {
            "" => format!("unknown key `{}`", entry.key),
            shown => format!("unknown key `{}` in `{shown}`", entry.key),
        }
    }

    fn hint(&self, key: &str) -> String {
        let known = keys::children(&self.path);
        match nearest(key, known.iter().copied()) {
            Some(name) => format!("did you mean `{name}`?"),
            None => format!("valid here: `{}`", known.join("`, `")),
        }
    }

    pub(super) fn get(&self, key: &str) -> Option<&'a Node> {
        debug_assert!(
            matches!(keys::known(&join(&self.path, key)), Known::Yes),
            "the key {key} is missing in the table"
        );
        self.entries.iter().find(|entry| entry.key == key).map(|entry| &entry.value)
    }

    /// Returns the mapping under `key`, if there is one.
    pub(super) fn section(&self, key: &str) -> Option<Section<'a>> {
        let node = self.get(key)?;
        let section =
            Section::open(self.reading, join(&self.path, key), join(&self.shown, key), node);
        Some(section)
    }

    /// Returns the mappings of the list under `key`, each by its number. A single mapping counts as a list of one.
    pub(super) fn list(&self, key: &str) -> Vec<Section<'a>> {
        let Some(node) = self.get(key) else { return Vec::new() };
        let elements = match &node.kind {
            Kind::List(elements) => elements.as_slice(),
            _ => std::slice::from_ref(node),
        };
        let path = format!("{}[]", join(&self.path, key));
        let open = |(number, element): (usize, &'a Node)| {
            let shown = format!("{}[{number}]", join(&self.shown, key));
            let section = Section::open(self.reading, path.clone(), shown, element);
            // Invalid mappings are already reported.
            matches!(element.kind, Kind::Mapping(_)).then_some(section)
        };
        elements.iter().enumerate().filter_map(open).collect()
    }

    /// Returns the value under `key`, or adds a problem.
    pub(super) fn required(&self, key: &str) -> Option<&'a Node> {
        let node = self.get(key);
        if node.is_none() && !self.is_misspelt(key) {
            let path = join(&self.path, key);
            let help = keys::example(&path).map(|example| format!("add `{key}: {example}`"));
            let message = format!("`{key}` is missing");
            let mistake = Mistake { message, help };
            self.reading.problem("missing-key", &self.span, mistake);
        }
        node
    }

    /// Returns whether an unknown key of this section, which is reported, stands for `key`.
    pub(super) fn is_misspelt(&self, key: &str) -> bool {
        let suffix = format!(".{key}`");
        let stands_for = |entry: &Entry| {
            let is_unknown = !matches!(keys::known(&join(&self.path, &entry.key)), Known::Yes);
            let ours = spellings::ours(&self.path, &entry.key);
            let is_near = || nearest(&entry.key, keys::children(&self.path)) == Some(key);
            is_unknown && ours.map_or_else(is_near, |ours| ours.contains(&suffix))
        };
        self.entries.iter().any(stands_for)
    }

    /// Returns a text of the table of keys with the name of this section's source.
    fn named_here(&self, text: &str) -> String {
        let mut steps = self.shown.split('.');
        match (steps.next(), steps.next()) {
            (Some("sources"), Some(name)) => text.replace("sources.*", &format!("sources.{name}")),
            _ => text.to_owned(),
        }
    }

    /// Reads the scalar under `key` into a setting.
    pub(super) fn read<T>(&self, key: &str, into: &mut T, value: impl Fn(&Scalar) -> Read<T>) {
        if let Some(read) = self.get(key).and_then(|node| self.scalar(node, value)) {
            *into = read;
        }
    }

    /// Reads the list under `key`; a single value counts as a list of one.
    pub(super) fn read_list<T>(
        &self,
        key: &str,
        into: &mut Vec<T>,
        value: impl Fn(&Scalar) -> Read<T>,
    ) {
        let Some(node) = self.get(key) else { return };
        let elements = match &node.kind {
            Kind::List(elements) => elements.as_slice(),
            _ => std::slice::from_ref(node),
        };
        *into = elements.iter().filter_map(|element| self.scalar(element, &value)).collect();
    }

    /// Returns the places of the elements of the list under `key`. A single value counts as a list of one.
    pub(super) fn places(&self, key: &str) -> Vec<Place> {
        let elements = match self.get(key) {
            Some(Node { kind: Kind::List(elements), .. }) => elements.as_slice(),
            Some(node) => std::slice::from_ref(node),
            None => &[],
        };
        elements.iter().map(|element| self.place(&element.span)).collect()
    }

    pub(super) fn place(&self, span: &Range<usize>) -> Place {
        Place::new(self.reading.file, span.clone())
    }

    /// Reads a scalar as a value, or adds a problem.
    pub(super) fn scalar<T>(&self, node: &Node, value: impl Fn(&Scalar) -> Read<T>) -> Option<T> {
        let Kind::Scalar(scalar) = &node.kind else {
            let found = if matches!(node.kind, Kind::List(_)) { "a list" } else { "a mapping" };
            let message = format!("expected a single value, found {found}");
            let help = Some("write one value".to_owned());
            self.reading.problem("wrong-type", &node.span, Mistake { message, help });
            return None;
        };
        let expanded = self.reading.expand(scalar, &node.span)?;
        match value(&expanded) {
            Ok(read) => Some(read),
            Err(mistake) => {
                self.reading.problem("wrong-value", &node.span, mistake);
                None
            }
        }
    }
}

fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}
