//! A whole gateway on a real socket, over sources that a drill made.

use super::Trouble;
use super::instance::Instance;
use crate::config::Config;
use crate::gateway::{self, Gateway};
use crate::graph::Sdl;
use crate::problem::{Problem, SourceFile, render};
use crate::upstream::Watched;
use crate::upstream::status::Status;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// A source with one field of the same name: `a(id: ID!): Item`.
#[derive(Debug, Clone)]
pub struct Source {
    pub name: &'static str,
    /// What stands under its name in the configuration.
    pub settings: String,
}

impl Source {
    /// Instances that are written down.
    pub fn of(name: &'static str, instances: &[Instance]) -> Self {
        let urls: Vec<_> =
            instances.iter().map(|it| format!("\"http://{}\"", it.address)).collect();
        Self { name, settings: format!("rest: {{ urls: [{}] }}", urls.join(", ")) }
    }
}

/// Ends when it is dropped; see [`Served::drain`].
pub struct Served {
    pub address: SocketAddr,
    sources: Vec<Source>,
    upstreams: Vec<Arc<dyn Watched>>,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<()>,
}

impl Served {
    /// On a free port.
    pub async fn start(sources: &[Source]) -> Result<Self, Trouble> {
        Self::start_at(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), sources).await
    }

    async fn start_at(address: SocketAddr, sources: &[Source]) -> Result<Self, Trouble> {
        let gateway = assemble(sources)
            .map_err(|problems| Trouble::Configuration(render(&problems, false)))?;
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let upstreams = gateway.upstreams.clone();
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(gateway::serve(gateway, listener, async {
            // Dropping the sender is a signal as well.
            let _ = stopped.await;
        }));
        Ok(Self { address, sources: sources.to_vec(), upstreams, stop: Some(stop), task })
    }

    /// Told to stop, it ends as a process that gets a SIGTERM; then another one is started on the same address.
    pub async fn restart(&mut self) -> Result<(), Trouble> {
        drop(self.stop.take());
        // A panic would be seen by those who ask.
        let _ = (&mut self.task).await;
        *self = Self::start_at(self.address, &self.sources.clone()).await?;
        Ok(())
    }

    /// What `/admin/upstreams` would say of a source.
    pub fn status(&self, source: &str) -> Option<Status> {
        let now = Instant::now();
        self.upstreams.iter().map(|it| it.status(now)).find(|status| status.source == source)
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn assemble(sources: &[Source]) -> Result<Gateway, Vec<Problem>> {
    let mut text = "server: { access_log: false }\nsources:\n".to_owned();
    let mut sdl = "type Item { id: ID! }\ntype Query {\n".to_owned();
    for Source { name, settings } in sources {
        text.push_str(&format!("  {name}: {{ {settings} }}\n"));
        sdl.push_str(&format!(
            "  {name}(id: ID!): Item @rest(source: \"{name}\", GET: \"/items/{{$args.id}}\")\n"
        ));
    }
    sdl.push_str("}\n");
    let file = SourceFile { name: "<drill>/portcullis.yaml".into(), text };
    let config = Config::parse(&Arc::new(file), Path::new("."), &|_| None)?;
    let sdl = Sdl::from_texts([("<drill>/drill.graphql", sdl)]);
    gateway::assemble_from(&config, Ok(sdl), &|_| None).map(|(gateway, _)| gateway)
}
