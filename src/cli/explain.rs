//! `portcullis explain`: prints the plan of an operation and what would refuse it. Calls nothing.

use super::check::Format;
use super::{ConfigFile, Exit, Terminal, demo, operation};
use crate::config::Config;
use crate::engine::Explanation;
use crate::gateway::{self, Gateway};
use crate::graphql::Error;
use crate::problem::{Problem, SourceFile, all_to_json};
use crate::source::{Caller, secrets};
use clap::Args;
use serde_json::Value;
use std::path::PathBuf;
use std::sync::Arc;

const EXAMPLES: &str = "\
Examples:
  portcullis explain schema/queries/dashboard.graphql --demo
  portcullis explain user.graphql --variables '{\"id\": \"1\"}'
  portcullis explain user.graphql --claims '{\"sub\": \"1\", \"scope\": \"orders:read\"}'
  portcullis explain all.graphql --operation Dashboard --variables @variables.json
  portcullis explain user.graphql --format json | jq '.plan.maxCalls'
  echo '{ user(id: 1) { name } }' | portcullis explain - --demo

Prints the fetches, what each waits for, the rendered calls with secrets masked, and the largest
number of calls the operation can make. Nothing is called. Exit code 1 if the operation is refused.";

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
    /// Claims of the caller's token, as a JSON object or a file that holds one: rules of the schema are evaluated with
    /// them. `null`: no token. Without this option, all rules hold
    #[arg(long, value_name = "FILE|JSON")]
    claims: Option<String>,
    /// For people, or for machines
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

/// Reasons why there is no plan.
enum Unplanned {
    /// The gateway or the arguments are invalid.
    Problems(Vec<Problem>),
    Refused(Vec<Error>, Arc<SourceFile>),
}

pub(super) async fn run(arguments: &Arguments, terminal: &mut Terminal) -> Exit {
    let explained = explain(arguments).await;
    match arguments.format {
        Format::Text => print(&explained, terminal),
        Format::Json => {
            let json = format!("{:#}\n", to_json(&explained));
            terminal.out(&secrets::mask(&json));
        }
    }
    match explained {
        Ok(explanation) if explanation.refusals.is_empty() => Exit::Done,
        _ => Exit::Problems,
    }
}

fn print(explained: &Result<Explanation, Unplanned>, terminal: &mut Terminal) {
    match explained {
        Ok(explanation) => terminal.out(&secrets::mask(&explanation.to_string())),
        Err(Unplanned::Problems(problems)) => terminal.err_problems(problems),
        Err(Unplanned::Refused(errors, file)) => {
            let problems: Vec<Problem> =
                errors.iter().map(|error| operation::problem(error, file)).collect();
            terminal.err_problems(&problems);
        }
    }
}

fn to_json(explained: &Result<Explanation, Unplanned>) -> Value {
    match explained {
        Ok(explanation) => explanation.to_json(),
        Err(Unplanned::Refused(errors, _)) => Explanation::refused_to_json(errors),
        Err(Unplanned::Problems(problems)) => {
            let mut json = Explanation::refused_to_json(&[]);
            json["problems"] = all_to_json(problems);
            json
        }
    }
}

async fn explain(arguments: &Arguments) -> Result<Explanation, Unplanned> {
    let gateway = gateway(&arguments.config, arguments.demo).await;
    let file = operation::read(&arguments.file);
    let variables = operation::variables(&arguments.variables);
    let claims = arguments.claims.as_deref().map(operation::claims).transpose();
    let (gateway, file, variables, claims) = match (gateway, file, variables, claims) {
        (Ok(gateway), Ok(file), Ok(variables), Ok(claims)) => {
            (gateway, Arc::new(file), variables, claims)
        }
        (gateway, file, variables, claims) => {
            let of_arguments = file.err().into_iter().chain(variables.err()).chain(claims.err());
            let all = gateway.err().into_iter().flatten().chain(of_arguments);
            return Err(Unplanned::Problems(all.collect()));
        }
    };
    let caller = claims.map(|claims| Caller {
        scopes_claim: gateway.identity.scopes_claim(&claims),
        claims,
        ..Caller::default()
    });
    let name = arguments.operation.as_deref();
    gateway
        .engine
        .explain(&file.text, name, &variables, caller.as_ref())
        .map_err(|errors| Unplanned::Refused(errors, file))
}

/// Builds the gateway of a configuration, or of the demo.
pub(super) async fn gateway(config: &ConfigFile, demo: bool) -> Result<Gateway, Vec<Problem>> {
    let assembled = if demo {
        demo::assemble(None, Vec::new(), &|_| None)
    } else {
        match Config::read(&config.path) {
            Ok(config) => gateway::assemble(&config).await,
            Err(problems) => Err(problems),
        }
    };
    assembled.map(|(gateway, _)| gateway)
}
