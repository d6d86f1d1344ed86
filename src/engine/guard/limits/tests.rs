//! Every limit in every mode: reached, exceeded and refused, measured, off; with its metrics and logs.

use crate::engine::testing::{Upstream, body, request};
use crate::engine::{Engine, Limit, Limits, Mode, Request, Response, Settings};
use crate::graph::Graph;
use crate::graphql::ErrorCode;
use metrics::{Counter, CounterFn, Gauge, Histogram, Key, KeyName, Metadata, SharedString, Unit};
use serde_json::{Map, json};
use std::collections::BTreeMap;
use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

const SDL: &str = r#"
type Query {
  a: String @call(source: "s", target: "/a", select: "$.a")
  b: String @call(source: "s", target: "/b", select: "$.a")
  node(id: ID!): Node @call(source: "s", target: "/node")
  few: [Node!] @call(source: "s", target: "/few")
  many: [Node!] @call(source: "s", target: "/many")
  find(ids: [ID!]): String @call(source: "s", target: "/find", select: "$.a")
}
type Node { id: ID! next: Node }
"#;

fn upstream() -> Upstream {
    Upstream::new(|target| {
        Ok(match target {
            "/node" => json!({ "id": 1, "next": { "id": 2, "next": { "id": 3 } } }),
            "/few" => json!([{ "id": 1 }, { "id": 2 }, { "id": 3 }]),
            "/many" => json!([{ "id": 1 }, { "id": 2 }, { "id": 3 }, { "id": 4 }]),
            _ => json!({ "a": "x" }),
        })
    })
}

/// One limit: the first text reaches it, the second one exceeds it by one.
struct Case {
    name: &'static str,
    set: fn(&mut Limits) -> &mut Limit,
    max: u64,
    at: &'static str,
    past: &'static str,
    code: ErrorCode,
    /// It is checked before the first call.
    refuses: bool,
}

const fn case(
    name: &'static str,
    set: fn(&mut Limits) -> &mut Limit,
    max: u64,
    at: &'static str,
    past: &'static str,
) -> Case {
    Case { name, set, max, at, past, code: ErrorCode::LimitExceeded, refuses: true }
}

fn cases() -> Vec<Case> {
    let variable = "query Q($ids: [ID!]) { find(ids: $ids) }";
    vec![
        case(
            "depth",
            |l| &mut l.depth,
            2,
            "{ node(id: 1) { id } }",
            "{ node(id: 1) { next { id } } }",
        ),
        case("aliases", |l| &mut l.aliases, 1, "{ x: a b }", "{ x: a y: b }"),
        case("root_fields", |l| &mut l.root_fields, 1, "{ a }", "{ a b }"),
        case(
            "directives",
            |l| &mut l.directives,
            1,
            "{ a @skip(if: false) b }",
            "{ a @skip(if: false) b @skip(if: false) }",
        ),
        case("document", |l| &mut l.document, 7, "{ a b }", "{ a  b }"),
        case("tokens", |l| &mut l.tokens, 4, "{ a b }", "{ a b a }"),
        case("selections", |l| &mut l.selections, 2, "{ a b }", "{ a b a }"),
        // `request_of` gives the second text one value more.
        case(
            "variables",
            |l| &mut l.variables,
            3,
            variable,
            "query R($ids: [ID!]) { find(ids: $ids) }",
        ),
        case("fan_out", |l| &mut l.fan_out, 1, "{ a }", "{ a b }"),
        Case {
            code: ErrorCode::CostLimitExceeded,
            ..case(
                "cost",
                |l| &mut l.cost.limit,
                2,
                "{ x: node(id: 1) { id } y: node(id: 1) { id } }",
                "{ node(id: 1) { next { next { id } } } }",
            )
        },
        Case { refuses: false, ..case("response", |l| &mut l.response, 17, "{ a }", "{ a b }") },
        Case {
            refuses: false,
            ..case("list_size", |l| &mut l.list_size, 3, "{ few { id } }", "{ many { id } }")
        },
    ]
}

fn request_of(case: &Case, text: &str) -> Request {
    let ids: Vec<_> = if case.name == "variables" {
        (0..if text == case.at { 2 } else { 3 }).collect()
    } else {
        Vec::new()
    };
    let mut variables = Map::new();
    if !ids.is_empty() {
        variables.insert("ids".into(), ids.into());
    }
    Request { variables, operation_name: None, ..request(text) }
}

/// Runs a request, and returns the counters that it changed.
fn run(
    graph: &Arc<Graph>,
    case: &Case,
    mode: Mode,
    text: &str,
    times: usize,
) -> (Response, BTreeMap<String, u64>) {
    let mut settings = Settings::default();
    settings.limits.cost.call_weight = 0;
    *(case.set)(&mut settings.limits) = Limit::new(case.max, mode);
    let engine = Engine::new(Arc::clone(graph), settings);
    let counters = Counters::default();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let response = metrics::with_local_recorder(&counters, || {
        let run = async {
            for _ in 1..times {
                engine.execute(request_of(case, text)).await;
            }
            engine.execute(request_of(case, text)).await
        };
        runtime.block_on(run)
    });
    let counted = counters.0.lock().unwrap().clone();
    (response, counted)
}

fn counted(name: &str, mode: &str, times: u64) -> BTreeMap<String, u64> {
    BTreeMap::from([(format!("portcullis_limit_exceeded_total {name} {mode}"), times)])
}

#[test]
fn every_limit_is_obeyed_and_refuses_one_more() {
    let upstream = upstream();
    let graph = upstream.graph(SDL);
    for case in cases() {
        let name = case.name;
        let (free, _) = run(&graph, &case, Mode::Off, case.at, 1);
        let (at, moved) = run(&graph, &case, Mode::Enforce, case.at, 1);
        assert_eq!((&at.body, at.refusal, at.errors), (&free.body, None, 0), "at {name}");
        assert_eq!(moved, BTreeMap::new(), "at {name}");
        upstream.take();
        let (past, moved) = run(&graph, &case, Mode::Enforce, case.past, 2);
        assert_eq!(past.refusal, case.refuses.then_some(case.code), "past {name}");
        assert_eq!(body(&past)["errors"][0]["extensions"]["code"], case.code.as_str(), "{name}");
        let message = body(&past)["errors"][0]["message"].to_string();
        assert!(message.contains(&format!("limits.{name}")), "{message}");
        assert_eq!(moved, counted(name, "enforce", 2), "past {name}");
        assert!(upstream.take().is_empty() || !case.refuses, "past {name} calls were made");
    }
}

#[test]
fn what_is_measured_or_off_changes_no_answer() {
    let graph = upstream().graph(SDL);
    for case in cases() {
        let name = case.name;
        let (off, moved) = run(&graph, &case, Mode::Off, case.past, 2);
        assert_eq!((off.refusal, off.errors), (None, 0), "{name} off");
        assert_eq!(moved, BTreeMap::new(), "{name} off");
        let (measured, moved) = run(&graph, &case, Mode::Measure, case.past, 3);
        assert_eq!((&measured.body, measured.refusal), (&off.body, None), "{name} measured");
        assert_eq!(moved, counted(name, "measure", 3), "{name} measured, every time");
        let (_, moved) = run(&graph, &case, Mode::Measure, case.at, 1);
        assert_eq!(moved, BTreeMap::new(), "{name} measured, at the limit");
    }
}

#[test]
fn what_protects_the_process_holds_in_every_mode() {
    let graph = upstream().graph(SDL);
    for mode in [Mode::Measure, Mode::Off] {
        let mut settings = Settings::default();
        let limits = &mut settings.limits;
        for limit in
            [&mut limits.tokens, &mut limits.selections, &mut limits.root_fields, &mut limits.depth]
        {
            *limit = Limit::new(1, mode);
        }
        let refusal = |text: &str| {
            let engine = Engine::new(Arc::clone(&graph), settings.clone());
            engine.estimate(text, None, &Map::new()).err().map(|errors| errors[0].code)
        };
        let refused = Some(ErrorCode::LimitExceeded);
        assert_eq!(refusal(&format!("{{ {} }}", "a ".repeat(100_001))), refused, "tokens");
        let doubling: String = (0..20)
            .map(|n| format!("fragment F{n} on Node {{ ...F{m} ...F{m} }} ", m = n + 1))
            .collect();
        let text =
            format!("{{ node(id: 1) {{ ...F0 }} }} {doubling} fragment F20 on Node {{ id }}");
        assert_eq!(refusal(&text), refused, "selections");
        assert_eq!(refusal(&"{ node ".repeat(300)), refused, "nesting");
    }
}

#[test]
fn the_log_has_one_line_for_each_limit_and_ten_seconds() {
    use super::{Exceeded, LimitName, Told};
    let start = Instant::now();
    let told = Told::new(start);
    let lines = Lines::default();
    let writer = lines.clone();
    let subscriber =
        tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone()).finish();
    tracing::subscriber::with_default(subscriber, || {
        let depth = Exceeded { limit: LimitName::Depth, found: 20, max: 15 };
        for seconds in [0, 1, 9, 10, 11, 19, 20, 100] {
            told.tell(depth, Some("Dashboard"), start + Duration::from_secs(seconds));
        }
        let aliases = Exceeded { limit: LimitName::Aliases, found: 31, max: 30 };
        told.tell(aliases, None, start + Duration::from_secs(1));
    });
    let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    assert_eq!(text.matches("depth").count(), 4, "{text}");
    assert_eq!(text.matches("aliases").count(), 1, "{text}");
    assert!(
        text.contains("Dashboard") && text.contains("found=20") && text.contains("max=15"),
        "{text}"
    );
}

/// Captured log lines.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Counters by name and labels.
#[derive(Clone, Default)]
struct Counters(Arc<Mutex<BTreeMap<String, u64>>>);

struct Count {
    key: String,
    all: Counters,
}

impl CounterFn for Count {
    fn increment(&self, by: u64) {
        *self.all.0.lock().unwrap().entry(self.key.clone()).or_default() += by;
    }

    fn absolute(&self, value: u64) {
        self.all.0.lock().unwrap().insert(self.key.clone(), value);
    }
}

impl metrics::Recorder for Counters {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        let labels: String = key.labels().map(|label| format!(" {}", label.value())).collect();
        let key = format!("{}{labels}", key.name());
        Counter::from_arc(Arc::new(Count { key, all: self.clone() }))
    }

    fn register_gauge(&self, _: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::noop()
    }

    fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::noop()
    }
}
