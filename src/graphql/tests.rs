//! `docs/errors.md` lists every code, in the table's order, and each has a page that agrees with the table.

use super::{EXTENSIONS, ErrorCode};
use std::collections::BTreeSet;
use std::path::Path;

const LIST: &str = include_str!("../../docs/errors.md");

#[test]
fn the_list_names_every_code_and_no_other() {
    let lines = LIST.lines().filter_map(|line| line.strip_prefix("- [`"));
    let listed: Vec<&str> =
        lines.filter_map(|line| line.split_once('`').map(|(code, _)| code)).collect();
    let codes: Vec<&str> = ErrorCode::ALL.iter().map(|code| code.as_str()).collect();
    assert_eq!(listed, codes);
    for code in codes {
        assert!(LIST.contains(&format!("(errors/{code}.md)")), "{code}");
    }
}

#[test]
fn a_page_says_the_kind_the_status_and_the_remedy() {
    for code in ErrorCode::ALL {
        let (name, page) = (code.as_str(), code.page());
        let mut lines = page.lines();
        assert_eq!(lines.next(), Some(&*format!("# {name}")));
        let kind = lines.nth(1).unwrap_or_default();
        match kind.strip_prefix("**Refusal, ").and_then(|rest| rest.get(..3)) {
            Some(status) => assert_eq!(status, code.status().to_string(), "{name}"),
            None => assert!(kind.starts_with("**Field error"), "{name}: {kind}"),
        }
        let never_ran = (*code as usize) < ErrorCode::NullInNonNull as usize;
        assert!(kind.starts_with("**Refusal") || !never_ran, "{name} is a refusal");
        let reserved = page.contains("kept for a later version");
        assert!(page.contains("*Fix:*") || reserved, "{name} says no remedy");
    }
}

#[test]
fn a_code_is_found_by_its_text() {
    assert_eq!(ErrorCode::from_text("throttled"), Some(ErrorCode::Throttled));
    assert_eq!(ErrorCode::from_text("THROTTLE"), None);
}

/// Collects members that code sets under `extensions`, in all sources but tests.
fn inserted(folder: &Path, found: &mut BTreeSet<String>) {
    for path in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        let name = path.file_name().unwrap().to_string_lossy();
        if path.is_dir() {
            if name != "tests" {
                inserted(&path, found);
            }
        } else if name.ends_with(".rs") && !name.ends_with("tests.rs") {
            let text = std::fs::read_to_string(&path).unwrap();
            let calls = text.split(concat!("extensions.", "insert(")).skip(1);
            let names =
                calls.filter_map(|call| call.trim_start().strip_prefix('"')?.split_once('"'));
            found.extend(names.map(|(name, _)| name.to_owned()));
        }
    }
}

#[test]
fn the_members_of_extensions_are_those_of_the_code_and_of_the_list() {
    let mut known: BTreeSet<String> = EXTENSIONS.iter().map(|member| member.name.into()).collect();
    known.insert("code".to_owned());
    let mut found = BTreeSet::new();
    inserted(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut found);
    assert_eq!(found, known);
    let rows = LIST.lines().filter_map(|line| line.strip_prefix("| `extensions.")?.split_once('`'));
    let rows: BTreeSet<String> = rows.map(|(name, _)| name.to_owned()).collect();
    assert_eq!(rows, known);
}
