//! Plain words: idioms that readers stumble over are rare, and item docs begin with a noun or a verb.
//!
//! These are shares of the whole repository, not rules for a line: each idiom has a sentence that needs it.

/// Idioms for which the field has a term.
const IDIOMS: &[&str] = &[
    "nobody",
    "whoever",
    "somebody",
    "anew",
    "mend",
    "goes along",
    "go along",
    "made ready",
    "under way",
    "is told",
    "are told",
];

/// First words of docs that leave out what an item is.
const RELATIVE: &[&str] =
    &["What", "How", "Whether", "Where", "Of", "Who", "Which", "Whom", "Whose"];

/// Counts of a text, or of many.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Prose {
    pub words: usize,
    pub idioms: usize,
    pub items: usize,
    pub relative: usize,
}

impl Prose {
    pub fn add(&mut self, other: Self) {
        self.words += other.words;
        self.idioms += other.idioms;
        self.items += other.items;
        self.relative += other.relative;
    }
}

/// Counts the prose of a page.
pub fn of_page(text: &str) -> Prose {
    let words: Vec<String> = text
        .split(|c: char| !(c.is_alphanumeric() || c == '_' || c == '\''))
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
        .collect();
    let joined = format!(" {} ", words.join(" "));
    let idioms = IDIOMS.iter().map(|idiom| joined.matches(&format!(" {idiom} ")).count()).sum();
    Prose { words: words.len(), idioms, ..Prose::default() }
}

/// Counts the comments of a source file, and its item docs.
pub fn of_comments(text: &str) -> Prose {
    let comment = |line: &str| line.trim_start().strip_prefix("//").map(str::to_owned);
    let comments: Vec<String> = text.lines().filter_map(comment).collect();
    let mut prose = of_page(&comments.join("\n"));
    let mut before = "";
    for line in text.lines().map(str::trim_start) {
        if let Some(doc) = line.strip_prefix("/// ").filter(|_| !before.starts_with("///")) {
            prose.items += 1;
            let first = doc.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default();
            prose.relative += usize::from(RELATIVE.contains(&first));
        }
        before = line;
    }
    prose
}

#[test]
fn idioms_and_relative_clauses_are_counted() {
    let page = of_page("Nobody is told. Somebody's mended mend goes\nalong.");
    assert_eq!((page.words, page.idioms), (8, 4));
    let code = "/// What it is.\n/// Where.\nlet a = \"nobody\";\n    // nobody\n/// Returns it.\n//! Of all.\n";
    let expected = Prose { words: 9, idioms: 1, items: 2, relative: 1 };
    assert_eq!(of_comments(code), expected);
}
