//! Limit on the number of values in a request's variables, which a client can make large beside its text.
//!
//! A body that holds far too many is refused before it is parsed: a megabyte of `[[],[],…]` would become some forty.

use serde_json::{Map, Value};

/// Counts the values in variables, including those in lists and objects. Stops past `most`. Their depth was bounded
/// when they were parsed.
pub(in crate::engine) fn count(variables: &Map<String, Value>, most: u64) -> u64 {
    let mut found = 0;
    for value in variables.values() {
        add(value, most, &mut found);
    }
    found
}

fn add(value: &Value, most: u64, found: &mut u64) {
    if *found > most {
        return;
    }
    *found += 1;
    match value {
        Value::Array(elements) => {
            for element in elements {
                add(element, most, found);
            }
        }
        Value::Object(fields) => {
            for field in fields.values() {
                add(field, most, found);
            }
        }
        _ => {}
    }
}

/// Returns `true` if a JSON text holds more values than `most`. Counts commas and brackets outside of strings, so it
/// never reports a text that holds fewer. Invalid JSON is left to the parser.
pub(in crate::engine) fn exceed(json: &[u8], most: u64) -> bool {
    // A value and its separator take two bytes.
    if json.len() as u64 / 2 <= most {
        return false;
    }
    let (mut found, mut opened, mut at) = (0, false, 0);
    while let Some(byte) = json.get(at).filter(|_| found <= most) {
        at += 1;
        if byte.is_ascii_whitespace() {
            continue;
        }
        // The first element has no comma; an empty list has no element.
        found += u64::from(opened && !b"]}".contains(byte));
        opened = b"[{".contains(byte);
        match byte {
            b',' => found += 1,
            b'"' => at += string(&json[at..]),
            _ => {}
        }
    }
    found > most
}

/// Returns the length of the rest of a string, including its closing quote.
fn string(rest: &[u8]) -> usize {
    let mut at = 0;
    while let Some(byte) = rest.get(at) {
        match byte {
            b'"' => return at + 1,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    rest.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(json: &str) -> Map<String, Value> {
        serde_json::from_str(json).expect("an object")
    }

    #[test]
    fn every_value_counts_and_counting_stops() {
        let variables = values(r#"{ "a": [1, [2], { "b": null }], "c": "x" }"#);
        assert_eq!(count(&variables, 100), 7);
        assert_eq!(count(&variables, 3), 4);
        assert_eq!(count(&Map::new(), 0), 0);
    }

    #[test]
    fn a_text_is_never_said_to_hold_more_than_it_does() {
        let texts = [
            r#"{"a":[1,1,1,1,1,1,1,1,1,1],"b":{"c":[[],[],{}]}}"#,
            r#"{"query":",,,,[[[[{{{{\"","variables":{"a":["[,","]\\",1]}}"#,
        ];
        for text in texts {
            let found = count(&values(text), 1_000) + 1;
            for most in 0..40 {
                assert!(!exceed(text.as_bytes(), most) || found > most, "{text} and {most}");
            }
        }
        let many = format!("[{}1]", "1,".repeat(1_000));
        assert!(exceed(many.as_bytes(), 1_000) && !exceed(many.as_bytes(), 1_001));
        assert!(!exceed(br#"{"a":"not closed,,,,,,,,,,,,,,,,,"#, 3));
    }
}
