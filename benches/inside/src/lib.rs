//! The clock of these measurements.

use anyhow::{Context as _, Result};
use std::time::Duration;

/// What this thread has had of a core so far, as Linux counts it: other programs on the machine do not count.
///
/// # Errors
/// The system does not tell.
pub fn on_cpu() -> Result<Duration> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat")?;
    let nanoseconds = text.split(' ').next().context("an empty schedstat")?;
    Ok(Duration::from_nanos(nanoseconds.parse()?))
}
