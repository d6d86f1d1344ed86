//! `portcullis explain`: the plan of an operation, calling nothing.

use super::{ConfigFile, Exit, Terminal, demo, operation};
use crate::config::Config;
use crate::gateway::{self, Gateway};
use crate::problem::Problem;
use crate::source::secrets;
use clap::Args;
use serde_json::Map;
use std::path::PathBuf;
use std::sync::Arc;

const EXAMPLES: &str = "\
Examples:
  portcullis explain schema/queries/dashboard.graphql --demo
  portcullis explain user.graphql --variables '{\"id\": \"1\"}'
  portcullis explain all.graphql --operation Dashboard --variables @variables.json
  echo '{ user(id: 1) { name } }' | portcullis explain - --demo

Prints the fetches, what each waits for, the rendered calls with secrets masked, and the largest
number of calls the operation can make. Nothing is called.";

/// Print the plan of an operation, calling nothing
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Arguments {
    /// The file of the operation; `-` reads standard input
    #[arg(value_name = "OPERATION")]
    file: PathBuf,
    #[command(flatten)]
    config: ConfigFile,
    /// Against the demo's graph instead of a configuration
    #[arg(long)]
    demo: bool,
    /// Which operation, where the file has several
    #[arg(long, value_name = "NAME")]
    operation: Option<String>,
    /// A JSON object, or `@` and a file that holds one
    #[arg(long, value_name = "JSON", default_value = "{}")]
    variables: String,
}

pub(super) async fn run(arguments: &Arguments, terminal: &mut Terminal) -> Exit {
    match explain(arguments).await {
        Ok(plan) => {
            terminal.out(&secrets::mask(&plan));
            if !plan.ends_with('\n') {
                terminal.out("\n");
            }
            Exit::Done
        }
        Err(problems) => {
            terminal.err_problems(&problems);
            Exit::Problems
        }
    }
}

async fn explain(arguments: &Arguments) -> Result<String, Vec<Problem>> {
    let gateway = gateway(arguments).await;
    let file = operation::read(&arguments.file);
    let variables = operation::variables(&arguments.variables);
    let (gateway, file, variables) = match (gateway, file, variables) {
        (Ok(gateway), Ok(file), Ok(variables)) => (gateway, Arc::new(file), variables),
        (gateway, file, variables) => {
            let all = gateway.err().into_iter().flatten().chain(file.err()).chain(variables.err());
            return Err(all.collect());
        }
    };
    let empty = Map::new();
    let variables = if variables.is_empty() { &empty } else { &variables };
    gateway
        .engine
        .explain(&file.text, arguments.operation.as_deref(), variables)
        .map_err(|errors| errors.iter().map(|error| operation::problem(error, &file)).collect())
}

async fn gateway(arguments: &Arguments) -> Result<Gateway, Vec<Problem>> {
    let assembled = if arguments.demo {
        demo::assemble(None, Vec::new(), &|_| None)
    } else {
        match Config::read(&arguments.config.path) {
            Ok(config) => gateway::assemble(&config).await,
            Err(problems) => Err(problems),
        }
    };
    assembled.map(|(gateway, _)| gateway)
}
