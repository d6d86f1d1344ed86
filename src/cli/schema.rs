//! `portcullis schema`: prints interfaces from the code itself: the API schema, the SDL of the directives, the JSON
//! Schema of the configuration, the error codes. Calls nothing.

mod errors;

use super::{ConfigFile, Exit, Terminal, explain};
use crate::config;
use crate::gateway;
use clap::{Args, Subcommand, ValueEnum};

const EXAMPLES: &str = "\
Examples:
  portcullis schema api > api.graphql                        the schema that clients see
  portcullis schema directives > directives.graphql          for editors and graphql-js
  portcullis schema config > portcullis.schema.json          for editors of portcullis.yaml
  portcullis schema errors --format typescript > errors.ts   the error codes as types";

/// Print a schema: of the API, the directives, the configuration or the errors
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Arguments {
    #[command(subcommand)]
    subject: Subject,
}

#[derive(Debug, Subcommand)]
enum Subject {
    /// The SDL that clients see: without bindings, `@internal` fields and `@require`d arguments
    Api {
        #[command(flatten)]
        config: ConfigFile,
        /// Of the demo's graph instead of a configuration
        #[arg(long)]
        demo: bool,
    },
    /// The SDL of the directives that a schema folder may use
    Directives,
    /// The JSON Schema of portcullis.yaml
    Config,
    /// The error codes, and the members of `extensions`
    Errors {
        /// For people, for machines, or as types of TypeScript
        #[arg(long, value_enum, default_value_t = ErrorFormat::Text)]
        format: ErrorFormat,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ErrorFormat {
    Text,
    Json,
    #[value(name = "typescript")]
    TypeScript,
}

pub(super) async fn run(arguments: &Arguments, terminal: &mut Terminal) -> Exit {
    let text = match &arguments.subject {
        Subject::Api { config, demo } => match explain::gateway(config, *demo).await {
            Ok(gateway) => gateway.engine.graph().api_schema.to_string(),
            Err(problems) => {
                terminal.err_problems(&problems);
                return Exit::Problems;
            }
        },
        Subject::Directives => gateway::directives(),
        Subject::Config => format!("{:#}\n", config::json_schema()),
        Subject::Errors { format } => match format {
            ErrorFormat::Text => errors::text(),
            ErrorFormat::Json => format!("{:#}\n", errors::json()),
            ErrorFormat::TypeScript => errors::typescript(),
        },
    };
    terminal.out(&text);
    if !text.ends_with('\n') {
        terminal.out("\n");
    }
    Exit::Done
}
