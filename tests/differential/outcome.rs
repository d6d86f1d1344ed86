//! Verdicts and answers, of either side, and what must be equal of them.

use crate::support::client;
use serde_json::{Map, Value};
use std::collections::BTreeSet;

/// Who refused an operation, if anything did.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    Syntax,
    Validation,
    /// No operation of the document is the one to run.
    Operation,
    Variables,
    Answered,
    /// Something that the other side does not have: a limit, a failure.
    Other(String),
}

#[derive(Debug, Clone)]
pub struct Answer {
    pub verdict: Verdict,
    pub data: Value,
    pub errors: Vec<Value>,
    pub is_mutation: bool,
    /// Requests that reached the service.
    pub calls: Vec<String>,
}

impl Answer {
    pub fn of_reference(line: &Value) -> Self {
        let verdict = match line["verdict"].as_str().unwrap_or_default() {
            "syntax" => Verdict::Syntax,
            "validation" => Verdict::Validation,
            "operation" => Verdict::Operation,
            "variables" => Verdict::Variables,
            "answered" => Verdict::Answered,
            other => Verdict::Other(format!("{other}: {line}")),
        };
        let calls = list(&line["calls"]);
        let calls = calls.iter().map(|call| plain_call(call.as_str().unwrap_or_default()));
        let (data, errors) = (plain_numbers(&line["data"]), list(&line["errors"]));
        let is_mutation = line["kind"] == "mutation";
        Self { verdict, data, errors, is_mutation, calls: calls.collect() }
    }

    pub fn of_gateway(answer: &client::Answer, calls: &[String]) -> Self {
        let events = answer
            .headers
            .get("content-type")
            .is_some_and(|value| value.as_bytes().starts_with(b"text/event-stream"));
        let body = if events {
            first_event(&answer.text())
        } else {
            serde_json::from_slice(&answer.body).ok()
        };
        let other = || Verdict::Other(format!("status {}: {}", answer.status, answer.text()));
        let body = body.unwrap_or_default();
        let errors = list(&body["errors"]);
        let code = errors.first().and_then(|error| error["extensions"]["code"].as_str());
        let refused = body.get("data").is_none();
        let status = if events {
            200
        } else if refused {
            400
        } else {
            answer.status
        };
        let verdict = match code {
            _ if answer.status != status => other(),
            _ if !refused => Verdict::Answered,
            Some("GRAPHQL_PARSE_FAILED") => Verdict::Syntax,
            Some("GRAPHQL_VALIDATION_FAILED") => Verdict::Validation,
            Some("OPERATION_NOT_FOUND") => Verdict::Operation,
            Some("BAD_VARIABLES") => Verdict::Variables,
            _ => other(),
        };
        let calls = calls.iter().map(|call| plain_call(call)).collect();
        Self { verdict, data: plain_numbers(&body["data"]), errors, is_mutation: false, calls }
    }

    /// Data, and no errors.
    pub fn is_whole(&self) -> bool {
        self.verdict == Verdict::Answered && !self.data.is_null() && self.errors.is_empty()
    }

    /// The nulls that errors stand for: of each error's path, the part down to the first null.
    fn nulls(&self) -> BTreeSet<String> {
        let mut nulls = BTreeSet::new();
        for error in &self.errors {
            let (mut at, mut place) = (&self.data, String::new());
            for segment in error["path"].as_array().into_iter().flatten() {
                if at.is_null() {
                    break;
                }
                at = match segment {
                    Value::String(key) => &at[key.as_str()],
                    index => {
                        &at[index
                            .as_u64()
                            .and_then(|index| index.try_into().ok())
                            .unwrap_or(usize::MAX)]
                    }
                };
                place.push_str(&format!("/{segment}"));
            }
            nulls.insert(place);
        }
        nulls
    }

    pub fn words(&self) -> String {
        let errors: Vec<String> = self.errors.iter().map(Value::to_string).collect();
        let mut words = format!("{:?}", self.verdict);
        if self.verdict == Verdict::Answered {
            words.push_str(&format!("\n  data   {}", self.data));
        }
        for error in errors {
            words.push_str(&format!("\n  error  {error}"));
        }
        for call in &self.calls {
            words.push_str(&format!("\n  call   {call}"));
        }
        words
    }
}

/// In what two answers differ, as a kind: what is cut smaller keeps its kind.
pub fn difference(expected: &Answer, actual: &Answer) -> Option<String> {
    if expected.verdict != actual.verdict {
        let name = |verdict: &Verdict| match verdict {
            Verdict::Other(words) => {
                format!("Other: {}", words.chars().take(60).collect::<String>())
            }
            verdict => format!("{verdict:?}"),
        };
        return Some(format!("{} is {}", name(&expected.verdict), name(&actual.verdict)));
    }
    if expected.verdict != Verdict::Answered {
        return None;
    }
    if expected.data != actual.data {
        return Some("data".into());
    }
    // Which of several errors below one null are listed is free (GraphQL spec, "Handling Execution Errors"), and so are
    // their words. Of many nulls of one field, the gateway lists some.
    let (wanted, found) = (expected.nulls(), actual.nulls());
    let fields = |nulls: &BTreeSet<String>| -> BTreeSet<String> {
        let is_key = |segment: &&str| segment.starts_with('"');
        nulls
            .iter()
            .map(|null| null.split('/').filter(is_key).collect::<Vec<_>>().join("/"))
            .collect()
    };
    if !found.is_subset(&wanted) || fields(&wanted) != fields(&found) {
        return Some("nulls with errors".into());
    }
    calls_differ(expected, actual).then(|| "calls".into())
}

/// Equal calls may be one, and a query's have no order. Of an answer with errors, no call may be one that graphql-js does not
/// make either; which of them are still made after an error is free.
fn calls_differ(expected: &Answer, actual: &Answer) -> bool {
    let (wanted, found): (BTreeSet<&String>, BTreeSet<&String>) =
        (expected.calls.iter().collect(), actual.calls.iter().collect());
    if !expected.errors.is_empty() {
        return !found.is_subset(&wanted);
    }
    let in_order = |answer: &Answer| -> Vec<String> {
        answer.calls.iter().filter(|call| call.contains(" /mutation/")).cloned().collect()
    };
    wanted != found || (expected.is_mutation && in_order(expected) != in_order(actual))
}

/// Method, target and body, with the body's numbers as JavaScript has them.
fn plain_call(call: &str) -> String {
    let mut parts = call.splitn(3, ' ');
    let line = [parts.next(), parts.next()].map(Option::unwrap_or_default).join(" ");
    let line = line.replace("%2C", ",");
    match parts.next().map(|body| serde_json::from_str::<Value>(body).ok()) {
        None => line,
        Some(body) => {
            format!("{line} {}", plain_numbers(&body.unwrap_or_else(|| Value::from(call))))
        }
    }
}

fn list(value: &Value) -> Vec<Value> {
    value.as_array().cloned().unwrap_or_default()
}

/// Of `text/event-stream`.
fn first_event(text: &str) -> Option<Value> {
    let data = text.lines().find_map(|line| line.strip_prefix("data: "))?;
    serde_json::from_str(data).ok()
}

/// Numbers as JavaScript has them: `1.0` is `1`.
pub fn plain_numbers(value: &Value) -> Value {
    match value {
        Value::Number(number) => match number.as_f64() {
            Some(double) if double.fract() == 0.0 && double.abs() < 9_007_199_254_740_992.0 => {
                Value::from(double as i64)
            }
            Some(double) => Value::from(double),
            None => value.clone(),
        },
        Value::Array(items) => items.iter().map(plain_numbers).collect(),
        Value::Object(fields) => {
            let fields = fields.iter().map(|(name, value)| (name.clone(), plain_numbers(value)));
            Value::Object(fields.collect::<Map<_, _>>())
        }
        other => other.clone(),
    }
}
