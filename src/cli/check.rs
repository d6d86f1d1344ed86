//! `portcullis check`: reports everything that is wrong with a configuration and its schema. Calls only services that
//! describe themselves (`reflection: true`).

use super::{ConfigFile, Exit, Terminal};
use crate::config::Config;
use crate::gateway;
use crate::graph;
use crate::problem::{Problem, all_to_json, any_error};
use clap::{Args, ValueEnum};

const EXAMPLES: &str = "\
Examples:
  portcullis check
  portcullis check --config shop/portcullis.yaml --deny n+1
  portcullis check --format json | jq -r '.[] | \"\\(.file):\\(.line): \\(.message)\"'

Reads and compiles everything that `serve` would, except the files of `server.tls`, and calls nothing
but gRPC services with `reflection: true`. Exit code 1 with any error.";

/// Say everything that is wrong with a configuration and its schema
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Arguments {
    #[command(flatten)]
    config: ConfigFile,
    /// For people, or for machines
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// Warnings that count as errors
    #[arg(long, value_enum, value_name = "WARNING")]
    deny: Vec<Warning>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    Text,
    Json,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Warning {
    /// One call per element of a list
    #[value(name = "n+1")]
    NPlusOne,
}

pub(super) async fn run(arguments: &Arguments, terminal: &mut Terminal) -> Exit {
    let checked = match Config::read(&arguments.config.path) {
        Ok(config) => gateway::assemble(&config).await,
        Err(problems) => Err(problems),
    };
    let (gateway, mut problems) = match checked {
        Ok((gateway, warnings)) => (Some(gateway), warnings),
        Err(problems) => (None, problems),
    };
    for Warning::NPlusOne in &arguments.deny {
        graph::deny(&mut problems, "n+1");
    }
    match arguments.format {
        Format::Json => terminal.out(&format!("{:#}\n", all_to_json(&problems))),
        Format::Text => {
            terminal.out_problems(&problems);
            if let Some(gateway) = gateway.filter(|_| !any_error(&problems)) {
                terminal.out(&summary(&gateway, &problems));
            }
        }
    }
    if any_error(&problems) { Exit::Problems } else { Exit::Done }
}

fn summary(gateway: &gateway::Gateway, warnings: &[Problem]) -> String {
    let graph = gateway.engine.graph();
    let types = count(graph.types.len(), "object type");
    let bindings = count(graph.bindings.len(), "binding");
    let lookups = count(graph.lookups.len(), "lookup");
    let found = if warnings.is_empty() { "no problems" } else { "no errors" };
    format!("{found}: {types}, {bindings}, {lookups}\n")
}

fn count(number: usize, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}
