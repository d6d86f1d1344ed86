//! HTTP in and out: what stands between a socket and the engine.
//!
//! A request becomes an [`engine::Request`](crate::engine::Request), and the engine's bytes go out as they are. The edge
//! knows GraphQL over HTTP (methods, media types, status codes, limits) and nothing of where values come from.
//! Everything a client can send is bounded here: connections, time, sizes, depth.

mod access_log;
mod batch;
mod body;
mod caller;
mod connection;
mod cors;
mod csrf;
mod executor;
mod graphql;
mod negotiate;
mod payload;
mod playground;
mod reply;
mod server;
mod settings;
mod sharing;

pub use executor::Executor;
pub use server::serve;
pub use settings::{Cors, Csrf, Settings};

use crate::engine::Engine;
use crate::identity::Identity;
use axum::Router;
use axum::routing::{any, get};
use graphql::Endpoint;
use http::StatusCode;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// All routes over one engine, ready to serve. Cheap to clone.
#[derive(Clone)]
pub struct Edge {
    router: Router,
    settings: Arc<Settings>,
    draining: Arc<AtomicBool>,
}

/// The client's address; put on each request by the server.
#[derive(Debug, Clone, Copy)]
struct Peer(SocketAddr);

impl Edge {
    #[must_use]
    pub fn new(engine: Engine, identity: Identity, settings: Settings) -> Self {
        let settings = Arc::new(settings);
        let draining = Arc::new(AtomicBool::new(false));
        let ready = Arc::clone(&draining);
        let endpoint = Arc::new(Endpoint { engine, identity, settings: Arc::clone(&settings) });
        let mut graphql = any(graphql::graphql);
        if let Some(cors) = cors::layer(&settings.cors) {
            graphql = graphql.layer(cors);
        }
        let mut router = Router::new()
            .route(&settings.path, graphql)
            .route("/health", get(async || reply::text(StatusCode::OK, "ok\n")))
            .route("/ready", get(async move || readiness(ready.load(Ordering::Relaxed))));
        if settings.playground {
            router = router.merge(playground::router(&settings));
        }
        let hint = format!("nothing is here; the GraphQL endpoint is {}\n", settings.path);
        let router = router
            .fallback(async move || reply::text(StatusCode::NOT_FOUND, hint))
            .with_state(endpoint);
        Self { router, settings, draining }
    }

    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }
}

fn readiness(draining: bool) -> axum::response::Response {
    if draining {
        reply::text(StatusCode::SERVICE_UNAVAILABLE, "draining\n")
    } else {
        reply::text(StatusCode::OK, "ready\n")
    }
}
