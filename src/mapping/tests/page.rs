//! Runs every example of `docs/mapping.md`: a block of texts, then a block of their results.

use super::*;
use crate::mapping::Method;

const PAGE: &str = include_str!("../../../docs/mapping.md");

struct Block {
    kind: &'static str,
    line: usize,
    text: String,
}

fn blocks() -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    let mut open = false;
    for (number, line) in PAGE.lines().enumerate() {
        match (line.strip_prefix("```"), open) {
            (Some(kind), false) => {
                blocks.push(Block { kind, line: number + 1, text: String::new() });
                open = true;
            }
            (Some(_), true) => open = false,
            (None, true) => {
                let block = blocks.last_mut().unwrap();
                block.text.push_str(line);
                block.text.push('\n');
            }
            (None, false) => {}
        }
    }
    assert!(!open, "the last block is open");
    blocks
}

/// Parses the sample without the `$` before each variable, so that it can be looked up by name.
fn sample(text: &str) -> (Value, Given) {
    let sample: Value = serde_json::from_str(text).unwrap();
    let variables = sample.as_object().unwrap().iter();
    let named = variables.map(|(name, value)| (name[1..].to_owned(), value.clone()));
    (sample["$"].clone(), Given(Value::Object(named.collect())))
}

fn as_lines(results: impl Iterator<Item = Result<String, String>>) -> String {
    results.map(|result| result.unwrap_or_else(|shown| shown) + "\n").collect()
}

#[test]
fn every_example_is_true() {
    let blocks = blocks();
    let (first, examples) = blocks.split_first().unwrap();
    assert_eq!(first.kind, "json sample");
    let (current, variables) = sample(&first.text);
    let scope = Scope { current: &current, variables: &variables };
    let mut run = 0;
    for pair in examples.chunks(2) {
        let [example, expected] = pair else { panic!("the last example has no answer") };
        let text = example.text.trim_end();
        let at = format!("docs/mapping.md:{}", example.line);
        match (example.kind, expected.kind) {
            ("mapping", "json") => {
                let expected: Value = serde_json::from_str(&expected.text).unwrap();
                let found = mapping(text).evaluate(&scope).unwrap();
                assert_eq!(found.to_string(), expected.to_string(), "{at}");
            }
            ("mapping", "text") => {
                let errors = Mapping::parse(text).unwrap_err();
                assert_eq!(show_errors(text, &errors) + "\n", expected.text, "{at}");
            }
            ("url", "text") => {
                let found = text.lines().map(|line| {
                    let url =
                        Template::parse_url(line).map_err(|errors| show_errors(line, &errors))?;
                    url.render_url(&scope).map_err(|failure| format!("error: {failure}"))
                });
                assert_eq!(as_lines(found), expected.text, "{at}");
            }
            ("value", "json") => {
                let found = text.lines().map(|line| {
                    let value = Template::parse_value(line, Position::Text);
                    let value = value.map_err(|errors| show_errors(line, &errors))?;
                    let found = value.evaluate(&scope).map(|value| value.to_string());
                    found.map_err(|failure| Value::from(format!("error: {failure}")).to_string())
                });
                assert_eq!(as_lines(found), expected.text, "{at}");
            }
            kinds => panic!("{at}: no example looks like {kinds:?}"),
        }
        run += 1;
    }
    assert!(run >= 18, "only {run} examples were found");
}

/// Every variable and method is on the page.
#[test]
fn every_variable_and_method_is_on_the_page() {
    let methods = Method::all().map(Method::as_str);
    let variables = [
        Variable::Args,
        Variable::This,
        Variable::Batch,
        Variable::Claims,
        Variable::RequestHeaders,
        Variable::RequestIp,
        Variable::ResponseHeaders,
        Variable::Status,
        Variable::Config,
        Variable::Env,
    ];
    for name in variables.into_iter().map(Variable::as_str).chain(methods) {
        assert!(PAGE.contains(&format!("`{name}")), "{name}");
    }
}
