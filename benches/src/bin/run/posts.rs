//! The contests over the posts: one REST upstream, no latency of its own.

use crate::{
    contest::{Contest, Duty},
    gateway,
};
use anyhow::Result;
use portcullis_benches::{
    AUTHORS, TITLES,
    process::{Server, sibling},
};
use std::path::Path;

/// The contestant's name in the tables, and the competitor's argument.
type Entry = (&'static str, &'static str, Duty);

pub async fn titles(gateway: Option<&Path>) -> Result<Contest> {
    let floor = vec![
        ("pass-through, bare hyper", "pass-hyper", Duty::Pass("/posts")),
        ("pass-through, axum + reqwest", "pass-axum", Duty::Pass("/posts")),
    ];
    assemble(TITLES, floor, gateway).await
}

pub async fn authors(gateway: Option<&Path>) -> Result<Contest> {
    let floor = vec![("by hand for this query", "hand", Duty::Answer(AUTHORS.into()))];
    assemble(AUTHORS, floor, gateway).await
}

/// Two builds of the gateway alone.
pub async fn pair(query: &'static str, old: &Path, new: &Path) -> Result<Contest> {
    let (mut contest, env) = with_upstream().await?;
    for server in gateway::pair(old, new, "benches/graph/posts.yaml", &env).await? {
        contest.enter(server, Duty::Answer(query.into()));
    }
    Ok(contest)
}

/// A contest without contestants, and the variables that name its upstream.
async fn with_upstream() -> Result<(Contest, [(String, String); 1])> {
    let upstream = Server::announced("upstream", &sibling("upstream")?, &[], &[]).await?;
    let env = [("UPSTREAM_URL".to_owned(), format!("http://{}", upstream.address))];
    Ok((Contest::new(vec![upstream]), env))
}

async fn assemble(
    query: &'static str,
    floor: Vec<Entry>,
    gateway: Option<&Path>,
) -> Result<Contest> {
    let (mut contest, env) = with_upstream().await?;
    let answer = || Duty::Answer(query.into());
    let usual = [
        ("async-graphql static, DataLoader", "static", answer()),
        ("async-graphql dynamic, DataLoader", "dynamic", answer()),
    ];
    for (name, mode, duty) in floor.into_iter().chain(usual) {
        let server = Server::announced(name, &sibling("competitor")?, &[mode], &env).await?;
        contest.enter(server, duty);
    }
    if let Some(binary) = gateway {
        for server in gateway::both(binary, "benches/graph/posts.yaml", &env).await? {
            contest.enter(server, answer());
        }
    }
    Ok(contest)
}
