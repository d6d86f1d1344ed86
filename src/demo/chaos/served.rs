//! A whole gateway on a real socket, over sources that a drill made.

use super::Trouble;
use super::instance::Instance;
use super::process::GatewayProcess;
use crate::config::Config;
use crate::connector::grpc::Reflected;
use crate::gateway::{self, Gateway};
use crate::graph::Sdl;
use crate::problem::{SourceFile, render};
use crate::upstream::Watched;
use crate::upstream::status::Status;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// A source with a query `a(id: ID!): Item` of its name, and a mutation `change_a(id: ID!): Item`.
#[derive(Debug, Clone)]
pub struct Source {
    pub name: &'static str,
    /// Settings under its name in the configuration.
    pub settings: String,
    protocol: Protocol,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    Rest,
    Grpc,
}

impl Source {
    /// Creates a source of listed instances, called over REST.
    pub fn of(name: &'static str, instances: &[Instance]) -> Self {
        Self::over(Protocol::Rest, name, instances)
    }

    pub fn over(protocol: Protocol, name: &'static str, instances: &[Instance]) -> Self {
        let urls: Vec<_> =
            instances.iter().map(|it| format!("\"http://{}\"", it.address)).collect();
        let urls = urls.join(", ");
        let settings = match protocol {
            Protocol::Rest => format!("rest: {{ urls: [{urls}] }}"),
            Protocol::Grpc => format!("grpc: {{ urls: [{urls}], protos: [drill.proto] }}"),
        };
        Self { name, settings, protocol }
    }

    /// Creates a source whose instances are discovered with these settings, called over REST.
    pub fn found(name: &'static str, settings: String) -> Self {
        Self { name, settings, protocol: Protocol::Rest }
    }

    /// Adds a setting.
    #[must_use]
    pub fn with(mut self, setting: &str) -> Self {
        self.settings.push_str(", ");
        self.settings.push_str(setting);
        self
    }

    fn query(&self) -> String {
        let binding = self.binding("GET: \"/items/{$args.id}\"", "Get");
        format!("  {}(id: ID!): Item {binding}\n", self.name)
    }

    fn mutation(&self) -> String {
        let binding = self.binding("POST: \"/items/{$args.id}\"", "Change");
        format!("  change_{}(id: ID!): Item {binding}\n", self.name)
    }

    fn binding(&self, path: &str, method: &str) -> String {
        let name = self.name;
        match self.protocol {
            Protocol::Rest => format!("@rest(source: \"{name}\", {path})"),
            Protocol::Grpc => format!(
                "@grpc(source: \"{name}\", method: \"drill.Items/{method}\", message: \"id: $args.id\")"
            ),
        }
    }
}

/// A call's message is its reply.
const PROTO: &str = "\
syntax = \"proto3\";
package drill;
message Item { string id = 1; }
service Items {
  rpc Get(Item) returns (Item);
  rpc Change(Item) returns (Item);
}
";

/// Ends when it is dropped; see [`Served::restart`].
pub struct Served {
    pub address: SocketAddr,
    sources: Vec<Source>,
    place: Place,
}

enum Place {
    Here {
        upstreams: Vec<Arc<dyn Watched>>,
        stop: Option<oneshot::Sender<()>>,
        task: JoinHandle<()>,
    },
    Apart {
        _process: GatewayProcess,
        _folder: Folder,
    },
}

impl Served {
    /// Starts on a free port.
    pub async fn start(sources: &[Source]) -> Result<Self, Trouble> {
        Self::start_at(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), sources).await
    }

    /// Starts on a free port, in a process of `program` if there is one.
    pub async fn start_in(program: Option<&Path>, sources: &[Source]) -> Result<Self, Trouble> {
        let Some(program) = program else { return Self::start(sources).await };
        let folder = Folder::with(sources)?;
        let process = GatewayProcess::start(program, &folder.0.join(CONFIG))?;
        let (address, sources) = (process.address, sources.to_vec());
        Ok(Self { address, sources, place: Place::Apart { _process: process, _folder: folder } })
    }

    async fn start_at(address: SocketAddr, sources: &[Source]) -> Result<Self, Trouble> {
        let gateway = assemble(sources)?;
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let upstreams = gateway.upstreams.clone();
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(gateway::serve(gateway, listener, async {
            // Dropping the sender stops it, too.
            let _ = stopped.await;
        }));
        let place = Place::Here { upstreams, stop: Some(stop), task };
        Ok(Self { address, sources: sources.to_vec(), place })
    }

    /// Stops the gateway as by a SIGTERM, then starts another one on the same address. Only in this process.
    pub async fn restart(&mut self) -> Result<(), Trouble> {
        if let Place::Here { stop, task, .. } = &mut self.place {
            drop(stop.take());
            // Clients would notice a panic.
            let _ = task.await;
            *self = Self::start_at(self.address, &self.sources.clone()).await?;
        }
        Ok(())
    }

    /// Returns the status of a source as in `/admin/upstreams`; only in this process.
    pub fn status(&self, source: &str) -> Option<Status> {
        let Place::Here { upstreams, .. } = &self.place else { return None };
        let now = Instant::now();
        upstreams.iter().map(|it| it.status(now)).find(|status| status.source == source)
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        if let Place::Here { task, .. } = &self.place {
            task.abort();
        }
    }
}

const CONFIG: &str = "portcullis.yaml";

/// Holds configuration and schema while they are read.
struct Folder(PathBuf);

impl Folder {
    fn with(sources: &[Source]) -> io::Result<Self> {
        let random = fastrand::u64(..);
        let folder = Self(std::env::temp_dir().join(format!("portcullis-drill-{random:016x}")));
        // Fails if the path exists already, so files of others are never read or written.
        std::fs::create_dir(&folder.0)?;
        std::fs::write(folder.0.join(CONFIG), config(sources))?;
        std::fs::write(folder.0.join("schema.graphql"), sdl(sources))?;
        std::fs::write(folder.0.join("drill.proto"), PROTO)?;
        Ok(folder)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn config(sources: &[Source]) -> String {
    let mut text = "schema: [schema.graphql]\nserver: { access_log: false }\nsources:\n".to_owned();
    for Source { name, settings, .. } in sources {
        text.push_str(&format!("  {name}: {{ {settings} }}\n"));
    }
    text
}

fn sdl(sources: &[Source]) -> String {
    let queries: String = sources.iter().map(Source::query).collect();
    let mutations: String = sources.iter().map(Source::mutation).collect();
    format!(
        "type Item {{ id: ID! }}\ntype Query {{\n{queries}}}\ntype Mutation {{\n{mutations}}}\n"
    )
}

fn assemble(sources: &[Source]) -> Result<Gateway, Trouble> {
    let folder = Folder::with(sources)?;
    let file = SourceFile { name: "<drill>/portcullis.yaml".into(), text: config(sources) };
    let sdl = Sdl::from_texts([("<drill>/schema.graphql", sdl(sources))]);
    Config::parse(&Arc::new(file), &folder.0, &|_| None)
        .and_then(|config| gateway::assemble_from(&config, sdl, &|_| None, &Reflected::default()))
        .map(|(gateway, _)| gateway)
        .map_err(|problems| Trouble::Configuration(render(&problems, false)))
}
