//! One word for one thing, and some words for nothing.

use super::text::code_only;

/// Words that say nothing wherever they stand in a name.
const NEVER: &[&str] = &["manager", "helper", "helpers", "util", "utils", "misc"];

/// Words that say nothing alone: a file, module or type of just this name.
const NOT_ALONE: &[&str] = &["common", "core", "data", "info", "context", "handler", "handlers"];

/// File, module and type names that say nothing.
pub fn complaints(path: &str, text: &str) -> Vec<String> {
    let file = path.rsplit('/').next().unwrap_or(path).trim_end_matches(".rs");
    let folders = path.rsplit('/').skip(1).map(str::to_owned);
    let mut names: Vec<String> = std::iter::once(file.to_owned()).chain(folders).collect();
    names.extend(defined(&of_our_own(&code_only(text))));
    names
        .into_iter()
        .filter(|name| empty(name))
        .map(|name| format!("{path}: the name `{name}` does not say what it is"))
        .collect()
}

fn empty(name: &str) -> bool {
    let words = words(name);
    words.iter().any(|word| NEVER.contains(&word.as_str()))
        || matches!(words.as_slice(), [word] if NOT_ALONE.contains(&word.as_str()))
}

/// Without the types that an implementation has to define: their names are the trait's, which may be somebody else's.
fn of_our_own(code: &str) -> String {
    let mut of_trait = false;
    let ours = code.lines().filter(|line| {
        if line.starts_with(|first: char| first.is_ascii_alphabetic()) {
            of_trait = line.starts_with("impl") && line.contains(" for ");
        }
        !(of_trait && line.trim_start().starts_with("type "))
    });
    ours.collect::<Vec<_>>().join("\n")
}

/// The names after `struct`, `enum`, `trait`, `type` and `mod`.
fn defined(code: &str) -> Vec<String> {
    let mut words = code
        .split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
        .filter(|word| !word.is_empty());
    let mut names = Vec::new();
    while let Some(word) = words.next() {
        if matches!(word, "struct" | "enum" | "trait" | "type" | "mod") {
            names.extend(words.next().map(str::to_owned));
        }
    }
    names
}

/// `HttpClient` and `http_client` are both `[http, client]`.
fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    for c in name.chars() {
        if c == '_' || (c.is_ascii_uppercase() && words.last().is_some_and(|w| !w.is_empty())) {
            words.push(String::new());
        }
        if c != '_' {
            words.last_mut().expect("never empty").push(c.to_ascii_lowercase());
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

#[test]
fn empty_names_are_found() {
    let broken = |path: &str, text: &str| !complaints(path, text).is_empty();
    assert!(broken("src/engine/utils.rs", ""));
    assert!(broken("src/helpers/mod.rs", ""));
    assert!(broken("src/a.rs", "pub struct CacheManager;"));
    assert!(broken("src/a.rs", "mod context;"));
    assert!(broken("src/a.rs", "enum Data { A }"));
    assert!(!broken("src/a.rs", "struct MappingContext; // struct Helper\n"));
    assert!(broken("src/a.rs", "impl A {\n    type Data = u8;\n}\ntype Data = u8;"));
    assert!(broken("src/a.rs", "impl A for B {\n    type C = u8;\n}\nstruct Data;"));
    assert!(!broken("src/a.rs", "impl Body for A {\n    type Data = u8;\n}"));
    assert!(!broken("src/a.rs", "fn data() {}"));
}
