//! HTTP in and out: from a socket to the engine.
//!
//! A request becomes an [`engine::Request`](crate::engine::Request), and the engine's bytes go out as they are. The
//! edge knows GraphQL over HTTP (methods, media types, status codes, limits) and no data sources. Everything a client
//! can send is bounded here: connections, time, sizes, depth.

mod batch;
mod body;
mod caller;
mod compress;
mod connection;
mod cors;
mod csrf;
mod exchange;
mod executor;
mod forwarded;
#[doc(hidden)]
pub mod fuzzing;
mod graphql;
mod inflate;
mod intake;
mod metrics;
mod negotiate;
mod payload;
mod playground;
mod private;
mod quota;
mod reply;
mod server;
mod settings;
mod sharing;
mod subscription;
mod throttle;
mod trace;

pub use executor::Executor;
pub use server::serve;
pub use settings::{Admin, Cors, Csrf, Scrape, Settings, Statuses, Tls};
pub use subscription::Settings as SubscriptionSettings;

use self::metrics::Metrics;
use crate::engine::Engine;
use crate::identity::Identity;
use crate::memory::{Account, Memory};
use axum::Router;
use axum::routing::{any, get};
use graphql::Endpoint;
use http::StatusCode;
use server::Certificates;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use subscription::Places;
use tokio::sync::watch;

/// All routes over one engine, ready to serve. Cheap to clone.
#[derive(Clone)]
pub struct Edge {
    router: Router,
    settings: Arc<Settings>,
    metrics: Arc<Metrics>,
    memory: Memory,
    certificates: Option<Arc<Certificates>>,
    exposition: Option<Exposition>,
    /// The address is not the endpoint's, but one for operators.
    is_beside: bool,
    /// `true` once the gateway is shutting down.
    draining: watch::Sender<bool>,
}

/// The client's address, also behind trusted proxies. The server puts it on each request.
#[derive(Debug, Clone)]
struct Peer {
    address: IpAddr,
    /// Account that the bytes of its requests are charged to.
    account: Account,
}

/// Renders all metrics of the process in Prometheus's text format.
pub type Exposition = Arc<dyn Fn() -> String + Send + Sync>;

impl Edge {
    #[must_use]
    pub fn new(engine: Engine, identity: Identity, settings: Settings) -> Self {
        Self::with_metrics(engine, identity, settings, None)
    }

    /// Builds an edge. `exposition` renders `/metrics`, if the settings enable it.
    #[must_use]
    pub fn with_metrics(
        engine: Engine,
        identity: Identity,
        settings: Settings,
        exposition: Option<Exposition>,
    ) -> Self {
        let settings = Arc::new(settings);
        let draining = watch::Sender::new(false);
        let memory = engine.settings().memory.clone();
        let endpoint = Arc::new(Endpoint {
            engine,
            identity,
            places: Places::new(&settings),
            settings: Arc::clone(&settings),
            draining: draining.clone(),
        });
        let mut graphql = any(graphql::graphql);
        if let Some(cors) = cors::layer(&settings.cors) {
            graphql = graphql.layer(cors);
        }
        let public = exposition.clone().filter(|_| settings.metrics.public);
        let mut router = probes(&draining, public).route(&settings.path, graphql);
        if settings.playground {
            router = router.merge(playground::router(&settings));
        }
        let hint = format!("nothing is here; the GraphQL endpoint is {}\n", settings.path);
        let mut router = router
            .fallback(async move || reply::text(StatusCode::NOT_FOUND, hint))
            .with_state(endpoint);
        if settings.compression {
            router = router.layer(compress::layer());
        }
        let metrics = Metrics::new();
        Self {
            router,
            settings,
            metrics,
            memory,
            certificates: None,
            exposition,
            is_beside: false,
            draining,
        }
    }

    /// Reads the files of `tls`, if it is set. Without them nothing is served.
    ///
    /// # Errors
    /// If a file cannot be read or is invalid. The error is one lowercase sentence.
    pub fn secured(mut self) -> Result<Self, String> {
        if let Some(tls) = &self.settings.tls {
            self.certificates = Some(Arc::new(Certificates::read(tls)?));
        }
        Ok(self)
    }

    /// Returns the probes and metrics of this edge, for a separate address. Plain HTTP unless `metrics.tls` is set.
    /// Requests are not logged and not counted.
    #[must_use]
    pub fn probes(&self) -> Self {
        let router = probes(&self.draining, self.exposition.clone());
        self.beside(router, self.settings.metrics.tls)
    }

    /// Returns operators' pages for a separate address, `listen`. Plain HTTP unless `admin.tls` is set. The pages are
    /// read-only, other websites cannot reach them, and requests are not logged and not counted.
    #[must_use]
    pub fn private(&self, pages: Router, listen: SocketAddr) -> Self {
        let tls = self.settings.admin.tls;
        self.beside(private::guarded(pages, scheme(tls), listen), tls)
    }

    /// Returns an edge for another address of this gateway. With `tls` it uses the endpoint's certificate, which the
    /// endpoint keeps current.
    fn beside(&self, router: Router, tls: bool) -> Self {
        let settings = Settings {
            tls: self.settings.tls.clone().filter(|_| tls),
            access_log: false,
            connections: 100,
            shutdown_grace: Duration::ZERO,
            ..(*self.settings).clone()
        };
        Self {
            router,
            settings: Arc::new(settings),
            metrics: Metrics::none(),
            draining: watch::Sender::default(),
            certificates: self.certificates.clone().filter(|_| tls),
            is_beside: true,
            ..self.clone()
        }
    }

    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }
}

/// Returns the URL scheme: `https` with TLS, `http` without.
#[must_use]
pub const fn scheme(tls: bool) -> &'static str {
    if tls { "https" } else { "http" }
}

fn probes<S: Clone + Send + Sync + 'static>(
    draining: &watch::Sender<bool>,
    exposition: Option<Exposition>,
) -> Router<S> {
    let draining = draining.clone();
    let router = Router::new()
        .route("/health", get(async || reply::text(StatusCode::OK, "ok\n")))
        .route("/ready", get(async move || readiness(*draining.borrow())));
    match exposition {
        Some(exposition) => {
            router.route("/metrics", get(async move || reply::metrics(exposition())))
        }
        None => router,
    }
}

fn readiness(draining: bool) -> axum::response::Response {
    if draining {
        reply::text(StatusCode::SERVICE_UNAVAILABLE, "draining\n")
    } else {
        reply::text(StatusCode::OK, "ready\n")
    }
}
