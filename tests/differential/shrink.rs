//! Cuts a case that differs until nothing more can go.
//!
//! Cuts are made in the text, since most cases are not operations: single tokens, brackets with what is in them, brackets
//! alone, and runs of these.

use super::case::Case;
use super::tokens::{end_of, is_ignored, split};

/// Tokens, or brackets with what is in them, that one cut takes at most.
const PIECES: usize = 8;

/// Every case that is one cut smaller, from the front to the back, of each place the largest cut first.
pub fn smaller(case: &Case) -> Vec<Case> {
    let mut found: Vec<Case> = Vec::new();
    for text in cuts(&case.text) {
        found.push(Case { text, ..case.clone() });
    }
    for variables in cuts(&case.variables).into_iter().map(|text| without_loose_commas(&text)) {
        let object = serde_json::from_str::<serde_json::Map<_, _>>(&variables);
        if object.is_ok() {
            found.push(Case { variables, ..case.clone() });
        }
    }
    // Where brackets match, they still should: hardly anything else keeps its kind.
    let matches = matching(&case.text);
    found.retain(|smaller| smaller.size() < case.size() && (!matches || matching(&smaller.text)));
    found
}

/// Every bracket that opens is closed by its like.
fn matching(text: &str) -> bool {
    let mut open = Vec::new();
    for token in split(text) {
        match token {
            "{" | "(" | "[" => open.push(token),
            "}" if open.pop() != Some("{") => return false,
            ")" if open.pop() != Some("(") => return false,
            "]" if open.pop() != Some("[") => return false,
            _ => {}
        }
    }
    open.is_empty()
}

/// The text with one piece less.
fn cuts(text: &str) -> Vec<String> {
    let tokens = split(text);
    let meant: Vec<usize> = (0..tokens.len()).filter(|index| !is_ignored(tokens[*index])).collect();
    let kept: Vec<&str> = meant.iter().map(|index| tokens[*index]).collect();
    let mut found = Vec::new();
    let without = |from: usize, to: usize| join(kept[..from].iter().chain(&kept[to..]));
    for from in 0..kept.len() {
        // A field with its arguments, directives and selections is some pieces.
        let mut ends = Vec::new();
        let mut to = from;
        while to < kept.len() && ends.len() < PIECES {
            to = end_of(&kept, to);
            ends.push(to);
        }
        found.extend(ends.into_iter().rev().map(|to| without(from, to)));
        let end = end_of(&kept, from);
        if end > from + 2 {
            // The brackets alone.
            found.push(join(
                kept[..from].iter().chain(&kept[from + 1..end - 1]).chain(&kept[end..]),
            ));
        }
    }
    // All that is ignored, comments too.
    found.push(join(kept.iter()));
    for index in (0..tokens.len()).filter(|index| is_ignored(tokens[*index])) {
        let (before, after) = (tokens[..index].concat(), tokens[index + 1..].concat());
        found.push(format!("{before} {after}"));
        found.push(format!("{before}{after}"));
    }
    found
}

fn join<'a>(tokens: impl Iterator<Item = &'a &'a str>) -> String {
    let mut text = String::new();
    for token in tokens {
        let glued = text.is_empty() || text.ends_with(['(', '[', '{', '$', '@', '.']);
        if !(glued || [":", ")", "]", "!", "("].contains(token)) {
            text.push(' ');
        }
        text.push_str(token);
    }
    text
}

/// JSON needs its commas, and `join` has dropped them.
fn without_loose_commas(text: &str) -> String {
    let mut out = String::new();
    let tokens: Vec<&str> = split(text).into_iter().filter(|token| !is_ignored(token)).collect();
    for (index, token) in tokens.iter().enumerate() {
        let before = index.checked_sub(1).map(|index| tokens[index]);
        let value_ends = before.is_some_and(|before| !["{", "[", ":"].contains(&before));
        if value_ends && !["}", "]", ":"].contains(token) {
            out.push_str(", ");
        } else if before == Some(":") {
            out.push(' ');
        }
        out.push_str(token);
    }
    out
}

#[test]
fn cuts_reach_the_smallest() {
    let case = Case {
        text: "query Q($a: Int) { x(a: $a) { y z } ... on T { w } }".into(),
        variables: "{\"a\": [1, {\"b\": -0}], \"c\": 2}".into(),
    };
    let cuts = smaller(&case);
    let has = |text: &str| cuts.iter().any(|case| case.text == text || case.variables == text);
    for text in [
        "query Q($a: Int) {...on T {w } }",
        "query Q($a: Int) {x(a: $a) {z } ...on T {w } }",
        "query Q($a: Int) {x(a: $a) y z ...on T {w } }",
        "{x(a: $a) {y z } ...on T {w } }",
        "{\"c\": 2}",
        "{\"a\": [{\"b\": -0}], \"c\": 2}",
    ] {
        let texts: Vec<&str> = cuts.iter().map(|case| case.text.as_str()).collect();
        assert!(has(text), "no {text} in {texts:#?}");
    }
}
