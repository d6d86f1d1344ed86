//! The contest over the storefront: four services with the data of the demo, in a process of their own.

use crate::{
    contest::{Contest, Duty},
    gateway,
};
use anyhow::Result;
use portcullis_benches::{
    exchange::Question,
    load,
    process::{Server, sibling},
};
use std::{collections::BTreeMap, path::Path};

/// Two builds of the gateway alone.
pub async fn pair(old: &Path, new: &Path) -> Result<Contest> {
    let (mut contest, env, query) = with_services().await?;
    for server in gateway::pair(old, new, "benches/graph/storefront.yaml", &env).await? {
        contest.enter(server, Duty::Answer(query.clone().into()));
    }
    Ok(contest)
}

/// A contest without contestants, the variables that name the services, and the query.
async fn with_services() -> Result<(Contest, Vec<(String, String)>, String)> {
    let services = Server::announced("storefront", &sibling("storefront")?, &[], &[]).await?;
    let urls = load::ask(services.address, &Question::get("/urls")).await?;
    let urls: BTreeMap<String, String> = serde_json::from_slice(&urls)?;
    let query =
        std::fs::read_to_string(gateway::repository().join("schema/queries/dashboard.graphql"))?;
    Ok((Contest::new(vec![services]), urls.into_iter().collect(), query))
}

pub async fn dashboard(gateway: Option<&Path>) -> Result<Contest> {
    let (mut contest, env, query) = with_services().await?;
    let name = "async-graphql static, DataLoader";
    let server = Server::announced(name, &sibling("competitor")?, &["storefront"], &env).await?;
    contest.enter(server, Duty::AnswerInAnyOrder(query.clone().into()));
    if let Some(binary) = gateway {
        for server in gateway::both(binary, "benches/graph/storefront.yaml", &env).await? {
            contest.enter(server, Duty::Answer(query.clone().into()));
        }
    }
    Ok(contest)
}
