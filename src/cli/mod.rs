//! The command line: parses arguments, runs a command, and returns an exit code.
//!
//! Each command is a function from its arguments and a [`Terminal`] to an [`Exit`], so that tests run it without a
//! process. Answers go to standard output, everything else to standard error.

mod chaos;
mod check;
mod demo;
mod explain;
mod explain_error;
mod listen;
mod operation;
mod schema;
mod serve;
mod terminal;
mod top;

#[cfg(test)]
mod tests;

pub use terminal::{Captured, Terminal};

use crate::gateway::shutdown::Hangups;
use crate::gateway::telemetry::{self, LogFormat};
use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;
use std::process::ExitCode;

/// Result of a command. The numbers are part of the interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    Done = 0,
    /// Problems in a schema, a configuration or an operation, or a drill that failed. They were printed.
    Problems = 1,
    /// The arguments are invalid.
    Usage = 2,
    /// An address is in use, or requires permissions.
    CannotListen = 3,
    /// The gateway that the command queries does not answer.
    NoAnswer = 4,
    /// A second signal aborted what was still in flight. The number is the shells' one for SIGINT.
    Interrupted = 130,
}

const EXAMPLES: &str = "\
Start here:
  portcullis demo                          a graph over four built-in services, and a playground
  portcullis explain my.graphql --demo     the plan of an operation, calling nothing

With services of your own:
  portcullis check                         what is wrong with portcullis.yaml and its schema
  portcullis serve                         serve it
  portcullis top                           how the services behind it are, as it runs
  portcullis explain-error THROTTLED       what an error code means, and how to mend it
  portcullis schema directives             for editors; also: api, config, errors

Exit codes: 0 done; 1 problems in schema, configuration or operation, or a drill that failed;
2 wrong arguments; 3 cannot listen; 4 no answer.
Logs go to standard error; PORTCULLIS_LOG says which (warn, or info,portcullis::access=off).";

/// A GraphQL gateway over the services a company already has
#[derive(Debug, Parser)]
#[command(name = "portcullis", version, after_help = EXAMPLES, max_term_width = 100)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
    /// How log lines are written; pretty on a terminal, otherwise JSON
    #[arg(long, global = true, value_enum, value_name = "FORMAT")]
    log_format: Option<LogFormat>,
}

#[derive(Debug, Subcommand)]
enum Command {
    Demo(demo::Arguments),
    Serve(serve::Arguments),
    Check(check::Arguments),
    Explain(explain::Arguments),
    Top(top::Arguments),
    ExplainError(explain_error::Arguments),
    Schema(schema::Arguments),
}

/// Exit code of a process that SIGHUP ends.
const HUNG_UP: i32 = 128 + 1;

impl Command {
    /// Returns whether the command runs until it is stopped, and so outlives its terminal.
    fn serves(&self) -> bool {
        matches!(self, Self::Demo(_) | Self::Serve(_))
    }

    /// Returns the default log filter.
    fn usual_log(&self) -> &'static str {
        match self {
            // All failures in it are intended.
            Self::Demo(arguments) if arguments.is_drill() => "error",
            _ => "info",
        }
    }
}

/// The configuration that a command uses.
#[derive(Debug, Args)]
struct ConfigFile {
    /// The configuration
    #[arg(
        id = "config",
        long = "config",
        short = 'c',
        value_name = "FILE",
        default_value = "portcullis.yaml",
        env = "PORTCULLIS_CONFIG"
    )]
    path: PathBuf,
}

/// Runs the process's command.
#[must_use]
pub fn main() -> ExitCode {
    let mut terminal = Terminal::of_process();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            terminal.err(&format!("the system gives no threads: {error}\n"));
            return ExitCode::from(Exit::Problems as u8);
        }
    };
    // Comes first: a signal that arrives earlier ends the process.
    let hangups = {
        let _entered = runtime.enter();
        Hangups::take()
    };
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        // Help and version arrive here too, with exit code 0.
        Err(error) => error.exit(),
    };
    telemetry::init(cli.log_format.unwrap_or_else(LogFormat::usual), cli.command.usual_log());
    if !cli.command.serves() {
        #[expect(
            clippy::disallowed_methods,
            reason = "as the signal does by itself: nothing is open"
        )]
        runtime.spawn(async move {
            hangups.first().await;
            std::process::exit(HUNG_UP);
        });
    }
    let exit = runtime.block_on(run(cli, &mut terminal));
    runtime.shutdown_background();
    ExitCode::from(exit as u8)
}

/// Runs one command. `demo` and `serve` return when a signal stops the process.
pub async fn run(cli: Cli, terminal: &mut Terminal) -> Exit {
    if let Some(format) = cli.log_format {
        terminal.log_as(format);
    }
    match cli.command {
        Command::Demo(arguments) => Box::pin(demo::run(arguments, terminal)).await,
        Command::Serve(arguments) => Box::pin(serve::run(arguments, terminal)).await,
        Command::Check(arguments) => Box::pin(check::run(&arguments, terminal)).await,
        Command::Explain(arguments) => Box::pin(explain::run(&arguments, terminal)).await,
        Command::Top(arguments) => Box::pin(top::run(arguments, terminal)).await,
        Command::ExplainError(arguments) => explain_error::run(&arguments, terminal),
        Command::Schema(arguments) => Box::pin(schema::run(&arguments, terminal)).await,
    }
}
