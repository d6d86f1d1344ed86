//! What these measurements share: their clock, and the graph of the posts.

use anyhow::{Context as _, Result, bail};
use portcullis::connector::{Protocol, SourceSettings, rest::Rest};
use portcullis::graph::{self, Graph, Sdl};
use portcullis::source::Connector;
use portcullis::upstream;
use std::time::Duration;

const POSTS: &str = include_str!("../../graph/posts.graphql");

/// What this thread has had of a core so far, as Linux counts it: other programs on the machine do not count.
///
/// # Errors
/// The system does not tell.
pub fn on_cpu() -> Result<Duration> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat")?;
    let nanoseconds = text.split(' ').next().context("an empty schedstat")?;
    Ok(Duration::from_nanos(nanoseconds.parse()?))
}

/// The graph of the posts, over a service that nobody must call.
///
/// # Errors
/// It does not load.
pub fn posts() -> Result<Graph> {
    let site = upstream::Site::at(&"http://127.0.0.1:9".parse()?).map_err(anyhow::Error::msg)?;
    let source = SourceSettings::new("posts".into(), Protocol::Rest { site });
    let connectors: Vec<Box<dyn Connector>> = vec![Box::new(Rest::new(&[source]))];
    match graph::load(&Sdl::from_texts([("posts.graphql", POSTS)]), &connectors) {
        Ok((graph, _)) => Ok(graph),
        Err(_) => bail!("the graph does not load"),
    }
}
