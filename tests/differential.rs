//! Random operations, right and wrong ones, over two graphs: the gateway's verdict and answer are those of graphql-js over
//! the same services, key order included.
//!
//! What is valid is graphql-js's to say: nothing of the gateway chooses what is compared. `OPERATIONS=n` sets how many for
//! each graph, `SEED=n` where they begin; a difference prints the smallest case that still shows it, `EXAMPLES=n` for each
//! kind.

mod atlas;
mod case;
mod generate;
mod mutate;
mod operation;
mod outcome;
mod reference;
mod shrink;
mod storefront;
mod tokens;
mod values;

use crate::support::client::Http;
use crate::support::process::Process;
use crate::support::random::Random;
use apollo_compiler::Schema;
use atlas::Atlas;
use case::Case;
use futures_util::StreamExt;
use outcome::{Answer, Verdict, difference};
use reference::Reference;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use storefront::Shop;

const OPERATIONS: u64 = 1_000;
const SEED: u64 = 0x504F_5254;
/// Cases that are compared at the same time.
const AT_A_TIME: usize = 32;
/// How many cuts are tried on a case that differs.
const CUTS: usize = 400;
/// Higher than any operation goes: it is answers that are compared here, not refusals by limits.
const LIMITS: &str = "limits: { depth: 60, aliases: 500, root_fields: 100, directives: 500, \
    fan_out: { mode: off }, cost: { mode: off, expose: false } }\n";

/// One graph, on both sides.
struct World<'a> {
    name: &'static str,
    schema: Schema,
    kinds: &'static [&'static str],
    gateway: &'a Process,
    reference: &'a Reference,
    /// Where the calls that reached the service are noted.
    atlas: Option<&'a Atlas>,
    http: Http,
    sent: AtomicU64,
}

/// What became of one case.
struct Outcome {
    number: u64,
    case: Case,
    expected: Answer,
    actual: Answer,
}

impl Outcome {
    /// `None`: nothing differs.
    fn difference(&self) -> Option<String> {
        difference(&self.expected, &self.actual)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn verdicts_and_answers_equal_those_of_the_reference() {
    let (count, seed) = (setting("OPERATIONS", OPERATIONS), setting("SEED", SEED));
    println!("{count} operations for each graph, from seed {seed}");
    let (shop, atlas) = tokio::join!(Shop::start(LIMITS), Atlas::start(LIMITS));
    let reference = Reference::start(&shop.variables);
    let worlds = [
        World::new("storefront", &["query"], &shop.gateway, &reference, None),
        World::new(
            "atlas",
            &["query", "mutation", "subscription"],
            &atlas.gateway,
            &reference,
            Some(&atlas),
        ),
    ];
    let mut differences = String::new();
    for world in &worlds {
        differences.push_str(&world.differences(seed, count).await);
    }
    assert!(differences.is_empty(), "{differences}");
}

fn setting(name: &str, otherwise: u64) -> u64 {
    let value = std::env::var(name).ok();
    value.map_or(otherwise, |value| value.parse().unwrap_or_else(|_| panic!("{name} is a number")))
}

/// The case of a number: a third is valid as far as that is simple, a third has mistakes in the tree, and a third in the
/// tokens.
fn case(schema: &Schema, kinds: &[&'static str], number: u64) -> Case {
    let mut operation = generate::operation(schema, kinds, number);
    let mut random = Random::new(!number);
    let choice = random.below(100);
    if (40..70).contains(&choice) {
        for _ in 0..=random.below(2) {
            mutate::tree(&mut operation, &mut random);
        }
    }
    let mut case = operation.case();
    if choice >= 70 {
        for _ in 0..=random.below(2) {
            mutate::tokens(&mut case, &mut random);
        }
    }
    case
}

impl<'a> World<'a> {
    fn new(
        name: &'static str,
        kinds: &'static [&'static str],
        gateway: &'a Process,
        reference: &'a Reference,
        atlas: Option<&'a Atlas>,
    ) -> Self {
        let sdl = reference.schemas[name].as_str().expect("a schema");
        let schema =
            Schema::parse(sdl, "schema.graphql").expect("a schema that graphql-js printed");
        let (http, sent) = (Http::new(), AtomicU64::new(0));
        Self { name, schema, kinds, gateway, reference, atlas, http, sent }
    }

    /// Compares so many cases; the smallest that differ, as text.
    async fn differences(&self, seed: u64, count: u64) -> String {
        let started = std::time::Instant::now();
        let outcomes: Vec<Outcome> = futures_util::stream::iter(seed..seed + count)
            .map(|number| self.compare(number, case(&self.schema, self.kinds, number)))
            .buffer_unordered(AT_A_TIME)
            .collect()
            .await;
        let mut verdicts: BTreeMap<&Verdict, usize> = BTreeMap::new();
        for outcome in &outcomes {
            *verdicts.entry(&outcome.expected.verdict).or_default() += 1;
        }
        let whole = outcomes.iter().filter(|outcome| outcome.expected.is_whole()).count();
        println!("{}: {verdicts:?}, {whole} whole, {:?}", self.name, started.elapsed());
        let mut kinds: BTreeMap<String, Vec<&Outcome>> = BTreeMap::new();
        for outcome in &outcomes {
            if let Some(kind) = outcome.difference() {
                kinds.entry(kind).or_default().push(outcome);
            }
        }
        for (kind, different) in &kinds {
            let case = &different[0].case;
            println!(
                "{}: {} of {count}: {kind}, such as\n{}\n{}",
                self.name,
                different.len(),
                case.text,
                case.variables
            );
        }
        let mut words = String::new();
        for (kind, mut different) in kinds {
            different.sort_by_key(|outcome| outcome.case.size());
            words.push_str(&format!(
                "\n══ {}: {} of {count}: {kind}\n",
                self.name,
                different.len()
            ));
            let each = usize::try_from(setting("EXAMPLES", 1)).expect("a count");
            for outcome in different.into_iter().take(each) {
                let smallest = self.smallest(&kind, outcome).await;
                words.push_str(&format!(
                    "\nSEED={}\n{}\n{}\ngraphql-js: {}\nthe gateway: {}\n",
                    outcome.number,
                    smallest.case.text,
                    smallest.case.variables,
                    smallest.expected.words(),
                    smallest.actual.words()
                ));
            }
        }
        assert!(whole > outcomes.len() / 10, "errors compare too little");
        words
    }

    async fn compare(&self, number: u64, case: Case) -> Outcome {
        let (expected, actual) =
            tokio::join!(self.reference.ask(self.name, &case), self.gateway(&case));
        Outcome { number, case, expected, actual }
    }

    async fn gateway(&self, case: &Case) -> Answer {
        let number = self.sent.fetch_add(1, Ordering::Relaxed).to_string();
        let headers = [
            ("accept", "application/graphql-response+json, text/event-stream;q=0.5"),
            (atlas::NUMBER, &number),
        ];
        let answer = self.http.post(&self.gateway.url, &headers, case.body()).await;
        let calls = self.atlas.map(|atlas| atlas.take(&number)).unwrap_or_default();
        Answer::of_gateway(&answer, &calls)
    }

    /// Cuts for as long as the two still differ in this way.
    async fn smallest(&self, kind: &str, outcome: &Outcome) -> Outcome {
        let number = outcome.number;
        let mut smallest = self.compare(number, outcome.case.clone()).await;
        let (mut left, mut tried, mut cut) = (CUTS, 0, false);
        while left > 0 {
            let all = shrink::smaller(&smallest.case);
            if tried >= all.len() {
                if !cut {
                    return smallest;
                }
                (tried, cut) = (0, false);
                continue;
            }
            let end = all.len().min(tried + AT_A_TIME);
            let some = futures_util::stream::iter(all[tried..end].to_vec());
            let some = some.map(|case| self.compare(number, case)).buffered(AT_A_TIME);
            let some: Vec<Outcome> = some.collect().await;
            left = left.saturating_sub(some.len());
            // What stands before the place of this cut was tried.
            match some.into_iter().position(|outcome| {
                let differs = outcome.difference().as_deref() == Some(kind);
                if differs {
                    smallest = outcome;
                }
                differs
            }) {
                Some(at) => (tried, cut) = (tried + at, true),
                None => tried = end,
            }
        }
        smallest
    }
}
