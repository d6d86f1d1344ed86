//! One call, from the breaker to the last attempt: the one place where attempts are driven.
//!
//! A call passes the breaker, enters the bulkhead and is tried at an instance, perhaps with a hedge beside it. A failed
//! attempt of which nothing was sent *moves* on to another instance: at once, and without budget, since it was no load for
//! anything. Any other failed attempt may be *retried*: after a wait, and out of the budget. What is decided at each step is
//! decided elsewhere, without IO. Nothing is spawned: dropping the call drops its attempts, and gives back everything it
//! held.

use super::attempt::{Attempt, Trial};
use super::breaker::Pass;
use super::failure::{Failure, Fault, Repeat, Verdict};
use super::members::TriedMembers;
use super::{Position, Terms, Upstream, now, retry};
use futures_util::future::{Either, select};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// Times that a call moves on after attempts of which nothing was sent.
const MOST_MOVES: u32 = 5;

/// How a call goes on after a failed attempt.
enum Next {
    /// Another instance takes it, at once.
    Move,
    Retry(Duration),
    /// It would be retried, but the budget is empty.
    Starved,
    End,
}

/// How a call ended after all its attempts.
struct CallEnd<T> {
    reply: Result<T, Failure>,
    /// It would have been tried again if the budget had allowed it.
    starved: bool,
}

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
        let reply = self.admitted(terms, attempt).await;
        counted.end(reply.as_ref().err());
        reply
    }

    /// A call that the breaker and the bulkhead let through, or why they do not.
    async fn admitted<T, A, F>(&self, terms: Terms, attempt: A) -> Result<T, Failure>
    where
        A: Fn(Attempt<C>) -> F,
        F: Future<Output = Result<T, Failure>>,
    {
        let came = now();
        self.passes(terms, came)?;
        let mut place = self.bulkhead.enter(terms.deadline, came).await?;
        let admission = self.admit(terms, now())?;
        let attempts = AtomicU32::new(0);
        let attempt = |it| {
            attempts.fetch_add(1, Ordering::Relaxed);
            attempt(it)
        };
        let outcome = self.tries(terms, admission.is_probe(), &attempt).await;
        admission.settle(&outcome);
        if attempts.load(Ordering::Relaxed) == 1 && is_answer(&outcome.reply) {
            place.answered(now());
        }
        outcome.reply
    }

    async fn tries<T, A, F>(&self, terms: Terms, probes: bool, attempt: &A) -> CallEnd<T>
    where
        A: Fn(Attempt<C>) -> F,
        F: Future<Output = Result<T, Failure>>,
    {
        let mut tried = TriedMembers::new();
        let (mut sent, mut moves) = (0, 0);
        loop {
            let began = now();
            let reply = match self.hedge_after(terms, probes) {
                None => match self.try_one(terms, probes, &mut tried, attempt) {
                    Ok(attempt) => attempt.await,
                    Err(none) => Err(none),
                },
                Some(wait) => Box::pin(self.try_two(terms, wait, &mut tried, attempt)).await,
            };
            let Err(failure) = &reply else { return CallEnd { reply, starved: false } };
            match self.next(failure, &tried, (sent, moves), terms, began) {
                Next::Move => {
                    moves += 1;
                    self.metrics.moves();
                }
                Next::Retry(wait) => {
                    sent += 1;
                    tokio::time::sleep(wait).await;
                }
                Next::Starved => return CallEnd { reply, starved: true },
                Next::End => return CallEnd { reply, starved: false },
            }
        }
    }

    /// An attempt at the instance whose turn it is.
    fn try_one<'a, T, A, F>(
        &'a self,
        terms: Terms,
        probes: bool,
        tried: &mut TriedMembers<C>,
        attempt: &A,
    ) -> Result<impl Future<Output = Result<T, Failure>> + use<'a, T, A, F, C>, Failure>
    where
        A: Fn(Attempt<C>) -> F,
        F: Future<Output = Result<T, Failure>>,
    {
        let now = now();
        let picked = if probes {
            self.members.pick_for_probe(tried, now)
        } else {
            self.members.pick(tried, now)
        };
        let member = picked.map_err(Failure::NoInstance)?;
        tried.push(Arc::clone(&member));
        let until = terms.deadline.min(now + self.settings.timeout);
        let instance = Arc::clone(&member.instance);
        let attempt = attempt(Attempt { instance, until, fresh: probes });
        Ok(Trial::begin(self, member, tried.len(), now).run(attempt, until))
    }

    /// An attempt, and another one if it has not come back after `wait`. The first answer counts.
    async fn try_two<T, A, F>(
        &self,
        terms: Terms,
        wait: Duration,
        tried: &mut TriedMembers<C>,
        attempt: &A,
    ) -> Result<T, Failure>
    where
        A: Fn(Attempt<C>) -> F,
        F: Future<Output = Result<T, Failure>>,
    {
        let first = pin!(self.try_one(terms, false, tried, attempt)?);
        let first = match select(first, pin!(tokio::time::sleep(wait))).await {
            Either::Left((outcome, _)) => return outcome,
            Either::Right(((), first)) => first,
        };
        if !self.state().budget.spend(now()) {
            return first.await;
        }
        self.metrics.hedges.increment(1);
        let second = pin!(self.try_one(terms, false, tried, attempt)?);
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

    /// Decides how a call goes on after an attempt that began at `began` and failed.
    fn next(
        &self,
        failure: &Failure,
        tried: &TriedMembers<C>,
        (retries, moves): (u32, u32),
        terms: Terms,
        began: Instant,
    ) -> Next {
        let now = now();
        if failure.is_unsent() {
            let has_other = self.members.has_untried(tried, now);
            // A connection that is closing says nothing against the next one to the same instance.
            let may_move = has_other || !matches!(failure, Failure::Unreached(_));
            if may_move && moves < MOST_MOVES && now < terms.deadline {
                return Next::Move;
            }
            if !has_other && self.members.are_several() {
                return Next::End;
            }
        }
        if matches!(failure, Failure::Timeout(_)) && !self.members.has_answered_since(tried, began)
        {
            return Next::End;
        }
        let left = terms.deadline.saturating_duration_since(now);
        let mut state = self.state();
        let p50 = state.latency.at(0.5, now);
        let number = retries + 1;
        let failed = retry::Tried { failure, number, repeat: terms.repeat, left, p50 };
        let Some(wait) = retry::wait(&self.settings.retry, &failed, fastrand::f64()) else {
            return Next::End;
        };
        let is_paid = state.budget.spend(now);
        let counter = if is_paid { &self.metrics.retries } else { &self.metrics.unpaid };
        counter.increment(1);
        if is_paid { Next::Retry(wait) } else { Next::Starved }
    }

    /// # Errors
    /// The breaker would refuse the call.
    fn passes(&self, terms: Terms, now: Instant) -> Result<(), Failure> {
        let refused = self.state().breaker.refuses(may_probe(terms), now);
        refused.map_or(Ok(()), |wait| Err(Failure::CircuitOpen(wait)))
    }

    fn admit(&self, terms: Terms, now: Instant) -> Result<Admission<'_, C>, Failure> {
        let mut state = self.state();
        let before = state.breaker.position();
        let pass = state.breaker.admit(may_probe(terms), now).map_err(Failure::CircuitOpen)?;
        if pass.is_probe && before == Position::Open {
            self.metrics.turned(Position::HalfOpen);
        }
        state.budget.count(now);
        drop(state);
        Ok(Admission { upstream: self, pass: Some(pass) })
    }
}

/// A probe may fail without harm if its call may be repeated.
fn may_probe(terms: Terms) -> bool {
    terms.repeat != Repeat::IfNotSent
}

/// The service did what it was asked, so that the time it took says how busy it is.
fn is_answer<T>(outcome: &Result<T, Failure>) -> bool {
    let Err(failure) = outcome else { return true };
    matches!(
        failure,
        Failure::Status { fault: Fault::Call, .. } | Failure::TooLarge(_) | Failure::Invalid(_)
    )
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

    fn settle<T>(mut self, outcome: &CallEnd<T>) {
        let (upstream, now) = (self.upstream, now());
        let verdict = match &outcome.reply {
            Ok(_) => Verdict::Success,
            Err(failure) => failure.verdict(|| upstream.fair_time()),
        };
        // Another instance could have answered a call that the budget had nothing left for.
        let excused = outcome.starved && upstream.members.has_healthy(now);
        if verdict == Verdict::Nothing || excused {
            return;
        }
        let Some(pass) = self.pass.take() else { return };
        let success = verdict == Verdict::Success;
        let mut state = upstream.state();
        let may_open = || !upstream.members.has_healthy(now);
        let turned = state.breaker.settle(pass, success, may_open, now);
        // While nothing else turns it.
        turned.inspect(|position| upstream.metrics.turned(*position));
        drop(state);
        match turned {
            // It stays open: that was logged when it opened.
            Some(Position::Open) if pass.is_probe => {}
            Some(position) => upstream.tell(position),
            None => {}
        }
    }
}

impl<C> Drop for Admission<'_, C> {
    fn drop(&mut self) {
        if let Some(pass) = self.pass {
            self.upstream.state().breaker.forget(pass, now());
        }
    }
}
