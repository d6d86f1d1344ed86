//! Compares an answer with the expected one.
//!
//! `data` and the order of its keys must match exactly. Errors are a set: the spec gives them no order. Path, code and
//! source of an error must match. Its message, locations and other extensions must match only if they are expected. An
//! `errorId` is random, so its text is ignored.

use serde_json::{Map, Value};

/// Returns every difference, in words; empty if there is none.
pub fn differences(expected: &Value, actual: &Value) -> Vec<String> {
    let mut found = Vec::new();
    let keys = |value: &Value| -> Vec<String> {
        value.as_object().into_iter().flat_map(Map::keys).cloned().collect()
    };
    let (mut expected_keys, mut actual_keys) = (keys(expected), keys(actual));
    expected_keys.sort();
    actual_keys.sort();
    if expected_keys != actual_keys {
        found.push(format!("the answer has {actual_keys:?}, expected {expected_keys:?}"));
    }
    let pretty = |value: &Value| serde_json::to_string_pretty(value).expect("JSON");
    for key in expected_keys.iter().filter(|key| *key != "errors") {
        let (expected, actual) = (pretty(&expected[key]), pretty(&actual[key]));
        if expected != actual {
            found.push(format!("`{key}`:\n{}", by_line(&expected, &actual)));
        }
    }
    let (expected, actual) = (errors(expected), errors(actual));
    let mut left: Vec<&Value> = actual.iter().collect();
    for error in &expected {
        match left.iter().position(|candidate| matches(error, candidate)) {
            Some(index) => drop(left.remove(index)),
            None => found.push(format!("expected error: {error}")),
        }
    }
    found.extend(left.iter().map(|error| format!("unexpected error: {error}")));
    found
}

fn errors(answer: &Value) -> Vec<Value> {
    answer["errors"].as_array().cloned().unwrap_or_default()
}

fn matches(expected: &Value, actual: &Value) -> bool {
    let extensions = [&expected["extensions"], &actual["extensions"]];
    let counts = |name: &str| extensions[0][name] == extensions[1][name];
    let extra = extensions[0].as_object().is_none_or(|named| {
        named.keys().all(|name| match name.as_str() {
            "errorId" => extensions[1][name].is_string(),
            name => counts(name),
        })
    });
    let given = |name: &str| expected.get(name).is_none_or(|value| Some(value) == actual.get(name));
    expected.get("path") == actual.get("path")
        && counts("code")
        && counts("source")
        && extra
        && given("message")
        && given("locations")
        && actual["message"].as_str().is_some_and(|message| !message.is_empty())
}

/// Returns a diff by line: ` ` same, `-` expected, `+` actual.
pub fn by_line(expected: &str, actual: &str) -> String {
    let (left, right): (Vec<&str>, Vec<&str>) =
        (expected.lines().collect(), actual.lines().collect());
    let common = longest_common(&left, &right);
    let (mut i, mut j, mut out) = (0, 0, String::new());
    let mut push = |mark: char, line: &str| {
        out.push(mark);
        out.push(' ');
        out.push_str(line);
        out.push('\n');
    };
    for (a, b) in common.into_iter().chain([(left.len(), right.len())]) {
        left[i..a].iter().for_each(|line| push('-', line));
        right[j..b].iter().for_each(|line| push('+', line));
        if let Some(line) = left.get(a) {
            push(' ', line);
        }
        (i, j) = (a + 1, b + 1);
    }
    out
}

fn longest_common(left: &[&str], right: &[&str]) -> Vec<(usize, usize)> {
    let mut length = vec![vec![0_usize; right.len() + 1]; left.len() + 1];
    for i in (0..left.len()).rev() {
        for j in (0..right.len()).rev() {
            length[i][j] = if left[i] == right[j] {
                length[i + 1][j + 1] + 1
            } else {
                length[i + 1][j].max(length[i][j + 1])
            };
        }
    }
    let (mut i, mut j, mut pairs) = (0, 0, Vec::new());
    while i < left.len() && j < right.len() {
        if left[i] == right[j] {
            pairs.push((i, j));
            (i, j) = (i + 1, j + 1);
        } else if length[i + 1][j] >= length[i][j + 1] {
            i += 1;
        } else {
            j += 1;
        }
    }
    pairs
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn key_order_counts() {
        let one = serde_json::from_str(r#"{"data":{"a":1,"b":2}}"#).unwrap();
        let two = serde_json::from_str(r#"{"data":{"b":2,"a":1}}"#).unwrap();
        assert!(differences(&one, &one).is_empty());
        assert_eq!(differences(&one, &two).len(), 1);
    }

    #[test]
    fn an_error_needs_its_code_path_and_source_but_not_its_message() {
        let error = |code: &str, key: &str| {
            json!({ "data": null, "errors": [
                { "message": "x", "path": [key], "extensions": { "code": code, "source": "s" } }
            ] })
        };
        let mut expected = error("A", "k");
        expected["errors"][0].as_object_mut().unwrap().remove("message");
        assert!(differences(&expected, &error("A", "k")).is_empty());
        assert!(!differences(&expected, &error("B", "k")).is_empty());
        assert!(!differences(&expected, &error("A", "l")).is_empty());
        assert!(!differences(&expected, &json!({ "data": null, "errors": [] })).is_empty());
        let mut without = expected.clone();
        without["errors"][0]["extensions"].as_object_mut().unwrap().remove("source");
        assert!(!differences(&without, &error("A", "k")).is_empty());
    }

    #[test]
    fn a_diff_keeps_what_is_common() {
        assert_eq!(by_line("a\nb\nc", "a\nx\nc"), "  a\n- b\n+ x\n  c\n");
    }
}
