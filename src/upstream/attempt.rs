//! One try at one instance: what it is given, how long it may take, and what its end says of the instance.

use super::failure::{Failure, Verdict};
use super::members::Member;
use super::metrics::Outcome;
use super::{Upstream, now};
use http::Uri;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// One address that answers for a source, with what the protocol keeps for it, such as a channel or a pool.
#[derive(Debug)]
pub struct Instance<C> {
    /// Scheme and authority are what is called; a path is the prefix of every call.
    pub uri: Uri,
    pub connection: C,
}

/// One try at one instance.
#[derive(Debug)]
pub struct Attempt<C> {
    pub instance: Arc<Instance<C>>,
    /// When it is cut.
    pub until: Instant,
    /// A new connection is required: a probe asks whether the instance is reachable now.
    pub fresh: bool,
}

impl<C> Attempt<C> {
    /// The time until then.
    #[must_use]
    pub fn left(&self) -> Duration {
        self.until.saturating_duration_since(now())
    }
}

/// How a try ended.
pub(super) struct End<'a> {
    pub verdict: Verdict,
    pub outcome: Outcome,
    /// `None` also where it was given up.
    pub failure: Option<&'a Failure>,
}

/// A try that counts as under way at its instance until it is over. Dropped before, it was given up.
pub(super) struct Trial<'a, C> {
    upstream: &'a Upstream<C>,
    member: Arc<Member<C>>,
    /// Which attempt of its call it is, from 1.
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

    /// A line for whoever asks for `portcullis::upstream=debug`. A service's own words are not in it: they may hold what
    /// was asked.
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
