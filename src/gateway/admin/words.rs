//! Formats a status in words, the same on the page and in the terminal.

use crate::upstream::Position;
use crate::upstream::status::{InstanceStatus, Status, Wellness};
use std::time::Duration;

/// Describes the state of a source in a word or two.
pub fn source(status: &Status) -> &'static str {
    match status.breaker {
        Position::Open => "refused",
        Position::HalfOpen => "trying",
        Position::Closed if status.instances.is_empty() => "no instance",
        Position::Closed if called(status) < status.instances.len() => "partly well",
        Position::Closed => "well",
    }
}

/// Returns the number of instances that take calls.
pub fn called(status: &Status) -> usize {
    let takes_calls = |health: Wellness| matches!(health, Wellness::Well | Wellness::Starting);
    status.instances.iter().filter(|instance| takes_calls(instance.health)).count()
}

/// Formats `open, for 4.2 s`
pub fn breaker(status: &Status) -> String {
    match (status.breaker, status.refuses_for_ms) {
        (Position::Closed, _) => "closed".to_owned(),
        (Position::HalfOpen, _) => "half open".to_owned(),
        (Position::Open, Some(ms)) => format!("open, for {}", span(ms)),
        (Position::Open, None) => "open, next call tries".to_owned(),
    }
}

/// Formats `ejected, 12 s`
pub fn instance(status: &InstanceStatus) -> String {
    match (status.health, status.ejected_for_ms) {
        (Wellness::Well, _) => "well".to_owned(),
        (Wellness::Starting, _) => "starting".to_owned(),
        (Wellness::Down, _) => "down".to_owned(),
        (Wellness::Ejected, Some(ms)) => format!("ejected, {}", span(ms)),
        (Wellness::Ejected, None) => "ejected".to_owned(),
    }
}

/// Formats a latency: `0.42 ms`, `12.3 ms`, `1.20 s`, or `-`.
pub fn latency(ms: Option<f64>) -> String {
    match ms {
        None => "-".to_owned(),
        Some(ms) if ms < 10.0 => format!("{ms:.2} ms"),
        Some(ms) if ms < 100.0 => format!("{ms:.1} ms"),
        Some(ms) if ms < 1000.0 => format!("{ms:.0} ms"),
        Some(ms) => format!("{:.2} s", ms / 1000.0),
    }
}

/// Formats a duration: `0.4 s`, `12 s`, `5 min`, `3 h`, `2 d`.
pub fn span(ms: u64) -> String {
    match ms / 1000 {
        0..10 => format!("{:.1} s", Duration::from_millis(ms).as_secs_f64()),
        seconds @ 10..120 => format!("{seconds} s"),
        seconds @ 120..7_200 => format!("{} min", seconds / 60),
        seconds @ 7_200..172_800 => format!("{} h", seconds / 3_600),
        seconds => format!("{} d", seconds / 86_400),
    }
}
