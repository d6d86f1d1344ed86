//! The JSON Schema of `portcullis.yaml`, made from the table of keys, for editors that complete and check the file.
//!
//! It covers keys and types of values. Units, addresses and rules between keys are checked by the reader: `portcullis
//! check`.

use super::keys::{self, KEYS, Key};
use serde_json::{Map, Value, json};

/// Returns the whole schema. Draft 7 is the one that YAML editors support best.
#[must_use]
pub fn json_schema() -> Value {
    let mut schema = json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "Configuration of Portcullis",
    });
    if let (Value::Object(schema), Value::Object(top)) = (&mut schema, at("")) {
        schema.extend(top);
    }
    schema
}

/// Returns the schema of the value at a path of the table.
fn at(path: &str) -> Value {
    let element = format!("{path}[]");
    let key = KEYS.iter().find(|key| key.path == path);
    let mut schema = if KEYS.iter().any(|key| key.path.starts_with(&element)) {
        one_or_many(&mapping(&element))
    } else if let Some(key) = key {
        of_kind(key)
    } else {
        mapping(path)
    };
    if let Some(key) = key {
        schema["description"] = described(key).into();
    }
    schema
}

/// Returns the schema of a mapping from keys to values; an empty mapping may be null.
fn mapping(path: &str) -> Value {
    let below =
        |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
    match keys::children(path).as_slice() {
        ["*"] => json!({ "type": ["object", "null"], "additionalProperties": at(&below("*")) }),
        names => {
            let properties: Map<String, Value> =
                names.iter().map(|name| ((*name).to_owned(), at(&below(name)))).collect();
            json!({
                "type": ["object", "null"],
                "properties": properties,
                "additionalProperties": false,
            })
        }
    }
}

fn described(key: &Key) -> String {
    let text = key.text.replace("](", "](docs/");
    match key.default {
        "" => text,
        default => format!("{text}\nDefault: {default}"),
    }
}

fn of_kind(key: &Key) -> Value {
    match key.kind {
        "boolean" => json!({ "anyOf": [{ "type": "boolean" }, variable()] }),
        "number" => json!({ "anyOf": [number(), variable()] }),
        "rate" => json!({ "type": ["string", "integer"] }),
        "duration" | "size" | "percentage" => json!({ "type": "string" }),
        "anything" => json!({ "type": "object" }),
        keys::LIMIT => limit(&json!({ "anyOf": [number(), variable()] })),
        keys::SIZE_LIMIT => limit(&json!({ "type": "string" })),
        kind if kind.contains(" to ") => {
            json!({ "type": ["object", "null"], "additionalProperties": text(false) })
        }
        kind if kind.starts_with("list") => one_or_many(&text(false)),
        kind if kind.starts_with('`') => {
            let words: Vec<&str> = kind.split('`').skip(1).step_by(2).collect();
            json!({ "anyOf": [{ "enum": words }, variable()] })
        }
        _ => text(key.default == "~" || key.path == "auth.token.prefix"),
    }
}

fn number() -> Value {
    json!({ "type": "integer", "minimum": 0 })
}

/// Returns the schema of a text, for which numbers and booleans are also valid.
fn text(or_null: bool) -> Value {
    let mut types = vec!["string", "number", "boolean"];
    types.extend(or_null.then_some("null"));
    json!({ "type": types })
}

/// Returns the schema of `${NAME}`, in place of a value that is not a text.
fn variable() -> Value {
    json!({ "type": "string", "pattern": "\\$\\{" })
}

/// Returns the schema of a value, or of one with a mode.
fn limit(max: &Value) -> Value {
    json!({
        "anyOf": [max, {
            "type": "object",
            "properties": {
                "max": max,
                "mode": { "anyOf": [{ "enum": ["enforce", "measure", "off"] }, variable()] },
            },
            "additionalProperties": false,
        }],
    })
}

/// Returns the schema of a list; a single value counts as a list of one.
fn one_or_many(element: &Value) -> Value {
    json!({ "anyOf": [{ "type": "array", "items": element }, element] })
}
