//! `portcullis serve`: runs the gateway of a configuration until a signal stops it.

use super::{ConfigFile, Exit, Terminal, listen};
use crate::config::Config;
use crate::edge;
use crate::gateway::shutdown::Hangups;
use crate::gateway::{self, Gateway, Listeners};
use crate::problem::Problem;
use crate::upstream::discovery::register::Registration;
use clap::Args;
use std::net::{IpAddr, SocketAddr};

const EXAMPLES: &str = "\
Examples:
  portcullis serve
  portcullis serve --config shop/portcullis.yaml --listen 0.0.0.0:8080
  ORDERS_URL=http://orders:8080 portcullis serve --log-format json

SIGINT or SIGTERM stops accepting and lets requests in flight finish (server.shutdown_grace, 10s); a
second one ends at once. /health says that the process lives, /ready that it takes requests.";

/// Serve the graph of a configuration
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Arguments {
    #[command(flatten)]
    config: ConfigFile,
    /// Where clients are served; wins over `server.listen`
    #[arg(long, value_name = "ADDRESS", env = "PORTCULLIS_LISTEN")]
    listen: Option<SocketAddr>,
    /// For development: errors and the log show which call failed and what the service answered
    /// (`server.expose_upstream_errors`)
    #[arg(long)]
    dev: bool,
}

pub(super) async fn run(arguments: Arguments, terminal: &mut Terminal) -> Exit {
    let hangups = Hangups::take();
    let (config, (gateway, warnings)) = match assembled(&arguments).await {
        Ok(found) => found,
        Err(problems) => {
            terminal.log_problems(&problems);
            return Exit::Problems;
        }
    };
    terminal.log_problems(&warnings);
    let limit = gateway::descriptors::raise_limit();
    terminal.log_problems(gateway::descriptors::shortage(&config, limit).as_slice());
    let gateway = match gateway.secured() {
        Ok(gateway) => gateway,
        Err(problem) => {
            terminal.log_problems(&[problem]);
            return Exit::Problems;
        }
    };
    let address = arguments.listen.unwrap_or(config.edge.listen);
    let remedy = "choose another one with `--listen 127.0.0.1:4001`, or `server.listen` in the \
                  configuration";
    let Some((listener, address)) = listen::listen(address, remedy, terminal).await else {
        return Exit::CannotListen;
    };
    let mut listeners = Listeners::of(listener);
    listeners.registration = match registration(&config, address) {
        Ok(registration) => registration,
        Err(reason) => {
            let message = format!("this gateway cannot be registered in Consul: {reason}");
            let help = "write the address where others reach it as `server.consul.address`";
            terminal.log_problems(&[Problem::error("consul-address", message).help(help)]);
            return Exit::Problems;
        }
    };
    if let Some(address) = config.edge.metrics.listen {
        let remedy = "choose another one with `server.metrics.listen` in the configuration";
        let Some((listener, address)) = listen::listen(address, remedy, terminal).await else {
            return Exit::CannotListen;
        };
        let scheme = edge::scheme(config.edge.metrics.tls);
        terminal.out(&format!("metrics {}/metrics\n", listen::url(scheme, address)));
        listeners.metrics = Some(listener);
    }
    listeners.admin = match listen::admin(config.edge.admin, terminal).await {
        Ok(listener) => listener,
        Err(exit) => return exit,
    };
    let path = &config.edge.path;
    let scheme = edge::scheme(config.edge.tls.is_some());
    terminal.out(&format!("serving {}{path}\n", listen::url(scheme, address)));
    listen::serve(gateway, listeners, hangups, terminal).await
}

async fn assembled(
    arguments: &Arguments,
) -> Result<(Config, (Gateway, Vec<Problem>)), Vec<Problem>> {
    let mut config = Config::read(&arguments.config.path)?;
    if arguments.dev {
        config.expose_upstream_errors(true);
    }
    let found = gateway::assemble(&config).await?;
    Ok((config, found))
}

/// Returns the registration in Consul of a gateway that listens on `listen`.
fn registration(config: &Config, listen: SocketAddr) -> Result<Option<Registration>, String> {
    let Some(consul) = &config.consul else { return Ok(None) };
    let settings = consul.at(listen)?;
    if settings.host.parse().is_ok_and(|ip: IpAddr| ip.is_loopback()) {
        tracing::warn!("registered as {}, which no other machine reaches", settings.host);
    }
    Registration::new(&settings).map(Some)
}
