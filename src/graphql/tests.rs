//! `docs/errors.md` explains every code, in the table's order, with the status that the table gives.

use super::ErrorCode;

const PAGE: &str = include_str!("../../docs/errors.md");
const TABLE: &str = include_str!("code.rs");

/// Each section of the page that is about one code: the code, and the line that says what kind it is.
fn sections() -> Vec<(&'static str, &'static str)> {
    let sections = PAGE.split("\n### `").skip(1);
    sections
        .map(|section| {
            let (code, text) = section.split_once("`\n").expect("a heading of one code");
            (code, text.trim_start().lines().next().expect("a section with text"))
        })
        .collect()
}

#[test]
fn all_codes_are_listed() {
    let written = TABLE.lines().filter(|line| line.trim_start().starts_with("Self::"));
    let texts: Vec<&str> =
        written.filter_map(|line| line.split_once("=> \"")?.1.strip_suffix("\",")).collect();
    assert_eq!(texts, ErrorCode::ALL.map(ErrorCode::as_str));
}

#[test]
fn the_page_explains_every_code_and_no_other() {
    let explained: Vec<&str> = sections().into_iter().map(|(code, _)| code).collect();
    assert_eq!(explained, ErrorCode::ALL.map(ErrorCode::as_str));
}

#[test]
fn the_page_says_the_status_of_every_refusal() {
    for (code, (name, kind)) in ErrorCode::ALL.into_iter().zip(sections()) {
        let refusal = kind.strip_prefix("**Refusal, ").and_then(|rest| rest.get(..3));
        match refusal {
            Some(status) => assert_eq!(status, code.status().to_string(), "{name}"),
            None => assert!(kind.starts_with("**Field error"), "{name}: {kind}"),
        }
        let never_ran = (code as usize) < ErrorCode::NullInNonNull as usize;
        assert!(refusal.is_some() || !never_ran, "{name} is a refusal");
    }
}
