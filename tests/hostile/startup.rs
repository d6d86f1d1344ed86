//! What is wrong before the first request: said at once, all of it, with an exit code.

use crate::support::process::run;
use std::net::TcpListener;
use std::path::Path;

fn write(folder: &Path, name: &str, text: &str) {
    std::fs::write(folder.join(name), text).expect("a temporary file");
}

fn check(folder: &Path, arguments: &[&str]) -> (Option<i32>, String) {
    let config = folder.join("portcullis.yaml");
    let config = config.to_str().expect("a path of text");
    let output = run(&[&["check", "--config", config], arguments].concat());
    let said = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(said).expect("text"))
}

const SCHEMA: &str = "type Query { a: Int @rest(source: \"api\", GET: \"/a\") }\n";
const CONFIG: &str = "sources:\n  api: { rest: { url: \"http://127.0.0.1:1\" } }\n";

#[test]
fn what_is_right_passes() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "schema.graphql", SCHEMA);
    write(folder.path(), "portcullis.yaml", CONFIG);
    let (code, said) = check(folder.path(), &[]);
    assert_eq!(code, Some(0), "{said}");
}

#[test]
fn a_port_in_use() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let output = run(&["demo", "--port", &port]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(said.contains(&port) && said.contains("--port"), "{said}");
}

/// What a start finds wrong goes where log lines go, and is one of them.
#[test]
fn a_json_log_has_nothing_but_json() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "portcullis.yaml", "servr: 1\nreuse: maybe\n");
    let config = folder.path().join("portcullis.yaml");
    let output = run(&["serve", "--log-format", "json", "--config", config.to_str().unwrap()]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), output.stdout.len()), (Some(1), 0), "{said}");
    let codes: Vec<String> = said
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["code"].to_string())
        .collect();
    assert!(codes.contains(&"\"unknown-key\"".to_owned()) && codes.len() >= 3, "{said}");
}

#[test]
fn an_unknown_key_is_named_with_the_nearest_known_one() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "schema.graphql", SCHEMA);
    write(folder.path(), "portcullis.yaml", &format!("{CONFIG}servr: {{ listen: 127.0.0.1:0 }}\n"));
    let (code, said) = check(folder.path(), &[]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("`servr`") && said.contains("`server`"), "{said}");
    assert!(said.contains("portcullis.yaml:3:1"), "{said}");
}

/// Five mistakes of five kinds are five diagnostics, each with its line.
#[test]
fn five_mistakes_are_five_diagnostics() {
    let folder = tempfile::tempdir().unwrap();
    write(
        folder.path(),
        "schema.graphql",
        "type Query {\n\
         \x20 a: Ghost @rest(source: \"api\", GET: \"/a\")\n\
         \x20 b: Int @rest(source: \"nowhere\", GET: \"/b\")\n\
         \x20 c(x: Int): Int @rest(source: \"api\", GET: \"/c/{$args.y}\")\n\
         \x20 d: Int @rest(source: \"api\", GET: \"/d\", select: \"$.d->nosuch\")\n\
         \x20 e: Int\n\
         }\n",
    );
    write(folder.path(), "portcullis.yaml", CONFIG);
    let (code, said) = check(folder.path(), &["--format", "json"]);
    assert_eq!(code, Some(1), "{said}");
    let problems: serde_json::Value = serde_json::from_str(&said).expect("JSON");
    let mut lines: Vec<u64> = problems
        .as_array()
        .expect("a list")
        .iter()
        .filter(|problem| problem["severity"] == "error")
        .map(|problem| problem["line"].as_u64().unwrap_or_else(|| panic!("no line: {problem}")))
        .collect();
    lines.sort_unstable();
    assert_eq!(lines, [2, 3, 4, 5, 6], "{problems:#}");
    let (code, said) = check(folder.path(), &[]);
    assert_eq!(code, Some(1));
    assert!(said.contains("5 errors") && said.contains('^'), "{said}");
}

#[test]
fn wrong_arguments_are_told_apart_from_problems() {
    assert_eq!(run(&["serve", "--nope"]).status.code(), Some(2));
    assert_eq!(run(&["serve", "--config", "/nonexistent/portcullis.yaml"]).status.code(), Some(1));
    assert_eq!(run(&["--help"]).status.code(), Some(0));
}

#[test]
fn what_nests_without_end_is_a_problem_and_no_crash() {
    const DEPTH: usize = 20_000;
    let nested = |open: &str, inner: &str, close: &str| {
        format!("{}{inner}{}", open.repeat(DEPTH), close.repeat(DEPTH))
    };
    let config = "sources: { api: { rest: { url: \"http://127.0.0.1:9\" } } }\n";
    let field = |rest: &str| {
        format!("scalar J\ntype Query {{ a{rest} @rest(source: \"api\", GET: \"/a\") }}\n")
    };
    let selected = |select: &str| {
        format!(
            "type Query {{ a: Int @rest(source: \"api\", GET: \"/a\", select: \"{select}\") }}\n"
        )
    };
    let brackets = "[".repeat(1_000) + &"]".repeat(1_000);
    for (sdl, config, code) in [
        (field(&format!(": {}", nested("[", "Int", "]"))), config.to_owned(), "invalid-syntax"),
        (
            field(&format!("(x: J = {}): Int", nested("[", "", "]"))),
            config.to_owned(),
            "invalid-syntax",
        ),
        (
            field(&format!("(x: J = {}): Int", nested("{a:", "1", "}"))),
            config.to_owned(),
            "invalid-syntax",
        ),
        (selected(&format!("$.a->match({brackets})")), config.to_owned(), "invalid-mapping"),
        (selected(&format!("$.a{}", ".a".repeat(20_000))), config.to_owned(), "invalid-mapping"),
        (
            "type Query { a: A @rest(source: \"api\", GET: \"/a\") }\n".to_owned()
                + &format!(
                    "type A @key(fields: \"{}\") {{ id: ID! a: A }}\n",
                    nested("a { ", "id", " }")
                ),
            config.to_owned(),
            "invalid-field-set",
        ),
        (field(": Int"), format!("sources: {}\n", nested("[", "", "]")), "yaml-"),
        (field(": Int"), format!("sources: {}\n", nested("{a: ", "1", "}")), "yaml-"),
        (field(": Int"), "sources: &a { x: *a }\n".to_owned(), "yaml-"),
    ] {
        let folder = tempfile::tempdir().expect("a temporary folder");
        write(folder.path(), "schema.graphql", &sdl);
        write(folder.path(), "portcullis.yaml", &config);
        let (exit, said) = check(folder.path(), &[]);
        let said: String = said.chars().take(2_000).collect();
        assert_eq!(exit, Some(1), "{code}: {said}");
        assert!(said.contains(code), "{code}: {said}");
    }
}
