//! Where log lines go: to standard error, for people or for machines. The rooms only emit `tracing` events.

use std::backtrace::BacktraceStatus;
use std::io::IsTerminal as _;
use tracing_subscriber::EnvFilter;

/// How log lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    /// For people, with colours on a terminal.
    Pretty,
    /// One JSON object a line.
    Json,
}

/// The environment variable that says what is logged, such as `warn` or `info,portcullis::access=off`.
pub const FILTER: &str = "PORTCULLIS_LOG";

/// Starts logging, panics included, once for the process. Without a format: pretty on a terminal, JSON elsewhere.
pub fn init(format: Option<LogFormat>) {
    let terminal = std::io::stderr().is_terminal();
    let format = format.unwrap_or(if terminal { LogFormat::Pretty } else { LogFormat::Json });
    let filter = EnvFilter::try_from_env(FILTER).unwrap_or_else(|_| EnvFilter::new("info"));
    let colors = terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // The one error is that logging was started before, as tests do.
    let _ = match format {
        LogFormat::Pretty => builder.with_ansi(colors).with_target(false).try_init(),
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    };
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        // Empty, unless RUST_BACKTRACE asks for one.
        let trace = std::backtrace::Backtrace::capture();
        let trace = match trace.status() {
            BacktraceStatus::Captured => trace.to_string(),
            _ => String::new(),
        };
        let said = panic.payload_as_str().unwrap_or("no message");
        tracing::error!(place, trace, "panicked: {said}");
    }));
}
