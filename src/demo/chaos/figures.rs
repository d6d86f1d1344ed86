//! Measured figures, compared with their bounds.

use std::fmt;
use std::time::Duration;

/// One figure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Text with its bound.
    pub text: String,
    pub holds: bool,
}

/// All figures of a drill.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Findings(Vec<Finding>);

impl Findings {
    /// Creates one figure.
    #[must_use]
    pub fn of(holds: bool, text: impl Into<String>) -> Self {
        let mut findings = Self::default();
        findings.hold(holds, text);
        findings
    }

    /// Adds a condition that must hold, and what was measured.
    pub(super) fn hold(&mut self, holds: bool, text: impl Into<String>) {
        self.0.push(Finding { text: text.into(), holds });
    }

    /// Adds a duration that must be at most `most`; `None`: it did not happen.
    pub(super) fn within(&mut self, what: &str, took: Option<Duration>, most: Duration) {
        let bound = format!("at most {}", shown(most));
        let text = match took {
            Some(took) => format!("{what} after {}, {bound}", shown(took)),
            None => format!("{what}: not seen, {bound}"),
        };
        self.hold(took.is_some_and(|took| took <= most), text);
    }

    #[must_use]
    pub fn all_hold(&self) -> bool {
        self.0.iter().all(|finding| finding.holds)
    }

    pub fn iter(&self) -> impl Iterator<Item = &Finding> {
        self.0.iter()
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mark = if self.holds { "" } else { "NOT HELD: " };
        write!(f, "{mark}{}", self.text)
    }
}

/// Returns the duration that `share` of them do not exceed; zero if there are none.
pub fn quantile(times: impl IntoIterator<Item = Duration>, share: f64) -> Duration {
    let mut times: Vec<_> = times.into_iter().collect();
    times.sort_unstable();
    #[expect(clippy::cast_precision_loss, clippy::cast_sign_loss, reason = "a place in a list")]
    let place = (times.len() as f64 * share).ceil() as usize;
    times.get(place.saturating_sub(1)).copied().unwrap_or_default()
}

/// Formats a duration in milliseconds with one decimal; in seconds from ten on.
pub fn shown(time: Duration) -> String {
    if time >= Duration::from_secs(10) {
        return format!("{:.1} s", time.as_secs_f64());
    }
    format!("{:.1} ms", time.as_secs_f64() * 1000.0)
}

/// Returns the percentage of `all`.
#[expect(clippy::cast_precision_loss, reason = "counts of calls")]
pub fn percent(some: usize, all: usize) -> f64 {
    some as f64 * 100.0 / all.max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantile_is_one_of_the_times() {
        let times = || (1..=200).map(Duration::from_millis);
        let at = |share| quantile(times(), share).as_millis();
        assert_eq!([0.0, 0.5, 0.99, 1.0].map(at), [1, 100, 198, 200]);
        assert_eq!(quantile([], 0.99), Duration::ZERO);
    }

    #[test]
    fn one_figure_that_does_not_hold_is_enough() {
        let mut findings = Findings::default();
        findings.within("closed", Some(Duration::from_millis(1500)), Duration::from_secs(2));
        assert!(findings.all_hold());
        findings.within("opened", None, Duration::from_secs(1));
        assert!(!findings.all_hold());
        let said: Vec<_> = findings.iter().map(ToString::to_string).collect();
        assert_eq!(said[0], "closed after 1500.0 ms, at most 2000.0 ms");
        assert_eq!(said[1], "NOT HELD: opened: not seen, at most 1000.0 ms");
    }
}
