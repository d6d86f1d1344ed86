//! `./test quick` needs Rust alone: a test that needs another program is in a module that the list `needs` in `./test` names.

use std::collections::BTreeSet;
use std::path::Path;

/// Programs that every system with a shell has.
const EVERYWHERE: &[&str] = &["bash", "kill"];

/// Modules that are missing in the list, and entries that name no module. `files` are the repository's texts by path.
pub fn complaints(script: &str, files: &[(String, String)]) -> Vec<String> {
    let listed = listed(script);
    let modules: Vec<(String, &str)> =
        files.iter().filter_map(|(path, text)| Some((module(path)?, text.as_str()))).collect();
    let starters: Vec<String> = modules
        .iter()
        .filter(|(module, text)| module.starts_with("support::") && starts_program(text))
        .map(|(module, _)| module.clone())
        .collect();
    let needs_program = |module: &str, text: &str| {
        !module.starts_with("support::")
            && (starts_program(text) || starters.iter().any(|starter| text.contains(starter)))
    };
    let below =
        |module: &str, listed: &str| module == listed || module.starts_with(&format!("{listed}::"));
    let missing = modules
        .iter()
        .filter(|(module, text)| needs_program(module, text))
        .filter(|(module, _)| !listed.iter().any(|listed| below(module, listed)))
        .map(|(module, _)| {
            format!("./test: `{module}` needs a program: add it to the list `needs`")
        });
    let stale = listed
        .iter()
        .filter(|listed| !modules.iter().any(|(module, _)| module == *listed))
        .map(|listed| {
            format!("./test: the list `needs` names `{listed}`, which is not a module of tests")
        });
    missing.chain(stale).collect()
}

/// The modules in `needs=( "program: module module" … )`.
fn listed(script: &str) -> BTreeSet<String> {
    let list = script.split_once("\nneeds=(\n").and_then(|(_, rest)| rest.split_once("\n)"));
    let lines = list.map_or("", |(list, _)| list).lines();
    let modules = lines.filter_map(|line| line.trim().trim_matches('"').split_once(": "));
    modules.flat_map(|(_, modules)| modules.split(' ').map(str::to_owned)).collect()
}

/// `tests/capability/cache.rs` is `capability::cache`, and `src/gateway/tests/floods.rs` is `gateway::tests::floods`.
fn module(path: &str) -> Option<String> {
    let inside = path.strip_prefix("tests/").or_else(|| path.strip_prefix("src/"))?;
    let below_src = path.starts_with("src/") && !path.contains("/tests/");
    let stem = inside.strip_suffix(".rs").filter(|_| !below_src)?;
    (!stem.starts_with("tidy")).then(|| stem.replace('/', "::"))
}

/// Holds if the text starts a program that not every system has.
fn starts_program(text: &str) -> bool {
    text.match_indices("Command::new(").any(|(at, start)| {
        let program = text[at + start.len()..].strip_prefix('"');
        let program = program.and_then(|rest| rest.split_once('"')).map(|(program, _)| program);
        program.is_none_or(|program| !EVERYWHERE.contains(&program))
    })
}

/// Runs the rule over the repository.
#[test]
fn quick_leaves_out_what_needs_a_program() {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("test");
    let script = std::fs::read_to_string(script).expect("the script");
    assert!(listed(&script).len() > 5, "the list `needs` was not found in ./test");
    let complaints = complaints(&script, &super::files());
    assert!(complaints.is_empty(), "\n{}\n", complaints.join("\n"));
}

#[test]
fn modules_that_need_a_program_are_found() {
    let script = "a\nneeds=(\n  \"node: audit deep::er\"\n  \"redis-server: shared\"\n)\nb";
    let file = |path: &str, text: &str| (path.to_owned(), text.to_owned());
    let node = "Command::new(\"node\")";
    let mut files = vec![
        file("tests/audit.rs", node),
        file("tests/deep/er.rs", ""),
        file("tests/deep/er/est.rs", "Command::new(node())"),
        file("tests/support/redis.rs", "Command::new(\"kill\"); Command::new(\"redis-server\")"),
        file("tests/support/process.rs", "Command::new(\"bash\")"),
        file("tests/shared.rs", "use crate::support::redis::Redis;"),
        file("tests/alone.rs", "use crate::support::process::run;"),
        file("src/demo/chaos/process.rs", "Command::new(program)"),
    ];
    assert_eq!(complaints(script, &files), Vec::<String>::new());
    files.push(file("tests/more.rs", "use crate::support::redis::Redis;"));
    files.push(file("src/edge/tests/more.rs", node));
    files.remove(1);
    let found = complaints(script, &files).join("\n");
    for name in ["`more` needs", "`edge::tests::more` needs", "`deep::er`, which is not"] {
        assert!(found.contains(name), "{found}");
    }
    assert_eq!(found.lines().count(), 3, "{found}");
}
