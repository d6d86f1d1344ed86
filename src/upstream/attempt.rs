//! One attempt at one instance: its input, its time limit, and what its outcome says about the instance.

use super::failure::{Failure, Verdict};
use super::members::Member;
use super::metrics::Outcome;
use super::{Upstream, now};
use http::Uri;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// One address of a source, with what the protocol keeps for it, such as a channel or a pool.
#[derive(Debug)]
pub struct Instance<C> {
    /// URL that calls are sent to. A path is the prefix of every call.
    pub uri: Uri,
    pub connection: C,
}

/// One attempt at one instance.
#[derive(Debug)]
pub struct Attempt<C> {
    pub instance: Arc<Instance<C>>,
    /// Time at which the attempt is cut off.
    pub until: Instant,
    /// Requires a new connection: a probe checks whether the instance is reachable now.
    pub fresh: bool,
}

impl<C> Attempt<C> {
    /// Returns the time left until the attempt is cut off.
    #[must_use]
    pub fn left(&self) -> Duration {
        self.until.saturating_duration_since(now())
    }
}

/// Outcome of an attempt.
pub(super) struct End<'a> {
    pub verdict: Verdict,
    pub outcome: Outcome,
    /// `None` if the attempt succeeded or was cancelled.
    pub failure: Option<&'a Failure>,
}

/// An attempt that counts as in flight at its instance until it ends. If it is dropped before, it was cancelled.
pub(super) struct Trial<'a, C> {
    upstream: &'a Upstream<C>,
    member: Arc<Member<C>>,
    /// Number of the attempt within its call, from 1.
    number: usize,
    began: Instant,
    is_over: bool,
}

impl<'a, C> Trial<'a, C> {
    pub fn begin(
        upstream: &'a Upstream<C>,
        member: Arc<Member<C>>,
        number: usize,
        now: Instant,
    ) -> Self {
        member.health().begin(now);
        Self { upstream, member, number, began: now, is_over: false }
    }

    /// Runs an attempt until `until`, and reports its outcome to its instance.
    pub async fn run<T, F>(
        mut self,
        attempt: F,
        until: Instant,
        has_begun: fn(&T) -> bool,
    ) -> Result<T, Failure>
    where
        F: Future<Output = Result<T, Failure>>,
    {
        let outcome = match tokio::time::timeout_at(until.into(), attempt).await {
            Ok(outcome) => outcome,
            Err(_) => Err(Failure::Timeout(until.saturating_duration_since(self.began))),
        };
        let failure = outcome.as_ref().err();
        let verdict = self.upstream.verdict(&outcome, has_begun);
        self.end(&End { verdict, outcome: failure.map_or(Outcome::Ok, Outcome::of), failure });
        outcome
    }

    fn end(&mut self, end: &End<'_>) {
        self.is_over = true;
        let now = now();
        let took = now.saturating_duration_since(self.began);
        self.upstream.ended(&self.member, end, took, now);
        self.log(end, took);
    }

    /// Logs the attempt at `portcullis::upstream=debug`. The service's own messages are left out: they may repeat the
    /// request.
    fn log(&self, end: &End<'_>, took: Duration) {
        let (status, error) = match end.failure {
            Some(Failure::Status { number, .. }) => (Some(*number), None),
            Some(Failure::Unreached(reason) | Failure::Unprocessed(reason)) => {
                (None, Some(reason.as_str()))
            }
            _ => (None, None),
        };
        tracing::debug!(
            target: "portcullis::upstream",
            source = &*self.upstream.source,
            instance = self.member.address.shown(),
            attempt = self.number,
            outcome = end.outcome.label(),
            status,
            error,
            ms = (took.as_secs_f64() * 1e6).round() / 1e3,
            "attempt"
        );
    }
}

impl<C> Drop for Trial<'_, C> {
    fn drop(&mut self) {
        if !self.is_over {
            let (verdict, outcome) = (Verdict::Nothing, Outcome::Cancelled);
            self.end(&End { verdict, outcome, failure: None });
        }
    }
}
