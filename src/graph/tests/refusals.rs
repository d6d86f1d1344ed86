//! `refusals.md`: the problems of SDL with errors, case by case. `BLESS=1` writes the current ones into the file.

use super::{all, brief};

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/graph/tests/refusals.md");

/// Returns title, SDL, and problems of each case.
pub(super) fn cases() -> Vec<(String, String, String)> {
    let text = std::fs::read_to_string(FILE).unwrap();
    let block = |case: &str, language: &str| {
        let start = case.split_once(&format!("```{language}\n")).map(|(_, rest)| rest)?;
        Some(start.split_once("```").map_or(start, |(block, _)| block).to_owned())
    };
    let case = |case: &str| {
        let title = case.lines().next().unwrap_or_default().to_owned();
        let sdl = block(case, "graphql").unwrap_or_else(|| panic!("`{title}` has no SDL"));
        (title, sdl, block(case, "text").unwrap_or_default())
    };
    text.split("\n## ").skip(1).map(case).collect()
}

#[test]
fn every_mistake_is_told_as_written() {
    let mut blessed = "# What a load says of mistakes\n".to_owned();
    let mut wrong = String::new();
    for (title, sdl, expected) in cases() {
        let said = brief(&all(&sdl)) + "\n";
        if said != expected {
            wrong.extend(["## ", &title, "\nexpected:\n", &expected, "said:\n", &said, "\n"]);
        }
        blessed.extend(["\n## ", &title, "\n```graphql\n", &sdl, "```\n```text\n", &said, "```\n"]);
    }
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(FILE, blessed).unwrap();
    } else {
        assert!(wrong.is_empty(), "{wrong}");
    }
}
