//! The JSON Schema has the keys of the table, and accepts every configuration of the repository.

use super::super::yaml::{self, Kind, Node};
use super::super::{KEYS, json_schema};
use crate::problem::SourceFile;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

/// Returns whether a value is valid, by the keywords that the schema uses. Any other keyword is an error in the schema.
fn fits(schema: &Value, value: &Value) -> bool {
    let holds = |(keyword, due): (&String, &Value)| match keyword.as_str() {
        "anyOf" => due.as_array().unwrap().iter().any(|one| fits(one, value)),
        "enum" => due.as_array().unwrap().contains(value),
        "type" => match due {
            Value::Array(types) => types.iter().any(|ty| is_of(ty, value)),
            ty => is_of(ty, value),
        },
        "pattern" => {
            assert_eq!(due, "\\$\\{", "the one pattern that this understands");
            value.as_str().is_none_or(|text| text.contains("${"))
        }
        "minimum" => value.as_i64().is_none_or(|number| number >= due.as_i64().unwrap()),
        "items" => value.as_array().is_none_or(|list| list.iter().all(|one| fits(due, one))),
        "additionalProperties" => value.as_object().is_none_or(|members| {
            members.iter().all(|(name, member)| match (&schema["properties"][name], due) {
                (Value::Null, Value::Bool(allowed)) => *allowed,
                (Value::Null, due) => fits(due, member),
                (known, _) => fits(known, member),
            })
        }),
        "properties" | "$schema" | "title" | "description" => true,
        other => panic!("unknown keyword {other}"),
    };
    schema.as_object().unwrap().iter().all(holds)
}

fn is_of(ty: &Value, value: &Value) -> bool {
    match ty.as_str().unwrap() {
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_u64() || value.is_i64(),
        "number" => value.is_number(),
        "null" => value.is_null(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        other => panic!("unknown type {other}"),
    }
}

/// Converts YAML as editors read it.
fn to_json(node: &Node) -> Value {
    match &node.kind {
        Kind::Scalar(scalar) if scalar.is_null() => Value::Null,
        Kind::Scalar(scalar) if scalar.plain => {
            serde_json::from_str(&scalar.text).unwrap_or_else(|_| scalar.text.as_str().into())
        }
        Kind::Scalar(scalar) => scalar.text.as_str().into(),
        Kind::List(list) => list.iter().map(to_json).collect(),
        Kind::Mapping(entries) => {
            let member = |entry: &yaml::Entry| (entry.key.clone(), to_json(&entry.value));
            Value::Object(entries.iter().map(member).collect())
        }
    }
}

fn read(text: &str) -> Value {
    let file = Arc::new(SourceFile { name: "test".into(), text: text.into() });
    let mut problems = Vec::new();
    let node = yaml::parse(&file, &mut problems).unwrap_or_else(|| panic!("{text}: {problems:?}"));
    to_json(&node)
}

/// Returns the schema of a key, by its path in the table.
fn of_path<'a>(schema: &'a Value, path: &str) -> &'a Value {
    path.split('.').fold(schema, |schema, step| {
        let name = step.strip_suffix("[]").unwrap_or(step);
        let found = match name {
            "*" => &schema["additionalProperties"],
            name => &schema["properties"][name],
        };
        assert!(!found.is_null(), "{path} is missing");
        if step.ends_with("[]") { &found["anyOf"][0]["items"] } else { found }
    })
}

/// Collects every path that leads to a value.
fn paths(schema: &Value, path: &str, found: &mut BTreeSet<String>) {
    let join =
        |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
    let element = &schema["anyOf"][0]["items"];
    if schema.get("description").is_some() {
        found.insert(path.to_owned());
    }
    if element["properties"].is_object() {
        paths(element, &format!("{path}[]"), found);
    }
    for (name, below) in schema["properties"].as_object().into_iter().flatten() {
        paths(below, &join(name), found);
    }
    if schema.get("description").is_none() && schema["additionalProperties"].is_object() {
        paths(&schema["additionalProperties"], &join("*"), found);
    }
}

#[test]
fn it_has_the_keys_of_the_table_and_no_others() {
    let mut found = BTreeSet::new();
    paths(&json_schema(), "", &mut found);
    let known: BTreeSet<String> = KEYS.iter().map(|key| key.path.to_owned()).collect();
    assert_eq!(found, known);
}

#[test]
fn defaults_and_examples_of_all_keys_fit() {
    let schema = json_schema();
    for key in KEYS {
        let schema = of_path(&schema, key.path);
        let is_value = |text: &&str| !text.is_empty() && !text.starts_with('(');
        for text in [key.default, key.example].iter().filter(|text| is_value(text)) {
            let value = read(&format!("x: {text}"))["x"].clone();
            assert!(fits(schema, &value), "{}: {value} against {schema}", key.path);
        }
    }
}

#[test]
fn configurations_of_the_repository_fit() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut folders: Vec<_> = std::fs::read_dir(root.join("examples"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    folders.push(root.join("schema"));
    let schema = json_schema();
    let mut seen = 0;
    for path in folders.iter().map(|folder| folder.join("portcullis.yaml")) {
        if let Ok(text) = std::fs::read_to_string(&path) {
            assert!(fits(&schema, &read(&text)), "{}", path.display());
            seen += 1;
        }
    }
    assert!(seen > 8, "{seen}");
}

#[test]
fn mistakes_do_not_fit() {
    let schema = json_schema();
    for text in [
        "servr: {}",
        "server: 1",
        "server: { timeout: 5 }",
        "server: { playground: 3 }",
        "server: { connections: many }",
        "limits: { depth: x }",
        "limits: { depth: { max: 1, mde: off } }",
        "limits: { body: 5 }",
        "auth: { on_missing_token: maybe }",
        "auth: { providers: [{ isuer: x }] }",
        "sources: { a: { rest: { ulr: x } } }",
        "sources: { a: { headers: { set: [x] } } }",
        "sources: [a]",
        "[]",
    ] {
        assert!(!fits(&schema, &read(text)), "{text}");
    }
    for text in [
        "",
        "server:",
        "server: { playground: \"${PLAYGROUND}\", connections: \"${MANY:-5}\" }",
        "limits: { depth: { max: 3, mode: measure }, body: { max: 1MiB } }",
        "auth: { providers: { issuer: x } }",
        "sources: { a: { rest: { urls: http://a }, config: { b: [1] } } }",
    ] {
        assert!(fits(&schema, &read(text)), "{text}");
    }
    assert!(!fits(&schema, &json!({ "x": 1 })));
}
