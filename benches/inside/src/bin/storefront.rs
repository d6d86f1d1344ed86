//! The storefront's four services in a process of their own, so that the gateway's process is the gateway alone.
//!
//! `GET /calls`: how many calls the services got · `GET /urls`: where they are, by the environment variables that name them.

use anyhow::Result;
use axum::{Json, Router, routing};
use portcullis::demo::{self, Service, Settings};
use std::{collections::BTreeMap, sync::Arc};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[tokio::main]
async fn main() -> Result<()> {
    let storefront = Arc::new(demo::start(Settings::default()).await?);
    let address = |service: Service| format!("http://{}", storefront.address(service));
    let urls: BTreeMap<_, _> =
        Service::ALL.into_iter().map(|service| (service.variable(), address(service))).collect();
    let calls = move || async move {
        let requests = storefront.requests();
        requests.iter().map(|(_, requests)| requests.total).sum::<u64>().to_string()
    };
    let app = Router::new()
        .route("/calls", routing::get(calls))
        .route("/urls", routing::get(|| async { Json(urls) }));
    portcullis_benches::serve::serve(app).await
}
