//! The table of codes, the code, the cases and the documentation agree.

use crate::graph::CODES;
use std::collections::BTreeSet;
use std::path::Path;

fn known() -> BTreeSet<String> {
    CODES.iter().map(|(code, _)| (*code).to_owned()).collect()
}

fn is_code(text: &str) -> bool {
    let is_word = |c: char| c.is_ascii_lowercase() || matches!(c, '-' | '+' | '1');
    text == "n+1" || (text.contains('-') && text.chars().all(is_word))
}

/// Collects every string of the room's sources that looks like a code.
fn in_sources(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let path = entry.path();
        let name = entry.file_name();
        if path.is_dir() {
            if name != "tests" {
                in_sources(&path, found);
            }
        } else if name != "codes.rs" {
            let text = std::fs::read_to_string(&path).unwrap();
            let strings = text.split('"').skip(1).step_by(2);
            found.extend(strings.filter(|string| is_code(string)).map(str::to_owned));
        }
    }
}

#[test]
fn the_table_lists_what_the_code_reports() {
    let mut found = BTreeSet::new();
    in_sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/graph"), &mut found);
    assert_eq!(found, known());
}

#[test]
fn every_code_has_a_case() {
    let cases: Vec<String> = super::refusals::cases().into_iter().map(|case| case.2).collect();
    // Covered by other tests: they need a folder, five hundred problems, a hundred fields, a configuration, or `@const`.
    let elsewhere =
        ["schema-file", "more-problems", "long-requirement", "no-callers", "shared-namespace"];
    for code in known().iter().filter(|code| !elsewhere.contains(&code.as_str())) {
        let start = format!("{code} at ");
        let lines = || cases.iter().flat_map(|case| case.lines());
        assert!(lines().any(|line| line.starts_with(&start)), "no case for `{code}`");
    }
}

#[test]
fn the_documentation_explains_every_code() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/schema-language.md");
    let text = std::fs::read_to_string(path).unwrap();
    let table = text.split_once("## What a load refuses").unwrap().1;
    let table = table.split_once("\n## ").map_or(table, |(table, _)| table);
    let rows = table.lines().filter_map(|line| line.strip_prefix("| `")?.split_once('`'));
    let rows: BTreeSet<String> = rows.map(|(code, _)| code.to_owned()).collect();
    assert_eq!(rows, known());
}

#[test]
fn only_the_first_five_hundred_problems_are_shown() {
    let fields: Vec<String> = (0..700).map(|n| format!("f{n}: Int")).collect();
    let fields = fields.join(" ");
    let problems = super::all(&format!("type Query {{ {fields} }}"));
    assert_eq!(problems.len(), 501);
    assert_eq!(problems[500].message, "200 more problems are not shown");
}

#[test]
fn a_denied_warning_is_an_error() {
    let mut problems = super::all(
        "type Query { a: User @rest(source: \"users\", GET: \"/a\") } type User @key(fields: \"id\") { id: ID! }",
    );
    assert!(!crate::problem::any_error(&problems));
    crate::graph::deny(&mut problems, "unserved-key");
    assert!(crate::problem::any_error(&problems));
}
