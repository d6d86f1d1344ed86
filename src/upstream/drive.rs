//! One call, from the breaker to the last try: the one place where attempts are driven.
//!
//! It reads like what happens: passed by the breaker, let in by the bulkhead, tried at an instance, perhaps hedged, perhaps
//! tried again. What is decided at each step is decided elsewhere, by what has no IO. Nothing is spawned: dropping the
//! call drops its attempts, and gives back everything it held.

use super::attempt::{Attempt, Trial};
use super::breaker::Pass;
use super::discovery::Address;
use super::failure::{Failure, Repeat, Verdict};
use super::{Position, Terms, Upstream, now, retry};
use futures_util::future::{Either, select};
use smallvec::SmallVec;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Where a call was tried.
type Tried = SmallVec<[Address; 2]>;

impl<C> Upstream<C> {
    /// Calls an instance, as often and for as long as settings, budget and terms allow. Dropping the future drops the
    /// attempt.
    ///
    /// # Errors
    /// Of the last attempt; or why there was none.
    pub async fn call<T, A, F>(&self, terms: Terms, attempt: A) -> Result<T, Failure>
    where
        A: Fn(Attempt<C>) -> F,
        F: Future<Output = Result<T, Failure>>,
    {
        let counted = self.metrics.begin();
        let outcome = self.admitted(terms, attempt).await;
        counted.end(outcome.as_ref().err());
        outcome
    }

    /// A call that the breaker and the bulkhead let through, or what they say.
    async fn admitted<T, A, F>(&self, terms: Terms, attempt: A) -> Result<T, Failure>
    where
        A: Fn(Attempt<C>) -> F,
        F: Future<Output = Result<T, Failure>>,
    {
        self.passes(now())?;
        let _place = self.bulkhead.enter(terms.deadline).await?;
        let admission = self.admit(now())?;
        let outcome = self.tries(terms, admission.is_probe(), &attempt).await;
        admission.settle(&outcome);
        outcome
    }

    async fn tries<T, A, F>(&self, terms: Terms, once: bool, attempt: &A) -> Result<T, Failure>
    where
        A: Fn(Attempt<C>) -> F,
        F: Future<Output = Result<T, Failure>>,
    {
        let mut tried = Tried::new();
        let mut number = 0;
        loop {
            number += 1;
            let outcome = match self.hedge_after(terms, once) {
                None => self.try_one(terms, &mut tried, attempt)?.await,
                Some(wait) => Box::pin(self.try_two(terms, wait, &mut tried, attempt)).await,
            };
            let Err(failure) = &outcome else { return outcome };
            let wait = if once { None } else { self.wait(failure, number, terms) };
            let Some(wait) = wait else { return outcome };
            tokio::time::sleep(wait).await;
        }
    }

    /// An attempt at the instance whose turn it is.
    fn try_one<'a, T, A, F>(
        &'a self,
        terms: Terms,
        tried: &mut Tried,
        attempt: &A,
    ) -> Result<impl Future<Output = Result<T, Failure>> + use<'a, T, A, F, C>, Failure>
    where
        A: Fn(Attempt<C>) -> F,
        F: Future<Output = Result<T, Failure>>,
    {
        let now = now();
        let member = self.members.pick(tried, now).map_err(Failure::NoInstance)?;
        tried.push(member.address.clone());
        let until = terms.deadline.min(now + self.settings.timeout);
        let attempt =
            attempt(Attempt { instance: Arc::clone(&member.instance), until, fresh: false });
        Ok(Trial::begin(self, member, tried.len(), now).run(attempt, until))
    }

    /// An attempt, and another one if it has not come back after `wait`. The first answer counts.
    async fn try_two<T, A, F>(
        &self,
        terms: Terms,
        wait: Duration,
        tried: &mut Tried,
        attempt: &A,
    ) -> Result<T, Failure>
    where
        A: Fn(Attempt<C>) -> F,
        F: Future<Output = Result<T, Failure>>,
    {
        let first = pin!(self.try_one(terms, tried, attempt)?);
        let first = match select(first, pin!(tokio::time::sleep(wait))).await {
            Either::Left((outcome, _)) => return outcome,
            Either::Right(((), first)) => first,
        };
        if !self.state().budget.spend(now()) {
            return first.await;
        }
        self.metrics.hedges.increment(1);
        let second = pin!(self.try_one(terms, tried, attempt)?);
        match select(first, second).await {
            Either::Left((Ok(reply), _)) | Either::Right((Ok(reply), _)) => Ok(reply),
            Either::Left((Err(_), second)) => second.await,
            Either::Right((Err(_), first)) => first.await,
        }
    }

    /// When another attempt is made beside the first; `None`: never.
    fn hedge_after(&self, terms: Terms, once: bool) -> Option<Duration> {
        let may = self.settings.hedge && !once && terms.repeat == Repeat::Always;
        may.then(|| self.state().latency.p95(now())).flatten()
    }

    /// How long to wait before a failed call is tried again; `None`: it is not.
    fn wait(&self, failure: &Failure, number: u32, terms: Terms) -> Option<Duration> {
        let now = now();
        let left = terms.deadline.saturating_duration_since(now);
        let mut state = self.state();
        let p50 = state.latency.at(0.5, now);
        let tried = retry::Tried { failure, number, repeat: terms.repeat, left, p50 };
        let wait = retry::wait(&self.settings.retry, &tried, fastrand::f64())?;
        let is_paid = state.budget.spend(now);
        let counter = if is_paid { &self.metrics.retries } else { &self.metrics.unpaid };
        counter.increment(1);
        is_paid.then_some(wait)
    }

    /// # Errors
    /// The breaker would refuse a call.
    fn passes(&self, now: Instant) -> Result<(), Failure> {
        self.state().breaker.refuses(now).map_or(Ok(()), |wait| Err(Failure::CircuitOpen(wait)))
    }

    fn admit(&self, now: Instant) -> Result<Admission<'_, C>, Failure> {
        let mut state = self.state();
        let before = state.breaker.position();
        let pass = state.breaker.admit(now).map_err(Failure::CircuitOpen)?;
        if pass.is_probe && before == Position::Open {
            self.metrics.turned(Position::HalfOpen);
        }
        state.budget.count(now);
        drop(state);
        Ok(Admission { upstream: self, pass: Some(pass) })
    }
}

/// A call that the breaker let through. Dropped before it is settled, it says nothing.
struct Admission<'a, C> {
    upstream: &'a Upstream<C>,
    pass: Option<Pass>,
}

impl<C> Admission<'_, C> {
    fn is_probe(&self) -> bool {
        self.pass.is_some_and(|pass| pass.is_probe)
    }

    fn settle<T>(mut self, outcome: &Result<T, Failure>) {
        let verdict = match outcome {
            Ok(_) => Verdict::Success,
            Err(failure) => failure.verdict(|| self.upstream.fair_time()),
        };
        if verdict == Verdict::Nothing {
            return;
        }
        let Some(pass) = self.pass.take() else { return };
        let (well, now) = (verdict == Verdict::Success, now());
        let mut state = self.upstream.state();
        let turned = state.breaker.settle(pass, well, now);
        // While nobody else turns it.
        turned.inspect(|position| self.upstream.metrics.turned(*position));
        drop(state);
        if let Some(position) = turned {
            self.upstream.tell(position);
        }
    }
}

impl<C> Drop for Admission<'_, C> {
    fn drop(&mut self) {
        if let Some(pass) = self.pass {
            self.upstream.state().breaker.forget(pass);
        }
    }
}
