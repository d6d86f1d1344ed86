//! What the gateway is measured against, one program per argument:
//!
//! `pass-hyper`, `pass-axum`: pass-through proxies of the same stack · `hand`: the program written by hand for one query ·
//! `static`, `dynamic`: async-graphql with DataLoader · `storefront`: the same for the dashboard.

mod dynamic_schema;
mod hand;
mod pass;
mod static_schema;
mod storefront;

use anyhow::{Result, bail};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[tokio::main]
async fn main() -> Result<()> {
    match std::env::args().nth(1).as_deref() {
        Some("pass-hyper") => pass::bare_hyper().await,
        Some("pass-axum") => pass::axum_and_reqwest().await,
        Some("hand") => hand::serve().await,
        Some("static") => static_schema::serve().await,
        Some("dynamic") => dynamic_schema::serve().await,
        Some("storefront") => storefront::serve().await,
        _ => bail!("usage: competitor pass-hyper|pass-axum|hand|static|dynamic|storefront"),
    }
}

/// The plain client of those who write it by hand.
#[derive(Clone)]
struct PlainClient(Client<HttpConnector, Full<Bytes>>);

impl PlainClient {
    fn new() -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        Self(Client::builder(TokioExecutor::new()).pool_max_idle_per_host(512).build(connector))
    }

    async fn get(&self, url: &str) -> Result<Bytes> {
        let reply = self.0.get(url.parse()?).await?;
        Ok(reply.into_body().collect().await?.to_bytes())
    }
}

/// The client that most programs use.
fn usual_client() -> Result<reqwest::Client> {
    Ok(reqwest::Client::builder()
        .no_proxy()
        .tcp_nodelay(true)
        .pool_max_idle_per_host(512)
        .build()?)
}

async fn get(client: &reqwest::Client, url: &str) -> Result<Bytes, reqwest::Error> {
    client.get(url).send().await?.error_for_status()?.bytes().await
}

fn users_url(ids: &[i32]) -> String {
    let mut url = portcullis_benches::upstream_url() + "/users";
    for (at, id) in ids.iter().enumerate() {
        url.push(if at == 0 { '?' } else { '&' });
        url.push_str("id=");
        url.push_str(&id.to_string());
    }
    url
}
