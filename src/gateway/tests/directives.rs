//! The SDL that `portcullis schema directives` prints has the directives and arguments that a load reads, and no others.

use crate::gateway::directives;
use apollo_compiler::Schema;
use std::collections::BTreeSet;
use std::path::Path;

/// Directives of the specification, which need no definition.
const SPECIFIED: [&str; 5] = ["skip", "include", "deprecated", "specifiedBy", "oneOf"];

/// Reads the source files of the rooms that read directives, without tests.
fn sources(folder: &Path, text: &mut String) {
    for path in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        let name = path.file_name().unwrap().to_string_lossy();
        if path.is_dir() {
            if name != "tests" {
                sources(&path, text);
            }
        } else if name.ends_with(".rs") && !name.ends_with("tests.rs") && name != "testing.rs" {
            let code = std::fs::read_to_string(&path).unwrap();
            text.push_str(code.split("#[cfg(test)]").next().unwrap_or_default());
        }
    }
}

/// Returns the quoted texts after `call`.
fn quoted<'a>(text: &'a str, call: &'a str) -> impl Iterator<Item = &'a str> {
    text.split(call).skip(1).filter_map(|rest| rest.split_once('"')).map(|(name, _)| name)
}

#[test]
fn they_are_those_that_a_load_reads() {
    let schema = Schema::parse(directives(), "directives.graphql").unwrap();
    let mut text = String::new();
    for room in ["src/graph", "src/connector"] {
        sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join(room), &mut text);
    }
    let defined = schema.directive_definitions.values().filter(|found| !found.is_built_in());
    let mut names: BTreeSet<&str> = BTreeSet::new();
    let mut arguments: BTreeSet<&str> = BTreeSet::new();
    for directive in defined {
        names.insert(directive.name.as_str());
        arguments.extend(directive.arguments.iter().map(|argument| argument.name.as_str()));
    }
    for input in schema.types.values().filter_map(|found| found.as_input_object()) {
        arguments.extend(input.fields.keys().map(apollo_compiler::Name::as_str));
    }
    assert!(names.len() > 12 && arguments.len() > 30, "{names:?} {arguments:?}");
    for name in names.iter().chain(&arguments) {
        assert!(text.contains(&format!("\"{name}\"")), "nothing reads `{name}`");
    }
    let calls = ["argument(\"", "argument_by_name(\"", "argument(directive, \"", ".field(\""];
    for name in calls.iter().flat_map(|call| quoted(&text, call)).filter(|name| !name.is_empty()) {
        assert!(arguments.contains(name), "`{name}` is read and not defined");
    }
    for name in ["directives.get(\"", "directives.get_all(\"", "directives.has(\""]
        .iter()
        .flat_map(|call| quoted(&text, call))
    {
        assert!(names.contains(name) || SPECIFIED.contains(&name), "`@{name}` is not defined");
    }
}
