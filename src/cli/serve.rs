//! `portcullis serve`: the gateway of a configuration, until the process is told to stop.

use super::{ConfigFile, Exit, Terminal, listen};
use crate::config::Config;
use crate::gateway;
use clap::Args;
use std::net::SocketAddr;

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
}

pub(super) async fn run(arguments: Arguments, terminal: &mut Terminal) -> Exit {
    let assembled = Config::read(&arguments.config.path)
        .and_then(|config| gateway::assemble(&config).map(|found| (config, found)));
    let (config, (gateway, warnings)) = match assembled {
        Ok(found) => found,
        Err(problems) => {
            terminal.err_problems(&problems);
            return Exit::Problems;
        }
    };
    terminal.err_problems(&warnings);
    let address = arguments.listen.unwrap_or(config.edge.listen);
    let remedy = "choose another one with `--listen 127.0.0.1:4001`, or `server.listen` in the \
                  configuration";
    let Some((listener, address)) = listen::listen(address, remedy, terminal).await else {
        return Exit::CannotListen;
    };
    let path = &config.edge.path;
    terminal.out(&format!("serving {}{path}\n", listen::url(address)));
    listen::serve(gateway, listener, terminal).await
}
