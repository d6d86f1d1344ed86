//! What a hostile megabyte costs until it is refused: the whole way through the engine, from the text to the answer, with the
//! default limits. CPU of the threads that do it, the longest of twenty times.
//!
//! `cargo run --release --manifest-path benches/Cargo.toml --package portcullis-benches-inside --bin refusals`

use anyhow::{Context as _, Result};
use portcullis::connector::{Protocol, SourceSettings, rest::Rest};
use portcullis::engine::{Engine, Request, Settings};
use portcullis::graph::{self, Sdl};
use portcullis::source::{Caller, Connector};
use portcullis::upstream;
use std::sync::Arc;
use std::time::{Duration, Instant};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const TIMES: usize = 20;

const SDL: &str = r#"
type Query {
  a: Int @rest(source: "api", GET: "/a")
  next: Query @rest(source: "api", GET: "/next")
  find(list: [Int], n: Int, text: String): Int @rest(source: "api", GET: "/find")
}
"#;

fn main() -> Result<()> {
    let engine = Engine::new(graph()?, Settings::default());
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build()?;
    println!("| a megabyte of | refused with | CPU, ms |\n|---|---|---|");
    for (name, text) in texts() {
        let mut longest = Duration::ZERO;
        let mut code = String::new();
        for _ in 0..TIMES {
            let begun = on_cpu()?;
            let request = request(&text);
            let response = runtime.block_on(engine.execute(request));
            longest = longest.max(on_cpu()?.saturating_sub(begun));
            code = code_of(&response.body);
        }
        println!("| {name} | {code} | {:.2} |", longest.as_secs_f64() * 1000.0);
    }
    Ok(())
}

/// A megabyte of `piece` between two texts.
fn megabyte(before: &str, piece: &str, after: &str) -> String {
    let count = (1 << 20) / piece.len();
    [before, &piece.repeat(count), after].concat()
}

fn texts() -> Vec<(&'static str, String)> {
    vec![
        ("fields", megabyte("{", "a ", "}")),
        ("aliases", megabyte("{", "b:a ", "}")),
        ("directives", megabyte("{ a ", "@skip(if: false) ", "}")),
        ("arguments", megabyte("{ find(", "n: 1 ", ") }")),
        ("a list", megabyte("{ find(list: [", "1,", "]) }")),
        ("nesting", megabyte("", "{ next ", "")),
        ("lists in lists", megabyte("{ find(list: ", "[", "")),
        ("commas", megabyte("{ a ", ",", "}")),
        ("blanks", megabyte("{ a ", " ", "}")),
        ("a comment", megabyte("{ a } #", "x", "")),
        ("a name", megabyte("{ ", "x", " }")),
        ("a number", megabyte("{ find(n: ", "1", ") }")),
        ("a string", megabyte("{ find(text: \"", "x", "\") }")),
        ("escapes", megabyte("{ find(text: \"", "\\n", "\") }")),
        ("a block string", megabyte("{ find(text: \"\"\"", "x\n ", "\"\"\") }")),
        ("fragments", megabyte("{ a } ", "fragment F on Query { a } ", "")),
        ("variables", megabyte("query(", "$v: Int ", ") { a }")),
    ]
}

fn graph() -> Result<Arc<graph::Graph>> {
    let site = upstream::Site::at(&"http://127.0.0.1:9".parse()?).map_err(anyhow::Error::msg)?;
    let source = SourceSettings {
        name: "api".into(),
        protocol: Protocol::Rest { site },
        upstream: upstream::Settings::default(),
        forward_headers: Vec::new(),
        headers: Vec::new(),
        claim_headers: Vec::new(),
        config: serde_json::Value::Null,
        reuse: false,
    };
    let connectors: Vec<Box<dyn Connector>> = vec![Box::new(Rest::new(&[source]))];
    let sdl = Sdl::from_texts([("api.graphql", SDL)]);
    let (graph, _) = graph::load(&sdl, &connectors).ok().context("the graph does not load")?;
    Ok(Arc::new(graph))
}

fn request(text: &str) -> Request {
    Request {
        document: text.into(),
        operation_name: None,
        variables: serde_json::Map::new(),
        caller: Arc::new(Caller::default()),
        queries_only: false,
        deadline: Instant::now() + Duration::from_secs(15),
    }
}

fn code_of(body: &[u8]) -> String {
    let answer: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
    let code = answer["errors"][0]["extensions"]["code"].as_str();
    code.unwrap_or("(answered)").to_owned()
}

/// Of all threads of the process.
fn on_cpu() -> Result<Duration> {
    let mut spent = Duration::ZERO;
    for task in std::fs::read_dir("/proc/self/task")? {
        let text = std::fs::read_to_string(task?.path().join("schedstat")).unwrap_or_default();
        let nanoseconds = text.split(' ').next().and_then(|figure| figure.parse().ok());
        spent += Duration::from_nanos(nanoseconds.unwrap_or_default());
    }
    Ok(spent)
}
