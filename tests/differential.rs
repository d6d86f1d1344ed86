//! Random operations over the storefront: the gateway's answer is that of graphql-js over the same services, key order
//! included.
//!
//! `OPERATIONS=n` sets how many, `SEED=n` where they begin; a mismatch prints the smallest operation that still shows it.

mod generate;
mod operation;
mod reference;
mod shrink;

use crate::support::client::Answer;
use crate::support::gateway::Shop;
use apollo_compiler::validation::Valid;
use apollo_compiler::{ExecutableDocument, Schema};
use futures_util::StreamExt;
use operation::Operation;
use reference::Reference;
use serde_json::{Value, json};
use std::collections::BTreeSet;

const OPERATIONS: u64 = 2_000;
const SEED: u64 = 0x504F_5254;
/// How many cuts are tried on an operation that fails.
const CUTS: usize = 3_000;
/// Higher than any operation goes: it is answers that are compared here, not refusals.
const LIMITS: &str = "limits: { depth: 60, aliases: 500, root_fields: 100, directives: 500, \
    fan_out: { mode: off }, cost: { mode: off, expose: false } }\n";

struct Both {
    shop: Shop,
    reference: Reference,
}

/// What became of one operation.
struct Outcome {
    number: u64,
    operation: Operation,
    /// `None`: the answers are equal.
    difference: Option<String>,
    /// The reference's answer has data, and no errors.
    whole: bool,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_equal_those_of_the_reference() {
    let (count, seed) = (setting("OPERATIONS", OPERATIONS), setting("SEED", SEED));
    println!("{count} operations from seed {seed}");
    let shop = Shop::with(|config| format!("{config}{LIMITS}")).await;
    let reference = Reference::start(&shop.variables());
    let both = Both { shop, reference };
    let operations = both.operations(seed, usize::try_from(count).expect("a count"));
    let outcomes: Vec<Outcome> = futures_util::stream::iter(operations)
        .map(|(number, operation)| both.compare(number, operation))
        .buffer_unordered(8)
        .collect()
        .await;
    let whole = outcomes.iter().filter(|outcome| outcome.whole).count();
    println!("{whole} of {count} answers are whole, the others have errors");
    let different: Vec<&Outcome> =
        outcomes.iter().filter(|outcome| outcome.difference.is_some()).collect();
    if let Some(outcome) = different.iter().min_by_key(|o| o.operation.text().len()) {
        let smallest = both.smallest(outcome.operation.clone()).await;
        let why = both.compare(0, smallest.clone()).await.difference.unwrap_or_default();
        panic!(
            "{} of {count} differ; one is SEED={}. The smallest found:\n\n{}\n{}\n\n{why}",
            different.len(),
            outcome.number,
            smallest.text(),
            smallest.values(),
        );
    }
    assert!(whole > outcomes.len() / 2, "errors compare too little");
}

fn setting(name: &str, otherwise: u64) -> u64 {
    let value = std::env::var(name).ok();
    value.map_or(otherwise, |value| value.parse().unwrap_or_else(|_| panic!("{name} is a number")))
}

impl Both {
    fn operations(&self, seed: u64, count: usize) -> Vec<(u64, Operation)> {
        let numbers = seed..seed + 5 * count as u64;
        let operations: Vec<(u64, Operation)> = numbers
            .map(|number| (number, generate::operation(self.schema(), number)))
            .filter(|(_, operation)| self.valid(operation))
            .take(count)
            .collect();
        assert_eq!(operations.len(), count, "too few operations are valid");
        operations
    }

    fn schema(&self) -> &Valid<Schema> {
        &self.shop.gateway.schema
    }

    fn valid(&self, operation: &Operation) -> bool {
        let text = operation.text();
        ExecutableDocument::parse_and_validate(self.schema(), text, "operation.graphql").is_ok()
    }

    async fn compare(&self, number: u64, operation: Operation) -> Outcome {
        let (text, variables) = (operation.text(), operation.values());
        let body = json!({ "query": text, "variables": variables }).to_string();
        let (expected, actual) =
            tokio::join!(self.reference.ask(&text, &variables), self.gateway(body));
        let actual = actual.json();
        let (wanted, found) = (comparable(&expected), comparable(&actual));
        let whole = wanted.0 != "null" && !wanted.1;
        let words = || format!("graphql-js:\n{expected}\n\nthe gateway:\n{actual}");
        let difference = (wanted != found || !told(&expected, &actual)).then(words);
        Outcome { number, operation, difference, whole }
    }

    async fn gateway(&self, body: String) -> Answer {
        self.shop.http.post(&self.shop.gateway.url, &[], body).await
    }

    /// Cuts for as long as the two still differ.
    async fn smallest(&self, mut operation: Operation) -> Operation {
        let mut left = CUTS;
        'again: loop {
            for smaller in shrink::smaller(&operation) {
                if left == 0 {
                    return operation;
                }
                left -= 1;
                let cut = smaller.text().len() < operation.text().len()
                    || smaller.values() != operation.values();
                if cut && self.valid(&smaller) {
                    let outcome = self.compare(0, smaller).await;
                    if outcome.difference.is_some() {
                        operation = outcome.operation;
                        continue 'again;
                    }
                }
            }
            return operation;
        }
    }
}

/// What must be equal: `data` as text, and whether there are errors. Which of several errors below one null is told
/// is free (GraphQL spec, "Handling Execution Errors"), and their words are each server's own.
fn comparable(answer: &Value) -> (String, bool) {
    let errors = answer["errors"].as_array().is_some_and(|errors| !errors.is_empty());
    (answer["data"].to_string(), errors || answer.get("invalid").is_some())
}

/// Every error of the gateway is one of the reference's, by its path. Which of the errors that null all of `data` is told
/// is free, and the gateway does not list all of very many.
fn told(expected: &Value, actual: &Value) -> bool {
    let paths = |answer: &Value| -> BTreeSet<String> {
        let errors = answer["errors"].as_array().into_iter().flatten();
        errors.map(|error| error["path"].to_string()).collect()
    };
    actual["data"].is_null() || paths(actual).is_subset(&paths(expected))
}

#[tokio::test]
async fn operations_are_many_different_ones() {
    let shop = Shop::start().await;
    let texts: BTreeSet<String> =
        (0..200).map(|seed| generate::operation(&shop.gateway.schema, seed).text()).collect();
    assert!(texts.len() > 190);
    let all = texts.into_iter().collect::<String>();
    for feature in
        ["fragment", "... on", "...F", "$v", " = ", "@skip", "@include", "__typename", ": "]
    {
        assert!(all.contains(feature), "no operation has `{feature}`");
    }
}
