//! What one operation costs inside the engine, stage by stage and without a socket: the real graph, the real planner, replies
//! that are there at once. Prints microseconds of CPU, medians over rounds.

use anyhow::{Context, Result, bail};
use futures_util::FutureExt as _;
use portcullis::{
    engine::{Engine, Request, Settings},
    graph::Graph,
    mapping::{Failure, Mapping},
    source::{self, Body, Call, Caller, Inputs, Placed, Reply},
};
use portcullis_benches::{
    AUTHORS, TITLES,
    exchange::Question,
    load,
    process::{Server, sibling},
};
use portcullis_benches_inside::on_cpu;
use std::{
    future::{Ready, ready},
    sync::Arc,
    time::{Duration, Instant},
};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const ROUNDS: usize = 25;
const ROUND: Duration = Duration::from_millis(60);

/// A call whose reply is there already.
struct Canned {
    real: Arc<dyn Call>,
    reply: bytes::Bytes,
}

impl Call for Canned {
    fn source(&self) -> &portcullis::graphql::Name {
        self.real.source()
    }

    fn references(&self) -> &[Placed] {
        self.real.references()
    }

    fn select(&self) -> Option<&Mapping> {
        self.real.select()
    }

    fn timeout(&self) -> Duration {
        self.real.timeout()
    }

    fn render(&self, inputs: &Inputs<'_>) -> Result<source::Request, Failure> {
        self.real.render(inputs)
    }

    fn send(
        &self,
        _request: Arc<source::Request>,
        _deadline: Instant,
    ) -> futures_util::future::BoxFuture<'static, Result<Reply, source::Error>> {
        let body = Body::Json(self.reply.clone());
        let reply: Ready<Result<Reply, source::Error>> =
            ready(Ok(Reply { body, status: 200, headers: Arc::default(), held: portcullis::memory::Held::default() }));
        Box::pin(reply)
    }

    fn describe(&self, request: &source::Request) -> String {
        self.real.describe(request)
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let upstream = Server::announced("upstream", &sibling("upstream")?, &[], &[]).await?;
    let posts: bytes::Bytes = load::ask(upstream.address, &Question::get("/posts")).await?.into();
    let users: bytes::Bytes = load::ask(upstream.address, &Question::get("/users")).await?.into();
    drop(upstream);
    let engine = Engine::new(graph(&posts, &users)?, settings());

    println!(
        "| query | parse and validate | plan | read {} bytes of posts | run, reading included | write | answer, bytes |",
        posts.len()
    );
    println!("|---|---|---|---|---|---|---|");
    for query in ["{posts{id}}", TITLES, "{posts{id userId title body}}", AUTHORS] {
        let row = measure(&engine, query, &posts).await?;
        println!("| `{query}` | {row} |");
    }
    Ok(())
}

/// The stages of one operation, each on its own, and the sum of the last ones as a request has it.
async fn measure(engine: &Engine, query: &str, posts: &bytes::Bytes) -> Result<String> {
    let stages = engine.stages();
    let refused = |_| anyhow::anyhow!("{query} is refused");
    let document = stages.parse(query).map_err(refused)?;
    let prepared = stages.prepare(query).map_err(refused)?;
    let request = request(query, &Arc::new(Caller::default()));
    let response = engine.execute(self::request(query, &request.caller)).await;
    if response.errors > 0 || response.refusal.is_some() {
        bail!("{}", String::from_utf8_lossy(&response.body));
    }
    let ran = stages.run(&prepared, &request).await;
    if stages.write(&prepared, &ran) != response.body {
        bail!("the stages of {query} do not make its answer");
    }
    let parse = median(|| stages.parse(query).is_ok())?;
    let plan = median(|| stages.plan(&document).is_some())?;
    let read = median(|| stages.read(&prepared, posts))?;
    // Every call is answered at once, so the first poll runs to the end.
    let run = median(|| stages.run(&prepared, &request).now_or_never().is_some())?;
    let write = median(|| !stages.write(&prepared, &ran).is_empty())?;
    let bytes = response.body.len();
    Ok(format!("{parse:.1} | {plan:.1} | {read:.1} | {run:.1} | {write:.1} | {bytes}"))
}

fn settings() -> Settings {
    Settings { reuse: false, ..Settings::default() }
}

/// The graph of the measurements, every call answered from memory.
fn graph(posts: &bytes::Bytes, users: &bytes::Bytes) -> Result<Arc<Graph>> {
    let mut graph = portcullis_benches_inside::posts()?;
    for binding in &mut graph.bindings {
        let reply = if &*binding.coordinate == "Query.posts" { posts } else { users };
        binding.call = Arc::new(Canned { real: Arc::clone(&binding.call), reply: reply.clone() });
    }
    Ok(Arc::new(graph))
}

/// Microseconds of CPU that one turn takes.
fn median(mut turn: impl FnMut() -> bool) -> Result<f64> {
    let mut rounds = Vec::with_capacity(ROUNDS);
    for _ in 0..ROUNDS {
        let (start, cpu) = (Instant::now(), on_cpu()?);
        let mut turns = 0_u32;
        while start.elapsed() < ROUND {
            if !std::hint::black_box(turn()) {
                bail!("a turn failed");
            }
            turns += 1;
        }
        rounds.push((on_cpu()? - cpu).as_secs_f64() * 1e6 / f64::from(turns));
    }
    rounds.sort_by(f64::total_cmp);
    rounds.get(ROUNDS / 2).copied().context("at least one round")
}

fn request(query: &str, caller: &Arc<Caller>) -> Request {
    Request {
        document: query.into(),
        operation_name: None,
        variables: serde_json::Map::new(),
        caller: Arc::clone(caller),
        queries_only: false,
        deadline: Instant::now() + Duration::from_secs(10),
    }
}
