//! Logs and metrics. The rooms only emit `tracing` events, and numbers through `metrics`; without a recorder those cost
//! next to nothing. Lines go to standard error, for people or for machines. Metrics are kept until `/metrics` is read.

use crate::edge::Exposition;
use crate::problem::{Problem, Severity, to_json};
use crate::source::secrets;
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};
use serde_json::{Map, Value};
use std::backtrace::BacktraceStatus;
use std::io::{self, IsTerminal as _, Write};
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime as _, SystemTime};

/// Format of log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    /// For people, with colors on a terminal.
    Pretty,
    /// One JSON object per line.
    Json,
}

/// Environment variable with the log filter, such as `warn` or `info,portcullis::access=off`.
pub const FILTER: &str = "PORTCULLIS_LOG";

impl LogFormat {
    /// Returns the default format: pretty on a terminal, JSON elsewhere.
    #[must_use]
    pub fn usual() -> Self {
        if io::stderr().is_terminal() { Self::Pretty } else { Self::Json }
    }
}

/// Starts logging, panics included, once per process. `usual` is the filter if [`FILTER`] is not set.
pub fn init(format: LogFormat, usual: &str) {
    let terminal = std::io::stderr().is_terminal();
    let filter = EnvFilter::try_from_env(FILTER).unwrap_or_else(|_| EnvFilter::new(usual));
    let colors = terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(|| Lines);
    // The only error is that logging was started before, as tests do.
    let _ = match format {
        LogFormat::Pretty => builder.with_ansi(colors).with_target(false).try_init(),
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    };
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        // Empty, unless RUST_BACKTRACE requests one.
        let trace = std::backtrace::Backtrace::capture();
        let trace = match trace.status() {
            BacktraceStatus::Captured => trace.to_string(),
            _ => String::new(),
        };
        let said = panic.payload_as_str().unwrap_or("no message");
        tracing::error!(place, trace, "panicked: {said}");
    }));
}

/// Standard error with secrets masked. A closed reader (`2>&1 | head`) is not an error: lines are then dropped.
struct Lines;

impl Write for Lines {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let _ = io::stderr().write_all(&secrets::mask_bytes(line));
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let _ = io::stderr().flush();
        Ok(())
    }
}

/// Formats a problem as a line of the JSON log, with the members that every line has.
#[must_use]
pub fn problem_line(problem: &Problem) -> String {
    let mut timestamp = String::new();
    // Writing to a String cannot fail.
    let _ = SystemTime.format_time(&mut Writer::new(&mut timestamp));
    let level = match problem.severity {
        Severity::Error => "ERROR",
        Severity::Warning => "WARN",
    };
    let mut line = Map::new();
    line.insert("timestamp".to_owned(), timestamp.into());
    line.insert("level".to_owned(), level.into());
    if let Value::Object(members) = to_json(problem) {
        line.extend(members.into_iter().filter(|(name, _)| name != "severity"));
    }
    line.insert("target".to_owned(), module_path!().into());
    format!("{}\n", Value::Object(line))
}

/// One recorder per process, as `metrics` requires; `None` if another recorder was installed before.
static RECORDER: OnceLock<Option<PrometheusHandle>> = OnceLock::new();

/// Upper bounds of the buckets of every `…_seconds` histogram.
const SECONDS: [f64; 14] =
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// Interval at which unread measurements are aggregated.
const UPKEEP: Duration = Duration::from_secs(5);

/// Starts recording metrics, once per process, and returns a handle to read them.
pub fn exposition() -> Option<Exposition> {
    let recorder = RECORDER.get_or_init(|| match install() {
        Ok(handle) => Some(handle),
        Err(error) => {
            tracing::error!("metrics cannot be kept: {error}");
            None
        }
    });
    let handle = recorder.clone()?;
    Some(Arc::new(move || handle.render()))
}

fn install() -> Result<PrometheusHandle, BuildError> {
    PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &SECONDS)?
        .install_recorder()
}

/// Keeps unread measurements from growing. Runs until dropped.
pub async fn upkeep() {
    loop {
        tokio::time::sleep(UPKEEP).await;
        if let Some(Some(handle)) = RECORDER.get() {
            handle.run_upkeep();
        }
    }
}
