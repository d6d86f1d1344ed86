//! What `portcullis schema` prints, in the hands of others: graphql-js reads every schema folder of the repository together
//! with the directives' SDL, and the API schemas.

use crate::support::process::{Process, run};
use serde_json::{Value, json};
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

fn printed(arguments: &[&str]) -> String {
    let output = run(arguments);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {said}");
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// A folder with a configuration beside its SDL files.
fn folder(path: &Path) -> Option<Value> {
    let config = path.join("portcullis.yaml");
    if !config.exists() {
        return None;
    }
    let entries =
        std::fs::read_dir(path).expect("a folder").map(|entry| entry.expect("an entry").path());
    let is_sdl = |path: &Path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        name.ends_with(".graphql") && !name.starts_with("query")
    };
    let texts: Vec<String> = entries
        .filter(|path| is_sdl(path))
        .map(|path| std::fs::read_to_string(path).expect("a text"))
        .collect();
    let api = printed(&["schema", "api", "--config", config.to_str().expect("a path")]);
    Some(json!({ "name": path.file_name()?.to_string_lossy(), "texts": texts, "api": api }))
}

#[test]
fn graphql_js_accepts_schema_folders_with_the_directives() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let examples = std::fs::read_dir(root.join("examples")).expect("examples");
    let mut folders: Vec<Value> =
        examples.filter_map(|entry| folder(&entry.expect("an entry").path())).collect();
    folders.extend(folder(&root.join("schema")));
    assert!(folders.len() > 8, "{}", folders.len());
    let unchecked = "type Query { on: Date } scalar Date @unchecked";
    folders.push(json!({ "name": "unchecked", "texts": [unchecked] }));
    let whole = folders.len();
    for wrong in [
        "type Query { a: Int @rest(source: \"a\", GTE: \"/\") }",
        "type Query { a: Int @nothing }",
        "type Query @lookup { a: Int }",
    ] {
        folders.push(json!({ "name": "wrong", "texts": [wrong] }));
    }
    let demo = Process::start(&["demo", "--port", "0"]);
    let input = json!({
        "directives": printed(&["schema", "directives"]),
        "folders": folders,
        "demo": { "url": demo.url, "api": printed(&["schema", "api", "--demo"]) },
    });
    // Two of its major versions.
    for installed in ["tests/node", "tests/reference"] {
        let module = root.join(installed).join("node_modules/graphql/index.mjs");
        let module = if module.exists() { module } else { module.with_extension("js") };
        assert!(module.exists(), "run `npm ci --prefix {installed}`");
        let mut child = Command::new("node")
            .arg(root.join("tests/node/schemas.mjs"))
            .arg(module)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("node is installed");
        let mut stdin = child.stdin.take().expect("a pipe");
        stdin.write_all(input.to_string().as_bytes()).expect("it reads");
        drop(stdin);
        let output = child.wait_with_output().expect("it ends");
        let said = String::from_utf8_lossy(&output.stdout);
        let count = |start: &str| said.lines().filter(|line| line.starts_with(start)).count();
        assert_eq!(count("ok "), whole + 1, "{installed}:\n{said}");
        assert_eq!(count("no wrong "), 3, "{installed}:\n{said}");
    }
}
