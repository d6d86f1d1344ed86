//! Parses YAML text into a tree in which every node has its place in the file.
//!
//! Built from the parser's events with its own stack, because no existing tree does all of this: it detects duplicate
//! keys (with both places), limits nesting, and refuses anchors and aliases, with which a few lines become gigabytes.
//! Scalars stay text: their key decides how a text is parsed.

use crate::problem::{Place, Problem, SourceFile};
use saphyr_parser::{Event, Parser, ScalarStyle, Span};
use std::ops::Range;
use std::sync::Arc;

/// Maximum depth of lists and mappings.
const MAX_DEPTH: usize = 64;

/// One value and its place.
#[derive(Debug)]
pub(super) struct Node {
    pub kind: Kind,
    pub span: Range<usize>,
}

#[derive(Debug)]
pub(super) enum Kind {
    Scalar(Scalar),
    List(Vec<Node>),
    Mapping(Vec<Entry>),
}

#[derive(Debug)]
pub(super) struct Scalar {
    pub text: String,
    /// Not quoted: `true`, `1` and `null` are not strings.
    pub plain: bool,
}

/// A key and its value.
#[derive(Debug)]
pub(super) struct Entry {
    pub key: String,
    pub key_span: Range<usize>,
    pub value: Node,
}

/// A list or mapping that is still open.
enum Open {
    List(Vec<Node>, usize),
    Mapping { entries: Vec<Entry>, key: Option<(String, Range<usize>)>, start: usize },
}

impl Scalar {
    /// Returns whether the node is empty, `~` or `null`.
    pub(super) fn is_null(&self) -> bool {
        self.plain && matches!(self.text.as_str(), "" | "~" | "null" | "Null" | "NULL")
    }
}

/// Parses the one document in `file`; an empty file is an empty mapping. Problems that do not depend on each other are
/// all reported. Text that is not YAML ends the parsing.
pub(super) fn parse(file: &Arc<SourceFile>, problems: &mut Vec<Problem>) -> Option<Node> {
    let mut builder = Builder {
        file,
        offsets: Offsets::new(&file.text),
        problems,
        open: Vec::new(),
        root: None,
        documents: 0,
    };
    for event in Parser::new_from_str(&file.text) {
        match event {
            Ok((event, span)) => builder.event(event, span)?,
            Err(error) => {
                let at = builder.offsets.byte(error.marker().index());
                let message = format!("this is not valid YAML: {}", error.info());
                let help = syntax_help(&file.text, at);
                builder.problem("yaml-syntax", message, at..at, Some(help.to_owned()));
                return None;
            }
        }
    }
    let end = file.text.len();
    builder.root.or(Some(Node { kind: Kind::Mapping(Vec::new()), span: end..end }))
}

/// Returns the most likely fix of a syntax error at `at`.
fn syntax_help(text: &str, at: usize) -> &'static str {
    let line = text.get(..at).unwrap_or_default().rfind('\n').map_or(0, |newline| newline + 1);
    let line = text.get(line..).unwrap_or_default().lines().next().unwrap_or_default();
    let blanks = line.len() - line.trim_start().len();
    if line[..blanks].contains('\t') {
        "indent with spaces, not with tabs"
    } else if line.contains("{{") || line.contains("${") {
        "put a value with braces in quotes: `\"${URL}\"`"
    } else {
        "check the indentation and the quotes here and in the line above"
    }
}

/// Returns the tree of a text that is not YAML.
pub(super) fn empty() -> Node {
    Node { kind: Kind::Mapping(Vec::new()), span: 0..0 }
}

struct Builder<'a> {
    file: &'a Arc<SourceFile>,
    offsets: Offsets,
    problems: &'a mut Vec<Problem>,
    open: Vec<Open>,
    root: Option<Node>,
    documents: usize,
}

impl Builder<'_> {
    /// Handles one event; `None` ends the parsing.
    fn event(&mut self, event: Event<'_>, span: Span) -> Option<()> {
        let range = self.offsets.range(span);
        match event {
            Event::DocumentStart(_) => {
                self.documents += 1;
                if self.documents > 1 {
                    let message = "a configuration must have only one YAML document, but a second one begins here";
                    self.problem("yaml-documents", message, range, None);
                    return None;
                }
            }
            Event::Alias(_) => {
                self.anchors(&range);
                self.value(Node { kind: Kind::Scalar(Scalar::null()), span: range });
            }
            Event::Scalar(text, style, anchor, tag) => {
                self.marks(anchor, tag.is_some(), &range);
                let plain = style == ScalarStyle::Plain;
                let scalar = Scalar { text: text.into_owned(), plain };
                self.value(Node { kind: Kind::Scalar(scalar), span: range });
            }
            Event::SequenceStart(anchor, tag) => {
                self.marks(anchor, tag.is_some(), &range);
                self.enter(Open::List(Vec::new(), range.start), range)?;
            }
            Event::MappingStart(anchor, tag) => {
                self.marks(anchor, tag.is_some(), &range);
                let start = range.start;
                self.enter(Open::Mapping { entries: Vec::new(), key: None, start }, range)?;
            }
            Event::SequenceEnd | Event::MappingEnd => self.leave(range.end),
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => {}
        }
        Some(())
    }

    fn enter(&mut self, open: Open, range: Range<usize>) -> Option<()> {
        if self.open.len() >= MAX_DEPTH {
            let message = format!("more than {MAX_DEPTH} levels of nesting");
            self.problem("yaml-depth", message, range, None);
            return None;
        }
        self.open.push(open);
        Some(())
    }

    fn leave(&mut self, end: usize) {
        let node = match self.open.pop() {
            Some(Open::List(nodes, start)) => {
                Node { kind: Kind::List(nodes), span: self.first_line(start, end) }
            }
            Some(Open::Mapping { entries, start, .. }) => {
                Node { kind: Kind::Mapping(entries), span: self.first_line(start, end) }
            }
            None => return,
        };
        self.value(node);
    }

    /// Takes a finished node: as the root, an element, a key or a key's value.
    fn value(&mut self, node: Node) {
        match self.open.last_mut() {
            None => self.root = Some(node),
            Some(Open::List(nodes, _)) => nodes.push(node),
            Some(Open::Mapping { entries, key, .. }) => match key.take() {
                Some((name, key_span)) => entries.push(Entry { key: name, key_span, value: node }),
                None => self.key(node),
            },
        }
    }

    fn key(&mut self, node: Node) {
        let name = if let Kind::Scalar(scalar) = node.kind {
            scalar.text
        } else {
            let message = "a key must be a name, not a list or a mapping";
            self.problem("yaml-key", message, node.span.clone(), None);
            String::new()
        };
        let Some(Open::Mapping { entries, key, .. }) = self.open.last_mut() else { return };
        let first = entries.iter().find(|entry| entry.key == name).map(|entry| &entry.key_span);
        let first = first.map(|span| Place::new(self.file, span.clone()).line_column().0);
        *key = Some((name.clone(), node.span.clone()));
        if let Some(line) = first {
            let message = format!("duplicate key `{name}`");
            let help = format!("the first one is in line {line}; remove one of them");
            self.problem("duplicate-key", message, node.span, Some(help));
        }
    }

    fn marks(&mut self, anchor: usize, tag: bool, range: &Range<usize>) {
        if anchor != 0 {
            self.anchors(range);
        }
        if tag {
            let help = "remove the tag: the key determines the type of a value".to_owned();
            self.problem("yaml-tag", "YAML tags are not supported", range.clone(), Some(help));
        }
    }

    fn anchors(&mut self, range: &Range<usize>) {
        let help = "repeat the value at each place".to_owned();
        let message = "YAML anchors and aliases are not supported";
        self.problem("yaml-anchor", message, range.clone(), Some(help));
    }

    /// Returns the first line of a list or mapping, to which carets point.
    fn first_line(&self, start: usize, end: usize) -> Range<usize> {
        let text = self.file.text.get(start..end.max(start)).unwrap_or_default();
        let line = text.lines().next().unwrap_or_default().trim_end();
        start..start + line.len()
    }

    fn problem(
        &mut self,
        code: &'static str,
        message: impl Into<String>,
        range: Range<usize>,
        help: Option<String>,
    ) {
        let mut problem = Problem::error(code, message).at(Place::new(self.file, range));
        problem.help = help;
        self.problems.push(problem);
    }
}

impl Scalar {
    fn null() -> Self {
        Self { text: String::new(), plain: true }
    }
}

/// Converts the parser's character positions to byte offsets.
struct Offsets {
    /// `None`: the text is ASCII, so both are the same.
    of_character: Option<Vec<usize>>,
    len: usize,
}

impl Offsets {
    fn new(text: &str) -> Self {
        let of_character =
            (!text.is_ascii()).then(|| text.char_indices().map(|(byte, _)| byte).collect());
        Self { of_character, len: text.len() }
    }

    fn byte(&self, character: usize) -> usize {
        match &self.of_character {
            Some(bytes) => bytes.get(character).copied().unwrap_or(self.len),
            None => character.min(self.len),
        }
    }

    fn range(&self, span: Span) -> Range<usize> {
        let start = self.byte(span.start.index());
        start..self.byte(span.end.index()).max(start)
    }
}
