//! Assembles a gateway: settings become connectors, a graph, an engine and an edge. The only room that uses all rooms.
//!
//! No rule of the product is here, only the order in which its parts are assembled.

pub mod admin;
pub mod descriptors;
pub mod shutdown;
pub mod telemetry;

#[cfg(test)]
mod tests;

use crate::config::Config;
use crate::connector::grpc::{self, Grpc, Reflected};
use crate::connector::{Const, NodeById, Unread, rest::Rest};
use crate::edge::{self, Edge};
use crate::engine::{self, Engine};
use crate::graph::{self, Sdl, Surroundings};
use crate::identity::{Identity, ProviderSettings, Unusable};
use crate::memory::Memory;
use crate::problem::{Problem, SourceFile, any_error, read_files};
use crate::source::{Connector, secrets};
use crate::upstream::Watched;
use crate::upstream::discovery::register::Registration;
use futures_util::future::{join, join_all};
use serde_json::Map;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio::time::timeout;

/// Maximum wait for discovery before clients are served.
const DISCOVERY_WAIT: Duration = Duration::from_secs(5);

/// A complete gateway, not yet listening.
#[derive(Clone)]
pub struct Gateway {
    pub engine: Engine,
    pub edge: Edge,
    pub identity: Identity,
    /// Upstreams in the order of protocols, and of the configuration within each.
    pub upstreams: Vec<Arc<dyn Watched>>,
}

/// Assembles a gateway from a configuration and the SDL files it names. Must run on a Tokio runtime. Calls only
/// services that describe themselves (`reflection: true`), for a few seconds at most.
///
/// # Errors
/// Every problem found. Warnings are returned with the gateway.
pub async fn assemble(config: &Config) -> Result<(Gateway, Vec<Problem>), Vec<Problem>> {
    keep_secrets(config);
    let reflected = grpc::reflect(&config.sources).await;
    let env = |name: &str| std::env::var(name).ok();
    let sdl = Sdl::read(&config.base, &config.schema, &config.places.schema);
    assemble_from(config, sdl, &env, &reflected)
}

/// Like [`assemble`], with the given SDL, environment and reflected descriptors. Calls nothing.
///
/// # Errors
/// The same as those of [`assemble`].
pub fn assemble_from(
    config: &Config,
    mut sdl: Sdl,
    env: &dyn Fn(&str) -> Option<String>,
    reflected: &Reflected,
) -> Result<(Gateway, Vec<Problem>), Vec<Problem>> {
    keep_secrets(config);
    // Before any metric is created.
    let measured = config.edge.metrics.public || config.edge.metrics.listen.is_some();
    let exposition = measured.then(telemetry::exposition).flatten();
    let memory = Memory::new(config.edge.memory, config.edge.client_share);
    let mut problems = config.problems.clone();
    let (connectors, upstreams) = connectors(config, &memory, reflected, &mut problems);
    let identity = identity(config, &mut problems);
    let manifest = &config.manifest;
    let (manifests, found) =
        read_files(&config.base, manifest, &config.places.manifest, "manifest-file");
    problems.extend(found);
    if matches!(config.unread, Unread::All) {
        // Unreadable files may belong to the schema, so files are not reported as missing.
        sdl.problems.clear();
    }
    let surroundings = Surroundings { env, verifies_tokens: verifies_tokens(config) };
    let graph = match graph::load_in(&sdl, &connectors, &surroundings) {
        Ok((graph, warnings)) => {
            problems.extend(warnings);
            Some(graph)
        }
        // A folder without a schema lacks everything.
        Err(_) if sdl.files.is_empty() => {
            problems.extend(sdl.problems);
            None
        }
        Err(found) => {
            problems.extend(found);
            None
        }
    };
    let (Some(graph), false) = (graph, any_error(&problems)) else { return Err(problems) };
    let values = graph.env.as_object().into_iter().flat_map(Map::values);
    secrets::keep(values.filter_map(|value| value.as_str().map(str::to_owned)));
    let of_engine = engine::Settings { memory, ..config.engine.clone() };
    let engine = match Engine::new(Arc::new(graph), of_engine).with_documents(&manifests) {
        Ok(engine) => engine,
        Err(found) => {
            problems.extend(found);
            return Err(problems);
        }
    };
    let of_edge = config.edge.clone();
    let edge = Edge::with_metrics(engine.clone(), identity.clone(), of_edge, exposition);
    Ok((Gateway { engine, edge, identity, upstreams }, problems))
}

/// Adds the configuration's secrets to those that are never printed.
fn keep_secrets(config: &Config) {
    secrets::keep(config.auth.proxies.secrets());
    for source in &config.sources {
        secrets::keep(source.config.from_env.iter().flat_map(|value| value.texts.clone()));
        let headers = source.headers.iter().filter_map(|(_, value)| value.to_str().ok());
        secrets::keep(headers.map(str::to_owned));
        secrets::keep(source.credentials.secrets().map(str::to_owned));
        secrets::keep(source.upstream.proxies.secrets());
    }
}

/// Returns whether callers may have claims, or the configuration is unreadable.
fn verifies_tokens(config: &Config) -> bool {
    config.has_auth || matches!(config.unread, Unread::All)
}

/// Returns the SDL of the directives that a schema folder may use: what a load defines before it reads the folder.
#[must_use]
pub fn directives() -> String {
    let nothing = Arc::new(SourceFile { name: "<nothing>".to_owned(), text: String::new() });
    let config = Config::parse_partly(&nothing, Path::new(""), &|_| None);
    let memory = Memory::new(config.edge.memory, config.edge.client_share);
    graph::directives(&connectors(&config, &memory, &Reflected::default(), &mut Vec::new()).0)
}

type Connectors = (Vec<Box<dyn Connector>>, Vec<Arc<dyn Watched>>);

fn connectors(
    config: &Config,
    memory: &Memory,
    reflected: &Reflected,
    problems: &mut Vec<Problem>,
) -> Connectors {
    let mut sources = config.sources.clone();
    for source in &mut sources {
        source.upstream.memory = memory.clone();
    }
    let rest = Rest::new(&sources).beside(config.unread.clone());
    let (grpc, found) = Grpc::read(&sources, config.unread.clone(), reflected);
    problems.extend(rest.problems().into_iter().chain(found));
    let upstreams = [rest.upstreams(), grpc.upstreams()].concat();
    (vec![Box::new(rest), Box::new(grpc), Box::new(Const), Box::new(NodeById)], upstreams)
}

fn identity(config: &Config, problems: &mut Vec<Problem>) -> Identity {
    let (settings, places) = (&config.auth, &config.places.providers);
    let problem = |unusable: Unusable| {
        let issued = |provider: &ProviderSettings| provider.issuer == unusable.issuer;
        let at = settings.providers.iter().position(issued);
        let place = at.filter(|_| places.len() == settings.providers.len());
        Problem::error("auth-keys", unusable.to_string())
            .at(place.map(|at| places[at].clone()))
            .help("correct the provider under `auth.providers` in the configuration")
    };
    Identity::new(settings).unwrap_or_else(|unusable| {
        problems.extend(unusable.into_iter().map(problem));
        Identity::default()
    })
}

impl Gateway {
    /// Reads the files that are needed only for serving: certificates and keys.
    ///
    /// # Errors
    /// A file cannot be read, or has invalid content.
    pub fn secured(mut self) -> Result<Self, Problem> {
        self.edge = self.edge.secured().map_err(|mistake| {
            Problem::error("tls-files", mistake)
                .help("correct the files under `server.tls` in the configuration; their paths are relative to it")
        })?;
        Ok(self)
    }
}

/// Serves until `shutdown` completes, then drains. First the keys for tokens are fetched and instances are discovered,
/// within their time limits. Both are kept fresh while it serves.
pub async fn serve(gateway: Gateway, listener: TcpListener, shutdown: impl Future<Output = ()>) {
    let (_fresh_keys, _followed) = join(gateway.identity.start(), follow(&gateway.upstreams)).await;
    tokio::select! {
        () = edge::serve(listener, gateway.edge, shutdown) => {}
        () = telemetry::upkeep() => {}
    }
}

/// Follows the instances of all sources until the returned value is dropped. Completes when all are known, or the time
/// is up.
async fn follow(upstreams: &[Arc<dyn Watched>]) -> JoinSet<()> {
    let mut followed = JoinSet::new();
    for upstream in upstreams {
        followed.spawn(Arc::clone(upstream).follow());
    }
    let found = upstreams.iter().map(|upstream| Arc::clone(upstream).is_found());
    if timeout(DISCOVERY_WAIT, join_all(found)).await.is_err() {
        tracing::warn!("some instances are not known yet; serving without them");
    }
    followed
}

/// Listeners of a gateway, and its registration.
#[derive(Debug)]
pub struct Listeners {
    pub clients: TcpListener,
    /// Listener for metrics and probes.
    pub metrics: Option<TcpListener>,
    /// Listener for the admin page.
    pub admin: Option<TcpListener>,
    /// Registration with which others discover it.
    pub registration: Option<Registration>,
}

impl Listeners {
    /// Creates listeners for clients only.
    #[must_use]
    pub fn of(clients: TcpListener) -> Self {
        Self { clients, metrics: None, admin: None, registration: None }
    }
}

/// Like [`serve`], with metrics, the admin page and a registration. The registration ends before the gateway stops
/// accepting connections, so that clients are not sent to a gateway that has stopped.
pub async fn serve_all(gateway: Gateway, listeners: Listeners, shutdown: impl Future<Output = ()>) {
    let Listeners { clients, metrics, admin, registration } = listeners;
    let probes = gateway.edge.probes();
    let here = admin.as_ref().and_then(|admin| admin.local_addr().ok());
    let pages = admin::router(gateway.upstreams.clone());
    let pages = gateway.edge.private(pages, here.unwrap_or(edge::Admin::USUAL));
    let leave = async {
        match registration {
            Some(registration) => registration.run(shutdown).await,
            None => shutdown.await,
        }
    };
    tokio::select! {
        () = serve(gateway, clients, leave) => {}
        () = beside(metrics, probes) => {}
        () = beside(admin, pages) => {}
    }
}

/// Serves while it is polled; does nothing without a listener.
async fn beside(listener: Option<TcpListener>, edge: Edge) {
    if let Some(listener) = listener {
        edge::serve(listener, edge, std::future::pending()).await;
    }
    std::future::pending::<()>().await;
}
