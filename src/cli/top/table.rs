//! The table, as text of at most 80 columns. Control characters become blanks, so that names from elsewhere cannot move
//! the cursor.

use crate::gateway::admin::{View, words};
use crate::upstream::status::{InstanceStatus, Status};
use std::fmt::Write as _;
use std::time::Duration;

const WIDTH: usize = 80;

/// Widths of the columns: name, state, calls per second, failures, latencies, calls in flight.
const NAME: usize = 23;
const IS: usize = 14;

/// Formats a view. Calls per second are shown if there is a view from before.
pub(super) fn table(view: &View, before: Option<&View>) -> String {
    let mut table = String::new();
    let title = format!("Portcullis {}, up {}", view.version, words::span(view.up_ms));
    line(&mut table, &title);
    let head = row("SOURCE, INSTANCE", "IS", ["CALLS/S", "FAILED", "P50", "P95", "IN FLIGHT"]);
    for status in &view.sources {
        line(&mut table, "");
        line(&mut table, &head);
        source(&mut table, status, &Rates::new(view, before, &status.source));
    }
    if view.sources.is_empty() {
        line(&mut table, "There are no sources.");
    }
    table
}

fn source(table: &mut String, status: &Status, rates: &Rates<'_>) {
    let numbers = [
        &*rates.of_source(status),
        &*status.failures.to_string(),
        &*words::latency(status.p50_ms),
        &*words::latency(status.p95_ms),
        &*format!("{} of {}", status.in_flight, status.limit),
    ];
    line(table, &row(&status.source, words::source(status), numbers));
    for status in &status.instances {
        let numbers = [
            &*rates.of_instance(status),
            &*status.failures.to_string(),
            &*words::latency(status.p50_ms),
            &*words::latency(status.p95_ms),
            &*status.in_flight.to_string(),
        ];
        let name = format!("  {}", status.address);
        line(table, &row(&name, &words::instance(status), numbers));
    }
    let p99 = words::latency(status.p99_ms);
    let (left, moves, waiting) = (status.retries_left, status.moves, status.waiting);
    let breaker = words::breaker(status);
    let more =
        format!("  breaker {breaker}; budget {left}; moves {moves}; waiting {waiting}; p99 {p99}");
    line(table, &more);
    if let Some(error) = &status.discovery_error {
        line(table, &format!("  discovery: {error}"));
    }
    if let Some(last) = status.recent_errors.first() {
        let ago = words::span(last.ago_ms);
        line(table, &format!("  {ago} ago, {}: {}", last.instance, last.error));
    }
}

fn row(name: &str, is: &str, numbers: [&str; 5]) -> String {
    let mut row = format!("{:NAME$} {:IS$}", cut(name, NAME), cut(is, IS));
    for (number, width) in numbers.into_iter().zip([8, 8, 8, 8, 10]) {
        // Writing to a String cannot fail.
        let _ = write!(row, "{number:>width$}");
    }
    row
}

/// Appends a line, cut to fit.
fn line(table: &mut String, text: &str) {
    table.push_str(cut(text, WIDTH).trim_end());
    table.push('\n');
}

fn cut(text: &str, width: usize) -> String {
    let plain = |c: char| if c.is_control() { ' ' } else { c };
    if text.chars().count() <= width {
        return text.chars().map(plain).collect();
    }
    text.chars().map(plain).take(width - 1).chain(['…']).collect()
}

/// Counters of a source at the last view.
struct Rates<'a> {
    before: Option<&'a Status>,
    seconds: f64,
}

impl<'a> Rates<'a> {
    /// Creates the rates. A gateway that was restarted since is not compared with its earlier counters.
    fn new(view: &View, before: Option<&'a View>, source: &str) -> Self {
        let before = before.filter(|before| before.up_ms < view.up_ms);
        let seconds = before
            .map_or(0.0, |before| Duration::from_millis(view.up_ms - before.up_ms).as_secs_f64());
        let before =
            before.and_then(|before| before.sources.iter().find(|known| known.source == source));
        Self { before, seconds }
    }

    fn of_source(&self, status: &Status) -> String {
        self.rate(status.calls, self.before.map(|before| before.calls))
    }

    fn of_instance(&self, status: &InstanceStatus) -> String {
        let before = self.before.and_then(|before| {
            before.instances.iter().find(|known| known.address == status.address)
        });
        self.rate(status.calls, before.map(|before| before.calls))
    }

    fn rate(&self, now: u64, before: Option<u64>) -> String {
        let Some(more) = before.and_then(|before| now.checked_sub(before)) else {
            return "-".to_owned();
        };
        let more = u32::try_from(more).unwrap_or(u32::MAX);
        format!("{:.1}", f64::from(more) / self.seconds)
    }
}
