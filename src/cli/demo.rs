//! `portcullis demo`: four services, one graph over them, and a playground, in one binary.

use super::{Exit, Terminal, chaos, listen};
use crate::config::Config;
use crate::connector::grpc::Reflected;
use crate::demo::chaos::{DRILLS, Drill, Ground, Length, Plan, Programs, run_instance};
use crate::demo::{self, Fail, Issuer, Latency, Ports, Service, Storefront};
use crate::edge;
use crate::gateway::admin::PATH;
use crate::gateway::shutdown::Hangups;
use crate::gateway::{self, Gateway, Listeners};
use crate::graph::Sdl;
use crate::identity::ProviderSettings;
use crate::problem::{Problem, SourceFile};
use clap::Args;
use std::fmt::Write as _;
use std::hash::{BuildHasher, RandomState};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::net::TcpListener;

const EXAMPLES: &str = "\
Examples:
  portcullis demo
  portcullis demo --port 0                       a free port
  portcullis demo --latency 50ms                 every service is slow
  portcullis demo --latency orders=2s --fail products=500
  portcullis demo --fail users=50% --fail notifications=hang
  portcullis demo --chaos                        fault drills: what is broken, what must hold, what was measured

A service fails with a status (500), a share of requests (50%), or: hang, close, html, half, huge.";

/// A subscription shows an event after this time, without any other request.
const PROMOTE_AFTER: Duration = Duration::from_secs(5);

const LISTEN: &str =
    "subscription { notificationAdded(userId: 1) { text order { total { cents } } } }";
const ORDER: &str = r#"mutation { placeOrder(input: { userId: 1, lines: [{ productId: "P-0042", quantity: 1 }] }) { id } }"#;

/// Serve a graph over four built-in services, with a playground
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Arguments {
    /// The gateway's port on 127.0.0.1; 0 takes a free one
    #[arg(long, short, value_name = "PORT", default_value_t = 4000)]
    port: u16,
    /// Time before each reply of a service, such as `50ms` or `orders=2s`
    #[arg(long, value_name = "[SERVICE=]TIME")]
    latency: Vec<Latency>,
    /// A service that fails, such as `orders=500`
    #[arg(long, value_name = "SERVICE=HOW")]
    fail: Vec<Fail>,
    /// The services listen on 4101 to 4104, where schema/portcullis.yaml expects them
    #[arg(long)]
    usual_ports: bool,
    /// Run fault drills instead, for about eight minutes: instances and gateways of their own are killed,
    /// restarted, made slow, and figures are compared with what must hold
    #[arg(long, conflicts_with_all = ["port", "latency", "fail", "usual_ports"])]
    chaos: bool,
    /// Only this drill; repeatable
    #[arg(long, value_name = "DRILL", requires = "chaos", value_parser = drill)]
    only: Vec<Drill>,
    /// As short as the drills' bounds allow, with less load
    #[arg(long, requires = "chaos")]
    short: bool,
    /// Drills run instances and gateways as processes of their own; the gateways are `serve` of this program
    #[arg(long, value_name = "PROGRAM", requires = "chaos")]
    gateway: Option<PathBuf>,
    /// An instance of such a drill
    #[arg(long, value_name = "PLAN", hide = true)]
    instance: Option<Plan>,
}

fn drill(name: &str) -> Result<Drill, String> {
    let known = DRILLS.into_iter().find(|drill| drill.name == name);
    known.ok_or_else(|| format!("drills are {}", DRILLS.map(|drill| drill.name).join(", ")))
}

impl Arguments {
    pub(super) fn is_drill(&self) -> bool {
        self.chaos
    }
}

pub(super) async fn run(arguments: Arguments, terminal: &mut Terminal) -> Exit {
    let hangups = Hangups::take();
    gateway::descriptors::raise_limit();
    if let Some(plan) = arguments.instance {
        return instance(plan, terminal).await;
    }
    if arguments.chaos {
        return drills(arguments, terminal).await;
    }
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, arguments.port));
    let remedy =
        "choose another one with `portcullis demo --port 4001`, or a free one with `--port 0`";
    let Some((listener, address)) = listen::listen(address, remedy, terminal).await else {
        return Exit::CannotListen;
    };
    let ports = if arguments.usual_ports { Ports::USUAL } else { Ports::default() };
    let settings = demo::Settings {
        latency: arguments.latency,
        fail: arguments.fail,
        ports,
        promote_after: Some(PROMOTE_AFTER),
    };
    let storefront = match demo::start(settings).await {
        Ok(storefront) => storefront,
        Err(error) => {
            let problem = Problem::error("cannot-listen", error.to_string());
            terminal.log_problems(&[problem.help("leave `--usual-ports` out")]);
            return Exit::CannotListen;
        }
    };
    let issuer = Issuer::new();
    let believed = vec![issuer.provider()];
    let gateway = match assemble(Some(address), believed, &|name| storefront.variable(name)) {
        Ok((gateway, _)) => gateway,
        Err(problems) => {
            terminal.log_problems(&problems);
            return Exit::Problems;
        }
    };
    let mut listeners = Listeners::of(listener);
    listeners.admin = admin().await;
    let admin = listeners.admin.as_ref().and_then(|listener| listener.local_addr().ok());
    let welcome = welcome(&storefront, &issuer, address, admin, terminal);
    terminal.out(&welcome);
    let exit = listen::serve(gateway, listeners, hangups, terminal).await;
    drop(storefront);
    exit
}

async fn drills(arguments: Arguments, terminal: &mut Terminal) -> Exit {
    let programs = match (arguments.gateway, std::env::current_exe()) {
        (None, _) => None,
        (Some(gateway), Ok(instance)) => Some(Arc::new(Programs { gateway, instance })),
        (Some(_), Err(error)) => {
            terminal.err(&format!("error: this program cannot be run again: {error}\n"));
            return Exit::Problems;
        }
    };
    let length = if arguments.short { Length::Short } else { Length::Full };
    let only = if arguments.only.is_empty() { DRILLS.to_vec() } else { arguments.only };
    chaos::run(&only, &Ground { length, programs }, terminal).await
}

async fn instance(plan: Plan, terminal: &mut Terminal) -> Exit {
    match run_instance(plan).await {
        Ok(()) => Exit::Done,
        Err(trouble) => {
            terminal.err(&format!("error: {trouble}\n"));
            Exit::CannotListen
        }
    }
}

/// Returns the default address of the admin page, or a free one.
async fn admin() -> Option<TcpListener> {
    let free = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    match TcpListener::bind(edge::Admin::USUAL).await {
        Ok(listener) => Some(listener),
        Err(_) => TcpListener::bind(free).await.ok(),
    }
}

/// Builds the demo's gateway from the texts in the binary. It accepts the tokens of these providers. Without addresses
/// for its services, their default addresses are assumed. Nothing is called here.
pub(super) fn assemble(
    listen: Option<SocketAddr>,
    providers: Vec<ProviderSettings>,
    env: &dyn Fn(&str) -> Option<String>,
) -> Result<(Gateway, Vec<Problem>), Vec<Problem>> {
    let folder = Folder::with_protos().map_err(|error| {
        let message = format!("the demo cannot write its .proto files: {error}");
        vec![Problem::error("demo-files", message).help("set TMPDIR to a folder one may write to")]
    })?;
    let file = SourceFile { name: "<demo>/portcullis.yaml".into(), text: demo::CONFIG.into() };
    let mut config = Config::parse(&Arc::new(file), &folder.0, env)?;
    config.edge.listen = listen.unwrap_or(config.edge.listen);
    demo::DASHBOARD.clone_into(&mut config.edge.default_query);
    config.edge.playground = true;
    config.engine.introspection = true;
    config.expose_upstream_errors(true);
    config.auth.providers = providers;
    config.has_auth = true;
    let sdl = demo::FILES.iter().filter(|(name, _)| is(name, "graphql"));
    let sdl = Sdl::from_texts(sdl.map(|(name, text)| (format!("<demo>/{name}"), *text)));
    gateway::assemble_from(&config, sdl, env, &Reflected::default())
}

fn is(name: &str, extension: &str) -> bool {
    Path::new(name).extension().is_some_and(|found| found == extension)
}

/// Holds the `.proto` files while they are compiled.
struct Folder(PathBuf);

impl Folder {
    fn with_protos() -> std::io::Result<Self> {
        let random = RandomState::new().hash_one(std::process::id());
        let folder = Self(std::env::temp_dir().join(format!("portcullis-demo-{random:016x}")));
        // Fails if the path exists already, so files of others are never read or written.
        std::fs::create_dir(&folder.0)?;
        for (name, text) in demo::FILES.iter().filter(|(name, _)| is(name, "proto")) {
            std::fs::write(folder.0.join(name), text)?;
        }
        Ok(folder)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn welcome(
    storefront: &Storefront,
    issuer: &Issuer,
    address: SocketAddr,
    admin: Option<SocketAddr>,
    terminal: &Terminal,
) -> String {
    let url = listen::url("http", address);
    let admin = admin.map(|address| {
        let (url, top) = (listen::url("http", address), top(address));
        format!("  admin       {url}{PATH}, or in a terminal: {top}\n")
    });
    let admin = admin.unwrap_or_default();
    let mut services = String::new();
    for service in Service::ALL {
        let protocol = if service == Service::Products { "gRPC" } else { "REST" };
        let (name, address) = (service.name(), storefront.address(service));
        // Writing to a String cannot fail.
        let _ = writeln!(services, "    {name:<14} {protocol}  {address}");
    }
    format!(
        "\
{title}

  playground  {playground}
  endpoint    {url}/graphql
{admin}  over
{services}
Ask for a whole dashboard in one call:

{curl}

Ask as somebody: a token for the playground's field, or for `-H 'authorization: Bearer …'`.
They are good for a day, and for this demo only.

{tokens}
{me}

Listen to what a user is told; every few seconds it is something. In another terminal, place an order:

{listen}

{order}

Relaxed for the demo: the playground and introspection are on. It serves this machine only.
Ctrl-C stops everything.

",
        title = terminal.bold("The storefront: one graph over four services"),
        playground = terminal.bold(&format!("{url}/")),
        curl = curl(&url, "", demo::DASHBOARD),
        tokens = tokens(issuer),
        listen = curl(&url, " -N -H 'accept: text/event-stream'", LISTEN),
        order = curl(&url, "", ORDER),
        me = curl(&url, " -H \"authorization: Bearer $TOKEN\"", "{ me { name email } }"),
    )
}

/// Returns the command that shows this gateway.
fn top(address: SocketAddr) -> String {
    if address == edge::Admin::USUAL {
        return "portcullis top".to_owned();
    }
    format!("portcullis top --url {}", listen::url("http", address))
}

/// Returns each token as a line for a shell.
fn tokens(issuer: &Issuer) -> String {
    let now = SystemTime::now();
    demo::PEOPLE.into_iter().fold(String::new(), |mut lines, person| {
        let (id, scope, token) = (person.id, person.scope, issuer.token(person, now));
        // Writing to a String cannot fail.
        let _ = writeln!(lines, "# user {id}, who may {scope}\nTOKEN={token}\n");
        lines
    })
}

/// Returns a line to paste into a shell.
fn curl(url: &str, headers: &str, query: &str) -> String {
    let body = serde_json::json!({ "query": one_line(query) }).to_string().replace('\'', r"'\''");
    format!("curl -s {url}/graphql -H 'content-type: application/json'{headers} -d '{body}'")
}

/// Returns the operation without comments, on one line. Strings in it must not contain `#` or spaces, which holds for
/// the demo's operations.
fn one_line(query: &str) -> String {
    let words = query
        .lines()
        .flat_map(|line| line.split('#').next().unwrap_or_default().split_whitespace());
    words.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::{Identity, Settings};
    use http::HeaderMap;
    use http::header::AUTHORIZATION;

    #[tokio::test]
    async fn the_printed_tokens_are_believed() {
        let issuer = Issuer::new();
        let settings = Settings { providers: vec![issuer.provider()], ..Settings::default() };
        let identity = Identity::new(&settings).unwrap();
        let printed = tokens(&issuer);
        let tokens: Vec<_> = printed.lines().filter_map(|l| l.strip_prefix("TOKEN=")).collect();
        assert_eq!(tokens.len(), demo::PEOPLE.len());
        for (token, person) in tokens.iter().zip(demo::PEOPLE) {
            let bearer = format!("Bearer {token}").parse().unwrap();
            let headers = HeaderMap::from_iter([(AUTHORIZATION, bearer)]);
            let verified = identity.of_headers(&headers, SystemTime::now()).await.unwrap().unwrap();
            assert_eq!(verified.claims["sub"], person.id.to_string());
            assert_eq!(verified.claims["scope"], person.scope);
        }
    }
}
