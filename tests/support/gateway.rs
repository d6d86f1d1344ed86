//! Gateways in this process, on free ports: over any SDL, and over the storefront.

use super::client::Http;
use portcullis::config::Config;
use portcullis::demo::{self, Service, Storefront};
use portcullis::gateway::{self, assemble};
use portcullis::problem::{SourceFile, render};
use std::path::Path;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

/// A gateway that is served until it is dropped.
pub struct Gateway {
    /// URL of the GraphQL endpoint.
    pub url: String,
    /// Dropped with the gateway, which stops it.
    _stop: oneshot::Sender<()>,
}

impl Gateway {
    /// Writes the SDL into `folder`, and serves it as the configuration says.
    ///
    /// # Errors
    /// The problems, as a user sees them.
    pub async fn start(folder: &Path, sdl: &str, config: &str) -> Result<Self, String> {
        std::fs::write(folder.join("schema.graphql"), sdl).expect("a temporary file");
        Self::serve(folder, config, &|_| None).await
    }

    async fn serve(
        folder: &Path,
        config: &str,
        variables: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self, String> {
        let file = SourceFile { name: "portcullis.yaml".into(), text: config.into() };
        let config = Config::parse(&Arc::new(file), folder, variables)
            .map_err(|problems| render(&problems, false))?;
        let (gateway, _) = assemble(&config).await.map_err(|problems| render(&problems, false))?;
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("a bound socket has an address");
        let (stop, stopped) = oneshot::channel::<()>();
        tokio::spawn(gateway::serve(gateway, listener, async {
            // An error is the sender's end, which is the signal.
            let _ = stopped.await;
        }));
        Ok(Self { url: format!("http://{address}/graphql"), _stop: stop })
    }
}

/// The storefront's services and a gateway over them.
pub struct Shop {
    pub gateway: Gateway,
    pub storefront: Storefront,
    pub http: Http,
}

impl Shop {
    pub async fn start() -> Self {
        Self::with(str::to_owned).await
    }

    /// Starts a shop. `change` may edit the configuration's text.
    pub async fn with(change: impl Fn(&str) -> String) -> Self {
        let storefront = demo::start(demo::Settings::default()).await.expect("free ports");
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("schema");
        let config = change(demo::CONFIG);
        let variables = |name: &str| storefront.variable(name);
        let gateway = Gateway::serve(&folder, &config, &variables).await;
        let gateway = gateway.unwrap_or_else(|problems| panic!("{problems}"));
        Self { gateway, storefront, http: Http::new() }
    }

    pub fn variables(&self) -> Vec<(&'static str, String)> {
        let variable = |service: Service| {
            let name = service.variable();
            (name, self.storefront.variable(name).expect("every service has an address"))
        };
        Service::ALL.map(variable).to_vec()
    }

    /// Returns the number of calls of an endpoint of a service.
    pub fn calls(&self, service: Service, endpoint: &str) -> u64 {
        let requests = self.storefront.requests_of(service);
        *requests.endpoints.get(endpoint).unwrap_or_else(|| panic!("no endpoint {endpoint}"))
    }

    pub fn total_calls(&self) -> u64 {
        self.storefront.requests().iter().map(|(_, requests)| requests.total).sum()
    }
}
